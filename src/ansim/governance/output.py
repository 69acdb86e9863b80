"""OutputRequest: files leave a centre only after automatic findings and two people who did not see each other's view.

Sole writer: the centre. Linked data also pass the export review by the three criteria of the decree (L4), each judged
by every member of the export board. When the two checkers differ, a third, senior person settles it. What the automatic
check refused nobody can release: it is submitted anew. A release can be revoked; what was downloaded stays downloaded.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.documents import digest
from ansim.errors import N_
from ansim.governance import rules
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, require, stamp
from ansim.governance.filed import require_files, require_findings
from ansim.governance.separations import require_apart


class OutputRequest(State):
    """files: [{name, sha256, size}]. findings: [{file, level: refuse | look | note, code, message}].
    views: {checker: {release, reason}}. export: {criterion: {holds, reason}}. manifest: as released."""

    project: str = ""
    author: str = ""
    members: list = field(default_factory=list)
    files: list = field(default_factory=list)
    purpose: str = ""
    linked: bool = False
    findings: list = field(default_factory=list)
    views: dict = field(default_factory=dict)
    senior: str = ""
    board: int = 1  # members of the export board whose review is needed
    export: dict = field(default_factory=dict)
    export_views: dict = field(default_factory=dict)  # {reviewer: criteria}
    manifest: dict = field(default_factory=dict)
    reason: str = ""


STATUSES = (
    "none", "submitted", "checking", "disputed", "agreed", "exportable", "released", "refused", "withdrawn", "revoked",
)  # fmt: skip
output = Aggregate("output", OutputRequest, STATUSES, final=("refused", "withdrawn", "revoked"))
LIVE = ("submitted", "checking", "disputed", "agreed", "exportable")


def view(state: OutputRequest, viewer: str = "") -> dict:
    """The state as pages may show it: until both checkers have decided, each sees the own view only."""
    shown = {**state.as_data(), "views_in": len(state.views)}
    if len(state.views) < 2:
        shown["views"] = {person: seen for person, seen in state.views.items() if person == viewer}
    return shown


class Submitted(Event, of=output):
    project: str
    members: list
    files: list
    purpose: str
    linked: bool
    board: int = 1

    def evolve(self, state: OutputRequest) -> OutputRequest:
        return replace(
            state,
            status="submitted",
            project=self.project,
            author=self.by,
            members=self.members,
            files=self.files,
            purpose=self.purpose,
            linked=self.linked,
            board=self.board,
        )


class Submit(Command, of=output, source=("none",), target=("submitted",), role="researcher"):
    """The author asks for files. members: all persons of the project; linked: whether linked data lie beneath; board:
    how many members of the export board then review it."""

    project: str
    members: list
    files: list
    purpose: str
    linked: bool
    board: int = 1

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        require_files(self.by, self.members, self.files, self.purpose)
        require(self.board >= 1, "board", N_("At least one person reviews the export."), where="board")
        names = [file["name"] for file in self.files]
        require(len(set(names)) == len(names), "twice", N_("A file is named twice."), where="files")
        return [
            Submitted(
                at=stamp(now),
                by=self.by,
                project=self.project,
                members=list(self.members),
                files=self.files,
                purpose=self.purpose,
                linked=self.linked,
                board=self.board,
            )
        ]


class Examined(Event, of=output):
    findings: list

    def evolve(self, state: OutputRequest) -> OutputRequest:
        refused = any(finding["level"] == "refuse" for finding in self.findings)
        reason = "automatic findings" if refused else ""
        return replace(state, findings=self.findings, status="refused" if refused else "checking", reason=reason)


class RecordFindings(Command, of=output, source=("submitted",), target=("checking", "refused"), role="site's checks"):
    """What the automatic check found, per file; "refuse" refuses, "look" must be looked at by the checkers."""

    findings: list

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        require_findings(self.findings, state.files, ("refuse", "look", "note"))
        return [Examined(at=stamp(now), by=self.by, findings=self.findings)]


class Checked(Event, of=output):
    release: bool
    reason: str

    def evolve(self, state: OutputRequest) -> OutputRequest:
        views = {**state.views, self.by: {"release": self.release, "reason": self.reason}}
        if len(views) < 2:
            return replace(state, views=views)
        says = {seen["release"] for seen in views.values()}
        status = "disputed" if len(says) > 1 else "agreed" if says == {True} else "refused"
        reason = "both checkers" if status == "refused" else ""
        return replace(state, views=views, status=status, reason=reason)


def independent(state: OutputRequest, person: str, role: str) -> None:
    """Raise if the person belongs to the project or already plays another part in this request."""
    holders = {
        "author": [state.author],
        "project-member": state.members,
        "output-checker": list(state.views),
        "senior-checker": [state.senior] if state.senior else [],
    }
    require_apart(person, role, holders)


class Check(
    Command,
    of=output,
    source=("checking",),
    target=("checking", "disputed", "agreed", "refused"),
    role="output checker",
):
    """One checker's view; the other does not see it before giving the own. A refusal needs its reason."""

    release: bool
    reason: str = ""

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        independent(state, self.by, "output-checker")
        require(self.by not in state.views, "checked-already", N_("{person} has checked it."), person=self.by)
        look = any(finding["level"] == "look" for finding in state.findings)
        require(
            self.reason or (self.release and not look),
            "no-reason",
            N_("Give a reason: for a refusal, and for releasing what the automatic check asked to look at."),
            where="reason",
        )
        return [Checked(at=stamp(now), by=self.by, release=self.release, reason=self.reason)]


class Settled(Event, of=output):
    release: bool
    reason: str

    def evolve(self, state: OutputRequest) -> OutputRequest:
        return replace(state, senior=self.by, status="agreed" if self.release else "refused", reason=self.reason)


class Settle(Command, of=output, source=("disputed",), target=("agreed", "refused"), role="senior checker"):
    """A third person decides when the two differ."""

    release: bool
    reason: str

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        independent(state, self.by, "senior-checker")
        require(self.by not in state.members, "roles-not-apart", N_("A member of the project cannot settle it."))
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [Settled(at=stamp(now), by=self.by, release=self.release, reason=self.reason)]


class ExportReviewed(Event, of=output):
    criteria: dict

    def evolve(self, state: OutputRequest) -> OutputRequest:
        views = {**state.export_views, self.by: self.criteria}
        holds = all(entry["holds"] for entry in self.criteria.values())
        status = "refused" if not holds else "exportable" if len(views) >= state.board else "agreed"
        reason = "" if holds else "export review"
        return replace(state, export=self.criteria, export_views=views, status=status, reason=reason)


class ReviewExport(
    Command, of=output, source=("agreed",), target=("agreed", "exportable", "refused"), role="export reviewer"
):
    """Linked data only, by each member of the board, one "no" refuses. criteria: {criterion of L4: {holds: bool,
    reason}}, all three, each with its reason."""

    criteria: dict

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        require(state.linked, "no-export-review", N_("Only linked data pass an export review."))
        holders = {
            "author": [state.author],
            "project-member": state.members,
            "output-checker": list(state.views),
            "senior-checker": [state.senior] if state.senior else [],
        }
        require_apart(self.by, "export-reviewer", holders)
        require(self.by not in state.export_views, "checked-already", N_("{person} has checked it."), person=self.by)
        wanted = rules.at(civil_day(now))["L4"]["parameters"]["criteria"]
        complete = set(self.criteria) == set(wanted) and all(
            type(entry.get("holds")) is bool and entry.get("reason") for entry in self.criteria.values()
        )
        require(
            complete,
            "criteria",
            N_("Judge each criterion with a reason: {criteria}."),
            where="criteria",
            criteria=", ".join(wanted),
        )
        return [ExportReviewed(at=stamp(now), by=self.by, criteria=self.criteria)]


class Released(Event, of=output):
    manifest: dict

    def evolve(self, state: OutputRequest) -> OutputRequest:
        return replace(state, status="released", manifest=self.manifest)


class Release(Command, of=output, source=("agreed", "exportable"), target=("released",), role="room operator"):
    """Hand over exactly the files that were checked. files: as they lie there now."""

    files: list

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        require(
            state.status == "exportable" or not state.linked,
            "no-export-review",
            N_("Linked data need the export review first."),
        )
        require(self.by not in state.members, "roles-not-apart", N_("A member of the project cannot release."))
        now_there = {file.get("name"): file.get("sha256") for file in self.files}
        require(
            now_there == {file["name"]: file["sha256"] for file in state.files},
            "files-changed",
            N_("The files are not the ones that were checked."),
            where="files",
        )
        manifest = {
            "ansim": "release/1",
            "project": state.project,
            "files": state.files,
            "at": stamp(now),
            "checked_by": len(state.views),
        }
        return [Released(at=stamp(now), by=self.by, manifest={**manifest, "digest": digest(manifest)})]


class Revoked(Event, of=output):
    reason: str

    def evolve(self, state: OutputRequest) -> OutputRequest:
        return replace(state, status="revoked", reason=self.reason)


class Revoke(Command, of=output, source=("released",), target=("revoked",), role="senior checker"):
    """Take a release back: it should not have left. The user is bound to delete it; copies cannot be called back."""

    reason: str

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        require(self.by not in state.members, "roles-not-apart", N_("A member of the project cannot revoke it."))
        require(self.reason.strip(), "no-reason", N_("Give a reason."), where="reason")
        return [Revoked(at=stamp(now), by=self.by, reason=self.reason)]


class Withdrawn(Event, of=output):
    reason: str

    def evolve(self, state: OutputRequest) -> OutputRequest:
        return replace(state, status="withdrawn", reason=self.reason)


class Withdraw(Command, of=output, source=LIVE, target=("withdrawn",), role="researcher"):
    """By the author, or by the centre when the project closes."""

    reason: str = ""

    def decide(self, state: OutputRequest, now: datetime) -> list[Event]:
        return [Withdrawn(at=stamp(now), by=self.by, reason=self.reason)]
