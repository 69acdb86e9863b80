"""The route of a case in words: which reviews it needs, what blocks it, and on which conditions, each with its rule."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from ansim.sites.web.parts import Code, Column, Table
from ansim.sites.wording import CERTAINTY, tag

REVIEWS = {
    "consent": _("Consent of each person"),
    "drb": _("Data review board"),
    "shared-drb": _("Shared data review board"),
    "special-override": _("Decision on special categories"),
    "irb": _("Institutional review board (IRB)"),
    "irb-exemption": _("Exemption by the institutional review board (IRB)"),
    "linkage": _("Linkage by a designated body"),
    "export-review": _("Export review of linked data"),
}
BLOCKS = {
    "purpose": _("Blocked: this purpose needs consent"),
    "linker": _("Blocked: linkage only by a designated body"),
    "special": _("Blocked: special categories without an override"),
    "genome": _("Blocked: genome files are not allowed here"),
}
CONDITIONS = {
    "closed-environment": _("Condition: a closed environment"),
    "structure-text": _("Condition: free text is structured, then removed"),
    "judge-images": _("Condition: images are judged for identifiability"),
    "replace-numbers": _("Condition: patient and insurance numbers are deleted or replaced"),
}
ASKED = {
    "consent": _("Whether people consented to this very use"),
    "override": _("Whether an override of the special categories stands"),
    "special": _("Special categories touched"),
}


def rule_cells(rule: dict) -> list[Any]:
    """A rule with its source, article and edition, and how well its text is known."""
    named = Code(f"{rule['id']} · {rule['source']} {rule['article']} · {rule['edition']}")
    return [[rule["title"], named], tag(CERTAINTY, rule["tag"])]


def route_table(route: dict, more: Iterable[list[Any]] = ()) -> Table:
    """route: of `rules.route` as data. more: rows that follow, such as those of the risk tier."""
    rows = [[BLOCKS[each["block"]], *rule_cells(each["rule"])] for each in route.get("blocks", [])]
    rows += [[REVIEWS.get(each["review"], each["review"]), *rule_cells(each["rule"])] for each in route["reviews"]]
    rows += [[CONDITIONS[each["condition"]], *rule_cells(each["rule"])] for each in route.get("conditions", [])]
    columns = [Column(_("What follows")), Column(_("Rule")), Column(_("How well it is known"))]
    return Table(_("Reviews and reasons"), columns, [*rows, *more])
