"""The account of a load: what became of every row, and where every row came from.

It lies in a database of its own, attached as `trace` beside the CDM that is being built: source keys are the
hospital's own identifiers and have no place in the CDM. Its tables:

- file(number, name, digest, rows): the sources that were read;
- rule(number, id): the mapping rules, 0 for rows taken as they are;
- row(target, id, file, line, rule, key): target row `id` of table `target` came from that line of that file. `key` is
  a number made from the source's own key, null where there is none: it keeps ids the same from load to load;
- key(kind, source, id): which source key became which person, visit, provider, care site, location or plan;
- refused(file, line, table_name, field, reason, value, content): rows that were not loaded, with the reason.

A line is counted as a person's editor counts it, the header being line 1; a record that spans several lines counts once.
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ansim.data.cdm import literal

REFUSED = "trace.refused"
AS_IS = 0  # the rule of rows that need no mapping
_TABLES = (
    "file (number USMALLINT, name VARCHAR, digest VARCHAR, rows BIGINT)",
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
