"""The data engines of the tests, and how the suite is shared out between the cores.

`engine_of(con)` is the same CDM in DuckDB, PostgreSQL and Spark in turn.

`make test` runs on several cores (`--dist loadgroup`). A file's tests stay together, for what they make once they use
many times; so do all that ask for the engines' servers. What starts sites as processes is one group: it has ports, two
cores' worth of processes and patience of its own, so no two such tests run beside one another; and it comes first,
because it takes longest.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from ansim.data.engine import Engine
from engines import KINDS, copied, postgres_server, spark_session

NETWORK = {"integration", "journey"}


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


def _group(item: pytest.Item) -> str:
    place = item.path.relative_to(Path(__file__).parent)
    if place.parts[0] in NETWORK:
        return "network"
    if {"engine_of", "spark", "postgres_dsn"} & set(getattr(item, "fixturenames", ())):
        return "engines"
    return str(place)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) != "network")
