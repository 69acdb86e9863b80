"""The account of a load: what became of every row, and where every row came from.

It lies in a database of its own, attached as `trace` beside the CDM that is being built: source keys are the
hospital's own identifiers and have no place in the CDM. Its tables:

- file(number, name, digest, rows, unresolved): the sources that were read; unresolved: links that led nowhere;
- rule(number, id): the mapping rules, 0 for rows taken as they are;
- row(target, id, file, line, rule, key): target row `id` of table `target` came from that line of that file. `key` is
  a number made from the source's own key, null where there is none: it keeps ids the same from load to load;
- key(kind, source, id): which source key became which person, visit, provider, care site, location or plan;
- code(file, rule, field, system, code, display, status, target, rows): how often each code was met, and what it led to;
- refused(file, line, table_name, field, reason, value, content): rows that were not loaded, with the reason.

A line is counted as a person's editor counts it, the header being line 1; a record of several lines counts once.
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.cdm.versions import in_use
from ansim.errors import N_, Problem

REFUSED = "trace.refused"
AS_IS = 0  # the rule of rows that need no mapping
_TABLES = (
    "file (number USMALLINT, name VARCHAR, digest VARCHAR, rows BIGINT, unresolved BIGINT)",
    "code (file USMALLINT, rule VARCHAR, field VARCHAR, system VARCHAR, code VARCHAR, display VARCHAR, status VARCHAR, "
    "target BIGINT, rows BIGINT)",
    "rule (number USMALLINT, id VARCHAR)",
    "row (target VARCHAR, id BIGINT, file USMALLINT, line BIGINT, rule USMALLINT, key UBIGINT)",
    "key (kind VARCHAR, source VARCHAR, id BIGINT, file USMALLINT)",
    "refused (file VARCHAR, line BIGINT, table_name VARCHAR, field VARCHAR, reason VARCHAR, value VARCHAR, "
    "content VARCHAR)",
)


@dataclass(frozen=True)
class TableLoad:
    """What one rule made of one file. rows_in counts what the rule was given: rows_in = loaded + refused."""

    file: str
    table: str
    rows_in: int
    loaded: int
    refused: int
    renumbered: int = 0  # rows kept under a new key, because the source used the key twice
    ignored: tuple[str, ...] = ()  # columns that the CDM does not have
    rule: str = ""


@dataclass
class LoadReport:
    """The account of one load; `skipped` names the files or tables that hold no rows of the CDM, with why."""

    loads: list[TableLoad] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def rows_in(self) -> int:
        return sum(load.rows_in for load in self.loads)

    @property
    def loaded(self) -> int:
        return sum(load.loaded for load in self.loads)

    @property
    def refused(self) -> int:
        return sum(load.refused for load in self.loads)

    @property
    def renumbered(self) -> int:
        return sum(load.renumbered for load in self.loads)

    def as_data(self) -> dict:
        return {
            "rows_in": self.rows_in,
            "loaded": self.loaded,
            "refused": self.refused,
            "loads": [vars(load) | {"ignored": list(load.ignored)} for load in self.loads],
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
        }


def keep_account(con: duckdb.DuckDBPyConnection, path: Path | None = None) -> None:
    """Attach the account as `trace` (in memory without a path) and make its tables where they are missing."""
    attached = {name for (name,) in con.execute("SELECT database_name FROM duckdb_databases()").fetchall()}
    if "trace" not in attached:
        con.execute(f"ATTACH {literal(str(path) if path else ':memory:')} AS trace")
    for table in _TABLES:
        con.execute(f"CREATE TABLE IF NOT EXISTS trace.{table}")


def number_of(con: duckdb.DuckDBPyConnection, kind: str, name: str) -> int:
    """The number of a file or rule, given one when it is new."""
    column = "name" if kind == "file" else "id"
    found = con.execute(f"SELECT number FROM trace.{kind} WHERE {column} = ?", [name]).fetchall()
    if found:
        return found[0][0]
    number = con.execute(f"SELECT coalesce(max(number), 0) + 1 FROM trace.{kind}").fetchall()[0][0]
    con.execute(f"INSERT INTO trace.{kind} (number, {column}) VALUES (?, ?)", [number, name])
    return number


def save_refused(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Write the refused rows as Parquet (columns as in `refused`); returns how many."""
    keep_account(con)
    path.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY (FROM {REFUSED} ORDER BY file, line) TO {literal(str(path))} (FORMAT PARQUET)")
    return con.execute(f"SELECT count(*) FROM {REFUSED}").fetchall()[0][0]


def refused_by_reason(con: duckdb.DuckDBPyConnection) -> list[dict]:
    """The refused rows counted by file, table, field and reason, most frequent first, with a first line each."""
    rows = con.execute(
        "SELECT file, table_name, field, reason, count(*) AS n, min(line) FROM trace.refused "
        "GROUP BY ALL ORDER BY n DESC, file, table_name, field, reason"
    ).fetchall()
    names = ("file", "table", "field", "reason", "rows", "first_line")
    return [dict(zip(names, row, strict=True)) for row in rows]


def origin(dataset: Path, table: str, id: int) -> list[dict]:
    """Where a row of the version in use came from: {file, line, rule}. Raises Problem when there is no such row."""
    used = in_use(dataset)
    if used is None:
        raise Problem("no-version", N_("This file was not made by a load."), where=str(dataset))
    con = duckdb.connect(str(used.trace), read_only=True)
    try:
        rows = con.execute(
            "SELECT f.name, r.line, u.id FROM row r JOIN file f ON f.number = r.file "
            "LEFT JOIN rule u ON u.number = r.rule WHERE r.target = ? AND r.id = ?",
            [table, id],
        ).fetchall()
    finally:
        con.close()
    if not rows:
        raise Problem("no-row", N_("No source row is known for {table} {id}."), where=str(dataset), table=table, id=id)
    return [dict(zip(("file", "line", "rule"), row, strict=True)) for row in rows]
