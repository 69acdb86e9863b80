"""More or fewer people than a source has, for the demo's one volume option.

Each copy of a person gets its own ids, all of its dates (birth too, so ages stay) shifted by up to two years, and loses
one event in ten. Copies share their pattern: good for volume, not for epidemiology.
"""

import math

import duckdb

from ansim.data.cdm import Column, Table, quoted, tables

PERSON_STEP = 10_000_000
EVENT_STEP = 100_000_000
LINKS = {"visit_occurrence_id", "visit_detail_id", "preceding_visit_occurrence_id", "preceding_visit_detail_id"}
WHOLE = {"person", "observation_period", "death"}  # no row of these is lost


def scale_people(con: duckdb.DuckDBPyConnection, *, scale: float, seed: int) -> None:
    """Bring the open CDM to about `scale` times its people, in place; the same seed gives the same people."""
    if scale < 1:
        for table in _personal():
            con.execute(
                f"DELETE FROM {quoted(table.name)} WHERE hash(person_id, {seed}) % 1000000 >= {scale} * 1000000"
            )
    elif scale > 1:
        copies = math.ceil(scale)
        part = scale - (copies - 1)  # of the last copy
        for table in _personal():
            keep = [f"(k < {copies - 1} OR hash(person_id, {seed}) % 1000000 < {part} * 1000000)"]
            if table.name not in WHOLE:
                keep.append(f"hash({quoted(table.key or table.names[0])}, k, {seed}) % 10 > 0")
            values = ", ".join(_copied(table, column, seed) for column in table.columns)
            con.execute(
                f"INSERT INTO {quoted(table.name)} SELECT {values} FROM {quoted(table.name)}, range(1, {copies}) r(k) "
                f"WHERE {' AND '.join(keep)}"
            )


def _personal() -> list[Table]:
    return [table for table in tables().values() if table.personal]


def _copied(table: Table, column: Column, seed: int) -> str:
    name = quoted(column.name)
    shift = f"CAST(hash(person_id, k, {seed}, 'shift') % 1461 AS INTEGER) - 730"
    birth = f"(make_date(year_of_birth, coalesce(month_of_birth, 7), coalesce(day_of_birth, 1)) + ({shift}))"
    if table.name == "person" and column.name in {"year_of_birth", "month_of_birth", "day_of_birth"}:
        return f"CASE WHEN {name} IS NOT NULL THEN {column.name.split('_')[0]}({birth}) END"
    if column.name == "person_id":
        return f"person_id + k * {PERSON_STEP}"
    if column.name == "person_source_value":
        return f"{name} || '-' || k"
    if column.key or column.name in LINKS:
        return f"CASE WHEN {name} > 0 THEN {name} + k * {EVENT_STEP} ELSE {name} END"
    if column.type == "DATE":
        return f"({name} + ({shift}))::DATE"
    if column.type == "TIMESTAMP":
        return f"{name} + to_days({shift})"
    return name
