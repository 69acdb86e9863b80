"""A cohort definition with the full power of OHDSI Circe, as frozen objects that validate themselves.

One model serves our own document (`form.py`), Circe JSON (`circe.py`), the compiler
and the reference engine. What the words mean is in `docs/research/cohorts.md`; kinds of event in `domains.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ansim.errors import N_
from ansim.research.cohort.checks import count, one_of, optional_whole, truth, whole, within, wrong
from ansim.research.cohort.definition.domains import BY_NAME, DEMOGRAPHIC, Attribute, Domain

MAX_CONCEPT, MAX_ID = 2**53 - 1, 2**31 - 1
MAX_DAYS, MAX_COUNT, MAX_LIST, MAX_DEPTH, MAX_RULES = 73_050, 1_000_000, 200_000, 12, 50
OPERATORS = ("lt", "lte", "eq", "not_eq", "gt", "gte", "between", "not_between")
TEXT_OPERATORS = ("starts_with", "contains", "ends_with", "not_starts_with", "not_contains", "not_ends_with")
SIDES = ("start", "end")
GROUPS = ("all", "any", "at_least", "at_most")
COUNTS = ("exactly", "at_most", "at_least")
LIMITS = ("all", "first", "last")
DETAILS = (  # what a concept says about itself; only its id counts
    "name",
    "code",
    "domain",
    "vocabulary",
    "class",
    "standard",
    "standard_caption",
    "invalid_reason",
    "invalid_reason_caption",
    "valid_from",
    "valid_to",
)
Side = Literal["start", "end"]


@dataclass(frozen=True)
class Concept:
    """details: (key, text) pairs that travel along for readers; equality of definitions includes them."""

    id: int
    details: tuple[tuple[str, str | int], ...] = ()

    def __post_init__(self) -> None:
        whole(self.id, "", 0, MAX_CONCEPT)
        for key, value in self.details:
            one_of(key, "", DETAILS)
            if not isinstance(value, str | int):
                raise _text(key)

    @property
    def name(self) -> str:
        return str(dict(self.details).get("name", ""))


@dataclass(frozen=True)
class Member:
    """One line of a concept set. mapped: also the source concepts that map to it."""

    concept: Concept
    excluded: bool = False
    descendants: bool = False
    mapped: bool = False

    def __post_init__(self) -> None:
        for value in (self.excluded, self.descendants, self.mapped):
            truth(value, "")


@dataclass(frozen=True)
class ConceptSet:
    """The included members (with descendants and mapped, where so marked) less the excluded ones."""

    id: int
    name: str
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        whole(self.id, "id", 0, MAX_ID)
        if not isinstance(self.name, str):
            raise _text("name")
        count(self.members, "members", MAX_LIST)


@dataclass(frozen=True)
class Range:
    """value compared by `op`; between takes both ends. Numbers are int or Decimal, days are dates."""

    op: str
    value: Any
    extent: Any = None

    def __post_init__(self) -> None:
        one_of(self.op, "", OPERATORS)
        if self.op.endswith("between") == (self.extent is None):
            raise wrong(
                "range-ends",
                "",
                N_("A range between needs two values, every other comparison one."),
                N_("Write between: [low, high], or one value."),
            )


@dataclass(frozen=True)
class TextFilter:
    """The text starts with, contains, or ends with `text` (as SQL's LIKE: % and _ inside it are wild)."""

    op: str
    text: str

    def __post_init__(self) -> None:
        one_of(self.op, "", TEXT_OPERATORS)
        if not isinstance(self.text, str):
            raise _text("")


@dataclass(frozen=True)
class Listed:
    """The concept is one of these; exclude: is there and none of these."""

    concepts: tuple[Concept, ...]
    exclude: bool = False


@dataclass(frozen=True)
class Selection:
    """The concept is (exclude: is not) in the concept set; without a set: there is (is not) a concept at all."""

    set: int | None
    exclude: bool = False

    def __post_init__(self) -> None:
        optional_whole(self.set, "", 0, MAX_ID)
        truth(self.exclude, "")


@dataclass(frozen=True)
class Days:
    """A stretch of calendar days; None is open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Adjustment:
    """The event's days are moved: each from its own start or end, by days. Reversed events are dropped."""

    start_with: Side = "start"
    start_days: int = 0
    end_with: Side = "end"
    end_days: int = 0

    def __post_init__(self) -> None:
        for side in (self.start_with, self.end_with):
            one_of(side, "", SIDES)
        for days in (self.start_days, self.end_days):
            whole(days, "", -MAX_DAYS, MAX_DAYS)


@dataclass(frozen=True)
class Criterion:
    """Events of one domain that satisfy all that is asked.

    concepts: the id of a concept set. first: only each person's first event of these concepts (before anything else is
    asked). attributes: (name, value) pairs as the domain has them. where: what must hold around the event.
    """

    domain: str
    concepts: int | None = None
    first: bool = False
    attributes: tuple[tuple[str, Any], ...] = ()
    adjust: Adjustment | None = None
    where: "Group | None" = None

    def __post_init__(self) -> None:
        one_of(self.domain, "", tuple(BY_NAME))
        optional_whole(self.concepts, "concepts", 0, MAX_ID)
        truth(self.first, "first")
        if (self.concepts is not None and not self.of.chosen) or (self.first and not self.of.first):
            raise wrong("not-here", "", N_("This kind of event does not have that."), N_("Leave it out."))
        object.__setattr__(self, "attributes", _attributes(self.of.attributes, self.attributes))

    @property
    def of(self) -> Domain:
        return BY_NAME[self.domain]


@dataclass(frozen=True)
class Demographic:
    """What is asked of the index event's days and of its person."""

    attributes: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", _attributes(DEMOGRAPHIC, self.attributes))


@dataclass(frozen=True)
class Endpoint:
    """Days from the index day (negative: before); or, without days, the start or end of the observation period."""

    days: int | None = 0
    side: Side = "start"

    def __post_init__(self) -> None:
        optional_whole(self.days, "days", -MAX_DAYS, MAX_DAYS)
        one_of(self.side, "", SIDES)
        if self.days is not None:  # the side says nothing then: one form for one meaning
            object.__setattr__(self, "side", "start")


@dataclass(frozen=True)
class Window:
    """The event's start (or end) lies between two points that are counted from the index's start (or end)."""

    start: Endpoint = Endpoint(None, "start")
    end: Endpoint = Endpoint(None, "end")
    index: Side = "start"
    event: Side = "start"

    def __post_init__(self) -> None:
        for side in (self.index, self.event):
            one_of(side, "", SIDES)


@dataclass(frozen=True)
class Count:
    """How many events: exactly, at most, at least n. distinct: different values of this column of the events."""

    op: str = "at_least"
    n: int = 1
    distinct: str | None = None

    def __post_init__(self) -> None:
        one_of(self.op, "", COUNTS)
        whole(self.n, "n", 0, MAX_COUNT)


@dataclass(frozen=True)
class Correlated:
    """So many events of the criterion inside the windows around the index event.

    same_visit: of the index's visit. beyond_observation: also outside the index's observation period.
    """

    criterion: Criterion
    count: Count = field(default_factory=Count)
    window: Window = field(default_factory=Window)
    end_window: Window | None = None
    same_visit: bool = False
    beyond_observation: bool = False

    def __post_init__(self) -> None:
        for value in (self.same_visit, self.beyond_observation):
            truth(value, "")
        if self.count.distinct is not None:
            one_of(self.count.distinct, "count", countable(self.criterion.of))


@dataclass(frozen=True)
class Group:
    """all, any, at least or at most n of these hold. An empty group holds for every event."""

    kind: str = "all"
    n: int | None = None
    criteria: tuple[Correlated, ...] = ()
    people: tuple[Demographic, ...] = ()
    groups: tuple["Group", ...] = ()

    def __post_init__(self) -> None:
        one_of(self.kind, "", GROUPS)
        if self.kind in ("at_least", "at_most"):
            whole(self.n, "", 0, MAX_COUNT)

    @property
    def empty(self) -> bool:
        return not (self.criteria or self.people or self.groups)


@dataclass(frozen=True)
class Rule:
    """An inclusion rule: events that do not satisfy it leave; how many is the attrition."""

    name: str
    where: Group
    description: str = ""

    def __post_init__(self) -> None:
        for key in ("name", "description"):
            if not isinstance(getattr(self, key), str):
                raise _text(key)


@dataclass(frozen=True)
class Entry:
    """The events that bring people in, with so many days of observation before and after, and which of them."""

    criteria: tuple[Criterion, ...]
    days_before: int = 0
    days_after: int = 0
    limit: str = "all"

    def __post_init__(self) -> None:
        if not self.criteria:
            raise wrong("no-entry", "", N_("No entry event is given."), N_("Name at least one kind of event."))
        for days in (self.days_before, self.days_after):
            whole(days, "", -MAX_DAYS, MAX_DAYS)
        one_of(self.limit, "limit", LIMITS)


@dataclass(frozen=True)
class FixedEnd:
    """So many days after the event's start or end, but not beyond the observation."""

    side: Side = "start"
    days: int = 0

    def __post_init__(self) -> None:
        one_of(self.side, "", SIDES)
        whole(self.days, "days", -MAX_DAYS, MAX_DAYS)


@dataclass(frozen=True)
class DrugEnd:
    """The end of the run of exposures around the event: gaps up to `gap` days are bridged, `extra` days added.

    supply: days that every exposure is taken to last.
    """

    concepts: int
    gap: int = 0
    extra: int = 0
    supply: int | None = None

    def __post_init__(self) -> None:
        whole(self.concepts, "", 0, MAX_ID)
        for days in (self.gap, self.extra):
            whole(days, "", -MAX_DAYS, MAX_DAYS)
        optional_whole(self.supply, "", -MAX_DAYS, MAX_DAYS)


@dataclass(frozen=True)
class Definition:
    """Who is in the cohort, and from when to when.

    where: what entry events must satisfy (None is not the same as empty: only with a group is `qualified` applied).
    qualified, limit: which of a person's events count, before and after the rules. end None: the end of observation.
    censor: events that end it. pad: days between periods that are joined. within: the calendar days that remain.
    """

    entry: Entry
    sets: tuple[ConceptSet, ...] = ()
    where: Group | None = None
    qualified: str = "all"
    rules: tuple[Rule, ...] = ()
    limit: str = "all"
    end: FixedEnd | DrugEnd | None = None
    censor: tuple[Criterion, ...] = ()
    pad: int = 0
    within: Days = Days()
    title: str = ""
    versions: str = ""

    def __post_init__(self) -> None:
        one_of(self.qualified, "qualified", LIMITS)
        one_of(self.limit, "limit", LIMITS)
        count(self.rules, "rules", MAX_RULES)
        whole(self.pad, "pad", 0, MAX_DAYS)
        seen: set[int] = set()
        for index, each in enumerate(self.sets):
            if each.id in seen:
                raise wrong(
                    "set-twice",
                    f"sets[{index}].id",
                    N_("Two concept sets have the number {id}."),
                    N_("Number them differently."),
                    id=each.id,
                )
            seen.add(each.id)
        for path, number in self.references():
            if number not in seen:
                raise no_such_set(path, number)
        for path, depth in self._depths():
            if depth > MAX_DEPTH:
                raise wrong("too-deep", path, N_("Groups are nested too deeply."), N_("Flatten them."))

    def criteria(self) -> Iterator[tuple[str, Criterion]]:
        """Every criterion with its path, also those nested in others."""
        for path, part in self._parts():
            if isinstance(part, Criterion):
                yield path, part

    def references(self) -> Iterator[tuple[str, int]]:
        """Every concept set that is used, with the path of its use."""
        for path, part in self._parts():
            if isinstance(part, Criterion) and part.concepts is not None:
                yield f"{path}.concepts", part.concepts
            for name, value in part.attributes if isinstance(part, Criterion | Demographic) else ():
                if isinstance(value, Selection) and value.set is not None:
                    yield f"{path}.{name}", value.set
                elif type(value) is int:
                    yield f"{path}.{name}", value
        if isinstance(self.end, DrugEnd):
            yield "end.concepts", self.end.concepts

    def _parts(self) -> Iterator[tuple[str, Criterion | Demographic]]:
        for index, criterion in enumerate(self.entry.criteria):
            yield from _of_criterion(f"entry.criteria[{index}]", criterion)
        for path, group in self.groups():
            yield from _of_group(path, group)
        for index, criterion in enumerate(self.censor):
            yield from _of_criterion(f"censor[{index}]", criterion)

    def groups(self) -> Iterator[tuple[str, Group]]:
        """The outermost groups with their paths."""
        if self.where is not None:
            yield "where", self.where
        for index, rule in enumerate(self.rules):
            yield f"rules[{index}].where", rule.where

    def _depths(self) -> Iterator[tuple[str, int]]:
        for path, group in self.groups():
            yield path, _depth(group)
        for path, criterion in self.criteria():
            yield path, _depth(criterion.where)


def countable(domain: Domain) -> tuple[str, ...]:
    """Circe's columns that a distinct count can count in this domain."""
    visit = ("VISIT_ID",) if domain.visit else ()
    return (*domain.counts, "START_DATE", "END_DATE", *visit)


def _of_criterion(path: str, criterion: Criterion) -> Iterator[tuple[str, Criterion | Demographic]]:
    yield path, criterion
    if criterion.where is not None:
        yield from _of_group(f"{path}.where", criterion.where)


def _of_group(path: str, group: Group) -> Iterator[tuple[str, Criterion | Demographic]]:
    for index, correlated in enumerate(group.criteria):
        yield from _of_criterion(f"{path}.criteria[{index}].criterion", correlated.criterion)
    for index, demographic in enumerate(group.people):
        yield f"{path}.people[{index}]", demographic
    for index, inner in enumerate(group.groups):
        yield from _of_group(f"{path}.groups[{index}]", inner)


def _depth(group: Group | None) -> int:
    if group is None:
        return 0
    inner = [_depth(each) for each in group.groups]
    inner += [_depth(each.criterion.where) for each in group.criteria]
    return 1 + max(inner, default=0)


FORMS: dict[str, type] = {
    "number": Range,
    "decimal": Range,
    "date": Range,
    "text": TextFilter,
    "concepts": Listed,
    "selection": Selection,
    "set": int,
    "flag": bool,
    "period": Days,
}


def _attributes(known: tuple[Attribute, ...], given: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """The given attributes in the domain's order, each checked."""
    names = tuple(attribute.name for attribute in known)
    values: dict[str, Any] = {}
    for name, value in given:
        one_of(name, "", names)
        if name in values:
            raise wrong("key-twice", name, N_("This key stands twice."), N_("Keep one of them."))
        values[name] = value
    for attribute in known:
        if attribute.name in values:
            with within(attribute.name):
                _fits(attribute, values[attribute.name])
    return tuple((name, values[name]) for name in names if name in values)


def _fits(attribute: Attribute, value: Any) -> None:
    if type(value) is not FORMS[attribute.kind]:
        raise _form()
    if attribute.kind == "set":
        whole(value, "", 0, MAX_ID)
    if isinstance(value, Range):
        allowed = {"number": (int,), "decimal": (int, Decimal), "date": (date,)}[attribute.kind]
        for each in (value.value, value.extent):
            if each is not None and type(each) not in allowed:
                raise _form()


def _form() -> Exception:
    return wrong("wrong-form", "", N_("The value does not have the form that is needed here."), N_("Mend it."))


def no_such_set(where: str, number: object) -> Exception:
    return wrong(
        "no-concept-set",
        where,
        N_("There is no concept set {number}."),
        N_("Add it, or use one that is there."),
        number=number,
    )


def _text(where: str) -> Exception:
    return wrong("not-text", where, N_("A text is needed here."), N_("Write it in quotes."))
