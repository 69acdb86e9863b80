"""For patients, without signing in: which projects used this hospital's data, why, with what result, how to object."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.sites.config import site
from ansim.sites.holder import agreements
from ansim.sites.pages import Empty, Page, Section, Text, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Fact, Tag
from ansim.sites.wording import MODES, PURPOSES, area_names, called, tag

NAVIGATION: list[tuple] = [(95, _("For patients"), "/patients/", set(), None)]
STATES = {"in force": Tag(_("In use"), "success"), "over": Tag(_("Ended"), "neutral")}


@page(public=True)
def overview(request: HttpRequest) -> Page:
    projects = [_project(found) for found in _papers()]
    name = phrase(site().name)
    sections = [Section(_("What is shared"), [Text(_WHAT)])]
    if projects:
        sections += [Section(each["title"], [_facts(each)]) for each in projects]
    else:
        text = _(
            "When a research project uses data of this hospital, it will stand here with its purpose and its result."
        )
        sections.append(Section(_("Projects"), [Empty(_("No project yet"), text)]))
    sections.append(Section(_("If you do not want this"), [Text(_HOW), [Fact(_("Where to turn"), _contact())]]))
    return Page(
        gettext("Research with the data of {hospital}").format(hospital=name),
        sections,
        {"projects": projects, "contact": phrase(_contact())},
        lead=_("Which projects use this hospital's data, why, and with what result; and how you can object."),
    )


_WHAT = _(
    "Researchers never receive your name, your resident registration number or your medical record. Most questions "
    "are answered inside the hospital, and only totals over many patients leave it. Where a project needs single "
    "records, they are pseudonymised and stay in a closed centre under an agreement that this hospital signed."
)
_HOW = _(
    "You can object to the use of your data for research at any time, without giving a reason and without any effect "
    "on your care. From then on your data are left out of every count, analysis and extract. If you gave consent to a "
    "project, you can withdraw it. Results that were published before cannot be changed."
)


def _contact() -> Any:
    """[options.patients] contact in site.toml: {ko, en}, a phone number, an address or a desk."""
    given = site().options.get("patients", {}).get("contact")
    return given or _("The hospital's reception; ask for the privacy officer.")


def _papers() -> list[Record]:
    return list(Record.objects.filter(kind="paper", status__in=STATES).order_by("-updated"))


def _project(paper: Record) -> dict[str, Any]:
    terms = agreements.state(paper.key).current["terms"]
    runs = Record.objects.filter(kind="federated", data__agreement=terms["id"]).exclude(status="refused")
    return {
        "id": terms["id"],
        "title": phrase(terms["title"]),
        "status": paper.status,
        "user": phrase(called(terms["user"]["id"])),
        "purpose": terms["purpose"],
        "areas": area_names(terms["areas"]),
        "modes": list(terms["modes"]),
        "from": terms["not_before"][:10],
        "to": terms["not_after"][:10],
        "analyses": runs.count(),
        "extracts": Record.objects.filter(kind="extract", data__agreement=terms["id"], status="sent").count(),
    }


def _facts(project: dict[str, Any]) -> list[Fact]:
    used = gettext("{analyses} analyses answered with totals; {extracts} pseudonymised extracts sent").format(**project)
    return [
        Fact(_("State"), tag(STATES, project["status"])),
        Fact(_("Who"), project["user"]),
        Fact(_("What for"), PURPOSES.get(project["purpose"], project["purpose"])),
        Fact(_("Field of research"), project["areas"]),
        Fact(_("How"), ", ".join(phrase(MODES.get(mode, mode)) for mode in project["modes"])),
        Fact(_("From"), date.fromisoformat(project["from"])),
        Fact(_("Until"), date.fromisoformat(project["to"])),
        Fact(_("What came of it"), used),
    ]


urlpatterns = [path("patients/", overview)]
