"""The reference engine: what a definition means, in plain Python, slow and obvious. Tests compare the compiler with it.

It takes the data as {table: [row, …]} with rows as {column: value} and shares no code with the compiler, only the model
and the table of domains. A person at a time, an event at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from re import DOTALL, escape, fullmatch
from typing import Any

from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import ABNORMAL, DEMOGRAPHIC, Attribute, Domain

Data = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Event:
    """What happened: who, when, which row it is. start is where it is sorted by; place is the entry criterion's."""

    person: Any
    start: date
    end: date | None
    sort: date
    id: Any
    visit: Any
    row: tuple[tuple[str, Any], ...]
    place: int = 0
    observed: tuple[date, date] = (date.min, date.max)


@dataclass(frozen=True)
class Attrition:
    """Events and people that are left after each step."""

    step: str
    events: int
    people: int


def cohort(data: Data, definition: m.Definition) -> list[tuple[Any, date, date]]:
    """The cohort's rows (person, start, end), ordered.

    data may hold "observed": the observation periods, where "observation_period" holds only those that count as events.
    """
    return sorted(row for person in _people(data) for row in _Person(data, definition, person).periods())


def attrition(data: Data, definition: m.Definition) -> list[Attrition]:
    """What is left after the entry events, the additional criteria, each rule in turn, and the final limit."""
    steps: dict[str, list[Event]] = {}
    for person in _people(data):
        for step, events in _Person(data, definition, person).steps():
            steps.setdefault(step, []).extend(events)
    return [Attrition(step, len(events), len({each.person for each in events})) for step, events in steps.items()]


def _people(data: Data) -> list:
    return sorted({row["person_id"] for row in data.get("observed", data.get("observation_period", []))})


class _Person:
    def __init__(self, data: Data, definition: m.Definition, person: Any):
        self.data, self.definition, self.person = data, definition, person
        self.sets = {one.id: members(data, one) for one in definition.sets}

    # ---- the whole

    def steps(self) -> Iterator[tuple[str, list[Event]]]:
        definition = self.definition
        events = self.entry()
        yield "entry", events
        if definition.where is not None:
            events = [each for each in events if self.holds(definition.where, each)]
            events = limited(events, definition.qualified)
            yield "where", events
        for place, rule in enumerate(definition.rules):
            events = [each for each in events if self.holds(rule.where, each)]
            yield f"rules[{place}]", events
        if definition.limit != "all":
            yield "limit", limited(events, definition.limit)

    def periods(self) -> list[tuple[Any, date, date]]:
        *_, (_, events) = self.steps()
        ended = [(each.start, end) for each in events if (end := self.ends(each)) is not None]
        found = []
        for start, end in eras(ended, self.definition.pad):
            start = max(start, self.definition.within.first or start)
            end = min(end, self.definition.within.last or end)
            if start <= end:
                found.append((self.person, start, end))
        return found

    def entry(self) -> list[Event]:
        entry, found = self.definition.entry, []
        for place, criterion in enumerate(entry.criteria):
            for event in self.events(criterion):
                for first, last in self.observations():
                    enough = first + timedelta(entry.days_before) <= event.start
                    enough = enough and event.start + timedelta(entry.days_after) <= last
                    if first <= event.start <= last and enough:
                        found.append(_with(event, place=place, observed=(first, last)))
        if entry.limit == "all" or not found:
            return found
        sign = -1 if entry.limit == "last" else 1
        return [min(found, key=lambda e: (sign * e.sort.toordinal(), e.id, e.place, _late(e.end), e.observed))]

    def ends(self, event: Event) -> date | None:
        """The earliest end that is not before the start."""
        strategy, ends = self.definition.end, []
        if not isinstance(strategy, m.FixedEnd):
            ends.append(event.observed[1])
        elif (day := event.start if strategy.side == "start" else event.end) is not None:
            ends.append(min(day + timedelta(strategy.days), event.observed[1]))
        if isinstance(strategy, m.DrugEnd):
            ends += [last for first, last in self.drug_eras(strategy) if first <= event.start <= last]
        for criterion in self.definition.censor:
            ends += [each.start for each in self.events(criterion) if event.start <= each.start <= event.observed[1]]
        return min((end for end in ends if end >= event.start), default=None)

    def drug_eras(self, end: m.DrugEnd) -> list[tuple[date, date]]:
        stretches = []
        domain = m.Criterion("drug_exposure").of
        for concept in ("drug_concept_id", "drug_source_concept_id"):
            for row in self.rows("drug_exposure"):
                if row.get(concept) in self.sets[end.concepts]:
                    start, last = days(domain, row)
                    if end.supply is not None:
                        last = start + timedelta(end.supply)
                    assert last is not None
                    stretches.append((start, last + timedelta(end.extra)))
        return eras(stretches, end.gap)

    # ---- events

    def rows(self, table: str) -> list[dict]:
        owner = "entity_id" if table == "location_history" else "person_id"
        return [row for row in self.data.get(table, []) if row[owner] == self.person]

    def observations(self) -> list[tuple[date, date]]:
        rows = self.rows("observed" if "observed" in self.data else "observation_period")
        return [(row["observation_period_start_date"], row["observation_period_end_date"]) for row in rows]

    def events(self, criterion: m.Criterion) -> list[Event]:
        domain, asked = criterion.of, dict(criterion.attributes)
        rows = self.rows(domain.table)
        if criterion.concepts is not None:
            rows = [row for row in rows if row.get(domain.concept) in self.sets[criterion.concepts]]
        if "source_concepts" in asked:
            column = domain.attribute("source_concepts").of
            rows = [row for row in rows if row.get(column) in self.sets[asked["source_concepts"]]]
        if criterion.first and rows:
            rows = [min(rows, key=lambda row: (row[domain.start], row[domain.key]))]
        found = (self.event(criterion, row) for row in rows)
        events = [each for each in found if each is not None and self.fits(criterion, each)]
        fixed = asked.get("user_defined", m.Days())
        events = [_with(each, start=fixed.first or each.start, end=fixed.last or each.end) for each in events]
        if criterion.where is not None and not criterion.where.empty:
            events = [each for each in events if self.surrounded(criterion.where, each)]
        return events

    def event(self, criterion: m.Criterion, row: dict) -> Event | None:
        domain, adjust = criterion.of, criterion.adjust
        start, end = days(domain, row)
        if adjust is not None:
            sides = {"start": start, "end": end}
            first, last = sides[adjust.start_with], sides[adjust.end_with]
            if first is None or last is None:
                return None
            start, end = first + timedelta(adjust.start_days), last + timedelta(adjust.end_days)
            if end < start:
                return None
        visit = row.get("visit_occurrence_id") if domain.visit else None
        return Event(self.person, start, end, start, row[domain.key], visit, tuple(row.items()))

    def surrounded(self, group: m.Group, event: Event) -> bool:
        observed = [period for period in self.observations() if period[0] <= event.start <= period[1]]
        return any(self.holds(group, _with(event, observed=period)) for period in observed)

    # ---- what is asked of an event

    def fits(self, criterion: m.Criterion, event: Event) -> bool:
        asked = ((criterion.of.attribute(name), value) for name, value in criterion.attributes)
        return all(
            self.asked(attribute, value, event) for attribute, value in asked if attribute.name != "source_concepts"
        )

    def asked(self, attribute: Attribute, value: Any, event: Event) -> bool:
        row = dict(event.row)
        if attribute.kind == "period":
            ends = [day for day in (value.first, value.last) if day is not None]
            return all(event.end is not None and event.start <= day <= event.end for day in ends)
        if attribute.of == "abnormal":
            number, low, high = row.get("value_as_number"), row.get("range_low"), row.get("range_high")
            below = number is not None and low is not None and number < low
            above = number is not None and high is not None and number > high
            return below or above or row.get("value_as_concept_id") in ABNORMAL
        found = self.found(attribute.of, event, row)
        return any(self.compared(attribute, value, each) for each in found)

    def found(self, of: str, event: Event, row: dict) -> list:
        """What stands there: one value, or one for each joined row (none when the joined row is not there)."""
        if of in ("start", "end"):
            return [event.start if of == "start" else event.end]
        if of == "length":
            return [None if event.end is None else (event.end - event.start).days]
        if of.startswith("age_at_"):
            day = event.start if of == "age_at_start" else event.end
            born = [person["year_of_birth"] for person in self.rows("person")]
            return [None if year is None or day is None else day.year - year for year in born]
        if of.startswith("ratio."):
            number, divisor = row.get("value_as_number"), row.get(of.removeprefix("ratio."))
            return [number / divisor if number is not None and divisor else None]
        table, _, column = of.rpartition(".")
        if table == "person":
            return [person.get(column) for person in self.rows("person")]
        if table == "visit":
            visits = self.rows("visit_occurrence")
            return [v.get(column) for v in visits if v["visit_occurrence_id"] == row.get("visit_occurrence_id")]
        if table in ("provider", "care_site"):
            key = f"{table}_id"
            joined = [one.get(column) for one in self.data.get(table, []) if one[key] == row.get(key)]
            return joined or ([None] if table == "provider" else [])
        return [row.get(column)]

    def compared(self, attribute: Attribute, value: Any, found: Any) -> bool:
        if isinstance(value, m.Range):
            return found is not None and _in_range(value, found, attribute.kind)
        if isinstance(value, m.TextFilter):
            return found is not None and _like(value, found)
        if isinstance(value, m.Listed):
            if not value.concepts:
                return True
            return found is not None and (found in {each.id for each in value.concepts}) is not value.exclude
        if isinstance(value, m.Selection):
            if value.set is None:
                return (found is None) is value.exclude
            if value.exclude:
                return not self.sets[value.set] or (found is not None and found not in self.sets[value.set])
            return found in self.sets[value.set]
        return found in self.sets[value]

    # ---- what must hold around an event

    def holds(self, group: m.Group, index: Event) -> bool:
        held = [self.enough(each, index) for each in group.criteria]
        held += [self.of_person(each, index) for each in group.people]
        held += [self.holds(each, index) for each in group.groups]
        if not held or group.kind == "all":
            return all(held)
        if group.kind == "any":
            return any(held)
        assert group.n is not None
        return sum(held) >= group.n if group.kind == "at_least" else sum(held) <= group.n

    def of_person(self, demographic: m.Demographic, index: Event) -> bool:
        table = {attribute.name: attribute for attribute in DEMOGRAPHIC}
        people = self.rows("person")
        return bool(people) and all(self.asked(table[name], value, index) for name, value in demographic.attributes)

    def enough(self, given: m.Correlated, index: Event) -> bool:
        around = [each for each in self.events(given.criterion) if _around(given, index, each)]
        number = len(around)
        if given.count.distinct is not None:
            values = [_counted(given.criterion.of, given.count.distinct, each) for each in around]
            number = len({value for value in values if value is not None})
        n = given.count.n
        return {"exactly": number == n, "at_most": number <= n, "at_least": number >= n}[given.count.op]


def members(data: Data, given: m.ConceptSet) -> set[int]:
    """The concepts of a set."""
    known = {row["concept_id"]: row.get("invalid_reason") for row in data.get("concept", [])}

    def below(concept: int) -> set[int]:
        rows = [row for row in data.get("concept_ancestor", []) if row["ancestor_concept_id"] == concept]
        return {row["descendant_concept_id"] for row in rows if known.get(row["descendant_concept_id"], "?") is None}

    def mapped(concepts: set[int]) -> set[int]:
        valid = [
            row
            for row in data.get("concept_relationship", [])
            if row["relationship_id"] == "Maps to" and row["invalid_reason"] is None
        ]
        return {row["concept_id_1"] for row in valid if row["concept_id_2"] in concepts}

    def reached(excluded: bool) -> set[int]:
        found: set[int] = set()
        for member in given.members:
            if member.excluded is excluded:
                concepts = {member.concept.id} & set(known)
                concepts |= below(member.concept.id) if member.descendants else set()
                found |= concepts | (mapped(concepts) if member.mapped else set())
        return found

    return reached(False) - reached(True)


def eras(stretches: list[tuple[date, date]], pad: int) -> list[tuple[date, date]]:
    """Stretches that overlap, touch or are at most `pad` days apart, joined."""
    found: list[tuple[date, date]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1] + timedelta(pad):
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def limited(events: list[Event], limit: str) -> list[Event]:
    """The first (or last) event in the total order start, end, domain, source id."""
    if limit == "all" or not events:
        return events
    sign = -1 if limit == "last" else 1
    return [min(events, key=lambda e: (sign * e.start.toordinal(), _late(e.end), e.place, e.id, e.observed))]


def days(domain: Domain, row: dict) -> tuple[date, date | None]:
    start = row[domain.start]
    end = row.get(domain.end) if domain.end else None
    if end is None and domain.supply and row.get(domain.supply) is not None:
        end = start + timedelta(row[domain.supply])
    if end is None and domain.else_next_day:
        end = start + timedelta(1)
    return start, end


def _around(given: m.Correlated, index: Event, event: Event) -> bool:
    first, last = index.observed
    if not given.beyond_observation and not first <= event.start <= last:
        return False
    if given.same_visit and (index.visit is None or index.visit != event.visit):
        return False
    windows = [window for window in (given.window, given.end_window) if window is not None]
    return all(_in_window(window, index, event, given.beyond_observation) for window in windows)


def _in_window(window: m.Window, index: Event, event: Event, beyond: bool) -> bool:
    day = event.start if window.event == "start" else event.end
    origin = index.start if window.index == "start" else index.end

    def point(endpoint: m.Endpoint) -> tuple[bool, date | None]:
        """Whether there is a bound, and where (None: unknown, so nothing is inside)."""
        if endpoint.days is not None:
            return True, None if origin is None else origin + timedelta(endpoint.days)
        return not beyond, index.observed[0] if endpoint.side == "start" else index.observed[1]

    for endpoint, inside in ((window.start, lambda at: day >= at), (window.end, lambda at: day <= at)):
        bounded, at = point(endpoint)
        if bounded and (day is None or at is None or not inside(at)):
            return False
    return True


def _counted(domain: Domain, column: str, event: Event) -> Any:
    row = dict(event.row)
    if column in ("START_DATE", "END_DATE"):
        return event.start if column == "START_DATE" else event.end
    of = "visit_occurrence_id" if column == "VISIT_ID" else domain.counts[column]
    if of == "length":
        return None if event.end is None else (event.end - event.start).days
    if of == "one":
        return 1
    value = row.get(of)
    return value or 0 if domain.name == "death" else value


def _in_range(asked: m.Range, found: Any, kind: str) -> bool:
    def rounded(value: Any) -> Any:
        return float(Decimal(value).quantize(Decimal("0.0001"), ROUND_HALF_UP)) if kind == "decimal" else value

    low = rounded(asked.value)
    if asked.op.endswith("between"):
        return (low <= found <= rounded(asked.extent)) is not asked.op.startswith("not")
    tests: dict[str, Callable[[Any], bool]] = {
        "lt": lambda one: one < low,
        "lte": lambda one: one <= low,
        "eq": lambda one: one == low,
        "not_eq": lambda one: one != low,
        "gt": lambda one: one > low,
        "gte": lambda one: one >= low,
    }
    return tests[asked.op](found)


def _like(asked: m.TextFilter, found: str) -> bool:
    pattern = "".join({"%": ".*", "_": "."}.get(letter, escape(letter)) for letter in asked.text)
    before = "" if asked.op.endswith("starts_with") else ".*"
    after = "" if asked.op.endswith("ends_with") else ".*"
    return (fullmatch(before + pattern + after, found, DOTALL) is not None) is not asked.op.startswith("not_")


def _with(event: Event, **changes: Any) -> Event:
    return Event(**{**{key: getattr(event, key) for key in Event.__dataclass_fields__}, **changes})


def _late(end: date | None) -> date:
    """Unknown ends come last."""
    return end or date.max
