"""HolderReview: one hospital's way with one request, from the first question to the close, with own thread and clock.

Sole writer: that holder. Nothing in it names another holder, so no hospital's state can touch another's. Each status
says who must act next (`WAITING`) and by when (`due`, working days from the holder's policy).
"""

from dataclasses import field, replace
from datetime import date, datetime

from ansim.errors import N_
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, require, require_digest, stamp
from ansim.governance.workdays import add_working_days, working_days_between

# status -> (who must act, working days); a holder may pass other days. None: nobody is waited for.
WAITING: dict[str, tuple[str, int] | None] = {
    "asked": ("contact desk", 5),
    "replied": ("applicant", 20),
    "unwilling": None,
    "received": ("contact desk", 2),
    "screening": ("privacy officer", 5),
    "returned": ("applicant", 20),
    "board": ("board secretary", 15),
    "approved": ("legal", 10),
    "rejected": None,
    "agreement": ("parties", 20),
    "preparing": ("data team", 10),
    "open": None,
    "closed": None,
}
STATUSES = ("none", *WAITING)
ANSWERS = ("yes", "no", "conditions")
# Why a clock may stand: what the office that is waited for cannot hasten.
STOPS = ("applicant-asked", "irb-pending", "advice-pending", "data-unavailable", "incident")


class HolderReview(State):
    request: str = ""
    applicant: str = ""
    title: dict = field(default_factory=dict)
    answer: str = ""
    conditions: list = field(default_factory=list)
    application: str = ""  # digest of the whole application
    waiting_on: str = ""
    due: str = ""
    paused: dict = field(default_factory=dict)  # {reason, since, left}: the clock stands; left: working days to go
    reminders: int = 0
    outcome: str = ""
    agreement: str = ""
    reason: str = ""
    thread: list = field(default_factory=list)  # [{at, by, text, side}]


review = Aggregate("review", HolderReview, STATUSES)
LIVE = tuple(status for status in WAITING if status != "closed")


def due_on(status: str, now: datetime, days: dict, holidays: list) -> str:
    """ISO day by which the status should end, "" if nobody is waited for."""
    waiting = WAITING[status]
    if waiting is None:
        return ""
    return add_working_days(civil_day(now), days.get(status, waiting[1]), holidays).isoformat()


class Moved(Event, of=review):
    """The review went on: its new status, by when it should end, and the facts that the step brought."""

    to: str
    due: str
    facts: dict

    def evolve(self, state: HolderReview) -> HolderReview:
        waiting = WAITING[self.to]
        on = waiting[0] if waiting else ""
        return replace(state, status=self.to, due=self.due, waiting_on=on, reminders=0, paused={}, **self.facts)


class Step(Command):
    """Base of commands that move the review on. days: {status: working days} by the holder; holidays: ISO days."""

    days: dict = field(default_factory=dict)
    holidays: list = field(default_factory=list)

    def moved(self, now: datetime, to: str, **facts: object) -> list[Event]:
        due = due_on(to, now, self.days, self.holidays)
        return [Moved(at=stamp(now), by=self.by, to=to, due=due, facts=dict(facts))]


class Ask(Step, of=review, source=("none",), target=("asked",), role="applicant"):
    request: str
    applicant: str
    title: dict

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "asked", request=self.request, applicant=self.applicant, title=self.title)


class Reply(Step, of=review, source=("asked", "replied"), target=("replied", "unwilling"), role="contact desk"):
    """Yes, no (with a reason for the own record), or conditions; may be revised until an application comes."""

    answer: str
    conditions: list = field(default_factory=list)
    reason: str = ""

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(
            self.answer in ANSWERS,
            "unknown-answer",
            N_("{answer} is no answer."),
            remedy=N_("Answer yes, no or conditions."),
            where="answer",
            answer=self.answer,
        )
        require(
            bool(self.conditions) == (self.answer == "conditions"),
            "conditions-mismatch",
            N_("Name conditions with that answer, and only with it."),
            where="conditions",
        )
        to = "unwilling" if self.answer == "no" else "replied"
        return self.moved(now, to, answer=self.answer, conditions=list(self.conditions), reason=self.reason)


class Receive(Step, of=review, source=("none", "asked", "replied", "returned"), target=("received",), role="applicant"):
    """The application, opened here. application: its digest. A request need not have come before."""

    application: str
    request: str = ""
    applicant: str = ""
    title: dict = field(default_factory=dict)

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require_digest(self.application, "application")
        require(
            state.status != "returned" or self.application != state.application,
            "unchanged",
            N_("This is the application that was returned, unchanged."),
            where="application",
        )
        return self.moved(
            now,
            "received",
            application=self.application,
            request=state.request or self.request,
            applicant=state.applicant or self.applicant,
            title=state.title or self.title,
        )


class Screen(Step, of=review, source=("received",), target=("screening",), role="contact desk"):
    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "screening")


class Return(Step, of=review, source=("screening",), target=("returned",), role="privacy officer"):
    reason: str

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return self.moved(now, "returned", reason=self.reason)


class SendToBoard(Step, of=review, source=("screening",), target=("board",), role="privacy officer"):
    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "board")


class RecordOutcome(
    Step, of=review, source=("board",), target=("approved", "rejected", "returned"), role="board secretary"
):
    """The board's outcome (board.py): approved, approved with conditions, rejected, or deferred to the applicant."""

    outcome: str
    conditions: list = field(default_factory=list)

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        to = {
            "approved": "approved",
            "approved with conditions": "approved",
            "rejected": "rejected",
            "deferred": "returned",
        }.get(self.outcome)
        require(to, "unknown-outcome", N_("{outcome} is no outcome."), where="outcome", outcome=self.outcome)
        return self.moved(now, str(to), outcome=self.outcome, conditions=list(self.conditions))


class Negotiate(Step, of=review, source=("approved",), target=("agreement",), role="legal"):
    agreement: str

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "agreement", agreement=self.agreement)


class Prepare(Step, of=review, source=("agreement", "open"), target=("preparing",), role="legal"):
    """The agreement is in force; the data team prepares (again, after an amendment)."""

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "preparing")


class OpenAccess(Step, of=review, source=("preparing",), target=("open",), role="data steward"):
    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "open")


class Close(Step, of=review, source=LIVE, target=("closed",), role="contact desk"):
    reason: str

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        return self.moved(now, "closed", reason=self.reason)


class MessageWritten(Event, of=review):
    text: str
    side: str

    def evolve(self, state: HolderReview) -> HolderReview:
        note = {"at": self.at, "by": self.by, "text": self.text, "side": self.side}
        return replace(state, thread=[*state.thread, note])


class Write(Command, of=review, source=LIVE, role="applicant or holder"):
    """A message in this holder's thread. side: applicant | holder | internal (never sent to the applicant)."""

    text: str
    side: str

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(0 < len(self.text.strip()) <= 5000, "message-length", N_("Write 1 to 5000 characters."), where="text")
        require(
            self.side in ("applicant", "holder", "internal"), "unknown-side", N_("The side is unknown."), where="side"
        )
        return [MessageWritten(at=stamp(now), by=self.by, text=self.text, side=self.side)]


class ClockStopped(Event, of=review):
    reason: str
    left: int

    def evolve(self, state: HolderReview) -> HolderReview:
        return replace(state, due="", paused={"reason": self.reason, "since": self.at, "left": self.left})


class StopClock(Command, of=review, source=LIVE, role="contact desk or privacy officer"):
    """The office that should act cannot, for a reason outside its hands; the due day is lifted until the clock goes on.
    Whoever is late already does not get its lateness back: a stop that begins late goes on late."""

    reason: str
    holidays: list = field(default_factory=list)

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(not state.paused, "stopped-already", N_("The clock stands already."))
        require(state.due, "no-clock", N_("Nobody is waited for; there is no clock to stop."))
        require(
            self.reason in STOPS,
            "unknown-reason",
            N_("{reason} does not stop the clock."),
            remedy=N_("Choose one of: {reasons}."),
            where="reason",
            reason=self.reason,
            reasons=", ".join(STOPS),
        )
        left = working_days_between(civil_day(now), date.fromisoformat(state.due), self.holidays)
        return [ClockStopped(at=stamp(now), by=self.by, reason=self.reason, left=left)]


class ClockStarted(Event, of=review):
    due: str

    def evolve(self, state: HolderReview) -> HolderReview:
        return replace(state, due=self.due, paused={})


class StartClock(Command, of=review, source=LIVE, role="contact desk or privacy officer"):
    holidays: list = field(default_factory=list)

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(state.paused, "not-stopped", N_("The clock is going."))
        today, left = civil_day(now), state.paused["left"]
        due = add_working_days(today, left, self.holidays) if left > 0 else today
        return [ClockStarted(at=stamp(now), by=self.by, due=due.isoformat())]


class Reminded(Event, of=review):
    whom: str
    escalated: bool

    def evolve(self, state: HolderReview) -> HolderReview:
        return replace(state, reminders=state.reminders + 1)


class Remind(Command, of=review, source=LIVE, role="site's clock"):
    """Record a reminder that is due; from the third on it also goes to the head (escalated)."""

    holidays: list = field(default_factory=list)

    def decide(self, state: HolderReview, now: datetime) -> list[Event]:
        require(reminder_due(state, civil_day(now), self.holidays), "not-due", N_("No reminder is due."))
        return [Reminded(at=stamp(now), by=self.by, whom=state.waiting_on, escalated=state.reminders >= 2)]


def reminder_due(state: HolderReview, today: date, holidays: list) -> bool:
    """One working day before the due day, and then every five working days after it."""
    if not state.due:
        return False
    late = working_days_between(date.fromisoformat(state.due), today, holidays)
    return late >= (-1 if state.reminders == 0 else 5 * (state.reminders - 1) + 1)


def waiting(state: HolderReview, today: date, holidays: list | None = None) -> dict:
    """For pages: {on, since, due, days_late}; days_late in working days, negative while there is time."""
    late = working_days_between(date.fromisoformat(state.due), today, holidays or []) if state.due else 0
    return {"on": state.waiting_on, "since": state.since, "due": state.due, "days_late": late}


def shown_to_applicant(state: HolderReview) -> dict:
    """The state without the holder's internal messages and the reason of an unwilling holder."""
    shown = state.as_data()
    shown["thread"] = [note for note in shown["thread"] if note["side"] != "internal"]
    if state.status == "unwilling":
        shown["reason"] = ""
    return shown
