"""Advice: a holder asks an expert about one case and one rule; the adviser proposes a change to a named object; its
owner takes it or declines it with a reason. Sole writer: the hub's expert desk.

An adviser of the applicant's or the holder's own organisation is never assigned, and everyone assigned says first
whether there is another conflict. What was asked and answered can become public guidance, in words of its own that name
no case. An adviser sees the question and what it is about, never patient rows.
"""

from collections.abc import Iterable
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance import rules
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, require, stamp
from ansim.governance.workdays import add_working_days

OBJECTS = ("cohort", "variables", "pseudonymisation plan", "output", "linkage", "other")
FIELDS = ("law", "statistics", "de-identification", "linkage", "clinical", "security")  # what advisers are expert in
# status -> (who must act, working days)
WAITING: dict[str, tuple[str, int] | None] = {
    "asked": ("coordinator", 3),
    "assigned": ("adviser", 3),
    "working": ("adviser", 10),
    "answered": ("owner", 10),
    "taken": None,
    "declined": None,
    "closed": None,
}
LONGEST = 5000


class Advice(State):
    """about: {object, name}, of the case. answer: {by, text, change}. guidance: {title, text, rule}, public."""

    case: str = ""
    holder: str = ""
    applicant: str = ""
    rule: str = ""
    expertise: str = ""
    about: dict = field(default_factory=dict)
    question: str = ""
    adviser: str = ""
    excluded: list = field(default_factory=list)  # advisers with a conflict
    answer: dict = field(default_factory=dict)
    reason: str = ""
    guidance: dict = field(default_factory=dict)
    due: str = ""


advice = Aggregate("advice", Advice, ("none", *WAITING))
LIVE = tuple(status for status in WAITING if status != "closed")


def due_on(status: str, now: datetime, holidays: Iterable[str]) -> str:
    """ISO day by which the status should end, "" if nobody is waited for."""
    waits = WAITING[status]
    return add_working_days(civil_day(now), waits[1], list(holidays)).isoformat() if waits else ""


def fit_to_advise(person: dict, state: Advice) -> list[Problem]:
    """What speaks against an adviser: {id, org, fields}. Empty if nothing does."""
    found = []
    if person["org"] in (state.applicant, state.holder):
        found.append(Problem("own-organisation", N_("{person} belongs to a party of the case."), person=person["id"]))
    if person["id"] in state.excluded:
        found.append(Problem("conflict-of-interest", N_("{person} declared a conflict."), person=person["id"]))
    if state.expertise not in person["fields"]:
        found.append(Problem("other-field", N_("{person} does not advise on this field."), person=person["id"]))
    return found


class Moved(Event, of=advice):
    """The question went on: its new status, its due day, and what the step brought."""

    to: str
    due: str
    facts: dict

    def evolve(self, state: Advice) -> Advice:
        return replace(state, status=self.to, due=self.due, **self.facts)


class Step(Command):
    """Base of the commands. holidays: ISO days that do not count."""

    holidays: list = field(default_factory=list)

    def moved(self, now: datetime, to: str, **facts: Any) -> list[Event]:
        return [Moved(at=stamp(now), by=self.by, to=to, due=due_on(to, now, self.holidays), facts=facts)]


def _text(value: str, where: str) -> None:
    require(0 < len(value.strip()) <= LONGEST, "message-length", N_("Write 1 to 5000 characters."), where=where)


class Ask(Step, of=advice, source=("none",), target=("asked",), role="holder"):
    """rule: id of a rule in force today, such as G2. about: {object: one of OBJECTS, name: of that object}."""

    case: str
    holder: str
    applicant: str
    rule: str
    expertise: str
    about: dict
    question: str

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        edition = rules.at(civil_day(now))
        require(
            self.rule in edition,
            "unknown-rule",
            N_("{rule} is no rule of today's edition."),
            where="rule",
            remedy=N_("Choose one of: {known}."),
            rule=self.rule,
            known=", ".join(edition),
        )
        known = self.expertise in FIELDS
        require(known, "unknown-field", N_("Nobody advises on {field}."), where="expertise", field=self.expertise)
        require(
            self.about.get("object") in OBJECTS and str(self.about.get("name", "")).strip(),
            "no-object",
            N_("Name what the question is about."),
            where="about",
        )
        _text(self.question, "question")
        facts = {name: getattr(self, name) for name in ("case", "holder", "applicant", "rule", "expertise", "question")}
        return self.moved(now, "asked", about=dict(self.about), **facts)


class Assign(Step, of=advice, source=("asked",), target=("assigned",), role="coordinator"):
    person: dict  # {id, org, fields}

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        if problems := fit_to_advise(self.person, state):
            raise problems[0]
        return self.moved(now, "assigned", adviser=self.person["id"])


class Declare(Step, of=advice, source=("assigned",), target=("working", "asked"), role="adviser"):
    """The adviser says whether there is a conflict; with one, the question goes back to be assigned anew."""

    conflict: bool

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        require(self.by == state.adviser, "not-yours", N_("Another adviser has this question."))
        if self.conflict:
            return self.moved(now, "asked", adviser="", excluded=[*state.excluded, self.by])
        return self.moved(now, "working")


class Answer(Step, of=advice, source=("working",), target=("answered",), role="adviser"):
    """text: the advice. change: what the object should be instead, in words; empty if it may stay as it is."""

    text: str
    change: str = ""

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        require(self.by == state.adviser, "not-yours", N_("Another adviser has this question."))
        _text(self.text, "text")
        return self.moved(now, "answered", answer={"by": self.by, "text": self.text, "change": self.change})


class Settle(Step, of=advice, source=("answered",), target=("taken", "declined"), role="owner"):
    """The owner of the object takes the proposed change or declines it; the board sees both."""

    taken: bool
    reason: str = ""

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        require(self.taken or self.reason.strip(), "no-reason", N_("Give a reason."), where="reason")
        return self.moved(now, "taken" if self.taken else "declined", reason=self.reason)


class Publish(Step, of=advice, source=("taken", "declined"), role="coordinator"):
    """Public guidance from the answer: title and text {ko, en}, in words that name neither case nor applicant."""

    title: dict
    text: dict

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        for name, words in (("title", self.title), ("text", self.text)):
            for code in ("ko", "en"):
                _text(str(words.get(code, "")), f"{name}_{code}")
                require(
                    state.case not in words[code] and state.applicant not in words[code],
                    "names-the-case",
                    N_("Guidance names no case and no applicant."),
                    where=f"{name}_{code}",
                )
        facts = {"guidance": {"title": dict(self.title), "text": dict(self.text), "rule": state.rule}}
        return [Moved(at=stamp(now), by=self.by, to=state.status, due="", facts=facts)]


class Close(Step, of=advice, source=LIVE, target=("closed",), role="coordinator"):
    """It is over: settled, or the case has ended or was withdrawn."""

    def decide(self, state: Advice, now: datetime) -> list[Event]:
        return self.moved(now, "closed")
