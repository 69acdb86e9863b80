"""Each defect can be planted, changes its table and leaves the clean hospital otherwise alone."""

import hospital
import pytest
from defects import DEFECTS


@pytest.fixture(scope="module")
def invented():
    with hospital.hospital(11, people=120) as con:
        yield con


@pytest.fixture
def clean(invented):
    invented.execute("BEGIN")
    yield invented
    invented.execute("ROLLBACK")


def test_there_are_at_least_forty_kinds():
    assert len({defect.place for defect in DEFECTS}) >= 40


@pytest.mark.parametrize("place", range(len(DEFECTS)), ids=[" ".join(one.place) for one in DEFECTS])
def test_a_defect_changes_its_table(clean, place):
    defect = DEFECTS[place]
    before = clean.execute(f"SELECT * FROM {defect.table} ORDER BY ALL").fetchall()
    defect.put_into(clean, seed=5)
    if (defect.aspect, defect.field) == ("absent", ""):
        assert not clean.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [defect.table]
        ).fetchall()[0][0]
        return
    if defect.aspect == "absent":
        assert defect.field not in [row[0] for row in clean.execute(f"DESCRIBE {defect.table}").fetchall()]
        return
    assert clean.execute(f"SELECT * FROM {defect.table} ORDER BY ALL").fetchall() != before
