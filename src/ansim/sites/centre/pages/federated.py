"""Federated runs: rounds and who answered; the result once it was released, and nothing in between."""

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.research.analysis.figures import effect_of, effects
from ansim.sites import people
from ansim.sites.centre import federated, releases
from ansim.sites.centre.pages import common
from ansim.sites.pages import Empty, Notice, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import FEDERATED, METHODS, named

READERS = ("researcher", "checker", "room", "exporter", "auditor")
NAVIGATION = [(30, _("Federated analyses"), "/federated/", set(READERS), None)]
EFFECTS = {
    "odds_ratio": _("Odds ratio"),
    "rate_ratio": _("Rate ratio"),
    "hazard_ratio": _("Hazard ratio"),
    "coefficient": _("Coefficient"),
}
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
        Fact(_("Method"), METHODS[data["method"]]),
        Fact(_("Sums"), _("Masked: only their pool can be read here") if data["masked"] else _("In the clear")),
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
    """The released numbers: a table, or a model's effects with their intervals."""
    if "table" in result:
        table = result["table"]
        columns = [Column(name) for name in table["dimensions"]] + [Column(_("People"), number=True)]
        rows = [
            [*("–" if part is None else str(part) for part in cell["key"]), cell["text"]] for cell in table["cells"]
        ]
        return Table(
            _("Released table"), columns, rows, note=_("Rounded; small cells and what would give them away are hidden.")
        )
    if "shown" in result:
        names = list(dict.fromkeys(name for row in result["rows"] for name in row))
        lines = [["–" if row.get(name) is None else str(row[name]) for name in names] for row in result["rows"]]
        note = _("Short numbers: counts are rounded, small groups are hidden.")
        return Table(_("Released numbers"), [Column(name) for name in names], lines, note=note)
    effect = effect_of(result["model"])
    measure, null = EFFECTS[effect], 0.0 if effect == "coefficient" else 1.0
    columns = [Column(_("Term")), *(Column(name, number=True) for name in (measure, _("95 % from"), _("to")))]
    drawn = [(term["name"], term[effect], term["low"], term["high"]) for term in effects(result["model"])]
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, *values in drawn]
    title = _("{measure}: {outcome}").format(measure=measure, outcome=result["model"]["outcome"])
    return figure(
        charts.forest(title, drawn, measure=measure, null=null), Table(title, columns, rows, hide_caption=True)
    )


urlpatterns = [path("federated/", listing), path("federated/<slug:run>/", detail)]
