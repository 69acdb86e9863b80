"""How every aggregate looks: commands decide, events evolve, a log replays.

    events = aggregate.decide(state, command, now)          # raises Problem, never half-applied
    rows = [(event.type, event.data()) for event in events] # what a site's ledger stores
    state = aggregate.replay(rows)                          # the same state again

A command class says in its class line from which statuses it may start, to which it may lead, and in which role it is
given; `Aggregate.steps` is that table, which the docs print and the tests walk. Event data are plain JSON and carry
their version as "v"; an old version is lifted by upcasters when it is read, and never rewritten in the log.
Roles are checked by the site that knows who is signed in (`Aggregate.roles`); persons are checked here.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, ClassVar, dataclass_transform

from ansim.errors import N_, Problem

KST = timezone(timedelta(hours=9), "KST")  # agreements and decisions name Korean calendar days
START = "none"  # the status of an aggregate without events


def require(holds: object, code: str, text: str, **facts: Any) -> None:
    """Raise the Problem unless the condition holds."""
    if not holds:
        raise Problem(code, text, **facts)


def stamp(now: datetime) -> str:
    """The moment in UTC as ISO text; a time without zone is a programming error and refused."""
    require(now.tzinfo is not None, "naive-time", N_("A time needs its zone."))
    return now.astimezone(UTC).isoformat()


def civil_day(now: datetime) -> date:
    """The Korean calendar day of a moment."""
    stamp(now)
    return now.astimezone(KST).date()


def day(text: Any, where: str) -> date:
    """A calendar day from its ISO text (YYYY-MM-DD)."""
    if isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise Problem(
        "not-a-date", N_("{value} is not a date."), where=where, remedy=N_("Write it as YYYY-MM-DD."), value=repr(text)
    )


def is_digest(text: Any) -> bool:
    """Whether a text is a SHA-256 in 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def require_digest(text: Any, where: str) -> None:
    require(is_digest(text), "not-a-digest", N_("A SHA-256 of 64 hexadecimal digits is needed."), where=where)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Record:
    """Base of frozen, keyword-only dataclasses."""

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        dataclass(frozen=True, kw_only=True)(cls)


class State(Record):
    """What the events amount to. Plain JSON values only, so `as_data` needs no translation."""

    status: str = START
    since: str = ""  # when this status began
    at: str = ""  # when the last event happened
    version: int = 0  # number of events, for optimistic concurrency

    def as_data(self) -> dict:
        return asdict(self)  # type: ignore[call-overload]


class Event(Record):
    """A fact that happened. `at` is ISO UTC, `by` the person or site that caused it."""

    type: ClassVar[str] = ""
    schema: ClassVar[int] = 1
    at: str
    by: str

    def __init_subclass__(cls, of: "Aggregate | None" = None, schema: int = 1, **options: Any):
        super().__init_subclass__(**options)
        if of is not None:
            cls.type, cls.schema = f"{of.name}.{dashed(cls.__name__)}", schema
            of.events[cls.type] = cls

    def data(self) -> dict:
        return {"v": self.schema, **asdict(self)}  # type: ignore[call-overload]

    def evolve(self, state: Any) -> Any:
        raise NotImplementedError


class Command(Record):
    """Something that somebody wants to happen."""

    name: ClassVar[str] = ""
    by: str

    def __init_subclass__(
        cls,
        of: "Aggregate | None" = None,
        source: tuple[str, ...] = (),
        target: tuple[str, ...] = (),
        role: str = "",
        **options: Any,
    ):
        super().__init_subclass__(**options)
        if of is not None:
            cls.name = dashed(cls.__name__)
            of.steps[cls.name] = Step(command=cls, source=source, target=target or source, role=role)

    def decide(self, state: Any, now: datetime) -> list[Event]:
        raise NotImplementedError


class Step(Record):
    """One row of an aggregate's table: from which statuses to which, and in which role."""

    command: type[Command]
    source: tuple[str, ...]
    target: tuple[str, ...]
    role: str


def dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@dataclass
class Aggregate:
    """One kind of case: its statuses, its commands and its events.

    final: statuses from which nothing can happen any more.
    """

    name: str
    initial: type[State]
    statuses: tuple[str, ...]
    final: tuple[str, ...] = ("closed",)
    steps: dict[str, Step] = field(default_factory=dict)
    events: dict[str, type[Event]] = field(default_factory=dict)
    upcasters: dict[tuple[str, int], Callable[[dict], dict]] = field(default_factory=dict)

    def possible(self, status: str) -> list[str]:
        """Names of the commands that this status admits."""
        return [name for name, step in self.steps.items() if status in step.source]

    def roles(self) -> dict[str, str]:
        """Which role gives which command."""
        return {name: step.role for name, step in self.steps.items()}

    def decide(self, state: Any, command: Command, now: datetime) -> list[Event]:
        """The events that the command causes; raises Problem if it may not happen. The state is not changed."""
        step = self.steps.get(command.name)
        if step is None or step.command is not type(command) or state.status not in step.source:
            raise Problem(
                "illegal-transition",
                N_("A {kind} that is '{status}' does not admit '{command}'."),
                remedy=N_("Possible now: {possible}."),
                kind=self.name,
                status=state.status,
                command=command.name or type(command).__name__,
                possible=", ".join(self.possible(state.status)) or "-",
            )
        require(command.by, "nobody", N_("It is not said who does this."), where="by")
        stamp(now)
        require(
            not state.at or now >= datetime.fromisoformat(state.at),
            "clock-behind",
            N_("The clock ({now}) is behind the last entry ({last})."),
            remedy=N_("Set the clock of this site."),
            now=now.isoformat(),
            last=state.at,
        )
        events = command.decide(state, now)
        after = self.fold(events, state)  # an event that cannot be applied must not be stored
        if after.status not in step.target:
            raise AssertionError(f"{command.name} led to {after.status}, which its table does not name")
        return events

    def evolve(self, state: Any, event: Event) -> Any:
        after = event.evolve(state)
        since = event.at if after.status != state.status else state.since
        return replace(after, since=since, at=event.at, version=state.version + 1)

    def fold(self, events: Iterable[Event], state: Any = None) -> Any:
        """The state after the events, from the beginning or from a given state."""
        state = self.initial() if state is None else state
        for event in events:
            state = self.evolve(state, event)
        return state

    def upcast(self, event_type: str, version: int) -> Callable[[Callable[[dict], dict]], Callable[[dict], dict]]:
        """Register a function that lifts the data of one version to the next one."""

        def register(lift: Callable[[dict], dict]) -> Callable[[dict], dict]:
            self.upcasters[event_type, version] = lift
            return lift

        return register

    def load(self, event_type: str, data: dict) -> Event:
        """An event from its stored form; older versions are lifted, unknown or newer ones refused."""
        found = self.events.get(event_type)
        facts: dict[str, Any] = {"type": event_type, "kind": self.name, "version": data.get("v")}
        if found is None:
            raise Problem("unknown-event", N_("{type} is no event of a {kind}."), **facts)
        rest = {key: value for key, value in data.items() if key != "v"}
        version = data.get("v", 1)
        while version != found.schema:
            lift = self.upcasters.get((event_type, version))
            if lift is None:
                raise Problem("unknown-version", N_("Version {version} of {type} cannot be read."), **facts)
            try:
                rest, version = lift(rest), version + 1
            except (KeyError, TypeError) as error:
                text = N_("{type} cannot be read: {detail}.")
                raise Problem("unreadable-event", text, detail=repr(error), **facts) from error
        try:
            return found(**rest)
        except TypeError as error:
            raise Problem("unreadable-event", N_("{type} cannot be read: {detail}."), detail=error, **facts) from error

    def replay(self, rows: Iterable[tuple[str, dict]]) -> Any:
        """The state from stored (type, data) pairs."""
        return self.fold(self.load(event_type, data) for event_type, data in rows)


def act(aggregate: Aggregate, state: Any, command: Command, now: datetime) -> tuple[Any, list[Event]]:
    """Decide and fold in one go: (the new state, the events to store)."""
    events = aggregate.decide(state, command, now)
    return aggregate.fold(events, state), events
