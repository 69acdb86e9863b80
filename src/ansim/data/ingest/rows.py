"""The one way of rows into a CDM table: rename, cast, refuse what cannot be, renumber repeated keys, count.

A row is refused whole when a value does not fit its column's type, or when it lacks its key or its person. A required
field that is merely empty is loaded as it is: the source is what it is, and the quality assessment says so.
"""

import duckdb

from ansim.data.cdm import Column, Table, quoted, tables
from ansim.data.ingest.report import REFUSED, TableLoad, prepare
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
LINE, REASON = "_line", "_reason"  # columns of the relation to load
REFUSAL, CONTENT = "_refusal", "_content"  # columns of the staged rows
STAGED = "temp.main.staged"


def load_rows(con: duckdb.DuckDBPyConnection, *, table: str, relation: str, file: str) -> TableLoad:
    """Load a relation (a name or a SELECT, without parentheses) into a CDM table.

    Its columns are matched by name in any case; `_line` says where a row came from, and an optional `_reason` that is
    not null refuses the row. Raises Problem when the table is unknown or no column is the CDM's.
    """
    if table not in tables():
        raise Problem("unknown-table", N_("{table} is no table of OMOP CDM 5.4."), where=file, table=table)
    target = tables()[table]
    prepare(con)
    source = relation if relation.lstrip().upper().startswith(("SELECT", "WITH", "FROM")) else f"FROM {relation}"
    given = {name.strip().lower(): name for name, *_ in con.execute(f"DESCRIBE {source}").fetchall()}
    named = {RENAMED.get(lower, lower): original for lower, original in given.items()}
    columns = [column for column in target.columns if column.name in named]
    if not columns:
        raise Problem("no-columns", N_("No column of {table} is in the file."), where=file, table=table)

    _stage(con, target, source, named, columns)
    renumbered = _renumber(con, target)
    con.execute(
        f"INSERT INTO {REFUSED} SELECT ?, {LINE}, ?, {REFUSAL}, {CONTENT} FROM {STAGED} WHERE {REFUSAL} IS NOT NULL",
        [file, table],
    )
    names = ", ".join(quoted(column.name) for column in columns)
    con.execute(
        f"INSERT INTO {quoted(table)} ({names}) SELECT {names} FROM {STAGED} WHERE {REFUSAL} IS NULL ORDER BY {LINE}"
    )
    rows_in, refused = con.execute(f"SELECT count(*), count({REFUSAL}) FROM {STAGED}").fetchall()[0]
    con.execute(f"DROP TABLE {STAGED}")
    ignored = tuple(sorted(set(named) - set(target.names) - {LINE, REASON}))
    return TableLoad(file, table, rows_in, rows_in - refused, refused, renumbered, ignored)


def _stage(
    con: duckdb.DuckDBPyConnection, target: Table, source: str, named: dict[str, str], columns: list[Column]
) -> None:
    """Cast every column, and say per row why it cannot be loaded (null: it can)."""
    values = ", ".join(f"{_cast(column, named[column.name])} AS {quoted(column.name)}" for column in columns)
    reasons = [named[REASON]] if REASON in named else []
    reasons += [_misfit(column, named[column.name]) for column in columns if column.type != "VARCHAR"]
    needed = [column for column in columns if column.name in {target.key, "person_id"}]
    reasons += [
        f"CASE WHEN {_cast(column, named[column.name])} IS NULL THEN '{column.name} is missing' END"
        for column in needed
    ]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT {quoted(named[LINE])} AS {LINE}, "
        f"coalesce({', '.join([*reasons, 'NULL::VARCHAR'])}) AS {REFUSAL}, "
        f"CASE WHEN {REFUSAL} IS NOT NULL THEN to_json(source) END AS {CONTENT}, {values} "
        f"FROM ({source}) source"
    )


def _text(original: str) -> str:
    return f"nullif(trim({quoted(original)}::VARCHAR), '')"


def _cast(column: Column, original: str) -> str:
    text = _text(original)
    if column.type == "VARCHAR":
        return text
    if column.type == "BIGINT":
        # A plain cast would round 1.5 to 2; 10204.0 is how some sources spell a whole number.
        return f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+([.]0*)?') THEN try_cast({text} AS BIGINT) END"
    if column.type == "DATE":
        return f"coalesce(try_cast({text} AS DATE), try_strptime({text}, '%Y%m%d')::DATE)"
    return f"try_cast({text} AS {column.type})"


def _misfit(column: Column, original: str) -> str:
    return (
        f"CASE WHEN {_text(original)} IS NOT NULL AND {_cast(column, original)} IS NULL "
        f"THEN '{column.name} is not a {column.type}: ' || {_text(original)} END"
    )


def _renumber(con: duckdb.DuckDBPyConnection, target: Table) -> int:
    """Keep rows whose key is used already by giving them the next free number; a second person or death is refused."""
    key = target.key
    if key is None or key not in {name for name, *_ in con.execute(f"DESCRIBE {STAGED}").fetchall()}:
        return 0
    again = (
        f"SELECT rowid FROM {STAGED} s WHERE {REFUSAL} IS NULL AND {quoted(key)} IS NOT NULL QUALIFY "
        f"row_number() OVER (PARTITION BY {quoted(key)} ORDER BY {LINE}, rowid) > 1 "
        f"OR EXISTS (SELECT 1 FROM {quoted(target.name)} t WHERE t.{quoted(key)} = s.{quoted(key)})"
    )
    if key in {"person_id", "concept_id"} or target.column(key).type != "BIGINT":
        con.execute(
            f"UPDATE {STAGED} SET {REFUSAL} = '{key} is used already: ' || {quoted(key)} WHERE rowid IN ({again})"
        )
        return 0
    con.execute(
        f"UPDATE {STAGED} SET {quoted(key)} = fresh.number FROM (SELECT r.rowid AS row, "
        f"(SELECT max(m) FROM (SELECT max({quoted(key)}) AS m FROM {STAGED} UNION ALL "
        f"SELECT max({quoted(key)}) FROM {quoted(target.name)})) + row_number() OVER (ORDER BY r.rowid) AS number "
        f"FROM ({again}) r) fresh WHERE {STAGED}.rowid = fresh.row RETURNING 1"
    )
    return len(con.fetchall())
