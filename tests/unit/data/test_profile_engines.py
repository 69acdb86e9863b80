"""The same profile wherever the CDM lives, and nothing in its tables that tells of few people."""

from collections import Counter
from datetime import date, timedelta

import pytest

from ansim.data.profile import profile
from ansim.data.profile.export import tables
from ansim.errors import Problem

CONDITIONS = (40481087, 257012, 4299535)


@pytest.fixture(scope="module")
def people():
    """Ninety people with dirt: rows of nobody, unknown sexes and births after the record, values of two units."""
    return [(i, 1935 + (i * 7) % 12 * 6, (8507, 8532, 0)[i % 3 if i % 10 == 0 else i % 2]) for i in range(1, 91)]


@pytest.fixture(scope="module")
def con(small_cdm, people):
    cdm = small_cdm().people(people)
    day = date(2015, 1, 1)
    cdm.conditions(
        (i, 1 + (i * 13) % 99, CONDITIONS[(i * i) % 7 % 3], day + timedelta(i * 11 % 2000)) for i in range(1, 400)
    )
    cdm.measurements(
        (i, 1 + (i * 17) % 95, (3006322, 3004249)[i % 2], day + timedelta(i * 29 % 2500),
         None if i % 9 == 0 else (36 + i % 40 / 10 if i % 2 == 0 else 100 + i % 50))
        for i in range(1, 500)
    )  # fmt: skip
    cdm.con.execute("UPDATE measurement SET unit_concept_id = 8653 WHERE measurement_id % 4 = 0")
    cdm.con.execute(
        "INSERT INTO observation_period SELECT i, i, DATE '2015-01-15' + INTERVAL (i % 50) DAY, "
        "DATE '2018-03-31' + INTERVAL (i * 9 % 700) DAY, 32817 FROM range(1, 85) t(i) UNION ALL "
        "SELECT 100 + i, i, DATE '2017-06-01', DATE '2021-12-31', 32817 FROM range(1, 30) t(i)"
    )
    cdm.con.execute(
        "INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_concept_id, visit_start_date, "
        "visit_end_date, visit_type_concept_id) SELECT i, 1 + i * 5 % 90, 9202, DATE '2016-01-01' + INTERVAL (i) DAY, "
        "DATE '2016-01-01' + INTERVAL (i + i % 5) DAY, 32817 FROM range(1, 300) t(i)"
    )
    return cdm.con


@pytest.mark.parametrize(
    "engine_of", ["duckdb", "postgres", pytest.param("spark", marks=pytest.mark.soak)], indirect=True
)  # on Spark each of some sixty questions takes a second
def test_equal_on_every_engine(engine_of, con):
    assert profile(engine_of(con), threshold=5, base=3) == profile(con, threshold=5, base=3)


@pytest.fixture(scope="module")
def told(con):
    return profile(con, threshold=5, base=3)


def test_every_number_of_every_table_is_protected(told):
    found = Counter()
    for name, rows in tables(told).items():
        for row in rows:
            for key in ("people", "records"):
                if (number := row.get(key)) is not None:
                    assert number >= 5, (name, row)
                    assert number % 3 == 0, (name, row)
                    found[name] += 1
            for number in [number for _, number in row.get("last_years", [])] + row.get("steps", []):
                assert number is None or (number >= 5 and number % 3 == 0), (name, row)
    expected = {"variables", "concept_years", "concept_ages", "values", "months", "tables", "pairs", "sexes",
                "birth_years", "observation_months", "observation_whole_months", "observation_starts", "visits_each",
                "visits_stays", "people_by_age_sex", "people_by_year"}  # fmt: skip
    assert expected <= set(found)  # so that the promise is kept by tables with numbers in them


def test_hidden_parts_of_each_concept_cover_enough_people(con, told):
    """Ages by sex and last years part the people of a concept: what is not told of them is nobody or enough."""
    of_concept = dict(con.execute(
        "SELECT condition_concept_id, COUNT(DISTINCT person_id) FROM condition_occurrence "
        "WHERE person_id IN (SELECT person_id FROM person) GROUP BY 1"
    ).fetchall())  # fmt: skip
    exact = con.execute(
        f"""SELECT condition_concept_id, year(last), COUNT(*) FROM (
          SELECT condition_concept_id, person_id, MAX(condition_start_date) AS last FROM condition_occurrence
          WHERE person_id IN (SELECT person_id FROM person) AND condition_concept_id IN {CONDITIONS} GROUP BY 1, 2)
        GROUP BY 1, 2"""
    ).fetchall()
    for row in told["variables"]:
        if row["event"] == "condition":
            shown = {year for year, _ in row["last_years"]}
            hidden = sum(n for concept, year, n in exact if concept == row["concept_id"] and year not in shown)
            assert hidden == 0 or hidden >= 5
            assert sum(n for _, n in row["last_years"]) <= of_concept[row["concept_id"]] + 2 * len(shown)


def test_people_under_observation_by_month_are_distinct(con, told):
    """The difference array against a count of each month by itself."""
    months = {row["month"]: row["people"] for row in told["observation"]["months"]}
    whole = {row["month"]: row["people"] for row in told["observation"]["whole_months"]}
    for month in ("2015-01", "2015-02", "2017-07", "2018-03", "2019-05", "2021-12"):
        first = date.fromisoformat(f"{month}-01")
        last = (first + timedelta(31)).replace(day=1) - timedelta(1)
        for told_of, least, most in ((months, last, first), (whole, first, last)):
            people = con.execute(
                "SELECT COUNT(DISTINCT person_id) FROM observation_period WHERE observation_period_start_date <= ? "
                "AND observation_period_end_date >= ? AND person_id IN (SELECT person_id FROM person)",
                [least, most],
            ).fetchall()[0][0]
            number = told_of.get(month)
            assert number is None if people < 5 else abs(number - people) < 3


def test_steps_hold_each_person_once(told):
    temperature = next(row for row in told["values"] if row["concept_id"] == 3006322 and row["unit_concept_id"] == 8653)
    assert temperature["unit"] == "degree Celsius"
    assert 36 <= float(temperature["low"]) < float(temperature["high"]) <= 40
    assert sum(n or 0 for n in temperature["steps"]) <= temperature["people"] + 2 * len(temperature["steps"])


def test_it_can_be_stopped(con):
    with pytest.raises(Problem) as stopped:
        profile(con, threshold=5, base=3, stopped=lambda: True)
    assert stopped.value.code == "stopped"


def test_progress_goes_up_to_the_whole(con):
    shares = []
    profile(con, threshold=5, base=3, progress=lambda name, share: shares.append(share))
    assert shares == sorted(shares)
    assert 0.9 <= shares[-1] < 1
