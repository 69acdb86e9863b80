"""The data engines of the tests, and how the suite is shared out between the cores.

`engine_of(con)` is the same CDM in DuckDB, PostgreSQL and Spark in turn.

`make test` runs on several cores. A file's tests stay together, for what they make once they use many times; so do all
that ask for the engines' servers. What starts sites as processes is one group: it has ports, two cores' worth of
processes and patience of its own, so no two such tests run beside one another.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from xdist.scheduler import LoadScopeScheduling

from ansim.data.engine import Engine
from engines import KINDS, copied, postgres_server, spark_session

NETWORK = {"integration", "journey"}
ENGINES = ("engines", "engines_agree", "everywhere")  # how files that start servers of data engines end


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


def _group(nodeid: str) -> str:
    """What one worker runs in order: the tests of a file, all on the engines' servers, all that start sites."""
    file = Path(nodeid.partition("::")[0])
    if file.parts[1] in NETWORK:
        return "network"
    return "engines" if file.stem.endswith(ENGINES) else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """By our groups; xdist's own marks for groups do not reach the workers' answers with pytest 9."""

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups first."""
    order = {"network": 0, "engines": 1}
    items.sort(key=lambda item: order.get(_group(item.nodeid), 2))
