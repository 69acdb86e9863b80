"""BoardCase: what is known of one case at one board, who may vote, and what the votes carry (guideline G6)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import field

from ansim.errors import N_, Problem
from ansim.governance.core import Aggregate, State, require

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
    minutes: dict = field(default_factory=dict)  # of a meeting: {held, agenda, present, recused, outcome, …, confirmed}
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
    ("none", "docketed", "voting", "meeting", *OUTCOMES, "revoked", "closed"),
)
LIVE = ("docketed", "voting", "meeting", *OUTCOMES)


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


def view(case: BoardCase, viewer: str = "") -> dict:
    """The case as pages may show it: before the decision each member sees the own vote only, others the number."""
    shown = {**case.as_data(), "votes_in": len(case.votes), "quorum": quorum(case)}
    if case.status == "voting" or (case.status == "closed" and not case.letter):
        shown["votes"] = {person: vote for person, vote in case.votes.items() if person == viewer}
    return shown


def require_conditions(outcome: str, conditions: Sequence[str]) -> None:
    """Raises Problem unless conditions are given with an approval with conditions, and only with it."""
    require(
        bool(conditions) == (outcome == CONDITIONS),
        "conditions-mismatch",
        N_("Conditions belong to an approval with conditions, and only to it."),
        where="conditions",
    )
