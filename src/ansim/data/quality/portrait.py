"""The portrait of one dataset version in counts: what the next version, and other hospitals, are compared with.

No row of a person is in it, but small counts are: it stays in the hospital. `shared` is what may leave: counts of
distinct people by code, age and sex, with everything below the threshold left out and the rest rounded.
"""

from collections.abc import Callable
from typing import Any

from ansim.data.cdm import EVENTS, Event, quoted, tables
from ansim.data.engine import Engine
from ansim.data.quality.times import BORN

KIND = "quality-portrait/1"
LEAST = 20  # rows of one exact value before it can be a placeholder
FINE = 8  # bins of a value for each factor of e: about 12 % wide


def portrait(engine: Engine, *, progress: Callable[[str, float], None] = lambda table, done: None) -> dict[str, Any]:
    """{rows, filled, months, concepts, ages, values, repeated}; keys are texts, so that it can be kept as JSON.

    rows: {table: n}. filled: {table.field: rows with a value}. months: {table: {"2019-03": rows}}. concepts: {table:
    {concept: rows}}. ages: {table: {concept: {"F30": distinct people}}}, the sex and the first year of a ten-year age
    band. values: {concept/unit: {bin: rows}}, bin = floor(8 ln value). repeated: {concept/unit: {value: rows}}.
    """
    columns = engine.columns()
    made: dict[str, Any] = {name: {} for name in ("rows", "filled", "months", "concepts", "ages")}
    known = [table for table in tables().values() if table.group != "vocabulary" and table.name in columns]
    for place, table in enumerate(known):
        progress(table.name, place / (len(known) + 1))
        fields = [name for name in table.names if name in columns[table.name]]
        found = engine.rows(
            f"SELECT count(*), {', '.join(f'count({quoted(name)})' for name in fields)} FROM {quoted(table.name)}"
        )[0]
        made["rows"][table.name] = found[0]
        made["filled"] |= {f"{table.name}.{name}": n for name, n in zip(fields, found[1:], strict=True)}
    for event in EVENTS.values():
        if made["rows"].get(event.table) and {event.start, event.concept} <= columns[event.table].keys():
            made["months"][event.table] = _months(engine, event)
            made["concepts"][event.table] = _concepts(engine, event)
            made["ages"][event.table] = _ages(engine, event)
    made["values"], made["repeated"] = _values(engine) if made["rows"].get("measurement") else ({}, {})
    return {"ansim": KIND, **made}


def shared(told: dict[str, Any], *, threshold: int, base: int) -> dict[str, Any]:
    """What other hospitals may have of a portrait: people by code, age band and sex, suppressed and rounded."""
    ages: dict[str, Any] = {}
    for table, concepts in told["ages"].items():
        for concept, cells in concepts.items():
            kept = {cell: base * round(n / base) for cell, n in cells.items() if n >= threshold}
            if kept:
                ages.setdefault(table, {})[concept] = kept
    return {"ansim": KIND, "ages": ages}


def _months(engine: Engine, event: Event) -> dict[str, int]:
    day = quoted(event.start)
    rows = engine.rows(
        f"SELECT year({day}), month({day}), count(*) FROM {event.table} WHERE {day} IS NOT NULL "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return {f"{year:04d}-{month:02d}": n for year, month, n in rows}


def _concepts(engine: Engine, event: Event) -> dict[str, int]:
    code = quoted(event.concept)
    rows = engine.rows(f"SELECT {code}, count(*) FROM {event.table} WHERE {code} IS NOT NULL GROUP BY 1")
    return {str(concept): n for concept, n in rows}


def _ages(engine: Engine, event: Event) -> dict[str, dict[str, int]]:
    """Ages that cannot be, and what lies before birth, are left out: other checks see them."""
    rows = engine.rows(
        f"SELECT concept, sex, age, count(DISTINCT person_id) FROM (SELECT t.{quoted(event.concept)} AS concept, "
        "p.gender_concept_id AS sex, "
        f"CAST(floor((year(t.{quoted(event.start)}) - p.year_of_birth) / 10.0) AS INT) * 10 "
        f"AS age, t.person_id FROM {event.table} t JOIN {BORN} AS p ON p.person_id = t.person_id "
        f"WHERE t.{quoted(event.concept)} <> 0 AND p.gender_concept_id IN (8507, 8532) "
        f"AND CAST(t.{quoted(event.start)} AS DATE) >= p.day) AS events "
        "WHERE age BETWEEN 0 AND 110 GROUP BY 1, 2, 3"
    )
    found: dict[str, dict[str, int]] = {}
    for concept, sex, age, people in rows:
        found.setdefault(str(concept), {})[f"{'F' if sex == 8532 else 'M'}{age}"] = people
    return found


def _values(engine: Engine) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    of = "measurement_concept_id, coalesce(unit_concept_id, 0)"
    bins: dict[str, dict[str, int]] = {}
    for concept, unit, place, n in engine.rows(
        f"SELECT {of}, CAST(floor({FINE} * ln(value_as_number)) AS INT), count(*) FROM measurement "
        "WHERE value_as_number > 0 AND measurement_concept_id <> 0 GROUP BY 1, 2, 3"
    ):
        bins.setdefault(f"{concept}/{unit}", {})[str(place)] = n
    same: dict[str, dict[str, int]] = {}
    for concept, unit, value, n in engine.rows(
        f"SELECT {of}, value_as_number, count(*) FROM measurement "
        f"WHERE value_as_number > 0 AND measurement_concept_id <> 0 GROUP BY 1, 2, 3 HAVING count(*) >= {LEAST}"
    ):
        same.setdefault(f"{concept}/{unit}", {})[repr(float(value))] = n
    return bins, same
