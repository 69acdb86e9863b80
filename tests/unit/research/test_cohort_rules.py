"""The rules at their edges, by hand: random data seldom land on a birthday or on a tie."""

from datetime import date

import cohort_data
import duckdb
import pytest

from ansim.research.cohort import compile, reference
from ansim.research.cohort import query as q

PERIOD = q.Period(date(2018, 1, 1), date(2018, 12, 31))
BIRTHS = [  # year, month, day, birth_datetime; the entry day; the age then
    ((1990, 5, 10, None), date(2018, 5, 9), 27),
    ((1990, 5, 10, None), date(2018, 5, 10), 28),
    ((1990, 5, None, None), date(2018, 5, 14), 27),
    ((1990, 5, None, None), date(2018, 5, 15), 28),
    ((1991, 2, 29, None), date(2018, 2, 14), 26),
    ((1991, 2, 29, None), date(2018, 2, 15), 27),
    ((1990, None, 3, None), date(2018, 6, 30), 27),
    ((1990, 13, 3, None), date(2018, 7, 1), 28),
    ((1980, 1, 1, date(1990, 5, 10)), date(2018, 5, 9), 27),
    ((2019, 1, 1, None), date(2018, 5, 9), None),
    ((None, 1, 1, None), date(2018, 5, 9), None),
]


def _person(number, year=1990, month=1, day=1, birth=None):
    return {
        "person_id": number,
        "gender_concept_id": 8532,
        "year_of_birth": year,
        "month_of_birth": month,
        "day_of_birth": day,
        "birth_datetime": birth,
    }


def _condition(person, start, end=None):
    return {
        "condition_occurrence_id": 1,
        "person_id": person,
        "condition_concept_id": 1,
        "condition_start_date": start,
        "condition_end_date": end,
    }


def _answers(data, *variables):
    query = q.Query("가", "A", q.Cohort(q.Entry("condition", (1,))), PERIOD, variables)
    with duckdb.connect() as con:
        cohort_data.load(con, data)
        cohort, frame = compile.cohort(con, query).to_pylist(), compile.frame(con, query).to_pylist()
    assert cohort == reference.cohort(data, query)
    assert frame == reference.frame(data, query)
    return cohort, frame


def test_ages_around_birthdays_and_unknown_births():
    data = {
        "person": [_person(number, *birth) for number, (birth, _, _) in enumerate(BIRTHS)],
        "condition_occurrence": [_condition(number, day) for number, (_, day, _) in enumerate(BIRTHS)],
    }
    _, frame = _answers(data, q.Variable("age", "age"))
    assert [row["age"] for row in frame] == [age for _, _, age in BIRTHS]


@pytest.mark.parametrize(("pick", "value"), [("first", 1.0), ("last", 9.0), ("sum", 18.0), ("mean", 4.5)])
def test_values_of_one_day_have_an_order(pick, value):
    day, late = date(2018, 3, 1), date(2018, 3, 2)
    data = {
        "person": [_person(1)],
        "condition_occurrence": [_condition(1, day)],
        "measurement": [
            {
                "measurement_id": number,
                "person_id": 1,
                "measurement_concept_id": 1,
                "measurement_date": at,
                "value_as_number": amount,
            }
            for number, (at, amount) in enumerate([(day, 5.0), (day, 1.0), (late, 9.0), (late, 3.0)])
        ],
    }
    variable = q.Variable("heat", "value", events=q.Events("measurement"), pick=pick)
    assert _answers(data, variable)[1][0]["heat"] == value


def test_the_end_is_the_latest_of_the_day_inside_the_period():
    data = {
        "person": [_person(number) for number in (1, 2, 3, 4)],
        "condition_occurrence": [
            _condition(1, date(2018, 3, 1), date(2018, 3, 5)),
            _condition(1, date(2018, 3, 1), date(2018, 3, 9)),
            _condition(2, date(2018, 3, 1), date(2019, 3, 9)),
            _condition(3, date(2018, 3, 1), date(2017, 1, 1)),
            _condition(4, date(2017, 12, 31)),
        ],
    }
    ends = [row["end_date"] for row in _answers(data)[0]]
    assert ends == [date(2018, 3, 9), date(2018, 12, 31), date(2018, 3, 1)]
