"""Output requests: what the machine found, file by file and cell by cell; the checkers' views; what left before."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.output import output, view
from ansim.sites import people, takes
from ansim.sites.centre import agreements, exports, outputs, releases
from ansim.sites.centre.pages import common, output_parts
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, act, given, needed, page
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Column, Fact, Link, Table
from ansim.sites.wording import OUTPUT

READERS = ("researcher", "checker", "senior", "exporter", "room", "auditor")


def _waiting(request: HttpRequest) -> int:
    roles, person = people.roles(request.user), request.user.get_username()
    found = Record.objects.filter(kind="output")
    if "checker" in roles:
        return sum(person not in each.data["views"] for each in found.filter(status="checking"))
    if "senior" in roles:
        return found.filter(status="disputed").count()
    return sum(each.data["linked"] for each in found.filter(status="agreed")) if "exporter" in roles else 0


NAVIGATION = [(20, _("Outputs"), "/outputs/", set(READERS), _waiting)]


class Review(Form):
    decision = forms.ChoiceField(
        label=_("Your decision"), choices=[("release", _("Release")), ("refuse", _("Refuse"))], widget=forms.RadioSelect
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Needed for a refusal, and for releasing what the machine asked to look at."),
    )


class Export(Form):
    related = forms.BooleanField(label=_("The files are related to the agreed purpose."), required=False)
    related_reason = forms.CharField(label=_("Why, for the purpose"), required=False, max_length=1000)
    not_identifiable = forms.BooleanField(label=_("Nobody can be identified in the files."), required=False)
    not_identifiable_reason = forms.CharField(label=_("Why, for identification"), required=False, max_length=1000)
    safety_plan = forms.BooleanField(label=_("There is a plan for the safety of the files."), required=False)
    safety_plan_reason = forms.CharField(label=_("Why, for the safety plan"), required=False, max_length=1000)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For each criterion that has no reason of its own."),
    )


class Revoke(Form):
    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The research organisation reads it."),
    )


@page(*READERS)
def listing(request: HttpRequest) -> Page:
    keys = [space["id"] for space in common.mine(request)]
    found = [each for each in Record.objects.filter(kind="output").order_by("-updated") if each.data["project"] in keys]
    data = {"outputs": [{"id": each.key, "status": each.status, "agreement": each.data["project"]} for each in found]}
    if not found:
        return Page(
            _("Outputs"),
            [
                Section(
                    "",
                    [Empty(_("No output requests yet"), _("Researchers ask for files of a script to leave the room."))],
                )
            ],
            data,
        )
    rows = [
        [
            Link(each.data["purpose"][:80], f"/outputs/{each.key}/"),
            OUTPUT[each.status],
            each.data["author"],
            len(each.data["files"]),
        ]
        for each in found
    ]
    table = Table(
        _("Output requests"),
        [Column(_("For")), Column(_("State")), Column(_("Asked by")), Column(_("Files"), number=True)],
        rows,
    )
    return Page(
        _("Outputs"),
        [Section("", [table])],
        data,
        lead=_("Nothing leaves before the machine and two people have looked at it."),
    )


@page(*READERS)
def detail(request: HttpRequest, name: str) -> Page:
    data = outputs.get(name)
    space, _terms, person = common.visit(request, data["project"], "output")
    roles = people.roles(request.user)
    state = ledger.load(output, name)
    shown, held = view(state, person), outputs.notes(name)
    inside = bool(roles & {"checker", "senior", "exporter"})
    findings = [output_parts.told(each, inside) for each in held.get("findings", [])]
    sections = [
        Section(file["name"], output_parts.file(space, name, file, findings, held, inside)) for file in data["files"]
    ]
    sections += _decide(name, state, roles, person)
    earlier = [
        output_parts.earlier(data["project"], name),
        *(output_parts.beside(data, name) if inside and space["status"] != "closed" else []),
    ]
    sections.append(Section(_("Earlier releases of this project"), earlier))
    facts = [
        Fact(_("For"), data["purpose"]),
        Fact(_("Asked by"), data["author"]),
        Fact(_("Views in"), f"{shown['views_in']}/2"),
    ]
    facts += [
        Fact(who, _("Release") if seen["release"] else _("Refuse"), note=seen["reason"])
        for who, seen in shown["views"].items()
    ]
    facts += output_parts.board(state)
    if gone := held.get("gone"):
        count = sum(gone["downloads"].values())
        facts.append(
            Fact(
                _("Deleted at the desk"),
                common.when(gone["at"]),
                note=_("{count} downloads before").format(count=count),
            )
        )
    sections.insert(0, Section("", [facts]))
    reports = {
        file: {part: report[part] for part in ("route", "equal", "safe", "verdict") if part in report}
        for file, report in held.get("reports", {}).items()
    }
    return Page(
        _("Files for release"),
        sections,
        {
            "id": name,
            "status": state.status,
            "agreement": data["project"],
            "author": data["author"],
            "files": data["files"],
            "linked": data["linked"],
            "findings": findings,
            "reports": reports,
            "views": shown["views"],
            "views_in": shown["views_in"],
            "reason": state.reason,
            "safe": any(report.get("safe") for report in held.get("reports", {}).values()),
            "release": state.manifest.get("digest", ""),
            "board": {"needed": state.board, "in": len(state.export_views)} if state.linked else None,
            "gone": held.get("gone"),
        },
        answer=_answer(name, state, roles, held),
        over=space["title"],
        trail=[*common.trail(space), Link(_("Outputs"), "/outputs/")],
    )


def _decide(name: str, state: Any, roles: set[str], person: str) -> list[Section]:
    if "checker" in roles and state.status == "checking" and person not in state.views:
        return [
            Section(
                _("Your view"),
                [
                    FormPart(
                        Review(),
                        f"/outputs/{name}/review/",
                        _("Record my view"),
                        text=_("You will see the other checker's view after both have decided."),
                    )
                ],
            )
        ]
    if "senior" in roles and state.status == "disputed" and person not in state.views:
        return [Section(_("Settle it"), [FormPart(Review(), f"/outputs/{name}/settle/", _("Settle"))])]
    if "exporter" in roles and state.status == "agreed" and state.linked and person not in state.export_views:
        return [Section(_("Export review"), [FormPart(Export(), f"/outputs/{name}/export/", _("Record the review"))])]
    if "senior" in roles and state.status == "released":
        text = _("The organisation's desk deletes the files and reports it. Earlier downloads cannot be called back.")
        form = FormPart(Revoke(), f"/outputs/{name}/revoke/", _("Take it back"), text=text)
        return [Section(_("Take this release back"), [form])]
    return []


def _answer(name: str, state: Any, roles: set[str], held: dict) -> Answer:
    who = {
        "submitted": _("The machine"),
        "checking": _("Output checkers"),
        "disputed": _("Senior output checker"),
        "agreed": _("Export reviewer") if state.linked else _("This centre"),
        "exportable": _("This centre"),
    }.get(state.status, "")
    safe = any(report.get("safe") for report in held.get("reports", {}).values())
    if state.status == "refused" and safe:
        who = _("The author, with the safe version")
    actions = []
    if "researcher" in roles and state.status in ("refused", "checking") and safe:
        actions.append(Action(_("Ask for the safe version"), f"/outputs/{name}/safe/", method="post"))
    if roles & {"room", "exporter", "auditor"} and state.status == "released":
        actions.append(Action(_("Download as RO-Crate"), f"/outputs/{name}/crate.zip", "secondary"))
    return Answer(
        OUTPUT[state.status],
        who=who,
        text=_("Some files cannot leave as they are.") if state.status == "refused" else "",
        actions=actions,
    )


@page("checker", "senior", "exporter")
def file(request: HttpRequest, name: str, file: str) -> HttpResponse:
    """A file for those who check it: handed over as a download that the browser does not run."""
    common.visit(request, outputs.get(name)["project"], "output")
    body = releases.download(name, file, request.user.get_username())
    return HttpResponse(
        body,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": "attachment",
            "Content-Security-Policy": "sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )


DECISION = {"decision": takes.one_of("release", "refuse"), "reason": takes.text(required=False)}


@page("room", "exporter", "auditor")
def crate(request: HttpRequest, name: str) -> HttpResponse:
    """A release as a Five Safes RO-Crate, for those who answer for it."""
    common.visit(request, outputs.get(name)["project"], "output")
    headers = {"Content-Disposition": f"attachment; filename={name}-crate.zip", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(releases.crate_of(name), content_type="application/zip", headers=headers)


def _decision(request: HttpRequest) -> tuple[bool, str]:
    values = given(request)
    (decision,) = needed(values, "decision")
    if decision not in ("release", "refuse"):
        raise Problem("decision", N_("Choose release or refuse."), where="decision")
    return decision == "release", str(values.get("reason") or "")


@act("checker", step_up=True, takes=DECISION)
def review(request: HttpRequest, name: str) -> Done:
    release, reason = _decision(request)
    state = outputs.review(name, request.user.get_username(), release=release, reason=reason)
    return Done(f"/outputs/{name}/", _("Your view is on record."), {"views_in": len(state["views"])})


@act("senior", step_up=True, takes=DECISION)
def settle(request: HttpRequest, name: str) -> Done:
    release, reason = _decision(request)
    state = outputs.settle(name, request.user.get_username(), release=release, reason=reason)
    return Done(f"/outputs/{name}/", _("The dispute is settled."), {"status": state["status"]})


@act("exporter", step_up=True, takes=exports.TAKES)
def export(request: HttpRequest, name: str) -> Done:
    state = outputs.review_export(name, request.user.get_username(), given(request))
    return Done(f"/outputs/{name}/", _("The export review is on record."), {"status": state["status"]})


@act("senior", step_up=True, takes={"reason": takes.text()})
def revoke(request: HttpRequest, name: str) -> Done:
    (reason,) = needed(given(request), "reason")
    state = releases.revoke(name, request.user.get_username(), str(reason))
    return Done(f"/outputs/{name}/", _("The release is taken back."), {"status": state["status"]})


@act("researcher")
def safe(request: HttpRequest, name: str) -> Done:
    """One click: the same request with the protected tables."""
    data = outputs.get(name)
    member = agreements.member_of(request.user.get_username(), agreements.terms(data["project"]))
    key = outputs.safe_version(name, member)
    return Done(f"/outputs/{key}/", _("The safe version is on its way to the checkers."), {"id": key})


urlpatterns = [
    path("outputs/", listing),
    path("outputs/<slug:name>/", detail),
    path("outputs/<slug:name>/files/<path:file>", file),
    path("outputs/<slug:name>/crate.zip", crate),
    path("outputs/<slug:name>/review/", review),
    path("outputs/<slug:name>/settle/", settle),
    path("outputs/<slug:name>/export/", export),
    path("outputs/<slug:name>/revoke/", revoke),
    path("outputs/<slug:name>/safe/", safe),
]
