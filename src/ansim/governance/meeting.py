"""A board that meets instead of voting in writing: the secretary records the meeting, members confirm the minutes, and
the chair decides as the minutes say (guideline G6 leaves the form to the board).

Who declared a conflict is recorded as recused and counts for nothing. Minutes bind nobody until a quorum of those who
were present and may vote has confirmed them; one objection takes them back.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.errors import N_
from ansim.governance.board_case import OUTCOMES, BoardCase, board, may_vote, member, quorum, require_conditions
from ansim.governance.core import Command, Event, civil_day, day, require, stamp


def confirmed(case: BoardCase) -> list[str]:
    """Members who have confirmed the minutes at hand."""
    return case.minutes.get("confirmed", [])


class Minuted(Event, of=board):
    held: str
    agenda: str
    present: list
    recused: list
    outcome: str
    conditions: list
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        names = ("held", "agenda", "present", "recused", "outcome", "conditions", "reason")
        minutes = {**{name: getattr(self, name) for name in names}, "by": self.by, "confirmed": []}
        return replace(case, status="meeting", minutes=minutes)


class RecordMeeting(Command, of=board, source=("docketed",), target=("meeting",), role="board secretary"):
    """Minutes of a meeting. held: its day; present: ids of members who were there; outcome: as the meeting decided."""

    held: str
    agenda: str
    present: list
    outcome: str
    conditions: list = field(default_factory=list)
    reason: str = ""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(
            day(self.held, "held") <= civil_day(now),
            "future-meeting",
            N_("The meeting is still to come."),
            where="held",
        )
        require(self.agenda.strip(), "no-agenda", N_("Say what was on the agenda."), where="agenda")
        silent = [entry["id"] for entry in case.members if entry["id"] not in case.declared]
        require(not silent, "conflict-undeclared", N_("Not yet declared: {persons}."), persons=", ".join(silent))
        for person in self.present:
            member(case, person)
        recused = [person for person in self.present if case.declared[person]["conflict"]]
        counting = [person for person in dict.fromkeys(self.present) if person not in recused]
        require(case.chair in counting, "no-chair", N_("The chair was not there, or is recused."), where="present")
        for person in counting:
            may_vote(case, person)
        require(
            len(counting) >= quorum(case),
            "no-quorum",
            N_("{cast} votes are in; {needed} are needed."),
            where="present",
            cast=len(counting),
            needed=quorum(case),
        )
        require(self.outcome in OUTCOMES, "unknown-outcome", N_("{outcome} is no outcome."), outcome=self.outcome)
        require_conditions(self.outcome, self.conditions)
        return [
            Minuted(
                at=stamp(now),
                by=self.by,
                held=self.held,
                agenda=self.agenda,
                present=counting,
                recused=recused,
                outcome=self.outcome,
                conditions=list(self.conditions),
                reason=self.reason,
            )
        ]


def _was_there(case: BoardCase, person: str) -> None:
    counted = person in case.minutes["present"]
    require(counted, "not-present", N_("{person} was not counted there."), person=person)


class MinutesConfirmed(Event, of=board):
    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, minutes={**case.minutes, "confirmed": [*confirmed(case), self.by]})


class ConfirmMinutes(Command, of=board, source=("meeting",), role="board member"):
    """A member who was there says that the minutes are right."""

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(
            self.by in case.minutes["present"], "not-present", N_("{person} was not counted there."), person=self.by
        )
        require(self.by not in confirmed(case), "confirmed-already", N_("{person} has confirmed."), person=self.by)
        require(self.by != case.minutes["by"], "same-person", N_("Who wrote the minutes cannot confirm them."))
        return [MinutesConfirmed(at=stamp(now), by=self.by)]


class MinutesObjected(Event, of=board):
    reason: str

    def evolve(self, case: BoardCase) -> BoardCase:
        return replace(case, status="docketed", minutes={})


class ObjectToMinutes(Command, of=board, source=("meeting",), target=("docketed",), role="board member"):
    """A member who was there says that the minutes are wrong: they fall, and are written anew or a vote is opened."""

    reason: str

    def decide(self, case: BoardCase, now: datetime) -> list[Event]:
        require(
            self.by in case.minutes["present"], "not-present", N_("{person} was not counted there."), person=self.by
        )
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [MinutesObjected(at=stamp(now), by=self.by, reason=self.reason)]
