"""The data engines of the tests: `engine_of(con)` is the same CDM in DuckDB, PostgreSQL and Spark in turn."""

from collections.abc import Callable, Iterator

import duckdb
import pytest

from ansim.data.engine import Engine
from engines import KINDS, copied, postgres_server, spark_session


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    with postgres_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def spark() -> Iterator:
    with spark_session() as session:
        yield session


@pytest.fixture(params=KINDS)
def engine_of(request: pytest.FixtureRequest) -> Iterator[Callable[[duckdb.DuckDBPyConnection], Engine]]:
    """A test that asks for this runs once on each kind of engine."""
    made: list[Engine] = []

    def engine(con: duckdb.DuckDBPyConnection) -> Engine:
        made.append(copied(request.param, con, request))
        return made[-1]

    yield engine
    for one in made:
        one.close()
