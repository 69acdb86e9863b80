"""Output requests: what the machine found, file by file and cell by cell; the checkers' views; what left before."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.output import output, view
from ansim.sites import people, takes
from ansim.sites.centre import agreements, exports, outputs, releases
from ansim.sites.centre.pages import common
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, Text, act, given, needed, page
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Link, Suppressed, Table, Tag
from ansim.sites.wording import OUTPUT

READERS = ("researcher", "checker", "senior", "exporter", "room", "auditor")
CRITERIA = {
    "purpose-related": _("Related to the purpose"),
    "nobody-identifiable": _("Nobody is identifiable"),
    "safety-plan": _("Safety plan"),
}
LEVELS = {
    "refuse": Tag(_("Cannot leave"), "danger"),
    "look": Tag(_("To be looked at"), "warning"),
    "note": Tag(_("In order"), "success"),
}
PREVIEW, ROWS, MOST = 4_000, 40, 60  # characters, rows and findings that a page shows


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
    findings = [_told(each, inside) for each in held.get("findings", [])]
    sections = [Section(file["name"], _file(space, name, file, findings, held, inside)) for file in data["files"]]
    sections += _decide(name, state, roles, person)
    earlier = [
        _earlier(data["project"], name),
        *(_beside(data, name) if inside and space["status"] != "closed" else []),
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
    facts += _board(state)
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


def _told(finding: dict, inside: bool) -> dict:
    """A finding for a page; why a cell is hidden is for the checkers only, since it tells what the marker hides."""
    told = {name: value for name, value in finding.items() if inside or name != "rules"}
    if text := finding.get("text"):  # kept as a template, so that each reader has it in the own language
        words = [gettext(part).format(**finding.get("facts", {})) for part in (text, finding.get("remedy", "")) if part]
        told["message"] = " ".join(words)
    return told


def _file(space: dict, name: str, file: dict, findings: list[dict], held: dict, inside: bool) -> list[Any]:
    mine = [finding for finding in findings if finding["file"] == file["name"]]
    parts: list[Any] = [[Fact(_("Bytes"), file["size"]), Fact(_("SHA-256"), Code(file["sha256"], 24))]]
    if mine:
        parts.append(_found(file["name"], mine, inside))
    report = held.get("reports", {}).get(file["name"], {})
    if inside and report.get("protected"):
        parts.append(_protected(report))
    if inside and space["status"] != "closed":
        parts += _preview(name, file["name"])
    return parts


def _found(file: str, mine: list[dict], inside: bool) -> Table:
    """The machine's findings, what cannot leave first."""
    columns = [Column(_("Finding")), Column(_("Cell or place")), Column(_("Rule")), Column(_("What"))]
    if inside:
        columns.append(Column(_("Why it is hidden")))
    ordered = sorted(mine, key=lambda each: list(LEVELS).index(each["level"]))
    rows = [
        [LEVELS[each["level"]], each.get("place") or "–", Code(each["code"]), each["message"]]
        + ([", ".join(each.get("rules", [])) or "–"] if inside else [])
        for each in ordered[:MOST]
    ]
    more = len(mine) - len(rows)
    note = _("{count} more findings of the same file are not shown.").format(count=more) if more else ""
    return Table(_("What the machine found in {file}").format(file=file), columns, rows, note=note)


def _protected(report: dict) -> Table:
    released = report["protected"]
    least = int(next((cell["text"][1:] for cell in released["cells"] if cell["text"].startswith("<")), 10))
    columns = [Column(dimension) for dimension in released["dimensions"]] + [
        Column(_("Protected"), number=True),
        Column(_("Rules")),
    ]
    rows = [
        [
            *("–" if part is None else str(part) for part in cell["key"]),
            Suppressed(least) if cell["text"].startswith("<") else cell["text"],
            ", ".join(cell["rules"]) or "–",
        ]
        for cell in released["cells"][:400]
    ]
    return Table(
        _("{rows} by the centre, as it may leave").format(rows=" × ".join(released["dimensions"]) or _("Total")),
        columns,
        rows,
        note=_("Made again by this centre from the people; memory of earlier releases included."),
    )


def _preview(name: str, file: str) -> list[Any]:
    """The beginning of a text file; a picture or page only as a download that the browser does not run."""
    body, kind = releases.file_of(name, file), file.rsplit(".", 1)[-1].lower()
    link = Action(_("Download {file}").format(file=file), f"/outputs/{name}/files/{file}", "secondary")
    if kind not in {"csv", "tsv", "json", "txt", "md"}:
        return [link]
    text = body[:PREVIEW].decode("utf-8", "replace")
    if kind not in {"csv", "tsv"}:
        return [Text(text, pre=True), link]
    rows = [line.split("\t" if kind == "tsv" else ",") for line in text.splitlines()[: ROWS + 1]]
    width = min(12, max((len(row) for row in rows), default=1))
    cells = [[cell[:40] or "–" for cell in [*row, *[""] * width][:width]] for row in rows]
    columns = [Column(cell) for cell in cells[0]] if cells else []
    note = _("The first {rows} rows, as they stand in the file.").format(rows=len(cells) - 1)
    return [Table(_("{file} as it was submitted").format(file=file), columns, cells[1:], note=note), link]


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


def _board(state: Any) -> list[Fact]:
    """Each reviewer's word on the three criteria, once it is given."""
    if not state.linked:
        return []
    facts = [Fact(_("Export reviews in"), f"{len(state.export_views)}/{state.board}")]
    for who, criteria in state.export_views.items():
        for name, entry in criteria.items():
            holds = Tag(_("Holds"), "success") if entry["holds"] else Tag(_("Does not hold"), "danger")
            facts.append(Fact(f"{who}: {CRITERIA.get(name, name)}", holds, note=entry["reason"]))
    return facts


def _beside(data: dict, name: str) -> list[Any]:
    """Tables of this request beside earlier releases that show the same rows and columns."""
    parts: list[Any] = []
    threshold = agreements.policy(agreements.terms(data["project"])).threshold
    for one in outputs.beside(data, name, threshold):
        rows = [
            [each.where, each.before, each.now, Tag(_("Differ by few"), "warning") if each.near else "–"]
            for each in one.cells[:ROWS]
        ]
        caption = _("{file} and what was released before ({earlier})").format(file=one.file, earlier=one.release)
        columns = [
            Column(_("Cell")),
            Column(_("Before"), number=True),
            Column(_("Now"), number=True),
            Column(_("Look")),
        ]
        note = _("{count} cells stand in both; those that differ are shown.").format(count=one.common)
        parts.append(Table(caption, columns, rows, note=note) if rows else Notice(f"{caption}: {note}"))
    return parts


def _earlier(key: str, name: str) -> Any:
    rows = [
        [
            Link(found.data["purpose"][:60], f"/outputs/{found.key}/"),
            ", ".join(file["name"] for file in found.data["files"]),
            common.when(found.data["at"]),
        ]
        for found in outputs.of(key)
        if found.status == "released" and found.key != name
    ]
    if not rows:
        return Empty(_("None yet"))
    return Table(_("Earlier releases"), [Column(_("For")), Column(_("Files")), Column(_("When"))], rows)


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
    path("outputs/<slug:name>/review/", review),
    path("outputs/<slug:name>/settle/", settle),
    path("outputs/<slug:name>/export/", export),
    path("outputs/<slug:name>/revoke/", revoke),
    path("outputs/<slug:name>/safe/", safe),
]
