"""Descriptions, tests, curves, components, clusters and scores over 1 to 10 sites against the pooled oracles."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from analysis_data import SITES, cut, table
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_lung, load_rossi
from lifelines.statistics import multivariate_logrank_test
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.research.analysis.propensity import pairs

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
over_sites = pytest.mark.parametrize("sites", SITES)


def asked(kind, **more):
    return {"ansim": "analysis/1", "kind": kind, **more}


def run(kind, parts, **more):
    result = methods.run(kind, parts, asked(kind, **more))
    json.dumps(result, allow_nan=False)
    return result


def iris():
    data = load_iris()
    named = pd.DataFrame(data.data, columns=["sepal", "sepal_w", "petal", "petal_w"])
    named["kind"] = np.array(["setosa", "versicolor", "virginica"], dtype=object)[data.target]
    return named


def iris_frame():
    data = iris()
    return table(data, **{name: name for name in data.columns})


@over_sites
def test_describe(sites):
    data = load_lung()
    names = ["age", "ph.karno", "meal.cal", "wt.loss"]
    frame = table(data, age="age", karno="ph.karno", meal="meal.cal", loss="wt.loss")
    result = run("describe", cut(frame, sites), variables=["age", "karno", "meal", "loss"])
    assert (result["people"], len(data)) == (len(data), 228)
    for found, name in zip(result["variables"], names, strict=True):
        assert found["n"] == data[name].notna().sum()
        assert found["mean"] == pytest.approx(data[name].mean(), rel=1e-12)
        assert found["variance"] == pytest.approx(data[name].var(), rel=1e-12)


def test_variance_far_from_zero_keeps_its_digits():
    values = 1e9 + np.arange(40) % 3
    frame = table(np.empty(40), far=values)
    found = run("describe", cut(frame, 4), variables=["far"])["variables"][0]
    assert found["variance"] == pytest.approx(np.var(np.arange(40) % 3, ddof=1), rel=1e-9)


@over_sites
def test_t_test_and_analysis_of_variance(sites):
    data, parts = iris(), cut(iris_frame(), sites)
    groups = [data.petal[data.kind == kind] for kind in ("setosa", "versicolor", "virginica")]
    for equal in (False, True):
        result = run("ttest", parts, outcome="petal", equal_variance=equal,
                     group={"variable": "kind", "levels": ["setosa", "versicolor"]})  # fmt: skip
        expected = stats.ttest_ind(groups[1], groups[0], equal_var=equal)
        assert result["t"] == pytest.approx(expected.statistic, rel=1e-10)
        assert result["p"] == pytest.approx(expected.pvalue, rel=1e-8)
        assert result["freedom"] == pytest.approx(expected.df, rel=1e-10)
        interval = expected.confidence_interval()
        assert (result["low"], result["high"]) == pytest.approx((interval.low, interval.high), rel=1e-10)
        assert (result["people"], result["dropped"]) == (100, 50)
    levels = {"variable": "kind", "levels": ["setosa", "versicolor", "virginica"]}
    result, expected = (
        run("anova", parts, outcome="sepal", group=levels),
        stats.f_oneway(*[data.sepal[data.kind == kind] for kind in levels["levels"]]),
    )
    assert result["f"] == pytest.approx(expected.statistic, rel=1e-10)
    assert result["p"] == pytest.approx(expected.pvalue, rel=1e-8)


@over_sites
def test_correlation_and_components(sites):
    data, parts, names = iris(), cut(iris_frame(), sites), ["sepal", "sepal_w", "petal", "petal_w"]
    result = run("correlation", parts, variables=names)
    for pair in result["pairs"]:
        expected = stats.pearsonr(data[pair["one"]], data[pair["other"]])
        assert pair["r"] == pytest.approx(expected.statistic, abs=1e-12)
        assert pair["p"] == pytest.approx(expected.pvalue, rel=1e-6)
        interval = expected.confidence_interval()
        assert (pair["low"], pair["high"]) == pytest.approx((interval.low, interval.high), abs=1e-10)
    for standardise in (True, False):
        result = run("pca", parts, variables=names, components=3, standardise=standardise)
        x = data[names].to_numpy()
        expected = PCA(3).fit((x - x.mean(axis=0)) / x.std(axis=0, ddof=1) if standardise else x)
        for k, component in enumerate(result["components"]):
            assert component["variance"] == pytest.approx(expected.explained_variance_[k], rel=1e-10)
            assert component["share"] == pytest.approx(expected.explained_variance_ratio_[k], rel=1e-10)
            loadings = expected.components_[k] * np.sign(expected.components_[k] @ component["loadings"])
            assert np.allclose(component["loadings"], loadings, atol=1e-9)


@over_sites
def test_quantiles_are_exact(sites):
    data = load_breast_cancer().data
    for column in (0, 3, 15):
        frame = table(data, value=data[:, column])
        result = run("quantiles", cut(frame, sites), variable="value", percent=[0, 5, 25, 50, 75, 95, 100])
        for found in result["quantiles"]:
            expected = np.quantile(data[:, column], found["percent"] / 100)
            assert found["value"] == pytest.approx(expected, rel=4e-16)  # numpy rounds while it interpolates
        assert result["rounds"] <= 9


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=30), st.integers(1, 4))
def test_quantiles_of_any_floats(values, sites):
    frame = table(np.empty(len(values)), value=np.array(values, float))
    result = run("quantiles", cut(frame, sites), variable="value", percent=[0, 37, 50, 100])
    ordered = np.sort(values)
    at = {each["percent"]: each["value"] for each in result["quantiles"]}
    assert (at[0], at[100]) == (ordered[0], ordered[-1])
    place = (len(values) - 1) * 37 / 100
    assert ordered[math.floor(place)] <= at[37] <= ordered[math.ceil(place)]


@over_sites
def test_histogram(sites):
    data = load_lung()
    frame = table(data, meal="meal.cal")
    result = run("histogram", cut(frame, sites), variable="meal", width=200, bins=8, **{"from": 200})
    known = data["meal.cal"].dropna()
    expected, _ = np.histogram(known[known < 1800], bins=np.array(result["edges"]))
    assert result["counts"] == expected.tolist()
    assert (result["below"], result["above"]) == ((known < 200).sum(), (known >= 1800).sum())
    assert result["missing"] == data["meal.cal"].isna().sum()


@over_sites
def test_cross_table(sites):
    data = load_rossi()
    frame = table(data, fin=data.fin == 1, prior=np.array([str(min(each, 3)) for each in data.prio], dtype=object))
    result = run("crosstab", cut(frame, sites), row={"variable": "fin"},
                 column={"variable": "prior", "levels": ["0", "1", "2", "3", "many"]})  # fmt: skip
    expected = pd.crosstab(data.fin, np.minimum(data.prio, 3)).to_numpy()
    assert np.array(result["counts"])[:, :4].tolist() == expected.tolist()
    assert result["empty"] == ["many"]
    test = stats.chi2_contingency(expected, correction=False)
    assert result["chi_square"] == pytest.approx(test.statistic, rel=1e-12)
    assert (result["freedom"], result["p"]) == (test.dof, pytest.approx(test.pvalue, rel=1e-9))
    assert result["cramers_v"] == pytest.approx(stats.contingency.association(expected), rel=1e-10)


@over_sites
def test_kaplan_meier_and_log_rank(sites):
    data = load_lung()
    sex = np.where(data.sex == 1, "M", "F").astype(object)
    frame = table(data, time="time", dead=data.status == 1, sex=sex)
    result = run("km", cut(frame, sites), time="time", event="dead", horizon=1100,
                 group={"variable": "sex", "levels": ["F", "M"]})  # fmt: skip
    for curve in result["curves"]:
        part = data[sex == curve["name"]]
        fitted = KaplanMeierFitter().fit(part.time, part.status)
        expected = fitted.survival_function_.loc[curve["times"]].iloc[:, 0]
        assert np.allclose(curve["survival"], expected, rtol=1e-12)
        bands = fitted.confidence_interval_.loc[curve["times"]]
        assert np.allclose(np.column_stack([curve["low"], curve["high"]]), bands, atol=1e-8)
        assert curve["median"] == fitted.median_survival_time_
    test = multivariate_logrank_test(data.time, sex, data.status)
    assert result["logrank"]["chi_square"] == pytest.approx(test.test_statistic, rel=1e-9)
    assert result["logrank"]["p"] == pytest.approx(test.p_value, rel=1e-8)


def test_log_rank_of_many_groups_and_of_none():
    data = load_rossi()
    prior = np.array([str(min(each, 3)) for each in data.prio], dtype=object)
    frame = table(data, week="week", arrest=data.arrest == 1, prior=prior)
    group = {"variable": "prior", "levels": ["0", "1", "2", "3"]}
    result = run("km", cut(frame, 3), time="week", event="arrest", horizon=60, group=group)
    test = multivariate_logrank_test(data.week, prior, data.arrest)
    assert result["logrank"]["chi_square"] == pytest.approx(test.test_statistic, rel=1e-9)
    assert run("km", cut(frame, 3), time="week", event="arrest", horizon=60)["logrank"] is None
    quiet = frame.set_column(2, "arrest", pa.array([False] * len(data)))
    found = run("km", [quiet], time="week", event="arrest", horizon=60, group=group)
    assert (found["logrank"], found["curves"][0]["times"]) == (None, [])


@over_sites
def test_incidence(sites):
    data = load_rossi()
    frame = table(data, week="week", arrest=data.arrest == 1, fin=data.fin == 1)
    result = run("incidence", cut(frame, sites), time="week", event="arrest", per=100, group={"variable": "fin"})
    for row, fin in zip(result["rows"], (0, 1), strict=True):
        part = data[data.fin == fin]
        events, time = part.arrest.sum(), part.week.sum()
        assert (row["events"], row["rate"]) == (events, pytest.approx(100 * events / time))
        low, high = stats.chi2.ppf(0.025, 2 * events) / 2, stats.chi2.ppf(0.975, 2 * events + 2) / 2
        assert (row["low"], row["high"]) == pytest.approx((100 * low / time, 100 * high / time), rel=1e-9)
    assert result["rows"][1]["ratio"] == pytest.approx(result["rows"][1]["rate"] / result["rows"][0]["rate"])


@over_sites
def test_k_means(sites):
    data, names = iris(), ["sepal", "sepal_w", "petal", "petal_w"]
    start = [[-100, 80, -130, -130], [10, -80, 30, 20], [110, 20, 100, 110]]
    result = run("kmeans", cut(iris_frame(), sites), variables=names, clusters=3, start=start)
    x = data[names].to_numpy()
    mean, spread = x.mean(axis=0), x.std(axis=0)
    fit = KMeans(3, init=np.array(start) / 100, n_init=1, tol=0, max_iter=300).fit((x - mean) / spread)
    assert result["settled"]
    assert [each["people"] for each in result["clusters"]] == np.bincount(fit.labels_).tolist()
    assert np.allclose([each["centre"] for each in result["clusters"]], fit.cluster_centers_ * spread + mean, rtol=1e-9)
    assert result["inertia"] == pytest.approx(fit.inertia_, rel=1e-10)


def treated(seed, count=400):
    chance = np.random.default_rng(seed)
    age, sick = chance.normal(60, 10, count).round(1), chance.random(count) < 0.4
    drug = chance.random(count) < 1 / (1 + np.exp(-((age - 60) / 15 + sick - 0.6)))
    ill = chance.random(count) < 1 / (1 + np.exp(-((age - 60) / 12 + sick - 0.8 * drug - 0.5)))
    return pd.DataFrame({"age": age, "sick": sick, "drug": drug, "ill": ill, "site": chance.integers(0, 4, count)})


def score(part):
    """The site's own scores by another program, without a penalty."""
    fit = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    x = np.column_stack([(part.age - 60) / 10, part.sick])
    return fit.fit(x, part.drug).predict_proba(x)[:, 1]


def scored(data, **more):
    frame = table(data, age="age", sick="sick", drug="drug", ill="ill")
    parts = [frame.filter(pa.array(data.site == site)) for site in range(5)]  # the last has nobody
    terms = [{"variable": "age", "scale": [60, 10]}, {"variable": "sick"}]
    return run("propensity", parts, treatment="drug", outcome="ill", terms=terms, **more)


@pytest.mark.parametrize("estimand", ["ate", "att"])
def test_weighting_by_scores_within_each_site(estimand):
    data = treated(3)
    result = scored(data, estimand=estimand)
    data["score"] = np.concatenate([pd.Series(score(part), part.index) for _, part in data.groupby("site")])[
        np.argsort(np.concatenate([part.index for _, part in data.groupby("site")]))
    ]
    weight = np.where(data.drug, 1 / data.score, 1 / (1 - data.score))
    if estimand == "att":
        weight = np.where(data.drug, 1, data.score / (1 - data.score))
    means, spreads = [], 0.0
    for arm in (False, True):
        w, y = weight[data.drug == arm], data.ill[data.drug == arm]
        means.append(np.average(y, weights=w))
        spreads += (w**2 * (y - means[-1]) ** 2).sum() / w.sum() ** 2
    assert result["difference"] == pytest.approx(means[1] - means[0], rel=1e-7)
    assert result["se"] == pytest.approx(math.sqrt(spreads), rel=1e-6)
    before = data.groupby("drug").age.agg(["mean", "var"])
    age = result["balance"][0]
    assert age["smd_before"] == pytest.approx(
        (before["mean"][True] - before["mean"][False]) / math.sqrt(before["var"].mean())
    )
    assert all(abs(each["smd_after"]) < 0.05 < abs(each["smd_before"]) for each in result["balance"])


PERSON = st.tuples(st.integers(-1000, 1000), st.booleans())


def greedy(value, drug, caliper):
    """The nearest pair of all, again and again."""
    left, right, found = set(np.flatnonzero(drug)), set(np.flatnonzero(~drug)), set()
    while left and right:
        gap, one, other = min((abs(value[i] - value[j]), i, j) for i in left for j in right)
        if gap > caliper:
            break
        found.add((one, other))
        left.remove(one)
        right.remove(other)
    return found


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(PERSON, min_size=1, max_size=25, unique_by=lambda each: each[0]), st.floats(0, 500))
def test_matching_takes_the_nearest_pairs_first(people, caliper):
    noise = np.random.default_rng(0).random(len(people)) / 10  # no two gaps alike
    value, drug = np.array([each[0] for each in people]) + noise, np.array([each[1] for each in people])
    assert {tuple(pair) for pair in pairs(value, drug, caliper).tolist()} == greedy(value, drug, caliper)


def test_matching_within_each_site():
    data = treated(5)
    result = scored(data, use="matching", caliper=20)
    taken = []
    for _, part in data.groupby("site"):
        logit = np.log(score(part) / (1 - score(part)))
        drug = part.drug.to_numpy()
        spread = math.sqrt((logit[drug].var(ddof=1) + logit[~drug].var(ddof=1)) / 2)
        taken += [part.index[each] for pair in pairs(logit, drug, 0.2 * spread) for each in pair]
    matched = data.loc[taken]
    assert [arm["used"] for arm in result["arms"]] == [len(taken) // 2] * 2
    means = matched.groupby("drug").ill.mean()
    assert result["difference"] == pytest.approx(means[True] - means[False], rel=1e-9)


@over_sites
def test_characteristics_by_group(sites):
    data = load_rossi()
    prior = np.array([str(min(each, 2)) if each < 15 else None for each in data.prio], dtype=object)
    frame = table(data, age="age", race=data.race == 1, prior=prior, fin=data.fin == 1)
    variables = [{"variable": "age"}, {"variable": "prior", "levels": ["0", "1", "2"]}, {"variable": "race"}]
    result = run("characterise", cut(frame, sites), variables=variables, group={"variable": "fin"})
    by = data.groupby("fin")
    age, levels, race = result["rows"]
    for group, fin in zip(age["groups"], (0, 1), strict=True):
        assert group["mean"] == pytest.approx(by.age.mean()[fin], rel=1e-12)
        assert group["variance"] == pytest.approx(by.age.var()[fin], rel=1e-12)
    assert age["smd"] == pytest.approx(
        (by.age.mean()[1] - by.age.mean()[0]) / math.sqrt(by.age.var().mean()), rel=1e-10
    )
    shares = by.race.mean()
    binary = (shares[1] - shares[0]) / math.sqrt(by.race.var().mean())
    assert race["smd"] == pytest.approx(binary, rel=1e-10)
    counts = np.array([[level["n"] for level in group["levels"]] for group in levels["groups"]])
    assert counts.tolist() == [
        [int(((prior == level) & (data.fin == fin)).sum()) for level in ("0", "1", "2")] for fin in (0, 1)
    ]
    assert [group["missing"] for group in levels["groups"]] == [
        int((pd.isna(prior) & (data.fin == fin)).sum()) for fin in (0, 1)
    ]
    p, q = (row / row.sum() for row in counts)
    spread = ((np.diag(p) - np.outer(p, p)) + (np.diag(q) - np.outer(q, q)))[1:, 1:] / 2
    assert levels["smd"] == pytest.approx(math.sqrt((q - p)[1:] @ np.linalg.inv(spread) @ (q - p)[1:]), rel=1e-10)


@over_sites
def test_pathways(sites):
    chance = np.random.default_rng(4)
    days = np.where(chance.random((300, 3)) < 0.6, chance.integers(0, 6, (300, 3)), np.nan)
    frame = table(days, a=days[:, 0], b=days[:, 1], c=days[:, 2])
    steps = [{"name": name.upper(), "variable": name} for name in "abc"]
    result = run("pathways", cut(frame, sites), steps=steps, longest=2)
    expected: dict = {}
    for row in days:
        found = {}
        for name, day in zip("ABC", row, strict=True):
            if not math.isnan(day):
                found.setdefault(day, []).append(name)
        path = tuple("+".join(found[day]) for day in sorted(found)[:2])
        expected[path] = expected.get(path, 0) + 1
    assert result["none"] == expected.pop(())
    assert {tuple(each["path"]): each["people"] for each in result["paths"]} == expected
    assert result["people"] == 300


ROSES = {"variable": "kind", "levels": ["setosa", "rose"]}
UNTREATED = {"treatment": "never", "outcome": "sepal", "terms": [{"variable": "petal"}]}


@pytest.mark.parametrize(
    ("kind", "more", "code", "where"),
    [
        ("ttest", {"outcome": "sepal", "group": ROSES}, "empty-group", "group.levels"),
        ("crosstab", {"row": ROSES, "column": {"variable": "kind2", "levels": ["a", "b"]}}, "one-level", "row"),
        ("correlation", {"variables": ["sepal", "sepal"]}, "specification", "variables"),
        ("correlation", {"variables": ["sepal", "twice"]}, "collinear", "variables"),
        ("pca", {"variables": ["sepal", "same"]}, "constant", "same"),
        ("quantiles", {"variable": "sepal", "percent": [0.5]}, "specification", "percent"),
        ("quantiles", {"variable": "kind", "percent": [50]}, "wrong-type", "variable"),
        ("histogram", {"variable": "sepal", "from": 0, "width": 0, "bins": 3}, "specification", "width"),
        ("kmeans", {"variables": ["sepal"], "clusters": 2, "start": [[1]]}, "specification", "start"),
        ("km", {"time": "sepal", "event": "petal"}, "not-positive", "time"),
        ("describe", {"variables": ["nothing"]}, "no-variable", "variables[0]"),
        ("describe", {"variables": ["sepal"], "more": 1}, "specification", "more"),
        ("propensity", UNTREATED, "one-outcome", "outcome"),
    ],
)  # fmt: skip
def test_errors_name_place_and_remedy(kind, more, code, where):
    frame = iris_frame()
    for name, values in {"twice": 2 * np.array(frame["sepal"]), "same": np.ones(150)}.items():
        frame = frame.append_column(name, pa.array(values))
    frame = frame.append_column("kind2", pa.array(["a"] * 150)).append_column("never", pa.array([False] * 150))
    with pytest.raises(Problem) as caught:
        run(kind, cut(frame, 3), **more)
    assert (caught.value.code, caught.value.where) == (code, where), str(caught.value)


def test_no_people_at_all_is_told_or_counted_as_none():
    nobody = [iris_frame().slice(0, 0)] * 2
    assert run("describe", nobody, variables=["sepal"])["variables"][0] == {
        "name": "sepal", "n": 0, "missing": 0, "mean": None, "variance": None, "sd": None
    }  # fmt: skip
    for kind, more in {
        "correlation": {"variables": ["sepal", "petal"]},
        "quantiles": {"variable": "sepal", "percent": [50]},
        "kmeans": {"variables": ["sepal"], "clusters": 2},
    }.items():
        with pytest.raises(Problem) as caught:
            run(kind, nobody, **more)
        assert caught.value.code == "few-people"
    sm_logit = {"ansim": "model/1", "kind": "logistic", "outcome": "x", "terms": [{"variable": "sepal"}]}
    frame = nobody[0].append_column("x", pa.array([], pa.bool_()))
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [frame], sm_logit)
    assert caught.value.code == "one-outcome"
