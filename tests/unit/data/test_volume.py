"""The demo's volume option."""

from datetime import date

import pytest

from ansim.demo.volume import scale_people


def counts(con):
    return con.execute(
        "SELECT (SELECT count(*) FROM person), (SELECT count(DISTINCT person_id) FROM person), "
        "(SELECT count(*) FROM condition_occurrence), (SELECT count(DISTINCT condition_occurrence_id) FROM "
        "condition_occurrence), (SELECT count(*) FROM condition_occurrence c ANTI JOIN person p USING (person_id))"
    ).fetchall()[0]


@pytest.fixture
def con(small_cdm):
    cdm = small_cdm().people([(number, 1950 + number % 50, 8507) for number in range(1, 401)])
    return cdm.conditions((number, number, 257012, date(2010, 1, 1)) for number in range(1, 401)).con


def test_below_one_samples_people_with_all_their_records(con):
    scale_people(con, scale=0.25, seed=7)
    people, distinct, events, keys, dangling = counts(con)
    assert 60 < people < 140
    assert people == distinct == events == keys
    assert dangling == 0


def test_above_one_adds_copies_with_their_own_ids_and_dates(con):
    scale_people(con, scale=2.5, seed=7)
    people, distinct, events, keys, dangling = counts(con)
    assert 920 < people < 1080
    assert (people, events) == (distinct, keys)
    assert 0.85 * people < events < people
    assert dangling == 0
    ages = con.execute(
        "SELECT DISTINCT year(condition_start_date) - year_of_birth - (2010 - (1950 + person_id % 50)) FROM person "
        "JOIN condition_occurrence USING (person_id)"
    ).fetchall()
    assert {age for (age,) in ages} <= {-1, 0, 1}
    assert con.execute("SELECT count(DISTINCT condition_start_date) > 100 FROM condition_occurrence").fetchall() == [
        (True,)
    ]


def test_one_changes_nothing(con):
    before = counts(con)
    scale_people(con, scale=1, seed=7)
    assert counts(con) == before
