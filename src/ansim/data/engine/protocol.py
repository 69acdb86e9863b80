"""What every engine can do, and what they share: generation of SQL, plain values, a run of many queries."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, Protocol

import pyarrow as pa
import sqlglot
from sqlglot import exp

from ansim.errors import N_, Problem

Dialect = Literal["duckdb", "postgres", "spark"]
Query = exp.Expr | str  # a tree, or a text in DuckDB's dialect
SAME_TYPE = {"timestampntz": "timestamp", "text": "varchar"}


class Engine(Protocol):
    """A CDM that can be asked. One engine serves one thread; `cancel` alone may come from another."""

    dialect: Dialect

    def columns(self) -> dict[str, dict[str, str]]:
        """{table: {column: type}}, lower case; types are SQLGlot's names without lengths ("bigint", "varchar")."""

    def rows(self, query: Query) -> list[tuple]:
        """All rows. Exact numbers come as int where they are whole, else as float; timestamps without a zone, in UTC.

        Raises Problem("stopped") after `cancel`, Problem("query-failed") when the engine refuses the query.
        """

    def table(self, query: Query) -> pa.Table:
        """All rows as one Arrow table; errors as `rows`."""

    def cancel(self) -> None:
        """Stop the query that is running, from another thread. Without one nothing happens."""

    def close(self) -> None: ...


def generate(query: Query, dialect: Dialect) -> str:
    """One SELECT in an engine's dialect. Raises Problem when the query is anything else: engines only read."""
    if isinstance(query, str):
        try:
            found = sqlglot.parse(query, read="duckdb")
        except sqlglot.ParseError as error:
            raise failed(error) from error
        if len(found) != 1 or found[0] is None:
            raise _not_a_select(query)
        tree: exp.Expr = found[0]
    else:
        tree = query
    if not isinstance(tree, exp.Query):
        raise _not_a_select(tree.sql())
    return query if isinstance(query, str) and dialect == "duckdb" else tree.sql(dialect=dialect)


def answers(
    engine: Engine,
    queries: Mapping[str, Query],
    *,
    progress: Callable[[str, float], None] = lambda name, done: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, list[tuple]]:
    """The rows of each named query, in order. progress: the name that comes next and the share that is done (0 to 1).

    stopped is asked before each query; Problem("stopped") when it says so.
    """
    found = {}
    for place, (name, query) in enumerate(queries.items()):
        if stopped():
            raise was_stopped()
        progress(name, place / len(queries))
        found[name] = engine.rows(query)
    return found


@lru_cache(maxsize=1024)
def type_name(text: str, dialect: Dialect) -> str:
    """An engine's own type in SQLGlot's words: "character varying(50)" is "varchar", "integer" is "int"."""
    try:
        name = str(exp.DataType.build(text, dialect=dialect).this.value).lower()
    except sqlglot.ParseError:
        return text.lower()
    return SAME_TYPE.get(name, name)


def plain_rows(rows: Iterable[tuple]) -> list[tuple]:
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def was_stopped() -> Problem:
    return Problem("stopped", N_("Stopped before the end. Nothing was changed."))


def failed(error: Exception) -> Problem:
    lines = str(error).strip().splitlines()
    return Problem("query-failed", N_("The data engine refused a query: {detail}"), detail=lines[0] if lines else "")


def missing(package: str, extra: str) -> Problem:
    return Problem(
        "package-missing",
        N_("{package} is needed for this data engine and is not installed."),
        remedy=N_("Install it: pip install 'ansim[{extra}]'."),
        package=package,
        extra=extra,
    )


def _not_a_select(text: str) -> Problem:
    return Problem("not-a-select", N_("Only one SELECT may be asked of a data engine: {query}"), query=text[:80])
