"""DuckDB: the default engine, in the process itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ansim.data.cdm.files import open_cdm
from ansim.data.engine.protocol import Dialect, Query, failed, generate, plain_rows, type_name, was_stopped


class DuckDB:
    """A published CDM file, or a connection whose owner keeps it.

    memory: a size such as "4GB"; what does not fit spills to disk. threads: at most so many. Both only with a path.
    """

    dialect: Dialect = "duckdb"

    def __init__(
        self, source: str | Path | duckdb.DuckDBPyConnection, *, memory: str | None = None, threads: int | None = None
    ):
        self._own = not isinstance(source, duckdb.DuckDBPyConnection)
        self.con = (
            source
            if isinstance(source, duckdb.DuckDBPyConnection)
            else open_cdm(Path(source), memory=memory, threads=threads)
        )

    def columns(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.con.execute(
            "SELECT lower(table_name), lower(column_name), data_type FROM duckdb_columns() WHERE database_name = "
            "current_database() AND schema_name = current_schema() ORDER BY table_name, column_index"
        ).fetchall():
            found.setdefault(table, {})[column] = type_name(kind, "duckdb")
        return found

    def rows(self, query: Query) -> list[tuple]:
        return plain_rows(self._run(lambda text: self.con.execute(text).fetchall(), query))

    def table(self, query: Query) -> pa.Table:
        return self._run(lambda text: self.con.sql(text).to_arrow_table(), query)

    def _run(self, ask: Callable[[str], Any], query: Query) -> Any:
        text = generate(query, self.dialect)
        try:
            return ask(text)
        except duckdb.InterruptException as error:
            raise was_stopped() from error
        except duckdb.Error as error:
            raise failed(error) from error

    def cancel(self) -> None:
        self.con.interrupt()

    def close(self) -> None:
        if self._own:
            self.con.close()
