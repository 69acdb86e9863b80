"""BoardCase: one holder's review board decides on one application (guideline G6; bioethics decisions L10).

Sole writer: the holder, or the shared board's own site. Votes are events of that site's ledger; `view` shows a member
nothing but the own vote until the decision. The IRB's decision is made outside: one person enters it, another confirms.
The tally binds the chair: an outcome may be more careful than the votes, never laxer.
"""

from collections import Counter
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance import rules
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, day, require, require_digest, stamp

APPROVED, CONDITIONS, DEFERRED, REJECTED = "approved", "approved with conditions", "deferred", "rejected"
CHOICES = {"approve": APPROVED, "conditions": CONDITIONS, "defer": DEFERRED, "reject": REJECTED}
OUTCOMES = tuple(CHOICES.values())


class BoardCase(State):
    case: str = ""
    application: dict = field(default_factory=dict)
    proposer: str = ""
    applicant_org: str = ""
    chair: str = ""
    members: list = field(default_factory=list)  # [{id, name, org, kind: internal | outsider}]
    edition: str = ""
    declared: dict = field(default_factory=dict)  # member -> {conflict, about}
    votes: dict = field(default_factory=dict)  # member -> {choice, conditions, reason}
    outcome: str = ""
    conditions: list = field(default_factory=list)
    letter: str = ""
    expires: str = ""
    irb_pending: dict = field(default_factory=dict)
    irb: dict = field(default_factory=dict)  # {number, letter, decision, expires, entered_by, confirmed_by}
    round: int = 0
    reason: str = ""


board = Aggregate(
    "board",
    BoardCase,
    ("none", "docketed", "voting", *OUTCOMES, "revoked", "closed"),
)
LIVE = ("docketed", "voting", *OUTCOMES)


def member(case: BoardCase, person: str) -> dict:
    """The member's entry; raises for anybody else."""
    for entry in case.members:
        if entry["id"] == person:
            return entry
    raise Problem("not-a-member", N_("{person} is not a member of this board."), person=person)


def may_vote(case: BoardCase, person: str) -> None:
    """Raise unless the person is a member without conflict, other organisation and not the proposer."""
    entry = member(case, person)
    require(person != case.proposer, "proposer-decides", N_("Who proposed the case cannot decide it."))
    require(
        not case.applicant_org or entry["org"] != case.applicant_org,
        "applicants-member",
        N_("A member of the applicant's organisation cannot vote."),
    )
    require(
        person in case.declared,
        "conflict-undeclared",
        N_("{person} has not declared whether there is a conflict of interest."),
        remedy=N_("Declare it first."),
        person=person,
    )
    require(
        not case.declared[person]["conflict"],
        "conflict-of-interest",
        N_("A member with a conflict of interest cannot vote."),
    )


def voters(case: BoardCase) -> list[str]:
    """Members who may vote."""
    able = []
    for entry in case.members:
        try:
            may_vote(case, entry["id"])
        except Problem:
            continue
        able.append(entry["id"])
    return able


def quorum(case: BoardCase) -> int:
    """Votes needed: more than half of the whole board (the boards' own custom; the guideline leaves it open [R])."""
    return len(case.members) // 2 + 1


def tally(votes: dict) -> str:
    """The outcome that the votes carry: more than half of those cast, or else deferred."""
    counted = Counter(CHOICES[vote["choice"]] for vote in votes.values())
    half = len(votes) / 2
    if counted[APPROVED] > half:
        return APPROVED
    if counted[APPROVED] + counted[CONDITIONS] > half:
        return CONDITIONS
    return REJECTED if counted[REJECTED] > half else DEFERRED


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


def composition(members: list[dict], chair: str, edition: dict) -> list[Problem]:
    """What is wrong with a board under an edition of the rules (G6); recommendations do not count as wrong."""
    rule = edition["G6"]
    wanted, count = rule["parameters"], len(members)
    outside = sum(entry.get("kind") == "outsider" for entry in members)
    facts: dict[str, Any] = {"edition": rule["edition"], "count": count, "outside": outside, **wanted}
    found = []

    def check(holds: bool, code: str, text: str) -> None:
        if not holds:
            found.append(Problem(code, text, where="members", remedy=N_("Edition {edition} asks for it."), **facts))

    check(len({entry["id"] for entry in members}) == count, "member-twice", N_("A member is named twice."))
    check(chair in {entry["id"] for entry in members}, "no-chair", N_("The chair is not among the members."))
    check(count >= wanted["min_members"], "board-too-small", N_("{count} members; at least {min_members} are needed."))
    check(
        count <= wanted.get("max_members", count),
        "board-too-large",
        N_("{count} members; at most {max_members} may be."),
    )
    check(
        outside >= wanted["min_outsiders"],
        "too-few-outsiders",
        N_("{outside} members from outside; at least {min_outsiders} are needed."),
    )
    check(
        not wanted.get("outside_majority") or outside * 2 > count,
        "no-outside-majority",
        N_("{outside} of {count} members are from outside; more than half must be."),
    )
    return found


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


class Decide(Command, of=board, source=("voting",), target=OUTCOMES, role="board chair"):
    """The chair closes the vote once the quorum has voted. letter: SHA-256 of the decision letter; expires: last day
    on which an approval holds. Allowed are the tally's outcome, conditions on an approval, or a deferral."""

    outcome: str
    letter: str
    conditions: list = field(default_factory=list)
    expires: str = ""
    reason: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(self.by == case.chair, "not-the-chair", N_("Only the chair of this case decides."))
        may_vote(case, self.by)
        cast, needed = len(case.votes), quorum(case)
        require(cast >= needed, "no-quorum", N_("{cast} votes are in; {needed} are needed."), cast=cast, needed=needed)
        carried = tally(case.votes)
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
        require(
            bool(self.conditions) == (self.outcome == CONDITIONS),
            "conditions-mismatch",
            N_("Conditions belong to an approval with conditions, and only to it."),
            where="conditions",
        )
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


class IrbEntered(Event, of=board):
    number: str
    letter: str
    decision: str
    expires: str

    def evolve(self, case: BoardCase) -> BoardCase:
        entry = {key: getattr(self, key) for key in ("number", "letter", "decision", "expires")}
        return replace(case, irb_pending={**entry, "entered_by": self.by})


class EnterIrb(Command, of=board, source=LIVE, role="board secretary"):
    """An outside e-IRB's decision. decision: approved | exempt | rejected | suspended; expires: last day it holds."""

    number: str
    letter: str
    decision: str
    expires: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(self.number.strip(), "irb-number", N_("The IRB number is missing."), where="number")
        require_digest(self.letter, "letter")
        require(
            self.decision in ("approved", "exempt", "rejected", "suspended"),
            "irb-decision",
            N_("{decision} is no IRB decision that is known here."),
            where="decision",
            decision=self.decision,
        )
        day(self.expires, "expires")
        entry = {"number": self.number, "letter": self.letter, "decision": self.decision, "expires": self.expires}
        return [IrbEntered(at=stamp(now), by=self.by, **entry)]


class IrbConfirmed(Event, of=board):
    letter: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, irb={**case.irb_pending, "confirmed_by": self.by}, irb_pending={})


class ConfirmIrb(Command, of=board, source=LIVE, role="board member or privacy officer"):
    """A second person who has the letter at hand confirms it by its SHA-256."""

    letter: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(case.irb_pending, "nothing-to-confirm", N_("No IRB decision waits for confirmation."))
        require(
            self.by != case.irb_pending["entered_by"],
            "same-person",
            N_("Who entered the IRB decision cannot confirm it."),
            remedy=N_("Ask a second person."),
        )
        require(
            self.letter == case.irb_pending["letter"],
            "other-letter",
            N_("The letter at hand is not the one that was entered."),
            where="letter",
        )
        return [IrbConfirmed(at=stamp(now), by=self.by, letter=self.letter)]


class Closed(Event, of=board):
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, status="closed", outcome="closed", reason=self.reason)


class Close(Command, of=board, source=(*LIVE, "revoked"), target=("closed",), role="board secretary"):
    """The case is over: withdrawn, refused for good, or its agreement has ended."""

    reason: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        return [Closed(at=stamp(now), by=self.by, reason=self.reason)]


def view(case: BoardCase, viewer: str = "") -> dict:
    """The case as pages may show it: before the decision each member sees the own vote only, others the number."""
    shown = {**case.as_data(), "votes_in": len(case.votes), "quorum": quorum(case)}
    if case.status == "voting" or (case.status == "closed" and not case.letter):
        shown["votes"] = {person: vote for person, vote in case.votes.items() if person == viewer}
    return shown
