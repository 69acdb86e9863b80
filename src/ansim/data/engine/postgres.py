"""PostgreSQL: a CDM in a schema of the hospital's own server, read by psycopg in read-only transactions."""

import uuid

import pyarrow as pa

from ansim.data.engine.protocol import Dialect, Query, failed, generate, missing, plain_rows, type_name, was_stopped
from ansim.errors import N_, Problem

BATCH = 50_000
# What the result's columns become in Arrow, by PostgreSQL's own numbers of types (pg_type).
ARROW = {
    **dict.fromkeys((20, 21, 23), pa.int64()),
    **dict.fromkeys((700, 701, 1700), pa.float64()),
    16: pa.bool_(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
}


class Postgres:
    """dsn: as psycopg takes it. memory: for each sort or hash of a query (work_mem); beyond it the server spills."""

    dialect: Dialect = "postgres"

    def __init__(self, dsn: str, *, schema: str = "public", memory: str = "256MB"):
        try:
            import psycopg
        except ImportError as error:
            raise missing("psycopg", "postgres") from error
        self._errors, self.schema = psycopg.errors, schema
        try:
            self.con = psycopg.connect(dsn, autocommit=True)
        except psycopg.Error as error:
            raise Problem(
                "no-postgres",
                N_("The PostgreSQL server cannot be reached: {detail}"),
                remedy=N_("See that it runs, and mend the address in the site's settings."),
                detail=str(error).splitlines()[0],
            ) from error
        for name, value in (("default_transaction_read_only", "on"), ("TimeZone", "UTC"), ("work_mem", memory)):
            self.con.execute("SELECT set_config(%s, %s, false)", [name, value])
        self.con.execute(psycopg.sql.SQL("SET search_path = {}").format(psycopg.sql.Identifier(schema)))

    def columns(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.con.execute(
            "SELECT lower(table_name), lower(column_name), data_type FROM information_schema.columns "
            "WHERE table_schema = %s ORDER BY table_name, ordinal_position",
            [self.schema],
        ).fetchall():
            found.setdefault(table, {})[column] = type_name(kind, "postgres")
        return found

    def rows(self, query: Query) -> list[tuple]:
        text = generate(query, self.dialect)
        try:
            return plain_rows(self.con.execute(text.encode()).fetchall())
        except self._errors.QueryCanceled as error:
            raise was_stopped() from error
        except self._errors.Error as error:
            raise failed(error) from error

    def table(self, query: Query) -> pa.Table:
        """Through a cursor at the server, some rows at a time: the client holds Arrow columns, not Python rows."""
        text = generate(query, self.dialect)
        try:
            with self.con.transaction(), self.con.cursor(f"ansim_{uuid.uuid4().hex}") as cursor:
                cursor.execute(text.encode())
                batches = []
                while True:
                    rows = plain_rows(cursor.fetchmany(BATCH))
                    described = cursor.description or []
                    shape = pa.schema([(one.name, ARROW.get(one.type_code, pa.string())) for one in described])
                    values = zip(*rows, strict=True) if rows else ([] for _ in shape)
                    columns = [pa.array(column, field.type) for column, field in zip(values, shape, strict=True)]
                    batches.append(pa.RecordBatch.from_arrays(columns, schema=shape))
                    if len(rows) < BATCH:
                        return pa.Table.from_batches(batches, schema=shape)
        except self._errors.QueryCanceled as error:
            raise was_stopped() from error
        except self._errors.Error as error:
            raise failed(error) from error

    def cancel(self) -> None:
        self.con.cancel_safe()

    def close(self) -> None:
        self.con.close()
