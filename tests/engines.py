"""PostgreSQL and Spark for the tests, each started once, and copies of a DuckDB CDM in them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp

from ansim.data.engine import DuckDB, Engine, Postgres, Spark

KINDS = ("duckdb", "postgres", "spark")
_names = count()


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """The address of a fresh cluster that listens on a Unix socket only; Debian's programs, never as root."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    programs = found[-1].parent
    who = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="ansim-pg-", dir="/tmp"))
    if who:
        shutil.chown(folder, **who)
    data = folder / "data"

    def run(*command: object) -> None:
        subprocess.run(
            [str(part) for part in command], check=True, cwd=folder, stdout=subprocess.DEVNULL, extra_groups=[], **who
        ) if who else subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)

    try:
        run(programs / "initdb", "-D", data, "-U", "ansim", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = f"-k {folder} -c listen_addresses='' -c fsync={'on' if durable else 'off'} -c shared_buffers=64MB"
        run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"host={folder} user=ansim dbname=postgres"
        finally:
            run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@contextmanager
def spark_session() -> Iterator:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if not shutil.which("java"):
        pytest.skip("Spark needs a Java runtime (Debian: openjdk-17-jre-headless)")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.log.level": "ERROR",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def copy_to_postgres(con: duckdb.DuckDBPyConnection, dsn: str) -> Postgres:
    """Every table of the connection's schema, in a schema of its own."""
    import psycopg

    schema = f"cdm_{next(_names)}"
    with psycopg.connect(dsn, autocommit=True) as server, tempfile.TemporaryDirectory() as folder:
        server.execute(f"CREATE SCHEMA {schema}")
        for table, columns in _shapes(con).items():
            types = [f'"{name}" {exp.DataType.build(kind, "duckdb").sql("postgres")}' for name, kind in columns.items()]
            server.execute(f"CREATE TABLE {schema}.{table} ({', '.join(types)})")
            file = Path(folder) / "rows.csv"
            con.execute(f"COPY {table} TO '{file}' (FORMAT csv, HEADER false, NULLSTR '\\N')")
            with server.cursor().copy(f"COPY {schema}.{table} FROM STDIN (FORMAT csv, NULL '\\N')") as copy:
                copy.write(file.read_bytes())
    return Postgres(dsn, schema=schema)


def copy_to_spark(con: duckdb.DuckDBPyConnection, session, folder: Path) -> Spark:
    """Every table of the connection's schema as Parquet, seen through the views of a session of its own."""
    session = session.newSession()
    for table, columns in _shapes(con).items():
        file = folder / f"{next(_names)}.parquet"
        con.execute(f"COPY {table} TO '{file}' (FORMAT parquet)")
        shape = ", ".join(
            f"`{name}` {exp.DataType.build(kind, 'duckdb').sql('spark')}" for name, kind in columns.items()
        )
        session.read.schema(shape).parquet(str(file)).createOrReplaceTempView(table)
    return Spark(session)


def copied(kind: str, con: duckdb.DuckDBPyConnection, request: pytest.FixtureRequest) -> Engine:
    """The same CDM in an engine of that kind; the server or session is started when first asked for."""
    if kind == "postgres":
        return copy_to_postgres(con, request.getfixturevalue("postgres_dsn"))
    if kind == "spark":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("spark")
        return copy_to_spark(con, request.getfixturevalue("spark"), folder)
    return DuckDB(con)


def _shapes(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in con.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
        "AND schema_name = current_schema() ORDER BY table_name, column_index"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found
