"""The query document: who is asked about, with which variables, over which period.

`query/1` says who by a small cohort of its own; `query/2` is the same but for a whole cohort definition in its place.

One frozen object travels unchanged from feasibility to extraction. Each part validates itself on construction, so a
Query that exists is a Query that can be compiled. Errors name the place as a path (`cohort.require[0].window`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from ansim import documents
from ansim.errors import N_
from ansim.research.cohort.checks import count, missing, one_of, optional_whole, truth, unknown, whole, wrong
from ansim.research.cohort.definition import form
from ansim.research.cohort.definition.model import Definition

KIND, WIDER = "query/1", "query/2"
EVENTS = ("condition", "drug", "measurement", "procedure", "observation", "visit", "device", "death", "cost")
VALUED = ("measurement", "observation", "cost")
SEXES = ("F", "M")
PICKS = ("first", "last", "min", "max", "mean", "sum")
WHICH = ("first", "any")
EVENT_KINDS = ("flag", "count", "value", "days", "follow_up", "reached")
FOLLOWED = ("follow_up", "reached")
UNTIL = ("observation", "cohort")
PERSON_KINDS = ("sex", "age", "age_band")
MAX_DAYS = 73_050  # 200 years: beyond any life, far from the ends of the calendar
MAX_CONCEPT = 2**53 - 1  # the largest integer that JSON carries exactly (RFC 8785)
MAX_CONCEPTS, MAX_CRITERIA, MAX_VARIABLES, MAX_AGE, MAX_TITLE = 10_000, 50, 500, 150, 200
MAX_CENSOR = 10
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


@dataclass(frozen=True)
class Window:
    """Days from the entry date, both ends included; None is open. (0, 0) is the entry day itself."""

    from_days: int | None = None
    to_days: int | None = None

    def __post_init__(self) -> None:
        for name in ("from_days", "to_days"):
            optional_whole(getattr(self, name), name, -MAX_DAYS, MAX_DAYS)
        if self.from_days is not None and self.to_days is not None and self.from_days > self.to_days:
            raise wrong("window-reversed", "from_days", N_("The window ends before it begins."), N_("Swap the days."))

    def document(self) -> dict:
        return {"from_days": self.from_days, "to_days": self.to_days}


@dataclass(frozen=True)
class Events:
    """Events of one kind whose concept is listed (or descends from a listed one); no concepts: every event."""

    event: str
    concepts: tuple[int, ...] = ()
    descendants: bool = False

    def __post_init__(self) -> None:
        one_of(self.event, "event", EVENTS)
        count(self.concepts, "concepts", MAX_CONCEPTS)
        for index, concept in enumerate(self.concepts):
            whole(concept, f"concepts[{index}]", 0, MAX_CONCEPT)
        truth(self.descendants, "descendants")
        object.__setattr__(self, "concepts", tuple(sorted(set(self.concepts))))

    def document(self) -> dict:
        return {"event": self.event, "concepts": list(self.concepts), "descendants": self.descendants}


@dataclass(frozen=True)
class Entry(Events):
    """What brings a person in. first: the first such event inside the period, then every other criterion is asked
    of that one; any: the earliest event inside the period for which all the criteria hold. One row a person."""

    which: str = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self.which, "which", WHICH)

    def document(self) -> dict:
        return super().document() | {"which": self.which}


@dataclass(frozen=True)
class Criterion(Events):
    """Holds when at least `at_least` events (rows) start inside the window and inside the query's period."""

    window: Window = field(default_factory=Window)
    at_least: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self.at_least, "at_least", 1, 1_000_000)

    def document(self) -> dict:
        return super().document() | {"window": self.window.document(), "at_least": self.at_least}


@dataclass(frozen=True)
class Age:
    """Completed years on the entry date, both ends included; None is open. Set bounds leave out unknown ages."""

    min: int | None = None
    max: int | None = None

    def __post_init__(self) -> None:
        for name in ("min", "max"):
            optional_whole(getattr(self, name), name, 0, MAX_AGE)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise wrong("age-reversed", "min", N_("The lowest age is above the highest."), N_("Swap the ages."))

    def document(self) -> dict:
        return {"min": self.min, "max": self.max}


@dataclass(frozen=True)
class Cohort:
    """Who: entry, then age and sex (None: any, also unknown), what each must have and must not have."""

    entry: Entry
    age: Age = field(default_factory=Age)
    sex: tuple[str, ...] | None = None
    require: tuple[Criterion, ...] = ()
    exclude: tuple[Criterion, ...] = ()

    def __post_init__(self) -> None:
        if self.sex is not None:
            if not self.sex:
                raise wrong("no-sex", "sex", N_("No sex is listed."), N_("List F, M or both, or leave sex out."))
            for index, sex in enumerate(self.sex):
                one_of(sex, f"sex[{index}]", SEXES)
            object.__setattr__(self, "sex", tuple(sorted(set(self.sex))))
        count(self.require, "require", MAX_CRITERIA)
        count(self.exclude, "exclude", MAX_CRITERIA)

    def document(self) -> dict:
        return {
            "entry": self.entry.document(),
            "age": self.age.document(),
            "sex": None if self.sex is None else list(self.sex),
            "require": [criterion.document() for criterion in self.require],
            "exclude": [criterion.document() for criterion in self.exclude],
        }


@dataclass(frozen=True)
class Variable:
    """One column of the frame.

    sex: "F", "M" or null. age: completed years on the entry date. age_band: "20-29" for width 10. flag: whether there
    is such an event in the window. count: how many. value: a number of them, chosen by `pick` (ties of `first` take
    the smallest, of `last` the largest); null when there is none. days: days from entry to the first such event in the
    window (negative: before); null when there is none.

    follow_up, reached: time to an event and whether it came, for survival and rates. Follow-up ends with the earliest
    of the first such event in the window (not before entry), the first `censor` event from entry on, `at_most` days,
    the last day of the query's period, and `until`: the end of the observation period that holds the entry, or of the
    person's time in the cohort. follow_up: days from entry to that end. reached: whether it was the event (also where
    something else ended it on that day). Both null for people without an observation period around their entry.
    """

    name: str
    kind: str
    width: int | None = None
    events: Events | None = None
    window: Window | None = None
    pick: str | None = None
    until: str | None = None
    at_most: int | None = None
    censor: tuple[Events, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.match(self.name) or self.name == "person_id":
            raise wrong(
                "variable-name",
                "name",
                N_("A variable needs a name of small letters, digits and underscores."),
                N_("Write a name such as age_band."),
            )
        one_of(self.kind, "kind", PERSON_KINDS + EVENT_KINDS)
        if self.kind == "age_band":
            whole(self.width, "width", 1, MAX_AGE)
        if self.kind in EVENT_KINDS:
            if self.events is None:
                raise missing("event")
            if self.window is None:
                object.__setattr__(self, "window", Window(0) if self.kind in FOLLOWED else Window())
        if self.kind == "value":
            assert self.events is not None
            one_of(self.events.event, "event", VALUED)
            one_of(self.pick, "pick", PICKS)
        if self.kind in FOLLOWED:
            self._followed()
        allowed = _allowed(self.kind)
        for part in ("width", "events", "window", "pick", "until", "at_most", "censor"):
            key = "event" if part == "events" else part
            if getattr(self, part) is not None and key not in allowed:
                raise unknown(key, allowed)

    def _followed(self) -> None:
        assert self.window is not None
        if self.window.from_days is None or self.window.from_days < 0:
            raise wrong(
                "window-before-entry",
                "window.from_days",
                N_("Follow-up begins with the entry: its event cannot come before."),
                N_("Begin the window on day 0 or later."),
            )
        object.__setattr__(self, "until", UNTIL[0] if self.until is None else self.until)
        object.__setattr__(self, "censor", self.censor or ())
        one_of(self.until, "until", UNTIL)
        optional_whole(self.at_most, "at_most", 1, MAX_DAYS)
        count(self.censor or (), "censor", MAX_CENSOR)

    def selections(self) -> Iterable[Events]:
        """The selections of events that the variable looks at."""
        return () if self.events is None else (self.events, *(self.censor or ()))

    def document(self) -> dict:
        document: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.width is not None:
            document["width"] = self.width
        if self.events is not None and self.window is not None:
            document |= self.events.document() | {"window": self.window.document()}
        if self.pick is not None:
            document["pick"] = self.pick
        if self.kind in FOLLOWED:
            ends = [events.document() for events in self.censor or ()]
            document |= {"until": self.until, "at_most": self.at_most, "censor": ends}
        return document


@dataclass(frozen=True)
class Period:
    """First and last day of the data asked for. Events that start outside do not exist for the query."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise wrong("period-reversed", "from", N_("The period ends before it begins."), N_("Swap the dates."))

    def document(self) -> dict:
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


@dataclass(frozen=True)
class Query:
    """The whole question. title: texts in Korean and English, which the digest covers and the scope check ignores."""

    korean: str
    english: str
    cohort: Cohort | Definition
    period: Period
    variables: tuple[Variable, ...] = ()

    def __post_init__(self) -> None:
        for key, text in (("ko", self.korean), ("en", self.english)):
            if not isinstance(text, str) or not text.strip() or len(text) > MAX_TITLE:
                raise wrong(
                    "title",
                    f"title.{key}",
                    N_("The title needs one to {most} characters in each language."),
                    N_("Write a short title in Korean and in English."),
                    most=MAX_TITLE,
                )
        count(self.variables, "variables", MAX_VARIABLES)
        names = [variable.name for variable in self.variables]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise wrong(
                    "variable-twice",
                    f"variables[{index}].name",
                    N_("Two variables are called {name}."),
                    N_("Give each variable a name of its own."),
                    name=name,
                )

    def document(self) -> dict:
        """The canonical document: every default written out, concepts and sexes sorted; no floats."""
        return {
            "ansim": WIDER if isinstance(self.cohort, Definition) else KIND,
            "title": {"ko": self.korean, "en": self.english},
            "cohort": form.write(self.cohort) if isinstance(self.cohort, Definition) else self.cohort.document(),
            "variables": [variable.document() for variable in self.variables],
            "period": self.period.document(),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical document."""
        return documents.digest(self.document())

    def events(self) -> Iterable[Events]:
        """Every selection of events that the query looks at, but for those of a definition."""
        if isinstance(self.cohort, Cohort):
            yield self.cohort.entry
            yield from self.cohort.require
            yield from self.cohort.exclude
        for variable in self.variables:
            yield from variable.selections()

    @property
    def observed(self) -> bool:
        """Whether a variable asks how long people were observed."""
        return any(variable.until == "observation" for variable in self.variables)


def _allowed(kind: str) -> tuple[str, ...]:
    keys: tuple[str, ...] = ("name", "kind")
    if kind == "age_band":
        keys += ("width",)
    if kind in EVENT_KINDS:
        keys += ("event", "concepts", "descendants", "window")
    if kind == "value":
        keys += ("pick",)
    if kind in FOLLOWED:
        keys += ("until", "at_most", "censor")
    return keys


def parse(source: str | bytes | dict) -> Query:
    """A query from YAML or JSON text, or from a document already read. Raises Problem naming the path."""
    from ansim.research.cohort import reading

    return reading.query(source)
