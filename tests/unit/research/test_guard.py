"""The node's guard: what a site's sums may not rest on, the same for each method."""

import numpy as np
import pytest
from analysis_data import table
from test_logistic import SPEC, _with, people

from ansim.research.analysis import guard, methods

POLICY = guard.Policy()


def codes(frame, spec=SPEC, state=None, policy=POLICY, masked=False):
    name = spec.get("kind", "table")
    chosen = methods.method(name)
    state = state or methods.start(name, spec)
    found = guard.admissible(name, chosen.prepare(frame, spec), spec, policy, state, masked=masked)
    return {problem.code for problem in found}


def test_guard_lets_a_broad_frame_and_an_empty_site_through():
    assert codes(people(7)) == set()
    assert codes(people(7).slice(0, 0)) == set()


def test_guard_refuses_few_people_degrees_levels_and_rounds():
    frame = people(8)
    assert {"few-people", "few-degrees"} <= codes(frame.slice(0, 12))
    assert codes(frame, state={"round": 60, "beta": [0.0] * 4}) == {"too-many-rounds"}
    for name, common, rare in (("drug", False, True), ("drug", True, False), ("sex", "F", "M"), ("ill", False, True)):
        for count, refused in ((1, True), (9, True), (10, False), (0, False)):
            values = [rare] * count + [common] * (600 - count)
            assert ("few-in-part" in codes(_with(frame, name, values))) is refused, (name, count)


def test_guard_refuses_a_number_that_one_person_dominates():
    frame = people(9)
    values = [*frame["age"].to_pylist()[:-1], 10_000]
    assert codes(_with(frame, "age", values)) == {"few-in-part"}


def test_guard_refuses_coefficients_that_point_at_the_oldest():
    frame = people(10)
    assert codes(frame, state={"round": 1, "beta": [-390.0, 100.0, 0.0, 0.0]}) == {"pointed"}
    fitted = [term["coefficient"] for term in methods.run("logistic", [frame], SPEC)["terms"]]
    assert codes(frame, state={"round": 5, "beta": fitted}) == set()


def asked(kind, **more):
    return {"ansim": "analysis/1", "kind": kind, **more}


def values(count=200):
    chance = np.random.default_rng(3)
    return table(
        np.empty(count), heat=chance.normal(37, 1, count), age=chance.normal(50, 9, count),
        ill=chance.random(count) < 0.4, days=chance.integers(1, 900, count).astype(float),
        drug=chance.random(count) < 0.5, sex=chance.choice(["F", "M"], count).astype(object),
    )  # fmt: skip


SEX = {"variable": "sex", "levels": ["F", "M"]}
EVERY = {
    "describe": asked("describe", variables=["heat", "age"]),
    "ttest": asked("ttest", outcome="heat", group=SEX),
    "anova": asked("anova", outcome="heat", group=SEX),
    "correlation": asked("correlation", variables=["heat", "age"]),
    "pca": asked("pca", variables=["heat", "age"]),
    "histogram": asked("histogram", variable="heat", width=1, bins=6, **{"from": 34}),
    "quantiles": asked("quantiles", variable="heat", percent=[50]),
    "crosstab": asked("crosstab", row=SEX, column={"variable": "ill"}),
    "km": asked("km", time="days", event="ill", group=SEX),
    "incidence": asked("incidence", time="days", event="ill", group=SEX),
    "kmeans": asked("kmeans", variables=["heat", "age"], clusters=2),
    "propensity": asked("propensity", treatment="drug", outcome="ill", terms=[{"variable": "age"}]),
    "pathways": asked("pathways", steps=[{"name": "A", "variable": "days"}]),
    "characterise": asked("characterise", variables=[{"variable": "age"}, SEX], group={"variable": "drug"}),
    "table": {"ansim": "table/1", "rows": ["sex"], "columns": ["ill"]},
    "linear": {"ansim": "model/1", "kind": "linear", "outcome": "heat", "terms": [{"variable": "age"}]},
    "logistic": {"ansim": "model/1", "kind": "logistic", "outcome": "ill", "terms": [{"variable": "age"}]},
    "poisson": {"ansim": "model/1", "kind": "poisson", "outcome": "days", "terms": [{"variable": "drug"}]},
    "cox": {"ansim": "model/1", "kind": "cox", "outcome": "ill", "time": "days", "terms": [{"variable": "drug"}]},
}


def test_every_method_is_here():
    assert EVERY.keys() == methods.METHODS.keys()


@pytest.mark.parametrize("name", EVERY)
def test_every_method_passes_with_many_people_and_not_with_few(name):
    masked = bool(methods.method(name).alone(EVERY[name]))
    assert codes(values(), EVERY[name], masked=masked) == set()
    chosen = {"propensity": values().slice(0, 25)}.get(name, values().slice(0, 12))
    assert "few-people" in codes(chosen, EVERY[name], masked=masked)


@pytest.mark.parametrize("name", EVERY)
def test_sums_that_say_too_much_alone_leave_in_a_pool_only(name):
    spec = EVERY[name]
    needs = name in {"quantiles", "km"}
    assert ("alone" in codes(values(), spec)) is needs
    assert "alone" not in codes(values(), spec, masked=True)
    assert "alone" not in codes(values(), spec, policy=guard.Policy(alone=True))


def test_exact_cox_and_fine_curves_stand_in_a_pool_and_coarse_ones_alone():
    cox, km = EVERY["cox"], EVERY["km"]
    assert codes(values(), cox | {"strata": "none"}) == {"alone"}
    assert codes(values(), cox | {"strata": "none"}, masked=True) == set()
    assert codes(values(), km | {"grid": 180, "horizon": 900}) == set()


SINGLE = {
    "ttest": "sex", "anova": "sex", "km": "sex", "incidence": "ill", "propensity": "drug", "characterise": "drug",
    "logistic": "ill", "cox": "ill", "poisson": "drug",
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_nobody_stands_alone_in_a_group_or_outcome(name):
    """Two people apart are too few; half of all are not."""
    rare = {"sex": ["M"] * 3 + ["F"] * 197}.get(SINGLE[name], [True] * 3 + [False] * 197)
    order = np.random.default_rng(5).permutation(200)
    frame = _with(values(), SINGLE[name], [rare[place] for place in order])
    masked = bool(methods.method(name).alone(EVERY[name]))
    assert "few-in-part" in codes(frame, EVERY[name], masked=masked)


@pytest.mark.parametrize("name", ["describe", "correlation", "pca", "kmeans", "characterise", "linear"])
def test_no_value_dominates_a_sum(name):
    heavy = _with(values(), "age", [1e6, *values()["age"].to_pylist()[1:]])
    assert "few-in-part" in codes(heavy, EVERY[name])


def test_centres_and_weights_do_not_point_at_few():
    spec = EVERY["kmeans"]
    state = {"round": 2, "means": [[37.0, 50.0], [1.0, 9.0]], "centres": [[0.0, 0.0], [0.0, 4.2]]}
    assert codes(values(), spec, state=state) == {"pointed"}
    assert codes(values(), spec, state=state | {"centres": [[0.0, -1.0], [0.0, 1.0]]}) == set()
    spec = EVERY["cox"] | {"terms": [{"variable": "age", "scale": [50, 10]}]}
    assert codes(values(), spec, state={"round": 1, "beta": [20.0]}) == {"pointed"}
    assert codes(values(), spec, state={"round": 1, "beta": [0.2]}) == set()
