"""The same verdicts, findings and portrait on DuckDB, PostgreSQL and Spark."""

from datetime import UTC, datetime

import hospital
import pytest
from defects import DEFECTS

from ansim.data.engine import DuckDB
from ansim.data.quality import FAIL, PASS, assess
from ansim.data.quality.oddities import oddities
from ansim.data.quality.portrait import portrait

NOW = datetime(2023, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def dirty():
    """A small hospital with every defect in it."""
    with hospital.hospital(5, people=150) as con:
        for seed, defect in enumerate(DEFECTS):
            defect.put_into(con, seed)
        yield con


def some_checks(con):
    """Of each type of check two, broken ones first: each way of asking is asked once more of each engine."""
    results = sorted(assess(con, now=NOW), key=lambda one: (one.verdict != FAIL, one.verdict != PASS))
    seen: dict[str, int] = {}
    for one in results:
        seen[one.check.type] = seen.get(one.check.type, 0) + 1
        if seen[one.check.type] <= 2:
            yield one.check


def verdicts(engine, chosen=None):
    return {one.id: (one.verdict, one.violated, one.denominator) for one in assess(engine, now=NOW, chosen=chosen)}


def test_every_engine_gives_the_same_verdicts(dirty, engine_of):
    chosen = list(some_checks(dirty))
    told = verdicts(DuckDB(dirty), chosen)
    assert len({check.type for check in chosen}) == 27
    assert sum(verdict == FAIL for verdict, *_ in told.values()) > 25
    assert verdicts(engine_of(dirty), chosen) == told


@pytest.mark.soak
def test_every_engine_says_the_same_of_everything(dirty, engine_of):
    here, engine = DuckDB(dirty), engine_of(dirty)
    told, mine = verdicts(here), verdicts(engine)
    assert {id: (mine[id], one) for id, one in told.items() if mine[id] != one} == {}
    assert set(oddities(engine)) == set(oddities(here))
    assert portrait(engine) == portrait(here)
