"""The rows shown to a steward are the rows that were counted: both ways of saying it give the same number."""

from datetime import UTC, datetime

import hospital
import pytest
from defects import DEFECTS

from ansim.data.engine import DuckDB
from ansim.data.quality import FAIL, assess
from ansim.data.quality.examples import examples, rows_of

NOW = datetime(2023, 6, 1, tzinfo=UTC)
NOT_ROWS = {"cdmTable", "cdmField", "measurePersonCompleteness", "measureConditionEraCompleteness",
            "measureObservationPeriodOverlap", "sourceValueCompleteness", "cdmDatatype"}  # fmt: skip


@pytest.fixture(scope="module")
def dirty():
    """Many defects at once, those that leave the tables in their shape."""
    with hospital.hospital(3, people=250) as con:
        for seed, defect in enumerate(DEFECTS):
            if defect.aspect not in {"absent", "type"}:
                defect.put_into(con, seed)
        yield DuckDB(con)


def test_rows_counted_are_the_rows_shown(dirty):
    broken = [one for one in assess(dirty, now=NOW) if one.violated and one.verdict == FAIL]
    assert len({one.check.type for one in broken}) >= 12
    for one in broken:
        if one.check.type in NOT_ROWS:
            continue
        joins, condition = rows_of(one.check, NOW)
        counted = dirty.rows(f'SELECT count(*) FROM "{one.check.table}" t {joins} WHERE {condition}')[0][0]
        assert counted == one.violated, one.id
        assert 1 <= len(examples(dirty, one, now=NOW)) <= 5
