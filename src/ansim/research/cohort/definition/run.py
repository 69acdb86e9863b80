"""Definitions over an engine: the rows of one or many cohorts."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ansim.data.engine import Engine
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.compile import Plan
from ansim.research.cohort.definition.sets import Shared, look_up, share

TOGETHER = 8  # definitions in one statement: they share scans, and memory stays bounded
DAY_BITS = 23  # a day number and its distance to any other fit in so many bits
EPOCH = 1 << 22
NAMES = ("person_id", "start_date", "end_date")


def cohorts(
    engine: Engine,
    definitions: Sequence[m.Definition],
    *,
    together: int = TOGETHER,
    progress: Callable[[float], None] = lambda done: None,
) -> list[pa.Table]:
    """For each definition its cohort: person_id (its own type), start_date, end_date, ordered by person and start."""
    shared = share(definitions)
    look_up(engine, shared)
    columns = engine.columns()
    found: list[pa.Table] = []
    for start in range(0, len(definitions), together):
        progress(start / len(definitions))
        places = range(start, min(start + together, len(definitions)))
        plan = Plan(columns, shared.members)
        rows = engine.table(statement(plan, shared, places))
        for place in places:
            own = rows if len(places) == 1 else rows.filter(pc.equal(rows.column("definition"), place))
            found.append(periods(own, definitions[place]))
    progress(1.0)
    return found


def statement(plan: Plan, shared: Shared, places: Sequence[int]) -> exp.Query:
    """One statement for these definitions: definition, person_id, start_date, end_date of every included event."""
    rows: exp.Query | None = None
    for place in places:
        ended = plan.ended(shared.definitions[place])
        one = exp.select(exp.alias_(exp.Literal.number(place), "definition"), *(f"c.{name}" for name in NAMES))
        one = one.from_(ended.subquery("c"))
        rows = one if rows is None else exp.union(rows, one, distinct=False, copy=False)
    assert rows is not None
    return plan.attach(rows)


def periods(rows: pa.Table, definition: m.Definition) -> pa.Table:
    """The events' stretches joined into the cohort's periods, as `periods.joined` says it in SQL.

    Person and day are packed into one number, so that one sort and one running maximum do it.
    """
    people, codes = _codes(rows.column("person_id"))
    first, last = (_numbers(rows.column(name)) for name in NAMES[1:])
    starts, ends = ((codes << DAY_BITS) + (days + EPOCH) for days in (first, last))
    order = np.argsort(starts)
    starts, reached = starts[order], np.maximum.accumulate(ends[order] + definition.pad)
    begins = np.ones(len(starts), dtype=bool)
    begins[1:] = reached[:-1] < starts[1:]
    place = np.flatnonzero(begins)
    until = reached[np.append(place[1:], len(starts)) - 1] - definition.pad if len(starts) else reached
    low = (1 << DAY_BITS) - 1
    start, end, owner = (starts[place] & low) - EPOCH, (until & low) - EPOCH, starts[place] >> DAY_BITS
    start = start if definition.within.first is None else np.maximum(start, _day(definition.within.first))
    end = end if definition.within.last is None else np.minimum(end, _day(definition.within.last))
    kept = start <= end
    days = (_column(each[kept].astype(np.int32), pa.date32()) for each in (start, end))
    return pa.table([people(owner[kept]), *days], names=list(NAMES))


def _codes(column: pa.ChunkedArray) -> tuple[Callable[[np.ndarray], pa.Array], np.ndarray]:
    """Small whole numbers for people in their order, and the way back to the column's own values."""
    kind = column.type
    if pa.types.is_integer(kind):
        numbers = _numbers(column)
        if not len(numbers) or (numbers.min() >= 0 and numbers.max() < 1 << (62 - DAY_BITS)):
            return lambda codes: _column(codes, pa.int64()).cast(kind), numbers
    values = pc.unique(column)
    values = values.take(pc.sort_indices(values))
    codes = _numbers(pc.index_in(column, values))
    return lambda chosen: values.take(_column(chosen, pa.int64())), codes


def _column(numbers: np.ndarray, kind: pa.DataType) -> pa.Array:
    """The numbers as they lie in memory. (pa.array would do, but it loads pandas first: a second of work.)"""
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])


def _numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = whole.view(pa.int32()) if pa.types.is_date32(whole.type) else whole
    return np.from_dlpack(whole.cast(pa.int64()))


def _day(day: object) -> int:
    return int(np.datetime64(str(day), "D").astype(np.int64))


def missing(engine: Engine, definitions: Sequence[m.Definition]) -> list[str]:
    """The tables that the definitions ask for and the data do not have, sorted."""
    columns = engine.columns()
    asked = {criterion.of.table for definition in definitions for _, criterion in definition.criteria()}
    asked |= {"drug_exposure"} if any(isinstance(each.end, m.DrugEnd) for each in definitions) else set()
    return sorted(table for table in asked if table not in columns)
