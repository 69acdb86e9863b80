"""Time to an event from a CDM: a real study written as records of hospitals, asked over sites, against lifelines."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_lung
from lifelines.statistics import multivariate_logrank_test

from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.research.analysis.examples import example
from ansim.research.cohort import compile
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import FOLLOWED, Variable, Window, parse

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CANCER, ECOG, MOVED, FIRST = 4311499, 4174241, 44, date(2015, 1, 1)
DEATH = {"event": "death", "concepts": [], "window": {"from_days": 0, "to_days": None}}
QUERY = {
    "ansim": "query/1",
    "title": {"ko": "폐암", "en": "Lung cancer"},
    "cohort": {"entry": {"event": "condition", "concepts": [CANCER]}},
    "variables": [
        {"name": "sex", "kind": "sex"},
        {"name": "ecog", "kind": "value", "event": "measurement", "concepts": [ECOG], "pick": "first"},
        {"name": "to_death", "kind": "days", **DEATH},
        {"name": "days", "kind": "follow_up", **DEATH},
        {"name": "died", "kind": "reached", **DEATH},
    ],
    "period": {"from": "2010-01-01", "to": "2030-12-31"},
}


def lung():
    return load_lung().dropna(subset=["time", "status", "sex", "ph.ecog"]).reset_index(drop=True)


def hospital(rows) -> duckdb.DuckDBPyConnection:
    """A CDM in which these people enter on different days, and die or leave observation when the study says."""
    con = duckdb.connect()
    con.execute(
        """CREATE TABLE person (person_id BIGINT, gender_concept_id BIGINT, year_of_birth BIGINT);
        CREATE TABLE condition_occurrence (person_id BIGINT, condition_concept_id BIGINT, condition_start_date DATE);
        CREATE TABLE measurement (person_id BIGINT, measurement_concept_id BIGINT, measurement_date DATE,
            value_as_number DOUBLE);
        CREATE TABLE observation (person_id BIGINT, observation_concept_id BIGINT, observation_date DATE);
        CREATE TABLE death (person_id BIGINT, cause_concept_id BIGINT, death_date DATE);
        CREATE TABLE observation_period (person_id BIGINT, observation_period_start_date DATE,
            observation_period_end_date DATE)"""
    )
    for number, row in rows.iterrows():
        entry = FIRST + timedelta(days=int(number * 7 % 500))
        end = entry + timedelta(days=int(row.time))
        con.execute("INSERT INTO person VALUES (?, ?, 1950)", [number, 8507 if row.sex == 1 else 8532])
        con.execute("INSERT INTO condition_occurrence VALUES (?, ?, ?)", [number, CANCER, entry])
        con.execute("INSERT INTO measurement VALUES (?, ?, ?, ?)", [number, ECOG, entry, row["ph.ecog"]])
        con.execute("INSERT INTO observation VALUES (?, ?, ?)", [number, MOVED, entry + timedelta(days=90)])
        if row.status == 1:
            con.execute("INSERT INTO death VALUES (?, 0, ?)", [number, end])
        later = timedelta(days=30 if row.status == 1 else 0)  # the register knows of a death before observation ends
        con.execute("INSERT INTO observation_period VALUES (?, ?, ?)", [number, date(2010, 1, 1), end + later])
    return con


@pytest.fixture(scope="module")
def frames():
    """Four hospitals, the first without any of these people."""
    data, query = lung(), parse(QUERY)
    place = np.random.default_rng(1).integers(1, 4, len(data))
    return [compile.frame(hospital(data[place == site]), query) for site in range(4)]


def test_survival_over_hospitals_is_that_of_the_study(frames):
    data = lung()
    sex = np.where(data.sex == 1, "M", "F").astype(object)
    spec = {"ansim": "analysis/1", "kind": "km", "time": "days", "event": "died", "grid": 1, "horizon": 1100}
    result = methods.run("km", frames, spec | {"group": {"variable": "sex", "levels": ["F", "M"]}})
    assert (result["people"], result["dropped"]) == (len(data), 0)
    for curve in result["curves"]:
        part = data[sex == curve["name"]]
        fitted = KaplanMeierFitter().fit(part.time, part.status)
        assert np.allclose(curve["survival"], fitted.survival_function_.loc[curve["times"]].iloc[:, 0], rtol=1e-12)
        assert curve["median"] == fitted.median_survival_time_
    test = multivariate_logrank_test(data.time, sex, data.status)
    assert result["logrank"]["chi_square"] == pytest.approx(test.test_statistic, rel=1e-9)


def test_cox_over_hospitals_is_that_of_the_study(frames):
    data = lung().assign(male=lambda rows: (rows.sex == 1).astype(float), ecog=lambda rows: rows["ph.ecog"])
    terms = [{"variable": "sex", "levels": ["F", "M"]}, {"variable": "ecog"}]
    spec = {"ansim": "model/1", "kind": "cox", "outcome": "died", "time": "days", "terms": terms}
    result = methods.run("cox", frames, spec | {"strata": "none", "grid": 1, "horizon": 1100})
    fitted = CoxPHFitter().fit(data[["time", "status", "male", "ecog"]], "time", "status",
                               fit_options={"precision": 1e-12})  # fmt: skip
    assert np.allclose([term["coefficient"] for term in result["terms"]], fitted.params_, rtol=1e-8)
    assert np.allclose([term["se"] for term in result["terms"]], fitted.standard_errors_, rtol=1e-8)


def test_rates_over_hospitals_are_those_of_the_study(frames):
    data = lung()
    spec = {"ansim": "analysis/1", "kind": "incidence", "time": "days", "event": "died", "per": 365}
    (row,) = methods.run("incidence", frames, spec)["rows"]
    assert (row["events"], row["time"]) == (data.status.sum(), data.time.sum())
    assert row["rate"] == pytest.approx(365 * data.status.sum() / data.time.sum(), rel=1e-12)


def test_days_to_an_event_are_there_for_those_who_had_it(frames):
    rows = [row for frame in frames for row in frame.to_pylist()]
    assert all((row["to_death"] is not None) == row["died"] for row in rows)
    assert all(row["to_death"] == row["days"] for row in rows if row["died"])


def test_what_else_ends_follow_up():
    """A limit of days, another event, and somebody whom nobody observed on the day of entry."""
    con = hospital(lung()[:40])
    con.execute("UPDATE observation_period SET observation_period_start_date = '2020-01-01' WHERE person_id = 3")

    def asked(**more):
        pair = [{"name": kind, "kind": kind, **DEATH, **more} for kind in FOLLOWED]
        return compile.frame(con, parse(QUERY | {"variables": pair})).to_pylist()

    whole, short = asked(), asked(at_most=200)
    assert [row for row in whole if row["person_id"] == 3] == [{"person_id": 3, "follow_up": None, "reached": None}]
    assert any(row["follow_up"] == 200 and not row["reached"] for row in short)
    kept = [(row["follow_up"], row["reached"]) for row in whole if row["follow_up"] and row["follow_up"] <= 200]
    assert kept == [
        (row["follow_up"], row["reached"]) for row in short if (row["follow_up"] or 200) < 200 or row["reached"]
    ]
    moved = asked(censor=[{"event": "observation", "concepts": [MOVED]}])
    assert max(row["follow_up"] or 0 for row in moved) == 90
    assert any(row["reached"] for row in moved)
    con.execute("DROP TABLE observation_period")
    assert {row["follow_up"] for row in asked()} == {None}
    assert compile.missing(con, parse(QUERY)) == ["observation_period"]


def test_what_is_wrong_with_a_follow_up_is_told_where_it_stands():
    def wrong(**more) -> str:
        with pytest.raises(Problem) as caught:
            parse(QUERY | {"variables": [{"name": "days", "kind": "follow_up", **DEATH, **more}]})
        return str(caught.value.where)

    assert wrong(window={"from_days": -1, "to_days": None}) == "variables[0].window.from_days"
    assert wrong(until="ever") == "variables[0].until"
    assert wrong(at_most=0) == "variables[0].at_most"
    assert wrong(censor=[{"event": "drug"}]) == "variables[0].censor[0].concepts"
    assert wrong(pick="first") == "variables[0].pick"
    with pytest.raises(Problem):
        Variable("days", "days", events=parse(QUERY).cohort.entry, window=Window(), until="cohort")


def test_follow_up_is_told_and_proposed():
    query = parse(QUERY | {"variables": [*QUERY["variables"][:1], {"name": "days", "kind": "follow_up", **DEATH,
        "at_most": 365, "censor": [{"event": "visit", "concepts": [9201]}]}, QUERY["variables"][4]]})  # fmt: skip
    assert parse(query.document()) == query
    english, korean = explain(query, "en"), explain(query, "ko")
    assert "days of follow-up, until any death" in english
    assert "or visit (concept 9201), or 365 days, or the end of observation" in english
    assert "추적 일수" in korean
    spec = example("km", query.document())
    assert (spec["time"], spec["event"]) == ("days", "died")
    assert example("cox", query.document())["outcome"] == "died"
