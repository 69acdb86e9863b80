"""BoardCase: one holder's review board decides on one application (guideline G6; bioethics decisions L10).

Sole writer: the holder, or the shared board's own site. Votes are events of that site's ledger; `view` shows a member
nothing but the own vote until the decision. The IRB's decision is made outside: one person enters it, another confirms.
The tally binds the chair: an outcome may be more careful than the votes, never laxer.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.errors import N_
from ansim.governance import rules
from ansim.governance.board_case import (
    APPROVED,
    CHOICES,
    CONDITIONS,
    DEFERRED,
    LIVE,
    OUTCOMES,
    BoardCase,
    board,
    may_vote,
    member,
    quorum,
    require_conditions,
    tally,
    view,
    voters,
)
from ansim.governance.composition import advice, composition
from ansim.governance.core import Command, Event, civil_day, day, require, require_digest, stamp
from ansim.governance.irb import ConfirmIrb, EnterIrb
from ansim.governance.meeting import ConfirmMinutes, ObjectToMinutes, RecordMeeting, confirmed

__all__ = [
    "APPROVED",
    "CHOICES",
    "CONDITIONS",
    "DEFERRED",
    "OUTCOMES",
    "BoardCase",
    "Close",
    "ConfirmIrb",
    "ConfirmMinutes",
    "Decide",
    "DeclareConflict",
    "Docket",
    "EnterIrb",
    "ObjectToMinutes",
    "OpenVoting",
    "RecordMeeting",
    "Revoke",
    "Vote",
    "advice",
    "board",
    "composition",
    "confirmed",
    "member",
    "quorum",
    "tally",
    "view",
    "voters",
]


class Docketed(Event, of=board):
    case: str
    application: dict
    applicant_org: str
    chair: str
    members: list
    edition: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return BoardCase(
            status="docketed",
            case=self.case,
            application=self.application,
            proposer=self.by,
            applicant_org=self.applicant_org,
            chair=self.chair,
            members=self.members,
            edition=self.edition,
            irb_pending=case.irb_pending,
            irb=case.irb,
            round=case.round + 1,
        )


class Docket(Command, of=board, source=("none", DEFERRED), target=("docketed",), role="board secretary"):
    """Put an application on the agenda. members: [{id, name, org, kind: internal | outsider}], chair among them;
    composition follows the rule pack in force today. A deferred case may be docketed anew, with fresh votes."""

    case: str
    application: dict  # {id, digest}
    applicant_org: str
    chair: str
    members: list

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(
            not case.case or (case.case, case.application.get("id")) == (self.case, self.application.get("id")),
            "other-case",
            N_("This board case belongs to another application."),
        )
        problems = composition(self.members, self.chair, rules.at(civil_day(now)))
        if problems:
            raise problems[0]
        pack = rules.at(civil_day(now))["G6"]
        return [
            Docketed(
                at=stamp(now),
                by=self.by,
                case=self.case,
                application=self.application,
                applicant_org=self.applicant_org,
                chair=self.chair,
                members=self.members,
                edition=pack["edition"],
            )
        ]


class ConflictDeclared(Event, of=board):
    conflict: bool
    about: str

    def evolve(self, case: BoardCase) -> BoardCase:
        said = {"conflict": self.conflict, "about": self.about}
        return replace(case, declared={**case.declared, self.by: said})


class DeclareConflict(Command, of=board, source=("docketed", "voting"), role="board member"):
    """Each member says whether there is a conflict of interest. Once voted, it cannot be unsaid."""

    conflict: bool
    about: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        member(case, self.by)
        require(self.by not in case.votes, "voted-already", N_("{person} has voted already."), person=self.by)
        require(
            self.about or not self.conflict, "conflict-unnamed", N_("Say what the conflict is about."), where="about"
        )
        return [ConflictDeclared(at=stamp(now), by=self.by, conflict=self.conflict, about=self.about)]


class VotingOpened(Event, of=board):
    chair: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, status="voting", chair=self.chair)


class OpenVoting(Command, of=board, source=("docketed",), target=("voting",), role="board secretary"):
    """All have declared and enough may vote. chair: who leads this case if the chair has a conflict."""

    chair: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        silent = [entry["id"] for entry in case.members if entry["id"] not in case.declared]
        require(
            not silent, "conflict-undeclared", N_("Not yet declared: {persons}."), persons=", ".join(map(str, silent))
        )
        able, needed = len(voters(case)), quorum(case)
        require(
            able >= needed,
            "no-quorum-possible",
            N_("Only {able} members may vote; {needed} are needed."),
            remedy=N_("Docket the case with substitute members."),
            able=able,
            needed=needed,
        )
        chair = self.chair or case.chair
        may_vote(case, chair)
        return [VotingOpened(at=stamp(now), by=self.by, chair=chair)]


class Voted(Event, of=board):
    choice: str
    conditions: list
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        vote = {"choice": self.choice, "conditions": self.conditions, "reason": self.reason}
        return replace(case, votes={**case.votes, self.by: vote})


class Vote(Command, of=board, source=("voting",), role="board member"):
    """choice: approve | conditions | defer | reject. One vote a member; it stays."""

    choice: str
    conditions: list = field(default_factory=list)
    reason: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        may_vote(case, self.by)
        require(self.by not in case.votes, "voted-already", N_("{person} has voted already."), person=self.by)
        require(
            self.choice in CHOICES,
            "unknown-choice",
            N_("{choice} is no vote."),
            remedy=N_("Choose one of: {choices}."),
            choice=self.choice,
            choices=", ".join(CHOICES),
        )
        require(
            self.conditions or self.choice != "conditions",
            "no-conditions",
            N_("Name the conditions."),
            where="conditions",
        )
        require(
            self.reason or self.choice not in ("defer", "reject"), "no-reason", N_("Give a reason."), where="reason"
        )
        return [
            Voted(at=stamp(now), by=self.by, choice=self.choice, conditions=list(self.conditions), reason=self.reason)
        ]


class Decided(Event, of=board):
    outcome: str
    conditions: list
    letter: str
    expires: str
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(
            case,
            status=self.outcome,
            outcome=self.outcome,
            conditions=self.conditions,
            letter=self.letter,
            expires=self.expires,
            reason=self.reason,
        )


class Decide(Command, of=board, source=("voting", "meeting"), target=OUTCOMES, role="board chair"):
    """The chair closes the vote once the quorum has voted, or decides as confirmed minutes of a meeting say.

    letter: SHA-256 of the decision letter; expires: last day on which an approval holds. Allowed are what the votes or
    the minutes carry, conditions on an approval, or a deferral."""

    outcome: str
    letter: str
    conditions: list = field(default_factory=list)
    expires: str = ""
    reason: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(self.by == case.chair, "not-the-chair", N_("Only the chair of this case decides."))
        may_vote(case, self.by)
        meets = case.status == "meeting"
        cast, needed = len(confirmed(case) if meets else case.votes), quorum(case)
        require(cast >= needed, "no-quorum", N_("{cast} votes are in; {needed} are needed."), cast=cast, needed=needed)
        carried = case.minutes["outcome"] if meets else tally(case.votes)
        allowed = {carried, DEFERRED} | ({CONDITIONS} if carried == APPROVED else set())
        require(
            self.outcome in allowed,
            "against-the-votes",
            N_("The votes carry '{carried}', not '{outcome}'."),
            carried=carried,
            outcome=self.outcome,
        )
        require_digest(self.letter, "letter")
        if self.outcome in (APPROVED, CONDITIONS):
            require(
                day(self.expires, "expires") >= civil_day(now),
                "expired",
                N_("The approval would have ended already."),
                where="expires",
            )
        require_conditions(self.outcome, self.conditions)
        return [
            Decided(
                at=stamp(now),
                by=self.by,
                outcome=self.outcome,
                conditions=list(self.conditions),
                letter=self.letter,
                expires=self.expires if self.outcome in (APPROVED, CONDITIONS) else "",
                reason=self.reason,
            )
        ]


class Revoked(Event, of=board):
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, status="revoked", outcome="revoked", reason=self.reason)


class Revoke(Command, of=board, source=(APPROVED, CONDITIONS), target=("revoked",), role="board chair"):
    """Take an approval back; every grant that rests on it ends at once."""

    reason: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(self.by == case.chair, "not-the-chair", N_("Only the chair of this case decides."))
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [Revoked(at=stamp(now), by=self.by, reason=self.reason)]


class Closed(Event, of=board):
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, status="closed", outcome="closed", reason=self.reason)


class Close(Command, of=board, source=(*LIVE, "revoked"), target=("closed",), role="board secretary"):
    """The case is over: withdrawn, refused for good, or its agreement has ended."""

    reason: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        return [Closed(at=stamp(now), by=self.by, reason=self.reason)]
