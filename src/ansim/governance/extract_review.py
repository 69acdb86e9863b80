"""Adequacy review of a pseudonymised extract (P3): as many reviewers as the tier asks, each by signature, over one plan
and one data version. Either changes: the decisions do not carry over.

Sole writer: the holder. Nobody who processed, uses or asked for the data may review.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance import rules
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, require, require_digest, stamp
from ansim.governance.separations import require_apart


class ExtractReview(State):
    """decisions: {person: {adequate, reason, key, present}}. subject: what was judged, by name."""

    project: str = ""
    plan: str = ""
    data_version: str = ""
    report: str = ""
    tier: str = ""
    reviewers_needed: int = 0
    in_person: bool = False
    operators: list = field(default_factory=list)
    users: list = field(default_factory=list)
    decisions: dict = field(default_factory=dict)
    round: int = 0


extract_review = Aggregate("extract-review", ExtractReview, ("none", "reviewing", "adequate", "inadequate", "closed"))
LIVE = ("reviewing", "adequate", "inadequate")


def subject(state: ExtractReview) -> str:
    """The digest that each reviewer signs: project, plan, data version and risk report together."""
    return digest(
        {
            "ansim": "adequacy/1",
            "project": state.project,
            "plan": state.plan,
            "data_version": state.data_version,
            "report": state.report,
        }
    )


def unusable(state: ExtractReview, plan: str, data_version: str) -> list[Problem]:
    """Why an extract made by this plan from this data version may not be sent; empty if the review covers it."""
    found = []
    if state.status != "adequate":
        found.append(Problem("not-adequate", N_("The adequacy review is '{status}'."), status=state.status))
    if plan != state.plan:
        found.append(Problem("plan-changed", N_("The plan is not the one that was reviewed.")))
    if data_version != state.data_version:
        found.append(Problem("data-changed", N_("The data version is not the one that was reviewed.")))
    return found


class Opened(Event, of=extract_review):
    project: str
    plan: str
    data_version: str
    report: str
    tier: str
    reviewers_needed: int
    in_person: bool
    operators: list
    users: list

    def evolve(self, state: ExtractReview) -> ExtractReview:
        return ExtractReview(
            status="reviewing",
            project=self.project,
            plan=self.plan,
            data_version=self.data_version,
            report=self.report,
            tier=self.tier,
            reviewers_needed=self.reviewers_needed,
            in_person=self.in_person,
            operators=sorted({*state.operators, *self.operators}),
            users=sorted({*state.users, *self.users}),
            round=state.round + 1,
        )


class Open(Command, of=extract_review, source=("none", *LIVE), target=("reviewing",), role="pseudonymisation operator"):
    """Put an extract under review, or again after the plan or data changed.

    plan, report: SHA-256 of the pseudonymisation plan and of the risk report; tier: low | medium | high (rules.risk);
    operators, users: persons who may not review.
    """

    project: str
    plan: str
    data_version: str
    report: str
    tier: str
    operators: list
    users: list

    def decide(self, state: ExtractReview, now: datetime) -> list[Event]:
        require_digest(self.plan, "plan")
        require_digest(self.report, "report")
        require(self.data_version, "no-data-version", N_("The data version is missing."), where="data_version")
        require(state.project in ("", self.project), "other-project", N_("This review is of another project."))
        require(
            (self.plan, self.data_version, self.report) != (state.plan, state.data_version, state.report),
            "unchanged",
            N_("Nothing changed since the review before: its decisions stand."),
        )
        parameters = rules.at(civil_day(now))["P3"]["parameters"]
        require(
            self.tier in parameters["reviewers"],
            "unknown-tier",
            N_("The risk tier is '{tier}'."),
            remedy=N_("Find out the open facts first."),
            where="tier",
            tier=self.tier,
        )
        return [
            Opened(
                at=stamp(now),
                by=self.by,
                project=self.project,
                plan=self.plan,
                data_version=self.data_version,
                report=self.report,
                tier=self.tier,
                reviewers_needed=parameters["reviewers"][self.tier],
                in_person=self.tier in parameters["in_person"],
                operators=sorted({*self.operators, self.by}),
                users=list(self.users),
            )
        ]


class Reviewed(Event, of=extract_review):
    adequate: bool
    reason: str
    key: str
    digest: str
    present: bool

    def evolve(self, state: ExtractReview) -> ExtractReview:
        decision = {"adequate": self.adequate, "reason": self.reason, "key": self.key, "present": self.present}
        decisions = {**state.decisions, self.by: decision}
        status = state.status
        if not self.adequate:
            status = "inadequate"
        elif len(decisions) >= state.reviewers_needed:
            status = "adequate"
        return replace(state, decisions=decisions, status=status)


class Review(
    Command, of=extract_review, source=("reviewing",), target=("reviewing", "adequate", "inadequate"), role="reviewer"
):
    """One reviewer's decision. digest: `subject(state)` as signed with the key (verified by the site before); present:
    whether the reviewer sat in the meeting, which the high tier asks for. One "inadequate" settles it."""

    adequate: bool
    digest: str
    key: str
    reason: str = ""
    present: bool = False

    def decide(self, state: ExtractReview, now: datetime) -> list[Event]:
        # Who asked for or processed the data is barred in whichever round that was.
        require_apart(self.by, "adequacy-reviewer", {"operator": state.operators, "user": state.users})
        require(self.by not in state.decisions, "reviewed-already", N_("{person} has reviewed it."), person=self.by)
        require(
            self.digest == subject(state),
            "other-subject",
            N_("The signature is over another plan, data version or report."),
            where="digest",
        )
        require(self.key, "no-key", N_("The signing key is not named."), where="key")
        require(
            self.key not in [decision["key"] for decision in state.decisions.values()],
            "key-shared",
            N_("Another reviewer signed with this key."),
            where="key",
        )
        require(self.reason or self.adequate, "no-reason", N_("Give a reason."), where="reason")
        require(
            self.present or not state.in_person,
            "in-person",
            N_("This tier is reviewed in a meeting."),
            where="present",
        )
        return [
            Reviewed(
                at=stamp(now),
                by=self.by,
                adequate=self.adequate,
                reason=self.reason,
                key=self.key,
                digest=self.digest,
                present=self.present,
            )
        ]


class Closed(Event, of=extract_review):
    reason: str

    def evolve(self, state: ExtractReview) -> ExtractReview:
        return replace(state, status="closed")


class Close(Command, of=extract_review, source=LIVE, target=("closed",), role="data steward"):
    reason: str

    def decide(self, state: ExtractReview, now: datetime) -> list[Event]:
        return [Closed(at=stamp(now), by=self.by, reason=self.reason)]
