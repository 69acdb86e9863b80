"""The list of workspaces, and one workspace: what is here, what is held, what is open, what was destroyed."""

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people
from ansim.sites.centre import agreements, exports, federated, outputs, runs, workspaces
from ansim.sites.centre.pages import common, lab
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, given, page
from ansim.sites.store import ledger
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Figure, Link, Table, Tag
from ansim.sites.wording import FEDERATED, OUTPUT, RUN, named

EVERYBODY = ("researcher", *common.STAFF)


def _held(request: HttpRequest) -> int:
    return (
        sum(space["status"] == "held" for space in workspaces.every())
        if "exporter" in people.roles(request.user)
        else 0
    )


NAVIGATION = [(10, _("Workspaces"), "/workspaces/", set(EVERYBODY), _held)]


class Admit(Form):
    related = forms.BooleanField(label=_("The use is related to the agreed purpose."), required=False)
    not_identifiable = forms.BooleanField(label=_("Nobody can be identified in the linked data."), required=False)
    safety_plan = forms.BooleanField(label=_("There is a plan for the safety of the data."), required=False)
    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}))


@page(*EVERYBODY)
def listing(request: HttpRequest) -> Page:
    spaces = common.mine(request)
    data = {"workspaces": [{name: space[name] for name in ("id", "status", "not_after")} for space in spaces]}
    if not spaces:
        empty = Empty(
            _("No workspaces yet"), _("A workspace appears here when an agreement that names this centre is in force.")
        )
        return Page(_("Workspaces"), [Section("", [empty])], data)
    table = Table(
        _("Workspaces"),
        [Column(_("Agreement")), Column(_("State")), Column(_("Extracts"), number=True), Column(_("Last day"))],
        [
            [
                Link(space["title"], f"/workspaces/{space['id']}/"),
                common.state_of(space),
                len(space["extracts"]),
                date.fromisoformat(space["not_after"]),
            ]
            for space in spaces
        ],
    )
    return Page(
        _("Workspaces"),
        [Section("", [table])],
        data,
        lead=_("One room per agreement. Data come in by agreement and go out only as checked results."),
    )


@page(*EVERYBODY)
def detail(request: HttpRequest, key: str) -> Page:
    space, terms, _member = common.visit(request, key, "workspace")
    roles = people.roles(request.user)
    sections = [Section(_("What is here"), [_facts(space, terms), *_extracts(space)])]
    if space.get("message") and space["status"] == "waiting" and common.is_staff(request):
        sections.insert(0, Section("", [Notice(space["message"], "danger")]))
    if space["linkage"]:
        sections.append(Section(_("Linkage"), _linkage(space)))
    if space["status"] == "held" and "exporter" in roles:
        text = _("Linked data are opened only when all three criteria hold (PIPA decree, article 29-3).")
        sections.append(
            Section(
                _("Export review"), [FormPart(Admit(), f"/workspaces/{key}/admit/", _("Record the review"), text=text)]
            )
        )
    elif space["review"]:
        sections.append(Section(_("Export review"), [_review(space["review"])]))
    sections += _work(key, space)
    if space["status"] == "closed":
        sections.insert(0, Section(_("Destruction"), [_certificate(key, space)]))
    data = {
        "id": key,
        "status": space["status"],
        "over": common.over(space),
        "not_after": space["not_after"],
        "version": space["version"],
        "extracts": space["extracts"],
        "pairs": space["pairs"],
        "linkage": space["linkage"],
        "parts": {
            name: {"people": part["people"], "admitted": part["admitted"], "holders": part["holders"]}
            for name, part in space["parts"].items()
        },
        "review": space["review"],
        "certificate": space.get("certificate", ""),
        "unusable": [problem.as_data() for problem in agreements.unusable_now(key)] if common.is_staff(request) else [],
    }
    return Page(
        space["title"], sections, data, answer=_answer(space, terms, roles), over=_("Workspace"), trail=common.trail()
    )


def _answer(space: dict, terms: dict, roles: set[str]) -> Answer:
    key, status = space["id"], space["status"]
    last = date.fromisoformat(space["not_after"])
    if status == "closed":
        return Answer(
            common.state_of(space),
            actions=[Action(_("Destruction certificate"), f"/workspaces/{key}/certificate.pdf", "secondary")],
        )
    if common.over(space):
        return Answer(
            common.state_of(space),
            who=_("This centre"),
            text=_("Nobody can work here any more; the data are being destroyed."),
        )
    if status == "waiting":
        missing = [holder for holder in workspaces.expected(terms) if holder not in space["extracts"]]
        who = [named(holder) for holder in missing]
        if not missing and terms["linkage"] and not space["pairs"]:
            who = [named(terms["linkage"]["key_agency"])]
        return Answer(common.state_of(space), who=", ".join(who), by=last)
    if status == "held":
        return Answer(common.state_of(space), who=_("Export reviewer"), by=last)
    actions = (
        [
            Action(_("Run a script"), f"/workspaces/{key}/runs/"),
            Action(_("Bring a file in"), f"/workspaces/{key}/imports/", "secondary"),
        ]
        if "researcher" in roles and status == "open"
        else []
    )
    return Answer(
        common.state_of(space),
        who=_("Researchers of the agreement") if status == "open" else "",
        by=last,
        actions=actions,
    )


def _facts(space: dict, terms: dict) -> list[Fact]:
    twin = Link(_("Synthetic twin (zip)"), f"/workspaces/{space['id']}/twin.zip")
    hint = _("The same tables and codes with nobody in them: write scripts outside, run them here unchanged.")
    return [
        *lab.facts(space["id"], space["status"]),
        *([Fact(_("To write scripts outside"), twin, note=hint)] if space["status"] == "open" else []),
        Fact(_("Research organisation"), named(terms["user"]["id"])),
        Fact(_("Hospitals and public bodies"), ", ".join(named(holder["id"]) for holder in terms["holders"])),
        Fact(_("Researchers"), ", ".join(member["name"] for member in terms["members"])),
        Fact(_("Period"), f"{terms['not_before']} – {terms['not_after']}"),
        Fact(
            _("Agreement"),
            Link(_("Signed agreement (PDF)"), f"/workspaces/{space['id']}/agreement.pdf"),
            note=f"{terms['id']} · v{terms['version']}",
        ),
    ]


def _extracts(space: dict) -> list[Any]:
    if not space["extracts"]:
        return [
            Empty(
                _("No extract has arrived yet"),
                _("Each hospital sends its extract when its reviewers have found it adequate."),
            )
        ]
    words = {
        "arriving": Tag(_("Arriving"), "info"),
        "received": Tag(_("Received and verified"), "info"),
        "refused": Tag(_("Refused"), "danger"),
        "in the room": Tag(_("In the room"), "success"),
    }
    rows = [
        [
            named(holder),
            words[entry["status"]],
            entry.get("people"),
            entry.get("k"),
            entry.get("suppressed"),
            Code(entry.get("plan", ""), 12),
        ]
        for holder, entry in space["extracts"].items()
    ]
    columns = [
        Column(_("Hospital or public body")),
        Column(_("State")),
        Column(_("People"), number=True),
        Column(_("Smallest group, k"), number=True),
        Column(_("People left out"), number=True),
        Column(_("Plan")),
    ]
    return [
        Table(
            _("Extracts received"),
            columns,
            rows,
            note=_("Pseudonymised by the holder; verified here against its manifest."),
        )
    ]


def _linkage(space: dict) -> list[Any]:
    linkage = space["linkage"]
    parts: list[Any] = []
    rates = [
        [
            named(holder),
            space["extracts"][holder]["people"],
            linkage["people"],
            f"{linkage['rates'][holder] / 10} %",
        ]
        for holder in linkage["holders"]
    ]
    columns = [
        Column(_("Hospital or public body")),
        Column(_("People sent"), number=True),
        Column(_("Linked people"), number=True),
        Column(_("Share"), number=True),
    ]
    parts.append(
        Table(
            _("Match rate"),
            columns,
            rates,
            note=_("Serials and pairs were deleted when the records were joined; the common numbers are new."),
        )
    )
    if risk := linkage["risk"]:
        if not risk["met"]:
            parts.append(
                Notice(
                    _("Together the extracts single people out: the smallest group has {k}.").format(k=risk["k"]),
                    "warning",
                )
            )
        parts.append(_sizes(risk))
        parts.append(
            [
                Fact(_("Smallest group, k"), risk["k"]),
                Fact(_("Unique people"), risk["uniques"]),
                Fact(_("Highest risk for one person"), f"{100 * risk['prosecutor_highest']:.1f} %"),
                Fact(_("Mean risk"), f"{100 * risk['marketer']:.1f} %"),
            ]
        )
    return parts


def _sizes(risk: dict) -> Figure:
    """People by the size of their group, after linkage."""
    bands = [("1", 1, 1), ("2-4", 2, 4), ("5-9", 5, 9), ("10-19", 10, 19), ("20+", 20, 10**9)]
    sizes = [
        (name, sum(each["people"] for each in risk["distribution"] if low <= each["size"] <= high))
        for name, low, high in bands
    ]
    small = sum(each["people"] for each in risk["distribution"] if each["size"] < 5)
    title = _("{small} of {people} linked people are in groups smaller than 5").format(
        small=small, people=risk["people"]
    )
    table = Table(
        title,
        [Column(_("Size of the group")), Column(_("People"), number=True)],
        [list(row) for row in sizes],
        hide_caption=True,
    )
    return figure(charts.class_sizes(title, sizes, k=5), table)


def _review(review: dict) -> list[Fact]:
    outcome = Tag(_("Opened"), "success") if review["admitted"] else Tag(_("Refused"), "danger")
    reasons = "; ".join(dict.fromkeys(entry["reason"] for entry in review["criteria"].values()))
    return [
        Fact(_("Outcome"), outcome),
        Fact(_("By"), review["by"]),
        Fact(_("When"), common.when(review["at"])),
        Fact(_("Reason"), reasons),
    ]


def _work(key: str, space: dict) -> list[Section]:
    made, asked, shared = runs.of(key), outputs.of(key), federated.every(key)
    sections = []
    if made:
        rows = [
            [
                Link(run["title"] or run["id"], f"/workspaces/{key}/runs/{run['id']}/"),
                RUN[run["status"]],
                run["by"],
                common.when(run["asked"]),
            ]
            for run in made
        ]
        sections.append(
            Section(
                _("Scripts"),
                [
                    Table(
                        _("Scripts"), [Column(_("Title")), Column(_("State")), Column(_("By")), Column(_("When"))], rows
                    )
                ],
            )
        )
    if asked:
        rows = [
            [
                Link(found.data["purpose"][:80], f"/outputs/{found.key}/"),
                OUTPUT[found.status],
                len(found.data["files"]),
            ]
            for found in asked
        ]
        sections.append(
            Section(
                _("Outputs"),
                [Table(_("Outputs"), [Column(_("For")), Column(_("State")), Column(_("Files"), number=True)], rows)],
            )
        )
    if shared:
        rows = [
            [
                Link(federated.title_of(run), f"/federated/{run['id']}/"),
                FEDERATED[federated.status_of(run)],
                run["round"],
            ]
            for run in shared
        ]
        sections.append(
            Section(
                _("Federated analyses"),
                [
                    Table(
                        _("Federated analyses"),
                        [Column(_("Analysis")), Column(_("State")), Column(_("Rounds"), number=True)],
                        rows,
                    )
                ],
            )
        )
    return sections


def _certificate(key: str, space: dict) -> list[Fact]:
    return [
        Fact(_("Destroyed"), common.when(space["closed"])),
        Fact(_("Files"), space["destroyed"]),
        Fact(
            _("Certificate"),
            Link(_("Destruction certificate (PDF)"), f"/workspaces/{key}/certificate.pdf"),
            note=space["certificate"],
        ),
    ]


@act("exporter", step_up=True, takes=exports.TAKES)
def admit(request: HttpRequest, key: str) -> Done:
    space = exports.admit(key, request.user.get_username(), given(request))
    return Done(f"/workspaces/{key}/", _("The export review is on record."), {"status": space["status"]})


@page(*EVERYBODY)
def certificate(request: HttpRequest, key: str) -> HttpResponse:
    """For anyone who could see the workspace: the certificate stays when access ends."""
    if key not in [space["id"] for space in common.mine(request)] or not workspaces.get(key).get("certificate"):
        raise Problem("no-certificate", N_("There is no destruction certificate here."))
    return _pdf(workspaces.get(key)["certificate"])


@page(*EVERYBODY)
def agreement(request: HttpRequest, key: str) -> HttpResponse:
    if key not in [space["id"] for space in common.mine(request)]:
        raise Problem("no-workspace", N_("There is no workspace {key} here."), key=key)
    return _pdf(workspaces.get(key)["paper"])


def _pdf(name: str) -> HttpResponse:
    return HttpResponse(ledger.document_bytes(name), content_type="application/pdf")


urlpatterns = [
    path("", listing),
    path("workspaces/", listing),
    path("workspaces/<slug:key>/", detail),
    path("workspaces/<slug:key>/admit/", admit),
    path("workspaces/<slug:key>/certificate.pdf", certificate),
    path("workspaces/<slug:key>/agreement.pdf", agreement),
]
