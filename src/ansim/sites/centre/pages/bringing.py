"""Files coming into a workspace: what was brought, what the scan found, and the second person's decision."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people, takes
from ansim.sites.centre import bringing
from ansim.sites.centre.pages import common
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, act, given, needed, page, page_and_act
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag

READERS = ("researcher", "room", "checker", "auditor")
STATES = {
    "submitted": Tag(_("Being scanned"), "info"),
    "waiting": Tag(_("Waiting for a second person"), "warning"),
    "admitted": Tag(_("Let in"), "success"),
    "refused": Tag(_("Refused"), "danger"),
    "withdrawn": Tag(_("Withdrawn"), "neutral"),
}
LEVELS = {"refuse": Tag(_("Cannot come in"), "danger"), "look": Tag(_("To be looked at"), "warning")}


class Bring(Form):
    purpose = forms.CharField(label=_("What are the files for?"), widget=forms.Textarea(attrs={"rows": 2}))
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("Scripts, lists of codes, texts, or a Python package (.whl); at most 50 MB."),
    )
    name = forms.CharField(label=_("Or: name of a text file"), required=False, max_length=120)
    text = forms.CharField(
        label=_("Its content"), required=False, widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})
    )


class Decision(Form):
    decision = forms.ChoiceField(
        label=_("Your decision"), choices=[("admit", _("Let in")), ("refuse", _("Refuse"))], widget=forms.RadioSelect
    )
    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}))


@page(*READERS)
def listing(request: HttpRequest, key: str) -> Page:
    space, _terms, _member = common.visit(request, key, "import")
    found = bringing.of(key)
    rows = [
        [
            Link(each.data["purpose"][:80], f"/workspaces/{key}/imports/{each.key}/"),
            STATES[each.status],
            each.data["author"],
            ", ".join(file["name"] for file in each.data["files"]),
        ]
        for each in found
    ]
    columns = [Column(_("For")), Column(_("State")), Column(_("By")), Column(_("Files"))]
    empty = Empty(_("Nothing was brought yet"), _("Scripts and packages from outside come in here."))
    sections = [Section(_("Files from outside"), [Table(_("Imports"), columns, rows) if rows else empty])]
    if "researcher" in people.roles(request.user) and space["status"] != "closed":
        text = _("The files are scanned and a second person looks at them. Then scripts find them in /code/brought.")
        form = FormPart(Bring(), f"/workspaces/{key}/imports/", _("Bring it in"), text=text)
        sections.append(Section(_("Bring a file"), [form]))
    data = {"imports": [{"id": each.key, "status": each.status, "author": each.data["author"]} for each in found]}
    return Page(_("Files from outside"), sections, data, trail=common.trail(space))


@act(
    "researcher",
    takes={"purpose": takes.text(), "name": takes.text(required=False), "text": takes.text(required=False)},
)
def bring(request: HttpRequest, key: str) -> Done:
    """One file: uploaded, or given as name and text."""
    _space, _terms, member = common.visit(request, key, "import")
    values = given(request)
    (purpose,) = needed(values, "purpose")
    uploaded = request.FILES.get("file")
    if uploaded is not None and (uploaded.size or 0) > bringing.MOST_BYTES:
        raise Problem("too-large", N_("The file is larger than {most} bytes."), where="file", most=bringing.MOST_BYTES)
    bodies: dict[str, bytes] = {}
    if uploaded is not None:
        bodies[uploaded.name or ""] = uploaded.read()
    elif values.get("name"):
        bodies[str(values["name"])] = str(values.get("text") or "").encode()
    name = bringing.bring(key, member, bodies, str(purpose))
    return Done(f"/workspaces/{key}/imports/{name}/", _("The file is being scanned."), {"id": name})


@page(*READERS)
def detail(request: HttpRequest, key: str, name: str) -> Page:
    space, _terms, _member = common.visit(request, key, "import")
    data, found = bringing.get(key, name), bringing.notes(name)
    facts = [Fact(_("For"), data["purpose"]), Fact(_("By"), data["author"])]
    if data["decided_by"]:
        facts.append(Fact(_("Decided by"), data["decided_by"], note=data["reason"]))
    files = Table(
        _("Files"),
        [Column(_("Name")), Column(_("Bytes"), number=True), Column(_("SHA-256"))],
        [[file["name"], file["size"], Code(file["sha256"], 24)] for file in data["files"]],
    )
    sections = [Section("", [facts]), Section(_("Files"), [files])]
    if found:
        sections.append(Section(_("What the scan found"), [_findings(found)]))
    if "room" in people.roles(request.user) and data["status"] == "waiting":
        form = FormPart(Decision(), f"/workspaces/{key}/imports/{name}/decide/", _("Record my decision"))
        sections.append(Section(_("Your decision"), [form]))
    who = {"submitted": _("The machine"), "waiting": _("Room operator")}.get(data["status"], "")
    shown = [{part: each[part] for part in ("file", "level", "code", "place")} for each in found]
    return Page(
        data["purpose"][:80],
        sections,
        {"id": name, "status": data["status"], "files": data["files"], "findings": shown, "by": data["decided_by"]},
        answer=Answer(STATES[data["status"]], who=who),
        over=_("Files from outside"),
        trail=[*common.trail(space), Link(_("Files from outside"), f"/workspaces/{key}/imports/")],
    )


def _findings(found: list[dict]) -> Table:
    rows: list[list[Any]] = [
        [
            LEVELS[each["level"]],
            each["file"],
            each["place"] or "–",
            Code(each["code"]),
            " ".join(gettext(part).format(**each["facts"]) for part in (each["text"], each["remedy"])),
        ]
        for each in sorted(found, key=lambda one: one["level"] != "refuse")[:60]
    ]
    columns = [Column(_("Finding")), Column(_("File")), Column(_("Place")), Column(_("Rule")), Column(_("What"))]
    return Table(_("What the scan found"), columns, rows, hide_caption=True)


@act("room", step_up=True, takes={"decision": takes.one_of("admit", "refuse"), "reason": takes.text()})
def decide(request: HttpRequest, key: str, name: str) -> Done:
    decision, reason = needed(given(request), "decision", "reason")
    person = request.user.get_username()
    state = bringing.decide(key, name, person, admit=decision == "admit", reason=str(reason))
    return Done(f"/workspaces/{key}/imports/{name}/", _("Your decision is on record."), {"status": state["status"]})


urlpatterns = [
    path("workspaces/<slug:key>/imports/", page_and_act(listing, bring)),
    path("workspaces/<slug:key>/imports/<slug:name>/", detail),
    path("workspaces/<slug:key>/imports/<slug:name>/decide/", decide),
]
