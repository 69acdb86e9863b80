"""How many are left after each step of a definition, and which rules each event satisfies."""

from dataclasses import dataclass

from sqlglot import exp

from ansim.data.engine import Engine
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.around import visits_matter
from ansim.research.cohort.definition.compile import Plan
from ansim.research.cohort.definition.sets import Shared, look_up, share


@dataclass(frozen=True)
class Step:
    """step: entry, where, rules[n] or limit; name: the rule's. events and people left after it, None: not counted."""

    step: str
    name: str
    events: int | None
    people: int | None


@dataclass(frozen=True)
class Mask:
    """The rules that are satisfied, as bits (rule 0 is bit 0): how many events, and people by their best event."""

    mask: int
    events: int
    people: int


def outline(definition: m.Definition) -> list[Step]:
    """The steps that the definition has, with nobody counted."""
    named = [("entry", "")]
    named += [("where", "")] if definition.where is not None else []
    named += [(f"rules[{place}]", rule.name) for place, rule in enumerate(definition.rules)]
    named += [("limit", "")] if definition.limit != "all" else []
    return [Step(step, name, None, None) for step, name in named]


def steps(engine: Engine, definition: m.Definition) -> list[Step]:
    """Entry events, then what is left after the additional criteria, each rule in turn, and the final limit."""
    shared, plan = _planned(engine, definition)
    (own,) = shared.definitions
    visits = visits_matter(own)
    parts = [("entry", "", plan.entry(own, visits))]
    index = parts[0][2]
    if own.where is not None:
        index = plan.limited(plan.holding(index, own.where), own.qualified, visits)
        parts.append(("where", "", index))
    for place, rule in enumerate(own.rules):
        index = plan.holding(index, rule.where)
        parts.append((f"rules[{place}]", rule.name, index))
    if own.limit != "all":
        parts.append(("limit", "", plan.limited(index, own.limit, visits)))
    rows: exp.Query | None = None
    for place, (_, _, part) in enumerate(parts):
        one = exp.select(f"{place} AS place", "COUNT(*) AS events", "COUNT(DISTINCT q.person_id) AS people")
        one = one.from_(f"{part} AS q")
        rows = one if rows is None else exp.union(rows, one, distinct=False)
    assert rows is not None
    counts = {place: (events, people) for place, events, people in engine.rows(plan.attach(rows))}
    return [Step(step, name, *counts[place]) for place, (step, name, _) in enumerate(parts)]


def masks(engine: Engine, definition: m.Definition) -> list[Mask]:
    """Circe's inclusion result: events by the rules that they satisfy; each person counts with the best event.

    Best: most rules, then the earliest rule, then the earliest event (Circe), then the lowest mask.
    """
    shared, plan = _planned(engine, definition)
    (own,) = shared.definitions
    marked = plan.add(plan.marked(plan.qualified(own), [rule.where for rule in own.rules]))
    events = exp.select("q.mask", "COUNT(*)").from_(f"{marked} AS q").group_by("q.mask")
    order = "q.satisfied DESC, q.earliest, q.start_date, q.mask"
    best = exp.select("q.*", f"ROW_NUMBER() OVER (PARTITION BY q.person_id ORDER BY {order}) AS place")
    best = best.from_(f"{marked} AS q")
    people = exp.select("w.mask", "COUNT(*)").from_(best.subquery("w")).where("w.place = 1").group_by("w.mask")
    by_person = dict(engine.rows(plan.attach(people)))
    return [Mask(mask, n, by_person.get(mask, 0)) for mask, n in sorted(engine.rows(plan.attach(events)))]


def _planned(engine: Engine, definition: m.Definition) -> tuple[Shared, Plan]:
    shared = share([definition])
    look_up(engine, shared)
    return shared, Plan(engine.columns(), shared.members)
