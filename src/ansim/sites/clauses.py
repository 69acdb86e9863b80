"""What an agreement says, clause by clause, in words; and what an amendment changes, with who signs for it."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.documents import canonical
from ansim.governance import uses
from ansim.governance.amendment import Change
from ansim.governance.clauses import CLAUSES
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Code, Column, Table
from ansim.sites.wording import MODES, PURPOSES, area_names, called, day, named

NAMES = {clause.field: {"ko": clause.ko, "en": clause.en} for clause in CLAUSES}


def said(field: str, value: Any) -> Any:
    """A clause's value for a page."""
    if value in (None, [], {}):
        return _("None")
    match field:
        case "user":
            return value["name"]
        case "holders":
            return ", ".join(each["name"] for each in value)
        case "members":
            return ", ".join(f"{each['name']} ({each['id']})" for each in value)
        case "areas":
            return area_names(value)
        case "investigations":
            return [phrase(uses.investigations()[kind]) for kind in value]
        case "query":
            return value["title"]
        case "supersedes":
            return Code(value, 16)
        case "modes":
            return [MODES.get(mode, mode) for mode in value]
        case "not_before" | "not_after":
            return day(value)
        case "place":
            return called(value["centre"])
        case "linkage":
            bodies = ", ".join(named(value[body]) for body in ("key_agency", "linker"))
            return f"{bodies}: {', '.join(named(each) for each in value['holders'])}"
        case "reidentification":
            return _("Forbidden")
        case "purpose":
            return PURPOSES.get(value, value)
        case "output":
            return [
                gettext("Counts below {threshold} are not shown").format(threshold=value["threshold"]),
                gettext("Counts are rounded to {rounding}").format(rounding=value["rounding"]),
                gettext("{checkers} checkers").format(checkers=value["checkers"]),
            ]
        case "destruction" if set(value) == {"within_days"}:
            return gettext("Within {days} days of the end").format(days=value["within_days"])
        case "publication" if set(value) == {"lay_summary_within_days"}:
            days = value["lay_summary_within_days"]
            return gettext("A summary for everybody within {days} days of the end").format(days=days)
        case "fees" if isinstance(value, list) and all("total" in each for each in value):
            return [f"{named(each['holder'])}: {each['total']:,} {each['currency']}" for each in value]
        case _ if isinstance(value, dict | list):
            return Code(canonical(value).decode())
        case _:
            return value


def changes_table(found: list[Change]) -> Table:
    """An amendment as a diff: before, after, and who signs because of it."""
    rows = [
        [
            NAMES.get(change.field, change.field),
            said(change.field, change.before),
            said(change.field, change.after),
            ", ".join(named(party) for party in change.touches) or _("Nobody: it only narrows"),
        ]
        for change in found
    ]
    columns = [Column(_("Clause")), Column(_("Until now")), Column(_("From now on")), Column(_("Touches"))]
    note = _("The research organisation signs every version; a hospital signs when something is taken more from it.")
    return Table(_("What changes"), columns, rows, note=note, hide_caption=True)
