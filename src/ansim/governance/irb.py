"""The IRB's decision is made outside: one person enters it, a second who has the letter at hand confirms it (L10)."""

from dataclasses import replace
from datetime import datetime

from ansim.errors import N_
from ansim.governance.board_case import LIVE, BoardCase, board
from ansim.governance.core import Command, Event, day, require, require_digest, stamp


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
