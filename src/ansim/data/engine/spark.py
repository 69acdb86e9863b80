"""Spark: a CDM in tables of a session that its owner has made, and whose memory its own settings bound."""

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa

from ansim.data.engine.protocol import Dialect, Query, failed, generate, missing, plain_rows, type_name, was_stopped

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Spark:
    """schema: the database of the tables; "" for the session's own, its temporary views included.

    The session's time zone becomes UTC, so that timestamps are the same as in the other engines.
    """

    dialect: Dialect = "spark"

    def __init__(self, session: "SparkSession", *, schema: str = ""):
        try:
            from py4j.protocol import Py4JJavaError
            from pyspark.errors import PySparkException
        except ImportError as error:
            raise missing("pyspark", "spark") from error
        self._errors = (PySparkException, Py4JJavaError)
        self.session = session.newSession() if schema else session
        if schema:
            self.session.catalog.setCurrentDatabase(schema)
        self.session.conf.set("spark.sql.session.timeZone", "UTC")
        self._group = f"ansim-{uuid.uuid4().hex}"

    def columns(self) -> dict[str, dict[str, str]]:
        return {
            table.name.lower(): {
                column.lower(): type_name(kind, "spark") for column, kind in self.session.table(table.name).dtypes
            }
            for table in self.session.catalog.listTables()
        }

    def rows(self, query: Query) -> list[tuple]:
        try:
            return plain_rows(self._frame(query).collect())
        except self._errors as error:
            raise self._told(error) from error

    def table(self, query: Query) -> pa.Table:
        try:
            return self._frame(query).toArrow()
        except self._errors as error:
            raise self._told(error) from error

    def _frame(self, query: Query) -> "DataFrame":
        self.session.sparkContext.setJobGroup(self._group, "ansim", interruptOnCancel=True)
        return self.session.sql(generate(query, self.dialect))

    def _told(self, error: Exception) -> Exception:
        return was_stopped() if "cancelled" in str(error) and self._group in str(error) else failed(error)

    def cancel(self) -> None:
        self.session.sparkContext.cancelJobGroup(self._group)

    def close(self) -> None:
        """The session stays: it is its owner's."""
