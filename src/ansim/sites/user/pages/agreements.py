"""The company's desk: agreements, what is asked under them, the people, and the results."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.agreement import agreement, unsigned
from ansim.governance.core import civil_day
from ansim.sites import clock, papers, people, takes
from ansim.sites.config import site
from ansim.sites.exchange import trust
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, act, given, needed, page
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.user import agreements, membership, signing, work
from ansim.sites.user.pages import revising
from ansim.sites.user.pages.federated import methods_of, specification
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import ANSWERED, METHODS, MODES, area_names, called, lines, named, tag

NAVIGATION = [
    (20, _("Agreements"), "/agreements/", {"researcher", "legal"}, None),
    (30, _("Results"), "/releases/", {"researcher", "legal"}, None),
    (40, _("Members"), "/members/", {"researcher", "legal"}, None),
]
STATES = {
    "signing": Tag(_("Being signed"), "info"),
    "in force": Tag(_("In force"), "success"),
    "countered": Tag(_("A hospital made a counter-offer"), "warning"),
    "ended": Tag(_("Ended"), "neutral"),
}


def _state(paper: dict) -> Tag:
    if paper["status"] == "in force" and paper["terms"]["not_after"] < civil_day(clock.now()).isoformat():
        return STATES["ended"]
    return STATES[paper["status"]]


@page("researcher", "legal")
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind="paper").order_by("-updated")]
    if not rows:
        return Page(
            _("Agreements"),
            [
                Section(
                    "",
                    [
                        Empty(
                            _("No agreements yet"),
                            _("When hospitals have approved your application, draw up the agreement from its page."),
                        )
                    ],
                )
            ],
            {"agreements": []},
        )
    table = Table(
        _("Agreements"),
        [Column(_("Study")), Column(_("State")), Column(_("Signed"), number=True), Column(_("Last day"))],
        [
            [
                Link(paper["terms"]["title"], f"/agreements/{paper['id']}/"),
                _state(paper),
                f"{len(paper['signed'])}/{len(paper['terms']['holders']) + 1}",
                datetime.fromisoformat(paper["terms"]["not_after"]).date(),
            ]
            for paper in rows
        ],
    )
    return Page(_("Agreements"), [Section("", [table])], {"agreements": [paper["id"] for paper in rows]})


class ExtractForm(Form):
    area = forms.CharField(label=_("Area of research of this use"))


def _asking(key: str, terms: dict) -> list[Section]:
    """What a researcher can ask under an agreement in force."""
    form = FormPart(
        ExtractForm(initial={"area": terms["areas"][0]}),
        f"/agreements/{key}/extract/",
        _("Sign and ask every hospital"),
    )
    methods = Table(_("Methods"), [Column(_("Method"))], methods_of(key), hide_caption=True)
    return [Section(_("Ask for the data extract"), [form]), Section(_("Ask for a federated analysis"), [methods])]


def _signature(party: str, paper: dict, asked_for: list[str]) -> Tag:
    if party in paper["signed"]:
        return Tag(_("Signed"), "success")
    return Tag(_("Waiting"), "info") if party in asked_for else Tag(_("Not touched, need not sign"), "neutral")


@page("researcher", "legal")
def detail(request: HttpRequest, key: str) -> Page:
    paper = agreements.get(key)
    terms = paper["terms"]
    asked = [found.data for found in Record.objects.filter(kind="job", data__agreement=key).order_by("-updated")]
    parties = [terms["user"], *terms["holders"]]
    asked_for = unsigned(ledger.load(agreement, key))
    left = [each["name"] for each in parties if each["id"] in asked_for]
    signatures = Table(
        _("Signatures"),
        [Column(_("Party")), Column(_("State"))],
        [[each["name"], _signature(each["id"], paper, asked_for)] for each in parties],
    )
    facts = [
        Fact(_("Area of research"), area_names(terms["areas"])),
        Fact(_("Period"), f"{terms['not_before']} – {terms['not_after']}"),
        Fact(_("Mode"), ", ".join(str(MODES.get(mode, mode)) for mode in terms["modes"])),
        Fact(_("Centre"), called(terms["place"]["centre"])),
        Fact(
            _("Linkage"),
            ", ".join(named(each) for each in terms["linkage"]["holders"]) if terms["linkage"] else _("None"),
        ),
        Fact(_("Members"), ", ".join(each["name"] for each in terms["members"])),
        Fact(_("Terms"), Code(paper["digest"], 16), note=_("SHA-256 of the terms that every party signs")),
        Fact(_("Paper"), Link(_("PDF"), f"/agreements/{key}/paper/")),
        Fact(_("As a machine policy"), Link(_("ODRL 2.2 (JSON-LD)"), f"/agreements/{key}/odrl.jsonld")),
    ]
    sections = [*revising.sections(paper), Section(_("Signatures"), [signatures]), Section(_("Terms"), [facts])]
    if paper["status"] == "in force":
        if "researcher" in people.roles(request.user):
            sections += _asking(key, terms)
        rows = [
            [
                Code(job["id"], 12),
                MODES.get(job["mode"], job["mode"]),
                METHODS.get(job["method"], job["method"]),
                datetime.fromisoformat(job["asked"]),
                [
                    Tag(
                        f"{named(who)}: {tag(ANSWERED, answer['status']).word}",
                        tag(ANSWERED, answer["status"]).tone,
                    )
                    for who, answer in job["answers"].items()
                ],
            ]
            for job in asked
        ]
        columns = [Column(_("Job")), Column(_("Mode")), Column(_("Method")), Column(_("Asked")), Column(_("Answers"))]
        sections.append(
            Section(_("What was asked"), [Table(_("Jobs"), columns, rows) if rows else Empty(_("Nothing asked yet"))])
        )
    return Page(
        terms["title"],
        sections,
        {"agreement": {**paper, "status": paper["status"]}, "jobs": asked},
        answer=Answer(_state(paper), who=", ".join(left), actions=revising.actions(request, paper)),
        over=_("Research agreement"),
        trail=[Link(_("Agreements"), "/agreements/")],
    )


@page("researcher", "legal")
def paper_file(request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(ledger.document_bytes(agreements.get(key)["pdf"]), content_type="application/pdf")


@page("researcher", "legal")
def odrl(request: HttpRequest, key: str) -> HttpResponse:
    return papers.odrl(agreements.get(key)["terms"])


@act(
    "researcher",
    step_up=True,
    takes={
        "area": takes.text(),
        "member": takes.text(required=False),
        "holders": takes.texts(required=False),
        "query": takes.document(required=False),
    },
)
def extract(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (area,) = needed(values, "area")
    person = values.get("member") or request.user.get_username()
    job = work.ask_extract(
        key, area=area, person=_own(request, person), holders=lines(values.get("holders")), query=values.get("query")
    )
    return Done(f"/agreements/{key}/", _("Asked. Each hospital prepares its extract and has it reviewed."), {"id": job})


@act(
    "researcher",
    step_up=True,
    takes={
        "area": takes.text(),
        "method": takes.text(),
        "spec": takes.document(texts=True, required=False),
        "member": takes.text(required=False),
        "query": takes.document(required=False),
        "holders": takes.texts(required=False),
    },
)
def federated(request: HttpRequest, key: str) -> Done:
    values = given(request)
    area, method = needed(values, "area", "method")
    spec = takes.opened(values["spec"], "spec") if values.get("spec") else specification(request, key, method)
    person = values.get("member") or request.user.get_username()
    job = work.ask_federated(
        key,
        area=area,
        method=method,
        spec=spec,
        person=_own(request, person),
        query=values.get("query"),
        holders=lines(values.get("holders")),
    )
    return Done(
        f"/agreements/{key}/",
        _("Asked. The centre runs it over the hospitals; the result waits for the output check."),
        {"id": job},
    )


def _own(request: HttpRequest, person: str) -> str:
    """Nobody signs with somebody else's key."""
    if signing.member_of(person) != signing.member_of(request.user.get_username()):
        raise Problem("not-yours", N_("You can sign with your own key only."), where="member")
    return person


def _study(release: dict) -> Any:
    """What a release belongs to: the title of its agreement."""
    found = Record.objects.filter(kind="paper", key=release["manifest"]["agreement"]).first()
    return phrase(found.data["terms"]["title"]) if found else release["id"]


@page("researcher", "legal")
def releases(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind="release").order_by("-updated")]
    if not rows:
        return Page(
            _("Results"),
            [
                Section(
                    "",
                    [
                        Empty(
                            _("No results yet"),
                            _("Results arrive here when two checkers at the centre have released them."),
                        )
                    ],
                )
            ],
            {"releases": []},
        )
    table = Table(
        _("Results"),
        [Column(_("Study")), Column(_("Release")), Column(_("Files"), number=True), Column(_("Received"))],
        [
            [
                Link(_study(each), f"/releases/{each['id']}/"),
                Code(each["id"]),
                len(each["manifest"]["files"]),
                datetime.fromisoformat(each["at"]),
            ]
            for each in rows
        ],
    )
    return Page(_("Results"), [Section("", [table])], {"releases": [each["id"] for each in rows]})


@page("researcher", "legal")
def release(request: HttpRequest, key: str) -> Page:
    found = Record.objects.filter(kind="release", key=key).first()
    if found is None:
        raise Problem("no-release", N_("There is no release {key} here."), key=key)
    data, counts = found.data, work.downloads(key)
    most, revoked = data["manifest"].get("downloads", "–"), data.get("revoked")
    rows = [
        [
            each["name"] if revoked else Link(each["name"], f"/releases/{key}/files/{each['name']}"),
            Code(each["sha256"], 16),
            f"{counts.get(each['name'], 0)}/{most}",
        ]
        for each in data["manifest"]["files"]
    ]
    table = Table(
        _("Files"),
        [Column(_("File")), Column(_("SHA-256")), Column(_("Downloads"), number=True)],
        rows,
        note=_("Each file is what the manifest names; it is checked again when you open it."),
    )
    facts = [
        Fact(_("Release"), Code(key)),
        Fact(_("Agreement"), Link(data["manifest"]["agreement"], f"/agreements/{data['manifest']['agreement']}/")),
        Fact(_("Received"), datetime.fromisoformat(data["at"])),
    ]
    return Page(
        _study(data),
        [Section("", [facts]), Section(_("Files"), [table])],
        {"release": data, "downloads": counts},
        answer=Answer(
            Tag(_("Taken back"), "danger"),
            text=_("The centre has taken this release back: {reason} Delete all copies.").format(
                reason=revoked["reason"]
            ),
        )
        if revoked
        else None,
        trail=[Link(_("Results"), "/releases/")],
        over=_("Released result"),
    )


@page("researcher", "legal")
def release_file(request: HttpRequest, key: str, name: str) -> HttpResponse:
    """The name of the copy says which release it is of; its content is what the manifest names and is not changed."""
    body = work.download(key, name, request.user.get_username())
    disposition = f"attachment; filename*=UTF-8''{quote(f'{key}-{name}')}"
    headers = {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(body, content_type="application/octet-stream", headers=headers)


class RemoveForm(Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remove"].choices = [(each["id"], each["name"]) for each in signing.members()]  # type: ignore[attr-defined]

    remove = forms.MultipleChoiceField(
        label=_("No longer works here"), widget=forms.CheckboxSelectMultiple, required=False
    )


@page("researcher", "legal")
def members(request: HttpRequest) -> Page:
    held = trust.document(f"members:{site().id}") or {"members": [], "seq": 0, "issued": clock.iso(clock.now())}
    table = Table(
        _("Members"),
        [Column(_("Person")), Column(_("Role")), Column(_("Key"))],
        [[f"{each['name']} ({each['id']})", each["role"], Code(each["key"]["kid"], 12)] for each in held["members"]],
    )
    sections = [
        Section(
            "",
            [
                [
                    Fact(_("Attested"), datetime.fromisoformat(held["issued"])),
                    Fact(_("Number of the list"), held["seq"]),
                ],
                table,
            ],
        ),
        Section(
            _("Attest anew"),
            [
                FormPart(
                    RemoveForm(),
                    "/members/attest/",
                    _("Sign the list"),
                    text=_("Hospitals refuse a list that is too old, and anybody whom the newest list leaves out."),
                )
            ],
        ),
    ]
    return Page(_("Members"), sections, {"members": [each["id"] for each in held["members"]], "seq": held["seq"]})


@act("legal", step_up=True, takes={"remove": takes.texts(required=False)})
def attest(request: HttpRequest) -> Done:
    remove = given(request).get("remove") or []
    seq = membership.attest(remove=[remove] if isinstance(remove, str) else remove, person=request.user.get_username())
    return Done("/members/", _("The member list is signed and on its way to every hospital."), {"seq": seq})


urlpatterns = [
    path("agreements/", listing),
    path("agreements/<str:key>/", detail),
    path("agreements/<str:key>/paper/", paper_file),
    path("agreements/<str:key>/odrl.jsonld", odrl),
    path("agreements/<str:key>/extract/", extract),
    path("agreements/<str:key>/federated/", federated),
    path("releases/", releases),
    path("releases/<str:key>/", release),
    path("releases/<str:key>/files/<str:name>", release_file),
    path("members/", members),
    path("members/attest/", attest),
]
