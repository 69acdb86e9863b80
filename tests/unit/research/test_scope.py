"""Whatever the scope check lets through really is within the agreed cohort, in any data."""

from dataclasses import replace
from datetime import date, timedelta

import cohort_data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.research.cohort import query as q
from ansim.research.cohort import reference
from ansim.research.cohort.scope import explain, outside


def _rows(data, query):
    return {(row["person_id"], row["start_date"]) for row in reference.cohort(data, query)}


WHICH = st.sampled_from(["first", "first", "any"])
FEW = st.lists(cohort_data.criteria(), max_size=1).map(tuple)
AGES = st.sampled_from([q.Age(), q.Age(), q.Age(0, 90), q.Age(18, 90), q.Age(18, None)])


@st.composite
def pairs(draw):
    """An agreed query that finds many people, and a request that changes one or two parts of it either way."""
    entry = q.Entry("condition", draw(st.sampled_from([(), (1, 2)])), which=draw(WHICH))
    cohort = q.Cohort(entry, draw(AGES), draw(st.sampled_from([None, ("F", "M")])), draw(FEW), draw(FEW))
    period = q.Period(cohort_data.START, cohort_data.START + timedelta(days=50))
    agreed = q.Query("가", "A", cohort, period)
    for part in draw(st.lists(st.sampled_from(["age", "sex", "require", "exclude", "to", "from"]), max_size=2)):
        if part == "age":
            cohort = replace(cohort, age=draw(AGES))
        if part == "sex":
            cohort = replace(cohort, sex=draw(st.sampled_from([None, ("F",), ("M",)])))
        if part in ("require", "exclude"):
            cohort = replace(cohort, **{part: draw(FEW) + getattr(cohort, part)[draw(st.integers(0, 1)) :]})
        if part == "to":
            period = q.Period(period.first, period.first + timedelta(days=draw(st.sampled_from([20, 40, 55]))))
        if part == "from":
            period = q.Period(cohort_data.START + timedelta(days=draw(st.sampled_from([0, 5]))), period.last)
    return agreed, replace(agreed, cohort=cohort, period=period)


def test_what_is_let_through_is_within():
    """Also counts that both happen: narrower requests let through, and refused ones that would have added people."""
    narrower, harmful = [], []

    @settings(max_examples=600, deadline=None, derandomize=True)
    @given(data=cohort_data.data(), pair=pairs())
    def check(data, pair):
        agreed, asked = pair
        bound, rows = _rows(data, agreed), _rows(data, asked)
        if outside(asked, agreed):
            harmful.append(not rows <= bound)
        else:
            narrower.append(bool(rows) and rows < bound)
            assert rows <= bound

    check()
    assert sum(narrower) > 20
    assert sum(harmful) > 20


ENTRY = q.Entry("condition", (1,))
PERIOD = q.Period(date(2018, 1, 1), date(2018, 12, 31))
LATER = q.Criterion("drug", (2,), window=q.Window(0, 30))
EARLIER = q.Criterion("drug", (2,), window=q.Window(-30, 0))
FLAG = q.Variable("ill", "flag", events=q.Events("condition", (5,)))


def ask(*, which="first", period=PERIOD, variables=(), **cohort):
    return q.Query("가", "A", q.Cohort(replace(ENTRY, which=which), **cohort), period, variables)


CASES = {
    "same": (ask(), ask(), []),
    "title": (replace(ask(), english="B"), ask(), []),
    "younger": (ask(age=q.Age(20, 30)), ask(age=q.Age(18, None)), []),
    "older": (ask(age=q.Age(20, 30)), ask(age=q.Age(18, 29)), ["age-wider"]),
    "unbounded age": (ask(), ask(age=q.Age(0, None)), ["age-wider"]),
    "women": (ask(sex=("F",)), ask(), []),
    "any sex": (ask(), ask(sex=("F", "M")), ["sex-wider"]),
    "added": (ask(require=(LATER,), exclude=(EARLIER,)), ask(), []),
    "dropped": (ask(), ask(exclude=(EARLIER,)), ["criterion-dropped"]),
    "added to any": (ask(which="any", require=(LATER,)), ask(which="any"), ["criterion-moves"]),
    "age of any": (ask(which="any", age=q.Age(20, 30)), ask(which="any"), ["age-moves"]),
    "other entry": (ask(which="any"), ask(), ["entry-differs"]),
    "earlier end": (ask(period=q.Period(PERIOD.first, date(2018, 6, 1))), ask(), []),
    "later end": (ask(period=q.Period(PERIOD.first, date(2019, 6, 1))), ask(), ["period-wider"]),
    "later start": (ask(period=q.Period(date(2018, 6, 1), PERIOD.last)), ask(), ["period-moves"]),
    "hidden exclusion": (
        ask(period=q.Period(PERIOD.first, date(2018, 6, 1)), exclude=(LATER,)),
        ask(exclude=(LATER,)),
        ["period-hides"],
    ),
    "backward exclusion": (
        ask(period=q.Period(PERIOD.first, date(2018, 6, 1)), exclude=(EARLIER,)),
        ask(exclude=(EARLIER,)),
        [],
    ),
    "fewer variables": (ask(), ask(variables=(FLAG,)), []),
    "new variable": (ask(variables=(FLAG,)), ask(), ["variable-not-agreed"]),
    "same name, other content": (
        ask(variables=(replace(FLAG, events=q.Events("condition", (6,))),)),
        ask(variables=(FLAG,)),
        ["variable-differs"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    request, agreed, codes = CASES[name]
    problems = outside(request, agreed)
    assert [problem.code for problem in problems] == codes
    assert all(str(problem) and problem.where for problem in problems)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(query=cohort_data.queries())
def test_explained_in_both_languages(query):
    for language in ("ko", "en"):
        text = explain(query, language)
        assert "{" not in text
        assert "None" not in text
        assert all(variable.name in text for variable in query.variables)


def test_explained_with_names():
    query = ask(age=q.Age(18, None), require=(replace(EARLIER, at_least=2),), variables=(FLAG,))
    english, korean = (explain(query, language, {1: "Sinusitis"}) for language in ("en", "ko"))
    assert "first diagnosis (Sinusitis)" in english
    assert "at least 2 of: drug (concept 2), from 30 days before entry to the entry day" in english
    assert "기준일 30일 전부터 기준일까지" in korean
    assert "18세 이상" in korean
