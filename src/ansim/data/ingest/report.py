"""What became of the rows of a load: rows in = loaded + refused, nothing dropped silently."""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ansim.data.cdm import literal

REFUSED = "temp.main.refused"


@dataclass(frozen=True)
class TableLoad:
    file: str
    table: str
    rows_in: int
    loaded: int
    refused: int
    renumbered: int = 0  # rows kept under a new key, because the source used the key twice
    ignored: tuple[str, ...] = ()  # columns that the CDM does not have


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


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the place for refused rows. A temporary table: they never enter the CDM file."""
    con.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {REFUSED} "
        "(file VARCHAR, line BIGINT, table_name VARCHAR, reason VARCHAR, content VARCHAR)"
    )


def save_refused(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Write the refused rows (file, line, table, reason, content) as Parquet beside the CDM; returns how many."""
    prepare(con)
    path.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY (FROM {REFUSED} ORDER BY file, line) TO {literal(str(path))} (FORMAT PARQUET)")
    return con.execute(f"SELECT count(*) FROM {REFUSED}").fetchall()[0][0]
