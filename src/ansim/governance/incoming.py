"""IncomingRequest: files come into a centre's room only after a scan and by a second person, never one of the project.

Sole writer: the centre. What the scan refused nobody can let in: it is brought anew.
"""

from dataclasses import field, replace
from datetime import datetime
from typing import Any

from ansim.errors import N_
from ansim.governance.core import Aggregate, Command, Event, State, require, stamp
from ansim.governance.filed import require_files, require_findings
from ansim.governance.separations import require_apart


class IncomingRequest(State):
    """files: [{name, sha256, size}]. findings: [{file, level: refuse | look, code}]."""

    project: str = ""
    author: str = ""
    members: list = field(default_factory=list)
    files: list = field(default_factory=list)
    purpose: str = ""
    findings: list = field(default_factory=list)
    decided_by: str = ""
    reason: str = ""


STATUSES = ("none", "submitted", "waiting", "admitted", "refused", "withdrawn")
incoming = Aggregate("incoming", IncomingRequest, STATUSES, final=("admitted", "refused", "withdrawn"))


class Brought(Event, of=incoming):
    project: str
    members: list
    files: list
    purpose: str

    def evolve(self, state: IncomingRequest) -> IncomingRequest:
        facts: dict[str, Any] = {
            "project": self.project,
            "members": self.members,
            "files": self.files,
            "purpose": self.purpose,
        }
        return replace(state, status="submitted", author=self.by, **facts)


class Bring(Command, of=incoming, source=("none",), target=("submitted",), role="researcher"):
    """A member brings files. members: all persons of the project."""

    project: str
    members: list
    files: list
    purpose: str

    def decide(self, state: IncomingRequest, now: datetime) -> list[Event]:
        require_files(self.by, self.members, self.files, self.purpose)
        facts: dict[str, Any] = {
            "project": self.project,
            "members": list(self.members),
            "files": self.files,
            "purpose": self.purpose,
        }
        return [Brought(at=stamp(now), by=self.by, **facts)]


class Scanned(Event, of=incoming):
    findings: list

    def evolve(self, state: IncomingRequest) -> IncomingRequest:
        refused = any(finding["level"] == "refuse" for finding in self.findings)
        reason = "automatic findings" if refused else ""
        return replace(state, findings=self.findings, status="refused" if refused else "waiting", reason=reason)


class RecordScan(Command, of=incoming, source=("submitted",), target=("waiting", "refused"), role="site's checks"):
    """What the scan found, per file; "refuse" refuses, "look" is for the second person."""

    findings: list

    def decide(self, state: IncomingRequest, now: datetime) -> list[Event]:
        require_findings(self.findings, state.files, ("refuse", "look"))
        return [Scanned(at=stamp(now), by=self.by, findings=self.findings)]


class Decided(Event, of=incoming):
    admit: bool
    reason: str

    def evolve(self, state: IncomingRequest) -> IncomingRequest:
        status = "admitted" if self.admit else "refused"
        return replace(state, status=status, decided_by=self.by, reason=self.reason)


class Decide(Command, of=incoming, source=("waiting",), target=("admitted", "refused"), role="room operator"):
    """The second person lets the files in or not. files: as they lie there now; exactly these were scanned."""

    admit: bool
    reason: str
    files: list

    def decide(self, state: IncomingRequest, now: datetime) -> list[Event]:
        require_apart(self.by, "output-checker", {"author": [state.author], "project-member": state.members})
        require(self.reason.strip(), "no-reason", N_("Give a reason."), where="reason")
        there = {file.get("name"): file.get("sha256") for file in self.files}
        same = there == {file["name"]: file["sha256"] for file in state.files}
        require(same, "files-changed", N_("The files are not the ones that were checked."), where="files")
        return [Decided(at=stamp(now), by=self.by, admit=self.admit, reason=self.reason)]


class TakenBack(Event, of=incoming):
    def evolve(self, state: IncomingRequest) -> IncomingRequest:
        return replace(state, status="withdrawn")


class TakeBack(Command, of=incoming, source=("submitted", "waiting"), target=("withdrawn",), role="researcher"):
    """By a member of the project, or by the centre when the project closes."""

    def decide(self, state: IncomingRequest, now: datetime) -> list[Event]:
        return [TakenBack(at=stamp(now), by=self.by)]
