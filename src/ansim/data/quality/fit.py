"""Fit for purpose: the quality of exactly what one study needs, as its query document says (query/1 or query/2).

For each concept that the cohort and the variables name: whether it is there, for how many people and since when, how
often its value is filled; and the broken checks of the tables that it stands in. The numbers are the hospital's own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ansim.data.cdm import EVENTS, quoted
from ansim.data.engine import Engine
from ansim.data.quality.run import FAIL, Result


@dataclass(frozen=True)
class Need:
    """One thing that the query asks for. value: whether its number matters."""

    name: str
    event: str
    concepts: tuple[int, ...]
    descendants: bool
    value: bool


@dataclass(frozen=True)
class Fitness:
    """people: distinct, with the thing inside the query's period. filled: rows with a value, of rows. absent: concepts
    of the need without any row. broken: ids of the broken checks on the tables that it stands in."""

    need: Need
    people: int
    rows: int
    filled: int
    first: date | None
    last: date | None
    absent: tuple[int, ...]
    broken: tuple[str, ...]


def needs(query: Mapping[str, Any]) -> Iterator[Need]:
    """What a query document asks for, in its order; things that are about the person alone (age, sex) left out.

    Of a query/2 each concept set with each kind of event that it chooses, once; concepts left out of a set aside.
    """
    cohort, parts = query["cohort"], []
    if query.get("ansim") == "query/2":
        yield from _defined(cohort)
    else:
        parts = [("entry", cohort["entry"])]
        for kind in ("require", "exclude"):
            parts += [(f"{kind} {place}", one) for place, one in enumerate(cohort.get(kind) or (), start=1)]
    parts += [(one["name"], one) for one in query.get("variables") or () if one.get("event")]
    for name, one in parts:
        if one["event"] in EVENTS:
            concepts = tuple(one.get("concepts") or ())
            yield Need(name, one["event"], concepts, bool(one.get("descendants")), one.get("kind") == "value")


def _defined(cohort: Mapping[str, Any]) -> Iterator[Need]:
    """The needs of a whole definition (docs/research/cohorts.md): its sets, by the events that they choose."""
    sets = {one.get("name") or one.get("id", place): one for place, one in enumerate(cohort.get("sets") or ())}
    sets |= {one.get("id", place): one for place, one in enumerate(cohort.get("sets") or ())}
    for event, name in dict.fromkeys(_uses(cohort)):
        members = [{"id": one} if isinstance(one, int) else one for one in sets[name]["concepts"]]
        listed = [one for one in members if not one.get("excluded")]
        for below in (False, True):
            if concepts := tuple(one["id"] for one in listed if bool(one.get("descendants")) is below):
                yield Need(str(name), event, concepts, below, False)


def _uses(part: Any) -> Iterator[tuple[str, Any]]:
    """(event, set) of every criterion in the definition that names a set of a table of events."""
    kinds = {event.table: name for name, event in EVENTS.items()}
    for key, value in part.items() if isinstance(part, Mapping) else ():
        if key in kinds and isinstance(value, Mapping) and value.get("concepts") is not None:
            yield kinds[key], value["concepts"]
        yield from _uses(value)
    for one in part if isinstance(part, list) else ():
        yield from _uses(one)


def fitness(engine: Engine, query: Mapping[str, Any], results: Sequence[Result]) -> list[Fitness]:
    """Of each need. results: of `assess` on the same data."""
    period = query.get("period") or {}
    return [_fit(engine, need, period, results) for need in needs(query)]


def _fit(engine: Engine, need: Need, period: Mapping[str, Any], results: Iterable[Result]) -> Fitness:
    event = EVENTS[need.event]
    day, code = quoted(event.start), quoted(event.concept)
    value = quoted(event.value) if need.value and event.value else day
    where = [f"{day} IS NOT NULL"]
    if period.get("from"):
        where.append(f"{day} >= DATE '{date.fromisoformat(str(period['from']))}'")
    if period.get("to"):
        where.append(f"{day} <= DATE '{date.fromisoformat(str(period['to']))}'")
    if need.concepts:
        where.append(f"{code} IN ({_members(need)})")
    people, rows, filled, first, last = engine.rows(
        f"SELECT count(DISTINCT person_id), count(*), count({value}), min({day}), max({day}) FROM {event.table} "
        f"WHERE {' AND '.join(where)}"
    )[0]
    absent: tuple[int, ...] = ()
    if need.concepts and not need.descendants:
        listed = ", ".join(str(int(concept)) for concept in need.concepts)
        there = {row[0] for row in engine.rows(f"SELECT DISTINCT {code} FROM {event.table} WHERE {code} IN ({listed})")}
        absent = tuple(concept for concept in need.concepts if concept not in there)
    broken = tuple(
        one.id
        for one in results
        if one.verdict == FAIL and one.check.table == event.table
        and one.check.field in {event.start, event.end, event.concept, event.value, "person_id", "unit_concept_id"}
        and (not one.check.concepts or set(one.check.concepts) & set(need.concepts))
    )  # fmt: skip
    return Fitness(need, people, rows, filled, first, last, absent, broken)


def _members(need: Need) -> str:
    listed = ", ".join(str(int(concept)) for concept in need.concepts)
    if not need.descendants:
        return listed
    return f"SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN ({listed})"
