"""Federated runs: rounds and who answered; the result once it was released, and nothing in between."""

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.sites import people
from ansim.sites.centre import federated, releases
from ansim.sites.centre.pages import common
from ansim.sites.pages import Empty, Notice, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import FEDERATED, named

READERS = ("researcher", "checker", "room", "exporter", "auditor")
NAVIGATION = [(30, _("Federated analyses"), "/federated/", set(READERS), None)]
ANSWERS = {
    "waiting": Tag(_("Asked"), "info"),
    "answered": Tag(_("Answered"), "success"),
    "refused": Tag(_("Did not run it"), "danger"),
}


@page(*READERS)
def listing(request: HttpRequest) -> Page:
    keys = [space["id"] for space in common.mine(request)]
    found = [data for data in federated.every() if data["agreement"] in keys]
    rows = [
        [
            Link(federated.title_of(data), f"/federated/{data['id']}/"),
            FEDERATED[federated.status_of(data)],
            data["round"],
            common.when(data["started"]),
        ]
        for data in found
    ]
    table = Table(
        _("Runs"),
        [Column(_("Analysis")), Column(_("State")), Column(_("Rounds"), number=True), Column(_("Started"))],
        rows,
    )
    empty = Empty(_("No federated analyses yet"), _("Data stay at the hospitals: parameters go there, sums come back."))
    return Page(
        _("Federated analyses"),
        [Section("", [table if rows else empty])],
        {"runs": [{"id": data["id"], "status": federated.status_of(data), "rounds": data["round"]} for data in found]},
    )


@page(*READERS)
def detail(request: HttpRequest, run: str) -> Page:
    data = federated.get(run)
    space, _terms, _member = common.visit(request, data["agreement"], "federated")
    status, inside = federated.status_of(data), common.is_staff(request)
    answers = {
        holder: "refused" if holder in data["left_out"] else data["answers"].get(holder, "waiting")
        for holder in data["holders"]
    }
    if not inside and data["status"] == "failed":
        answers = dict.fromkeys(answers, "refused")  # who did not run it is not for the requester
    table = Table(
        _("Holders"),
        [Column(_("Hospital or public body")), Column(_("This round"))],
        [[named(holder), ANSWERS[answer]] for holder, answer in answers.items()],
    )
    facts = [
        Fact(_("Method"), data["method"]),
        Fact(_("Asked by"), data["by"]),
        Fact(_("Rounds"), data["round"]),
        Fact(_("Signed job"), Code(run, 16)),
    ]
    sections = [Section(_("Holders"), [table]), Section(_("Analysis"), [facts])]
    if data["status"] == "failed":
        sections.insert(0, Section("", [Notice(gettext(data["message"]), "danger")]))
    result = None
    if status == "released" and space["status"] != "closed":
        result = releases.result_of(data["output"])
        sections.insert(0, Section(_("Released result"), [_drawn(result)]))
    shown = {
        "id": run,
        "status": status,
        "rounds": data["round"],
        "holders": answers,
        "agreement": data["agreement"],
        "method": data["method"],
        "output": data["output"],
        "message": data["message"],
        "result": result,
    }
    check = Link(_("Output check"), f"/outputs/{data['output']}/") if data["output"] else None
    if check and (inside or "researcher" in people.roles(request.user)):
        sections.append(Section(_("Output check"), [[Fact(_("Request"), check)]]))
    return Page(
        federated.title_of(data),
        sections,
        shown,
        answer=_answer(status),
        over=_("Federated analysis"),
        trail=[*common.trail(space), Link(_("Federated analyses"), "/federated/")],
    )


def _answer(status: str) -> Answer:
    who = {"running": _("The hospitals"), "checking": _("Output checkers"), "finishing": _("This centre")}.get(
        status, ""
    )
    return Answer(FEDERATED[status], who=who)


def _drawn(result: dict) -> object:
    """The released numbers: a table, or odds ratios with their intervals."""
    if "table" in result:
        table = result["table"]
        columns = [Column(name) for name in table["dimensions"]] + [Column(_("People"), number=True)]
        rows = [
            [*("–" if part is None else str(part) for part in cell["key"]), cell["text"]] for cell in table["cells"]
        ]
        return Table(
            _("Released table"), columns, rows, note=_("Rounded; small cells and what would give them away are hidden.")
        )
    terms = result["model"]["terms"][1:]
    columns = [
        Column(_("Term")),
        Column(_("Odds ratio"), number=True),
        Column(_("95 % from"), number=True),
        Column(_("to"), number=True),
    ]
    rows = [[term["name"], f"{term['odds_ratio']:.2f}", f"{term['low']:.2f}", f"{term['high']:.2f}"] for term in terms]
    drawn = [(term["name"], term["odds_ratio"], term["low"], term["high"]) for term in terms]
    title = _("Odds ratios of {outcome}").format(outcome=result["model"]["outcome"])
    return figure(
        charts.forest(title, drawn, measure=_("Odds ratio with 95 % interval")),
        Table(title, columns, rows, hide_caption=True),
    )


urlpatterns = [path("federated/", listing), path("federated/<slug:run>/", detail)]
