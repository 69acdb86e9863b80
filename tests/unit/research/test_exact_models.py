"""Regression models over 1 to 10 sites against statsmodels and lifelines on the pooled data."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import statsmodels.api as sm
from analysis_data import SITES, cut, table
from lifelines import CoxPHFitter
from lifelines.datasets import load_lung, load_rossi
from statsmodels.duration.hazard_regression import PHReg

from ansim.errors import Problem
from ansim.research.analysis import methods

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
over_sites = pytest.mark.parametrize("sites", SITES)
EXACT = {"rtol": 1e-8, "atol": 1e-10}


def model(kind, outcome, *terms, **more):
    return {"ansim": "model/1", "kind": kind, "outcome": outcome, "terms": list(terms), **more}


def numeric(*names):
    return [{"variable": name} for name in names]


def column(result, key):
    return np.array([term[key] for term in result["terms"]])


def same(result, fit, *, test="z"):
    assert np.allclose(column(result, "coefficient"), fit.params, **EXACT)
    assert np.allclose(column(result, "se"), fit.bse, **EXACT)
    assert np.allclose(column(result, test), fit.tvalues, rtol=1e-7)
    assert np.allclose(column(result, "p"), fit.pvalues, rtol=1e-6, atol=1e-12)


@over_sites
def test_logistic_spector(sites):
    data = sm.datasets.spector.load_pandas().data
    frame = table(data, gpa="GPA", tuce="TUCE", psi="PSI", grade=data.GRADE == 1)
    result = methods.run("logistic", cut(frame, sites), model("logistic", "grade", *numeric("gpa", "tuce", "psi")))
    fit = sm.Logit(data.GRADE, sm.add_constant(data[["GPA", "TUCE", "PSI"]])).fit(disp=0, tol=1e-14, maxiter=100)
    same(result, fit)
    assert result["loglik"] == pytest.approx(fit.llf, abs=1e-9)
    assert result["null_loglik"] == pytest.approx(fit.llnull, abs=1e-8)


@over_sites
def test_poisson_with_exposure(sites):
    data = sm.datasets.randhie.load_pandas().data.iloc[:3000].reset_index(drop=True)
    exposure = 0.5 + np.arange(len(data)) % 7
    frame = table(data, visits="mdvis", lncoins="lncoins", disea="disea", at=exposure)
    names = ["lncoins", "disea"]
    spec = model("poisson", "visits", *numeric(*names), exposure="at")
    result = methods.run("poisson", cut(frame, sites), spec)
    x = sm.add_constant(data[names])
    fit = sm.Poisson(data.mdvis, x, exposure=exposure).fit(disp=0, method="newton", tol=1e-14, maxiter=100)
    same(result, fit)
    assert result["loglik"] == pytest.approx(fit.llf, rel=1e-10)
    assert np.allclose(column(result, "rate_ratio"), np.exp(fit.params), rtol=1e-8)


@over_sites
def test_linear_longley_is_hard_and_right(sites):
    """The data set on which regression programs were found wanting (Longley, JASA 1967)."""
    data = sm.datasets.longley.load_pandas().data
    frame = table(data, y="TOTEMP", deflator="GNPDEFL", gnp="GNP", unemp="UNEMP", armed="ARMED", pop="POP", year="YEAR")
    scales = {"deflator": [100, 10], "gnp": [400000, 100000], "unemp": [3000, 1000], "armed": [2600, 1000],
              "pop": [117000, 7000], "year": [1955, 5]}  # fmt: skip
    spec = model("linear", "y", *({"variable": name, "scale": scale} for name, scale in scales.items()))
    result = methods.run("linear", cut(frame, sites), spec)
    x = np.column_stack([(np.array(frame[name]) - a) / b for name, (a, b) in scales.items()])
    fit = sm.OLS(data.TOTEMP, sm.add_constant(x)).fit()
    same(result, fit, test="t")
    assert result["r_squared"] == pytest.approx(fit.rsquared, rel=1e-10)
    assert result["sigma"] == pytest.approx(np.sqrt(fit.scale), rel=1e-9)
    intervals = np.array([[term["low"], term["high"]] for term in result["terms"]])
    assert np.allclose(intervals, fit.conf_int(), rtol=1e-7)


@over_sites
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_exact_cox_rossi(sites, ties):
    data = load_rossi()
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    frame = table(data, week="week", arrest=data.arrest == 1, **{name: name for name in names})
    spec = model("cox", "arrest", *numeric(*names), time="week", ties=ties, strata="none", horizon=60)
    result = methods.run("cox", cut(frame, sites), spec)
    fit = PHReg(data.week, data[names].astype(float), status=data.arrest, ties=ties).fit()
    same(result, fit)
    assert result["loglik"] == pytest.approx(fit.llf, abs=1e-8)
    if ties == "efron":
        other = CoxPHFitter().fit(data, "week", "arrest", fit_options={"precision": 1e-12})
        assert np.allclose(column(result, "coefficient"), other.params_, rtol=1e-7)
        assert np.allclose(column(result, "se"), other.standard_errors_, rtol=1e-7)


@over_sites
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_stratified_cox_lung(sites, ties):
    data = load_lung().dropna(subset=["time", "status", "age", "sex", "ph.ecog"]).reset_index(drop=True)
    frame = table(data, time="time", dead=data.status == 1, age="age", male=(data.sex == 1), ecog="ph.ecog")
    parts = cut(frame, sites)
    spec = model(
        "cox", "dead", {"variable": "age", "scale": [60, 10]}, *numeric("male", "ecog"), time="time", ties=ties
    )
    result = methods.run("cox", parts, spec)
    pool, strata = pa.concat_tables(parts), np.repeat(range(sites), [part.num_rows for part in parts])
    x = np.column_stack([(np.array(pool["age"]) - 60) / 10, np.array(pool["male"]), np.array(pool["ecog"])]).astype(
        float
    )
    fit = PHReg(np.array(pool["time"]), x, status=np.array(pool["dead"]).astype(float), strata=strata, ties=ties).fit()
    same(result, fit)
    assert result["loglik"] == pytest.approx(fit.llf, abs=1e-7)


def test_a_coarser_grid_is_the_fit_on_that_grid():
    data = load_rossi()
    frame = table(data, week="week", arrest=data.arrest == 1, age="age", prio="prio")
    spec = model("cox", "arrest", *numeric("age", "prio"), time="week", strata="none", grid=4, horizon=60)
    result = methods.run("cox", cut(frame, 4), spec)
    fit = PHReg(data.week // 4, data[["age", "prio"]].astype(float), status=data.arrest, ties="efron").fit()
    same(result, fit)


def test_people_beyond_the_horizon_are_censored_there():
    data = load_rossi()
    frame = table(data, week="week", arrest=data.arrest == 1, age="age", prio="prio")
    for strata in ("none", "site"):
        spec = model("cox", "arrest", *numeric("age", "prio"), time="week", strata=strata, horizon=30)
        result = methods.run("cox", [frame], spec)
        status = (data.arrest == 1) & (data.week <= 30)
        fit = PHReg(np.minimum(data.week, 31), data[["age", "prio"]].astype(float), status=status, ties="efron").fit()
        same(result, fit)


def cohort(seed=1, count=900):
    chance = np.random.default_rng(seed)
    age, sex = chance.integers(20, 90, count).astype(float), chance.choice(["F", "M", "X"], count, p=[0.5, 0.45, 0.05])
    drug = chance.random(count) < 0.4
    ill = chance.random(count) < 1 / (1 + np.exp(-(-1 + 0.3 * (age - 50) / 10 + 0.5 * drug)))
    visits, days = chance.poisson(2 + drug), chance.integers(1, 400, count).astype(float)
    return table(np.empty(count), age=age, sex=sex.astype(object), drug=drug, ill=ill, visits=visits.astype(float),
                 days=days, again=12 * age)  # fmt: skip


KINDS = {
    "logistic": {"outcome": "ill"},
    "linear": {"outcome": "visits"},
    "poisson": {"outcome": "visits"},
    "cox": {"outcome": "ill", "time": "days", "horizon": 400},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_site_without_a_level_and_one_where_it_tells_the_outcome(kind):
    """A category missing at one site and separated at another is no trouble while the pool has both."""
    frame = cohort()
    one, two, three = frame.slice(0, 200), frame.slice(200, 300), frame.slice(500)
    other, ill = pc.equal(one["sex"], "X"), one["ill"]
    parts = [
        one.filter(pc.or_(pc.invert(other), ill)),
        two.filter(pc.not_equal(two["sex"], "X")),
        three,
        frame.slice(0, 0),
    ]
    levels = {"variable": "sex", "levels": ["F", "M", "X"]}
    spec = model(kind, terms=[], **KINDS[kind]) | {"terms": [*numeric("age"), levels]}
    result = methods.run(kind, parts, spec)
    if kind != "cox":
        pooled = methods.run(kind, [pa.concat_tables(parts)], spec)
        assert np.allclose(column(result, "coefficient"), column(pooled, "coefficient"), rtol=1e-9)
        assert np.allclose(column(result, "se"), column(pooled, "se"), rtol=1e-9)
    assert len(result["terms"]) == (3 if kind == "cox" else 4)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_collinear_and_constant_terms_are_named(kind):
    frame = cohort()
    spec = model(kind, terms=[], **KINDS[kind]) | {"terms": numeric("age", "again", "drug")}
    with pytest.raises(Problem) as caught:
        methods.run(kind, cut(frame, 3), spec)
    assert caught.value.code == "collinear"
    assert {"age", "again"} <= set(caught.value.facts["terms"].split(", "))
    assert caught.value.remedy
    still = frame.set_column(frame.column_names.index("drug"), "drug", pa.array([False] * frame.num_rows))
    with pytest.raises(Problem) as caught:
        methods.run(kind, cut(still, 3), spec | {"terms": numeric("age", "drug")})
    assert (caught.value.code, caught.value.where) == ("empty-term", "drug")


def test_cox_separation_is_told():
    frame = cohort()
    ill = pa.array([d and i for d, i in zip(frame["drug"].to_pylist(), frame["ill"].to_pylist(), strict=True)])
    only = frame.set_column(frame.column_names.index("ill"), "ill", ill)  # nobody without the drug has the event
    with pytest.raises(Problem) as caught:
        methods.run("cox", cut(only, 2), model("cox", "ill", *numeric("drug", "age"), time="days", horizon=400))
    assert (caught.value.code, caught.value.facts["term"]) == ("separated", "drug")


def test_wrong_outcomes_and_times_are_refused():
    frame = cohort()
    for kind, outcome in (("logistic", "age"), ("poisson", "visits")):
        halves = frame.set_column(frame.column_names.index("visits"), "visits", pa.array([0.5] * frame.num_rows))
        with pytest.raises(Problem) as caught:
            methods.run(kind, [halves], model(kind, outcome, *numeric("drug")))
        assert (caught.value.code, caught.value.where) == ("outcome", "outcome")
    negative = frame.set_column(frame.column_names.index("days"), "days", pa.array([-1.0] * frame.num_rows))
    with pytest.raises(Problem) as caught:
        methods.run("cox", [negative], model("cox", "ill", *numeric("drug"), time="days"))
    assert caught.value.code == "not-positive"
    with pytest.raises(Problem) as caught:
        methods.run("poisson", [frame], model("logistic", "ill", *numeric("drug")))
    assert (caught.value.code, caught.value.where) == ("specification", "kind")
