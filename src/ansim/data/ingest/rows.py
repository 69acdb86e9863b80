"""Rows of OMOP tables as others ship them: rename, cast, refuse what cannot be, renumber repeated keys, count.

A row is refused whole when a value does not fit its column's type, or when it lacks its key or its person. A required
field that is merely empty is loaded as it is: the source is what it is, and the quality assessment says so. A row whose
key is used already gets the next free number; a second person or concept of one number is refused.

Two ways lead in. The straight one reads a file with the types of the CDM and writes it as it comes; rows that the
reader cannot take go the careful way, which casts text by `casts` and says why a value does not fit. A file in which
the straight way meets a value that it would change (1.5 in a whole number, a two-digit year) goes the careful way
whole.
"""

from dataclasses import dataclass

import duckdb
import numpy as np

from ansim.data.cdm import Column, Table, literal, quoted, tables
from ansim.data.ingest.account import AS_IS, TableLoad, keep_account, number_of
from ansim.data.ingest.casts import KINDS, cast, reason, text
from ansim.data.ingest.plan import MISSING, TWICE
from ansim.errors import N_, Problem

# Columns that were renamed from CDM 5.3 to 5.4 (and one misprint of the 5.3 files).
RENAMED = {
    "admitting_source_concept_id": "admitted_from_concept_id",
    "admitting_source_value": "admitted_from_source_value",
    "discharge_to_concept_id": "discharged_to_concept_id",
    "discharge_to_source_value": "discharged_to_source_value",
    "visit_detail_parent_id": "parent_visit_detail_id",
    "reveue_code_source_value": "revenue_code_source_value",
}
UNREADABLE = N_("is no record of the header's columns")
EARLIEST = "1000-01-01"  # an earlier year is one that the reader took from two digits
SORTED_HERE = 50_000_000  # rows; 8 bytes each, twice
EXACT = {"BIGINT": "DECIMAL(18,3)"}  # a plain cast would round 1.5 to 2


@dataclass(frozen=True)
class Columns:
    """Which columns of a source are the table's: (column of the CDM, name in the source), and which are not."""

    table: Table
    pairs: tuple[tuple[Column, str], ...]
    ignored: tuple[str, ...]


def match_columns(table: str, names: list[str], where: str) -> Columns:
    """Match names in any case, and those of CDM 5.3. Raises Problem when the table is unknown or nothing matches."""
    if table not in tables():
        raise Problem("unknown-table", N_("{table} is no table of OMOP CDM 5.4."), where=where, table=table)
    target = tables()[table]
    named = {RENAMED.get(name.strip().lower(), name.strip().lower()): name for name in names}
    pairs = tuple((column, named[column.name]) for column in target.columns if column.name in named)
    if not pairs:
        raise Problem("no-columns", N_("No column of {table} is in the file."), where=where, table=table)
    return Columns(target, pairs, tuple(sorted(set(named) - set(target.names))))


def straight(con: duckdb.DuckDBPyConnection, columns: Columns, relation: str, given: dict[str, str]) -> int | None:
    """Write a relation whose columns have the types of the CDM, in its order. Returns how many rows, or None when it
    holds a value that would be changed on the way (then nothing was written). given: the relation's types by name."""
    names = ", ".join(quoted(column.name) for column, _ in columns.pairs)
    values = ", ".join(_checked(column, name, given.get(name, column.type)) for column, name in columns.pairs)
    table = quoted(columns.table.name)
    before = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    try:
        con.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {relation}")
    except duckdb.InvalidInputException as error:
        if "odd value" not in str(error):
            raise
        return None
    count = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    return count - before


def _checked(column: Column, name: str, given: str) -> str:
    value = quoted(name)
    if column.type == "VARCHAR":
        return f"nullif(trim({value}), '')"
    odd = {"DATE": f"{value} < DATE '{EARLIEST}'", "TIMESTAMP": f"{value} < TIMESTAMP '{EARLIEST}'"}
    odd |= {"DOUBLE": f"NOT isfinite({value})"}
    if column.type == "BIGINT":
        if given.startswith("DECIMAL"):
            return f"CASE WHEN {value} <> trunc({value}) THEN error('odd value') ELSE {value}::BIGINT END"
        return f"{value}::BIGINT"
    return f"CASE WHEN {odd[column.type]} THEN error('odd value') ELSE {value}::{column.type} END"


def careful(con: duckdb.DuckDBPyConnection, columns: Columns, relation: str, file: str) -> None:
    """Make the temporary table `staged` (_line, _refusal, content, the CDM's columns) from a relation of text.

    The relation has `_line` and the source's columns.
    """
    values = ", ".join(
        f"{cast(text(quoted(name)), column.type)} AS {quoted(column.name)}" for column, name in columns.pairs
    )
    reasons = [
        reason(
            f"{text(quoted(name))} IS NOT NULL AND {cast(text(quoted(name)), column.type)} IS NULL",
            column.name,
            KINDS[column.type],
            text(quoted(name)),
        )
        for column, name in columns.pairs
        if column.type != "VARCHAR"
    ]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS SELECT _line, "
        f"coalesce({', '.join([*reasons, 'NULL::STRUCT(field VARCHAR, reason VARCHAR, value VARCHAR)'])}) AS _refusal, "
        f"CASE WHEN _refusal IS NOT NULL THEN to_json(source)::VARCHAR END AS _content, {values} "
        f"FROM ({relation}) source"
    )


def write_staged(con: duckdb.DuckDBPyConnection, columns: Columns, file: str) -> int:
    """Write the staged rows that can be, keep the others as refused; returns how many were refused."""
    table = columns.table.name
    refused = con.execute(
        "INSERT INTO trace.refused SELECT ?, _line, ?, _refusal.field, _refusal.reason, _refusal.value, _content "
        "FROM staged WHERE _refusal IS NOT NULL",
        [file, table],
    ).fetchall()[0][0]
    names = ", ".join(quoted(column.name) for column, _ in columns.pairs)
    con.execute(
        f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM staged WHERE _refusal IS NULL ORDER BY _line"
    )
    return refused


@dataclass
class Segment:
    """Rows that lie one after the other in a table and come from one file. `lines` is a temporary table with the line
    of each row in order, or None where the n-th row is line `first_line + n` but for the lines in `skipped`."""

    file: str
    first: int  # row number in the table
    count: int
    first_line: int
    skipped: str | None = None
    lines: str | None = None


def settle(
    con: duckdb.DuckDBPyConnection, table: str, segments: list[Segment], loads: list[TableLoad]
) -> list[TableLoad]:
    """After all files of a table: refuse rows without key or person, settle keys used twice, and trace every row.

    Row numbers of the table are read before anything is changed; `loads` comes back with what was refused here.
    """
    keep_account(con)
    target = tables()[table]
    start = min((segment.first for segment in segments), default=0)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE bad (spot BIGINT, field VARCHAR, reason VARCHAR, value VARCHAR);"
        "CREATE OR REPLACE TEMP TABLE fresh (spot BIGINT, id BIGINT)"
    )
    for name in {target.key, "person_id"} & set(target.names):
        con.execute(
            f"INSERT INTO bad SELECT rowid, ?, ?, NULL FROM {quoted(table)} WHERE {quoted(str(name))} IS NULL "
            f"AND rowid >= {start} AND rowid NOT IN (SELECT spot FROM bad)",
            [name, MISSING],
        )
    if target.key:
        _settle_keys(con, target, start)
    con.execute("CREATE OR REPLACE TEMP TABLE placed (spot BIGINT, file USMALLINT, line BIGINT)")
    settled = _trace(con, target, segments)
    gone = _refuse(con, target, segments)
    if target.key and con.execute("SELECT 1 FROM fresh LIMIT 1").fetchall():
        con.execute(
            f"UPDATE {quoted(table)} SET {quoted(target.key)} = fresh.id FROM fresh WHERE {quoted(table)}.rowid = spot"
        )
    con.execute(f"DELETE FROM {quoted(table)} WHERE rowid IN (SELECT spot FROM bad)")
    con.execute("DROP TABLE bad; DROP TABLE fresh; DROP TABLE placed")
    return [_with(load, gone.get(load.file, 0), settled.get(load.file, 0)) for load in loads]


def _with(load: TableLoad, refused: int, renumbered: int) -> TableLoad:
    return TableLoad(
        load.file,
        load.table,
        load.rows_in,
        load.loaded - refused,
        load.refused + refused,
        renumbered,
        load.ignored,
        load.rule,
    )


def _each_once(con: duckdb.DuckDBPyConnection, target: Table) -> bool:
    """Whether no key stands twice. Sorting whole numbers, 8 bytes a row, costs a quarter of grouping by them."""
    key, table = quoted(str(target.key)), quoted(target.name)
    rows = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    if rows > SORTED_HERE or target.column(str(target.key)).type != "BIGINT":
        return False  # not known here: the engine groups, and spills
    keys = con.execute(f"SELECT {key} AS k FROM {table} WHERE {key} IS NOT NULL").fetchnumpy()["k"]
    if not bool(np.all(keys[1:] > keys[:-1])):
        keys = np.sort(keys)
    return not bool(np.any(keys[1:] == keys[:-1]))


def _settle_keys(con: duckdb.DuckDBPyConnection, target: Table, start: int) -> None:
    if _each_once(con, target):
        return
    key, table = quoted(str(target.key)), quoted(target.name)
    repeated = f"SELECT {key} FROM {table} WHERE {key} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    con.execute(f"CREATE OR REPLACE TEMP TABLE twice AS {repeated}")
    if con.execute("SELECT 1 FROM twice LIMIT 1").fetchall():
        again = (
            f"SELECT rowid AS spot, {key} AS k FROM {table} WHERE {key} IN (FROM twice) AND rowid NOT IN "
            f"(SELECT spot FROM bad) QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY rowid) > 1"
        )
        if target.key in {"person_id", "concept_id"} or target.column(str(target.key)).type != "BIGINT":
            con.execute(
                f"INSERT INTO bad SELECT spot, ?, ?, k FROM ({again}) WHERE spot >= {start}", [target.key, TWICE]
            )
        else:
            con.execute(
                f"INSERT INTO fresh SELECT spot, (SELECT max({key}) FROM {table}) + row_number() OVER (ORDER BY spot) "
                f"FROM ({again})"
            )
    con.execute("DROP TABLE twice")


def _trace(con: duckdb.DuckDBPyConnection, target: Table, segments: list[Segment]) -> dict[str, int]:
    """Trace rows of tables that have a key (vocabulary and fact tables are traced to their file alone)."""
    renumbered: dict[str, int] = {}
    whole = (
        con.execute("SELECT count(*) FROM bad").fetchall()[0][0]
        + con.execute("SELECT count(*) FROM fresh").fetchall()[0][0]
    )
    for segment in segments:
        inside = f"spot >= {segment.first} AND spot < {segment.first + segment.count}"
        renumbered[segment.file] = (
            renumbered.get(segment.file, 0) + con.execute(f"SELECT count(*) FROM fresh WHERE {inside}").fetchall()[0][0]
        )
        if target.group == "vocabulary" or target.key is None:
            continue
        number = number_of(con, "file", segment.file)
        rows = f"SELECT rowid AS spot, {quoted(target.key)} AS id FROM {quoted(target.name)} "
        rows += f"WHERE {inside.replace('spot', 'rowid')}"
        if whole:
            rows = (
                f"SELECT r.spot, coalesce(fresh.id, r.id) AS id FROM ({rows}) r LEFT JOIN fresh USING (spot) "
                "WHERE r.spot NOT IN (SELECT spot FROM bad)"
            )
        line, join = _line_of(segment)
        con.execute(
            f"INSERT INTO trace.row SELECT {literal(target.name)}, id, {number}, {line}, {AS_IS}, NULL "
            f"FROM ({rows}) r{join}"
        )
    return renumbered


def _line_of(segment: Segment) -> tuple[str, str]:
    """SQL for the line of the row `r.spot`, and what has to be joined for it."""
    nth = f"(r.spot - {segment.first})"
    if segment.lines:
        return "l.line", f" JOIN {segment.lines} l ON l.nth = {nth}"
    if segment.skipped:
        # The n-th row comes after all skipped lines that lie before it: (line - how many were skipped up to it).
        return (
            f"{segment.first_line} + {nth} + coalesce(s.before, 0)",
            f" ASOF LEFT JOIN {segment.skipped} s ON {segment.first_line} + {nth} >= s.spot",
        )
    return f"{segment.first_line} + {nth}", ""


def _refuse(con: duckdb.DuckDBPyConnection, target: Table, segments: list[Segment]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for segment in segments:
        line, join = _line_of(segment)
        number = con.execute(
            f"INSERT INTO trace.refused SELECT ?, {line}, ?, r.field, r.reason, r.value, to_json(t)::VARCHAR "
            f"FROM (SELECT * FROM bad WHERE spot >= {segment.first} AND spot < {segment.first + segment.count}) r "
            f"JOIN {quoted(target.name)} t ON t.rowid = r.spot{join}",
            [segment.file, target.name],
        ).fetchall()[0][0]
        counts[segment.file] = counts.get(segment.file, 0) + number
    return counts
