"""Fit for purpose: the quality of exactly what one study needs, as its query document says (query/1).

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
    """What a query/1 document asks for, in its order; things that are about the person alone (age, sex) left out."""
    cohort = query["cohort"]
    parts = [("entry", cohort["entry"])]
    for kind in ("require", "exclude"):
        parts += [(f"{kind} {place}", one) for place, one in enumerate(cohort.get(kind) or (), start=1)]
    parts += [(one["name"], one) for one in query.get("variables") or () if one.get("event")]
    for name, one in parts:
        if one["event"] in EVENTS:
            concepts = tuple(one.get("concepts") or ())
            yield Need(name, one["event"], concepts, bool(one.get("descendants")), one.get("kind") == "value")


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
