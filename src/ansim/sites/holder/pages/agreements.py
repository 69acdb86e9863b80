"""Agreements at a holder: the paper clause by clause with the control behind each, who signed, and signing it."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.governance.agreement import Agreement, agreement, unusable
from ansim.governance.clauses import CLAUSES
from ansim.governance.core import civil_day
from ansim.governance.terms import OPTIONAL, parties
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.sites import clock, papers, people, takes
from ansim.sites.clauses import changes_table, said
from ansim.sites.config import site
from ansim.sites.holder import agreements, board
from ansim.sites.holder.pages import halting
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, Text, act, given, page
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web.formats import language
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.web.problems import problem_text
from ansim.sites.wording import called, day, named, yes

READERS = ("signatory", "officer", "steward", "operator", "secretary", "auditor")
STATES = {
    "to sign": Tag(_("Waits for our signature"), "warning"),
    "signed": Tag(_("Signed by us, others sign"), "info"),
    "in force": Tag(_("In force"), "success"),
    "countered": Tag(_("We made a counter-offer"), "warning"),
    "suspended": Tag(_("Suspended by us"), "danger"),
    "terminated": Tag(_("Terminated by us"), "danger"),
    "over": Tag(_("Ended"), "neutral"),
}


def to_sign(request: HttpRequest) -> int:
    if "signatory" not in people.roles(request.user):
        return 0
    return Record.objects.filter(kind="paper", status="to sign").count()


NAVIGATION: list[tuple] = [(30, _("Agreements"), "/agreements/", set(READERS), to_sign)]


def _state(data: dict) -> str:
    over = data["terms"]["not_after"] < civil_day(clock.now()).isoformat()
    return "over" if over else data["status"]


@page(*READERS)
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind="paper").order_by("-updated")]
    rows.sort(key=lambda data: data["status"] != "to sign")
    if not rows:
        text = _("A paper comes here when the applicant has drafted it and signed first.")
        return Page(_("Agreements"), [Section("", [Empty(_("No agreements yet"), text)])], {"agreements": []})
    table = Table(
        _("Agreements"),
        [
            Column(_("Study")),
            Column(_("Organisation")),
            Column(_("Version"), number=True),
            Column(_("State")),
            Column(_("Last day")),
        ],
        [
            [
                Link(data["terms"]["title"], f"/agreements/{data['id']}/"),
                called(data["user"]),
                data["terms"]["version"],
                STATES[_state(data)],
                day(data["terms"]["not_after"]),
            ]
            for data in rows
        ],
        hide_caption=True,
    )
    listed = [
        {"id": data["id"], "status": _state(data), "version": data["terms"]["version"], "digest": data["digest"]}
        for data in rows
    ]
    return Page(_("Agreements"), [Section("", [table])], {"agreements": listed})


@page(*READERS)
def detail(request: HttpRequest, key: str) -> Page:
    data = agreements.paper(key)
    terms, state = data["terms"], ledger.load(agreement, key)
    found = agreements.findings(data) if data["status"] == "to sign" else []
    reasons = unusable(state, state.current["version"], state.current["digest"], clock.now()) if state.current else []
    asked = papers.needed(terms) if data["status"] == "to sign" else parties(terms)
    left = [party for party in asked if party not in data["signed"]]
    told = explain(parse(terms["query"]), language())
    sections = [
        *_amended(data, state),
        *_sign(request, data, found),
        *halting.sections(request, data, state),
        _parties(data),
        _clauses(terms),
        Section(_("Patient group and variables"), [Text(told)]),
        _paper(data),
    ]
    shown: dict[str, Any] = {
        "agreement": {name: data[name] for name in ("id", "digest", "terms", "signed", "status", "pdf")},
        "case": data["request"],
        "findings": [{**each.problem.as_data(), "blocks": each.blocks} for each in found],
        "in_force": {
            "status": state.status,
            "version": state.current.get("version"),
            "digest": state.current.get("digest"),
            "usable": bool(state.current) and not reasons,
        },
    }
    return Page(
        terms["title"],
        sections,
        shown,
        answer=Answer(
            STATES[_state(data) if state.status not in ("suspended", "terminated") else state.status],
            who=", ".join(named(party) for party in left),
            text=problem_text(reasons[0]) if reasons else "",
        ),
        over=gettext("Agreement, version {version}").format(version=terms["version"]),
        trail=[Link(_("Agreements"), "/agreements/")],
    )


def _amended(data: dict, state: Agreement) -> list[Section]:
    """What the offer changes of the version in force here."""
    if not state.current or state.current["digest"] == data["digest"]:
        return []
    return [Section(_("What changes"), [changes_table(papers.changes(state.current["terms"], data["terms"]))])]


def _sign(request: HttpRequest, data: dict, found: list[agreements.Finding]) -> list[Section]:
    """What the board said, what differs from the application, and the button."""
    if data["status"] != "to sign":
        return []
    case = board.state(data["request"])
    items: list[Any] = [
        [
            Fact(_("Our board"), Link(_("Decision and letter"), f"/board/{data['request']}/")),
            Fact(_("Conditions"), "; ".join(case.conditions) or _("None")),
            Fact(_("Approval holds until"), day(case.expires)),
        ]
    ]
    items += [Notice(problem_text(each.problem), "danger" if each.blocks else "warning") for each in found]
    if not found:
        items.append(Notice(_("The terms lie within the application that our board approved."), "success"))
    if "signatory" in people.roles(request.user) and not any(each.blocks for each in found):
        values = {"differences": "accepted"} if found else {}
        label = _("Sign, with the differences above") if found else _("Sign")
        text = _("You sign the paper and the machine terms in it together, with this site's key.")
        items.append(FormPart(None, f"/agreements/{data['id']}/sign/", label, values=values, text=text))
    return [Section(_("Before signing"), items)]


def _parties(data: dict) -> Section:
    rows = [
        [
            called(party),
            Tag(_("Signature verified here"), "success") if party in data["signed"] else Tag(_("Not yet"), "neutral"),
        ]
        for party in parties(data["terms"])
    ]
    return Section(_("Parties"), [Table(_("Parties"), [Column(_("Party")), Column(_("Signature"))], rows)])


def _clauses(terms: dict) -> Section:
    """Each clause, what it says here, and what holds people to it."""
    rows = []
    for clause in CLAUSES:
        if clause.field in OPTIONAL and clause.field not in terms:
            continue
        control: Any = Code(clause.control) if clause.enforced else Tag(_("People only"), "warning")
        rows.append([{"ko": clause.ko, "en": clause.en}, said(clause.field, terms.get(clause.field)), control])
    columns = [Column(_("Clause")), Column(_("What is agreed")), Column(_("What enforces it"))]
    note = _("“People only” means that no program can hold people to it; the signature does.")
    return Section(_("Clause by clause"), [Table(_("Clauses"), columns, rows, note=note, hide_caption=True)])


def _paper(data: dict) -> Section:
    facts = [
        Fact(_("Paper"), Link(_("Open the agreement (PDF)"), f"/agreements/{data['id']}/paper/")),
        Fact(_("As a machine policy"), Link(_("ODRL 2.2 (JSON-LD)"), f"/agreements/{data['id']}/odrl.jsonld")),
        Fact(_("Paper, SHA-256"), Code(data["pdf"], 16)),
        Fact(_("Terms, SHA-256"), Code(data["digest"], 16)),
        Fact(_("Request"), Link(data["request"], f"/reviews/{data['request']}/")),
        Fact(_("Came"), datetime.fromisoformat(data["came"])),
    ]
    return Section(_("The paper"), [facts, Text(_("This site rendered the pages again from the terms: they agree."))])


@page(*READERS)
def pdf(request: HttpRequest, key: str) -> HttpResponse:
    """The newest paper, with the signatures that it has."""
    body = ledger.document_bytes(agreements.paper(key)["pdf"])
    name = f'inline; filename="{key}-{site().id}.pdf"'
    return HttpResponse(body, content_type="application/pdf", headers={"Content-Disposition": name})


@page(*READERS)
def odrl(request: HttpRequest, key: str) -> HttpResponse:
    return papers.odrl(agreements.paper(key)["terms"])


@act("signatory", step_up=True, takes={"differences": takes.one_of("accepted", "true", "on", required=False)})
def sign(request: HttpRequest, key: str) -> Done:
    """{differences: "accepted"} where the terms differ from the application."""
    agreed = given(request).get("differences")
    agreements.sign(key, request.user.get_username(), accept=agreed == "accepted" or yes(agreed))
    return Done(f"/agreements/{key}/", _("Signed and sent back."), {"id": key})


urlpatterns = [
    path("agreements/", listing),
    path("agreements/<str:key>/", detail),
    path("agreements/<str:key>/paper/", pdf),
    path("agreements/<str:key>/odrl.jsonld", odrl),
    path("agreements/<str:key>/sign/", sign),
]
