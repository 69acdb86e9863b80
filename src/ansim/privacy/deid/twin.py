"""A synthetic twin of tables: the same names, types and codes, and nobody in it.

For writing and trying scripts outside the room. What it takes of the data is, for each column by itself:

- texts and whole-number codes that at least `min_people` people have: which ones, not how often;
- for numbers and dates, bounds with at least `min_people` people beyond either, moved outwards to a coarse grid
  (1-2-5 steps; whole years);
- whether values are missing for at least `min_people` people, and whether a person has several rows.

Values are then drawn evenly and independently, so no number, date or combination of anybody's is carried over, and
results on a twin mean nothing. The bounded influence of one person is on which codes stand at the limit; that is not
differential privacy and is not called so. Membership tests against it stay at chance (tests/attacks/test_twin.py).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ansim.errors import N_, Problem
from ansim.privacy.deid import tables
from ansim.privacy.deid.sql import first, quote

MIN_PEOPLE = 10
PEOPLE = 200
MOST_ROWS = 4  # of a person in a table that has several
MOST_CODES = 2000
MISSING = 0.1
_KEY = re.compile(r"(?<!concept)_id$")
_PERSON = re.compile(r"^(linked_id|person|person_id|subject_id|patient_id|pseudonym)$|환자_?번호")
_TEXT_CODE = 40  # characters: longer texts are not codes


@dataclass(frozen=True)
class Shape:
    """What is taken of one column. kind: person, key, code, number, date, flag, text or nothing (all missing)."""

    kind: str
    type: str
    codes: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    missing: bool = False


def shape(con: duckdb.DuckDBPyConnection, table: str, min_people: int = MIN_PEOPLE) -> dict[str, Shape]:
    """{column: Shape} of a table. Without a column that tells people apart, each row counts as one person."""
    columns = tables.tables_of(con)[table]
    person = next((name for name in columns if _PERSON.search(name.lower())), None)
    who = quote(person) if person else "rowid_"
    source = f"(SELECT *, row_number() OVER () AS rowid_ FROM {quote(table)})"
    return {
        name: Shape("person", kind) if name == person else _column(con, source, who, name, kind, min_people)
        for name, kind in columns.items()
    }


def _column(con: duckdb.DuckDBPyConnection, source: str, who: str, name: str, kind: str, least: int) -> Shape:
    column = quote(name)
    without = first(con, f"SELECT count(DISTINCT {who}) FROM {source} WHERE {column} IS NULL")[0]
    missing = without >= least
    if _KEY.search(name.lower()):
        return Shape("key", kind, missing=missing)
    if kind == "BOOLEAN":
        return Shape("flag", kind, missing=missing)
    if kind.startswith(("DATE", "TIMESTAMP")):
        found = _bounds(con, source, who, f"year({column})", least)
        return Shape("date", kind, low=found[0], high=found[1], missing=missing) if found else Shape("nothing", kind)
    whole = re.match("TINYINT|SMALLINT|INTEGER|BIGINT|UINTEGER|UBIGINT|HUGEINT", kind)
    if kind == "VARCHAR" or (whole and name.lower().endswith(("concept_id", "_code", "_type"))):
        return _codes(con, source, who, column, kind, least, missing)
    if whole or re.match("DOUBLE|FLOAT|DECIMAL", kind):
        found = _bounds(con, source, who, column, least)
        if not found:
            return Shape("nothing", kind)
        return Shape("number", kind, low=_outwards(found[0], -1), high=_outwards(found[1], 1), missing=missing)
    return Shape("nothing", kind)


def _codes(
    con: duckdb.DuckDBPyConnection, source: str, who: str, column: str, kind: str, least: int, missing: bool
) -> Shape:
    rows = con.execute(
        f"SELECT {column} FROM {source} WHERE {column} IS NOT NULL GROUP BY 1 HAVING count(DISTINCT {who}) >= {least} "
        f"ORDER BY 1 LIMIT {MOST_CODES}"
    ).fetchall()
    codes = tuple(value for (value,) in rows)
    if kind == "VARCHAR" and (not codes or max(len(value) for value in codes) > _TEXT_CODE):
        return Shape("text", kind, missing=missing)
    return Shape("code" if codes else "nothing", kind, codes, missing=missing)


def _bounds(
    con: duckdb.DuckDBPyConnection, source: str, who: str, value: str, least: int
) -> tuple[float, float] | None:
    """Bounds beyond each of which lie the values of at least `least` people; nothing where fewer have any."""
    found = first(
        con,
        f"WITH each AS (SELECT {who} AS who, min({value})::DOUBLE AS low, max({value})::DOUBLE AS high FROM {source} "
        f"WHERE {value} IS NOT NULL AND isfinite({value}::DOUBLE) GROUP BY 1) "
        f"SELECT (SELECT low FROM each ORDER BY low LIMIT 1 OFFSET {least - 1}), "
        f"(SELECT high FROM each ORDER BY high DESC LIMIT 1 OFFSET {least - 1})",
    )
    return None if found[0] is None else (min(found), max(found))


def _outwards(value: float, side: int) -> float:
    """The next 1, 2 or 5 times a power of ten away from the middle, or zero."""
    if value == 0:
        return 0.0
    if (side < 0) == (value > 0):  # towards zero
        return max(step for step in _grid(abs(value)) if step <= abs(value)) * (1 if value > 0 else -1)
    return min(step for step in _grid(abs(value)) if step >= abs(value)) * (1 if value > 0 else -1)


def _grid(size: float) -> list[float]:
    power = 10.0 ** np.floor(np.log10(size))
    return [float(step * power) for step in (0.5, 1, 2, 5, 10)]


def rows(
    shapes: Mapping[str, Shape],
    schema: pa.Schema,
    person: np.ndarray,
    several: bool,
    keys: dict[str, int],
    random: np.random.Generator,
) -> pa.Table:
    """A table of drawn rows. person: everybody's identifier; keys: how many of each kind there are, by column name."""
    each = random.integers(0, MOST_ROWS + 1, len(person)) if several else np.ones(len(person), dtype=int)
    who = person[np.repeat(np.arange(len(person)), each)]
    drawn = {name: _drawn(name, found, who, len(who), keys, random) for name, found in shapes.items()}
    columns = [pa.array(drawn[field.name]).cast(field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _drawn(
    name: str, found: Shape, person: np.ndarray, count: int, keys: dict[str, int], random: np.random.Generator
) -> list[Any]:
    values: list[Any]
    if found.kind == "person":
        values = person.tolist()
    elif found.kind == "key":
        most = keys.setdefault(name, max(1, count))  # the first table that has a key is its home
        values = [int(value) for value in (np.arange(count) % most + 1)]
    elif found.kind == "code":
        values = [found.codes[index] for index in random.integers(0, len(found.codes), count)]
    elif found.kind == "flag":
        values = [bool(value) for value in random.integers(0, 2, count)]
    elif found.kind == "number":
        drawn = random.uniform(found.low, found.high, count)
        whole = not re.match("DOUBLE|FLOAT|DECIMAL", found.type)
        values = [int(value) for value in np.rint(drawn)] if whole else np.round(drawn, 3).tolist()
    elif found.kind == "date":
        years = int(found.high) - int(found.low) + 1
        start = np.datetime64(f"{int(found.low):04d}-01-01", "D")
        values = (start + random.integers(0, 365 * years, count)).astype(object).tolist()
    else:
        values = ["text" if found.kind == "text" else None] * count
    if found.missing:
        gone = random.random(count) < MISSING
        values = [None if empty else value for value, empty in zip(values, gone, strict=True)]
    return values


def make(
    source: Path, target: Path, *, min_people: int = MIN_PEOPLE, people: int = PEOPLE, seed: int | None = None
) -> dict[str, dict[str, Any]]:
    """Write the twin of a folder of Parquet or CSV files, its folders too, into the new folder target, as Parquet.

    Gives {file: {rows, columns, codes}}. The same people stand in all tables. Raises Problem when nothing is there or
    min_people is below 3. seed: for tests; else the twin is another each time.
    """
    if min_people < 3:
        raise Problem("min-people", N_("A twin takes only what at least 3 people share."), where="--min-people")
    if target.exists():
        raise Problem("folder-exists", N_("The folder is there already."), where=str(target))
    random = np.random.default_rng(seed)
    person = np.array([f"twin{number:028x}" for number in random.integers(0, 2**63, people)])
    keys: dict[str, int] = {}
    done = {}
    for folder in _folders(source):
        place = target / folder.relative_to(source) if folder != source or source.is_dir() else target
        with tables.open_data(folder) as con:
            for table in tables.tables_of(con):
                shapes = shape(con, table, min_people)
                schema = con.sql(f"SELECT * FROM {quote(table)} LIMIT 0").to_arrow_table().schema
                several = _several(con, table, shapes)
                made = rows(shapes, schema, _people_as(shapes, person), several, keys, random)
                place.mkdir(parents=True, exist_ok=True)
                pq.write_table(made, place / f"{table}.parquet", compression="zstd")
                name = str((place / f"{table}.parquet").relative_to(target))
                codes = sum(len(found.codes) for found in shapes.values())
                done[name] = {"rows": made.num_rows, "columns": made.num_columns, "codes": codes}
    if not done:
        raise Problem("no-tables", N_("There is no table in {name}."), where=str(source), name=source.name)
    return done


def _folders(source: Path) -> Iterable[Path]:
    if not source.is_dir():
        return [source]
    folders = [source, *(each for each in sorted(source.rglob("*")) if each.is_dir())]
    return [each for each in folders if any(file.suffix in {".parquet", ".csv"} for file in each.iterdir())]


def _several(con: duckdb.DuckDBPyConnection, table: str, shapes: Mapping[str, Shape]) -> bool:
    who = next((name for name, found in shapes.items() if found.kind == "person"), None)
    if who is None:
        return False
    count, distinct = first(con, f"SELECT count(*), count(DISTINCT {quote(who)}) FROM {quote(table)}")
    return count > distinct


def _people_as(shapes: Mapping[str, Shape], person: np.ndarray) -> np.ndarray:
    """Numbers where the table tells people apart by numbers."""
    kinds = [found.type for found in shapes.values() if found.kind == "person"]
    if kinds and kinds[0] != "VARCHAR":
        return np.array([str(number) for number in range(1, len(person) + 1)])
    return person
