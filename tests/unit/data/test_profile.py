"""A profile may be published: no count below the threshold is in it, nor exactly told by what stands next to it."""

from collections import defaultdict
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansim.data.profile import hide_together, profile, protected
from ansim.errors import Problem

CONDITIONS = (40481087, 257012, 4299535)
some_people = st.lists(st.tuples(st.integers(1940, 2005), st.sampled_from([8507, 8532, 0])), max_size=40)
some_events = st.lists(
    st.tuples(st.integers(1, 45), st.sampled_from(CONDITIONS), st.integers(0, 4000), st.none() | st.floats(30, 42)),
    max_size=120,
)
small = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@cache
def a_cdm(small_cdm):
    """One for all examples: making the tables takes longer than the test."""
    return small_cdm()


def numbers(value):
    """Every number of people or records in a profile."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"people", "records"}:
                yield item
            elif key not in {"threshold", "base"}:
                yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)


@small
@given(people=some_people, events=some_events, threshold=st.integers(2, 12), base=st.integers(3, 7))
def test_no_count_below_the_threshold_comes_out(small_cdm, people, events, threshold, base):
    cdm = a_cdm(small_cdm).clear()
    rows = [(number, year, sex) for number, (year, sex) in enumerate(people, 1)]
    days = [(i, who, what, date(2006, 1, 1) + timedelta(day), v) for i, (who, what, day, v) in enumerate(events, 1)]
    cdm.people(rows).conditions(row[:4] for row in days).measurements(days)
    told = profile(cdm.con, threshold=threshold, base=base)
    for number in [told["people"], *numbers(told)]:
        assert number is None or (number >= threshold and number % base == 0)

    having, values = defaultdict(set), defaultdict(dict)
    for _, who, what, _, value in days:
        if who <= len(rows):
            having[what].add(who)
            if value is not None:
                values[what].setdefault(who, []).append(value)
    for variable in told["variables"]:
        concept = variable["concept_id"]
        assert len(having[concept]) >= threshold
        assert abs(variable["people"] - len(having[concept])) < 2 * base
        if variable["low"] is not None:
            below = [who for who, own in values[concept].items() if min(own) <= float(variable["low"]) + 0.06]
            above = [who for who, own in values[concept].items() if max(own) >= float(variable["high"]) - 0.06]
            assert min(len(below), len(above)) >= threshold


@small
@given(parts=st.lists(st.integers(0, 30), min_size=1, max_size=8), threshold=st.integers(2, 12))
def test_what_is_hidden_together_is_enough_people(parts, threshold):
    """So that a whole less its visible parts, even unrounded, tells of no fewer people than the threshold."""
    cells = dict(enumerate(parts))
    hidden = hide_together(cells, threshold)
    behind = sum(cells[key] for key in hidden)
    assert behind == 0 or behind >= threshold or hidden == set(cells)
    assert all(cells[key] >= threshold for key in set(cells) - hidden)


@small
@given(count=st.integers(0, 10_000), threshold=st.integers(2, 50), base=st.integers(3, 20))
def test_protected_numbers_are_rounded_and_never_small(count, threshold, base):
    told = protected(count, threshold, base)
    if count < threshold:
        assert told is None
    else:
        assert told is not None
        assert told >= threshold
        assert told % base == 0
        assert abs(told - count) < base
        # Two neighbours of the count are told the same: no number stands for one count alone.
        assert told in {protected(count - 1, threshold, base), protected(count + 1, threshold, base)}


def test_rows_of_nobody_count_nowhere(small_cdm):
    cdm = small_cdm().people([(number, 1980, 8507) for number in range(1, 11)])
    cdm.conditions([(number, number, 40481087, date(2010, 1, 1)) for number in range(1, 101)])
    told = profile(cdm.con, threshold=10, base=5)
    assert [(entry["people"], entry["records"]) for entry in told["variables"]] == [(10, 10)]


def test_missingness_and_range(small_cdm):
    cdm = small_cdm().people([(number, 1980, 8507) for number in range(1, 101)])
    cdm.measurements(
        (number, number, 3006322, date(2010, 1, 1), None if number % 4 == 0 else 35 + number / 20)
        for number in range(1, 101)
    )
    variable = profile(cdm.con, threshold=10, base=5)["variables"][0]
    assert (variable["people"], variable["missing_percent"]) == (100, 25)
    assert (variable["low"], variable["high"]) == ("35.6", "39.4")  # the 10th person from either end


def test_missing_values_of_few_people_are_not_told(small_cdm):
    cdm = small_cdm().people([(number, 1980, 8507) for number in range(1, 101)])
    cdm.measurements(
        (number, number, 3006322, date(2010, 1, 1), None if number <= 3 else 36.5) for number in range(1, 101)
    )
    assert profile(cdm.con, threshold=10, base=5)["variables"][0]["missing_percent"] is None


def test_ages_sexes_and_years(small_cdm):
    cdm = small_cdm().people([(number, 1980, 8507 if number <= 20 else 8532) for number in range(1, 36)])
    cdm.conditions((number, number, 40481087, date(2010 + number % 2, 1, 1)) for number in range(1, 36))
    told = profile(cdm.con, threshold=10, base=5)
    assert [row for row in told["people_by_age_sex"] if row["people"]] == [
        {"age_band": "30-39", "sex": "M", "people": 20},
        {"age_band": "30-39", "sex": "F", "people": 15},
    ]
    assert told["people_by_year"] == [{"year": 2010, "people": 15}, {"year": 2011, "people": 20}]
    assert told["coverage"] == {"from": "2010-01-01", "to": "2011-12-31"}


@pytest.mark.parametrize(("threshold", "base"), [(10, 1), (10, 2), (1, 5)])
def test_rules_that_protect_nobody_are_refused(small_cdm, threshold, base):
    con = small_cdm().con
    with pytest.raises(Problem):
        profile(con, threshold=threshold, base=base)


def test_years_long_past_and_to_come_count_as_any_other(small_cdm):
    """Years are bits of numbers where they have one (1920 to 2043), and are counted by themselves where not."""
    cdm = small_cdm().people([(number, 1980, 8507) for number in range(1, 16)])
    years = (1899, 1919, 1920, 1981, 1982, 2043, 2044, 2099)
    days = [(who, date(year, month, 1)) for who in range(1, 13) for year in years for month in (1, 12)]
    cdm.conditions((i, who, 40481087, day) for i, (who, day) in enumerate(days, 1))
    cdm.measurements((i, who, 3006322, day, 36.5) for i, (who, day) in enumerate(days, 1))
    told = profile(cdm.con, threshold=10, base=3)
    assert [row["year"] for row in told["people_by_year"] if row["people"]] == list(years)
    assert {row["people"] for row in told["people_by_year"]} == {None, 12}


def test_pairs_are_people_with_both(small_cdm):
    cdm = small_cdm().people([(number, 1980, 8507) for number in range(1, 41)])
    first, second = CONDITIONS[:2]
    having = [(who, first) for who in range(1, 25)] + [(who, second) for who in range(13, 31)]
    cdm.conditions((i, who, what, date(2010, 1, 1)) for i, (who, what) in enumerate(having * 2, 1))
    told = profile(cdm.con, threshold=6, base=3)
    assert [(row["first"], row["second"], row["people"]) for row in told["pairs"]] == [(first, second, 12)]
