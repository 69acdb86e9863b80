"""The checks and findings name what was planted and nothing else; many rounds in soak and benchmarks."""

import hospital
import judge
import pytest
from defects import DEFECTS

from ansim.data.engine import DuckDB
from ansim.data.quality.portrait import portrait


def test_a_clean_hospital_is_told_nothing():
    with hospital.hospital(31) as con, hospital.earlier(con) as old:
        assert judge.look(con, portrait(DuckDB(old)), judge.network(people=1500)) == set()


def said(numbers: range) -> tuple[int, int, int, int, list]:
    tallies = judge.tally(numbers)
    sums = [sum(getattr(one, name) for one in tallies) for name in ("planted", "found", "clean", "alarms")]
    wrong = [
        (defect.place, one)
        for defect, one in zip(DEFECTS, tallies, strict=True)
        if one.found < one.planted or one.alarms
    ]
    return (*sums, wrong)


def test_defects_are_found_and_no_others():
    planted, found, clean, alarms, wrong = said(range(500, 501))
    assert planted > 20
    assert clean > 20
    assert (found, alarms) == (planted, 0), wrong


@pytest.mark.soak
def test_each_kind_is_found_in_nineteen_of_twenty_hospitals():
    for defect, one in zip(DEFECTS, judge.tally(range(600, 680)), strict=True):
        assert one.found >= 0.95 * one.planted, (defect.place, one)
        assert one.alarms <= 0.02 * one.clean, (defect.place, one)
