"""Two small helpers for DuckDB: quoted names, and the first row of a result that is read to its end."""

from collections.abc import Sequence
from typing import Any

import duckdb


def quote(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def first(con: duckdb.DuckDBPyConnection, sql: str, values: Sequence = ()) -> tuple[Any, ...]:
    """The first row, or () when there is none. All rows are fetched: a half-read result would block the connection."""
    rows = con.execute(sql, list(values)).fetchall() if values else con.execute(sql).fetchall()
    return rows[0] if rows else ()
