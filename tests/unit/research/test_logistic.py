"""The federated logistic regression against statsmodels on the pooled data."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.research.analysis import glm, methods, sums

SPEC = {
    "ansim": "model/1",
    "kind": "logistic",
    "outcome": "ill",
    "terms": [
        {"variable": "age", "scale": [50, 10]},
        {"variable": "sex", "levels": ["F", "M"]},
        {"variable": "drug"},
    ],
}


def people(seed, count=600):
    chance = np.random.default_rng(seed)
    age, male, drug = chance.integers(20, 90, count), chance.random(count) < 0.4, chance.random(count) < 0.3
    eta = -0.5 + 0.4 * (age - 50) / 10 - 0.7 * male + 0.9 * drug
    return pa.table(
        {
            "person_id": np.arange(count) + 1,
            "age": pa.array(age.tolist(), pa.int64()),
            "sex": ["M" if each else "F" for each in male],
            "drug": drug.tolist(),
            "ill": (chance.random(count) < 1 / (1 + np.exp(-eta))).tolist(),
        }
    )


def oracle(frame):
    data = frame.to_pandas()
    x = np.column_stack([np.ones(len(data)), (data.age - 50) / 10, data.sex == "M", data.drug]).astype(float)
    return sm.Logit(data.ill.astype(float), x).fit(disp=0, method="newton", tol=1e-14, maxiter=100)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 600), max_size=3))
def test_sites_equal_statsmodels_on_the_pool(seed, cuts):
    frame = people(seed)
    ends = [0, *sorted(cuts), 600]
    sites = [frame.slice(low, high - low) for low, high in itertools.pairwise(ends)] + [frame.slice(0, 0)]
    result, expected = methods.run("logistic", sites, SPEC), oracle(frame)
    terms = result["terms"]
    assert np.allclose([t["coefficient"] for t in terms], expected.params, rtol=1e-8, atol=1e-8)
    assert np.allclose([t["se"] for t in terms], expected.bse, rtol=1e-8, atol=1e-8)
    assert np.allclose([t["z"] for t in terms], expected.tvalues, rtol=1e-8, atol=1e-7)
    assert np.allclose([t["p"] for t in terms], expected.pvalues, rtol=1e-6, atol=1e-8)
    odds = [[t["low"], t["high"]] for t in terms]
    assert np.allclose(odds, np.exp(expected.conf_int()), rtol=1e-7)
    assert result["loglik"] == pytest.approx(expected.llf, abs=1e-8)
    assert result["null_loglik"] == pytest.approx(expected.llnull, abs=1e-5)
    assert [t["name"] for t in terms] == ["(intercept)", "age", "sex=M", "drug"]


def test_every_message_is_json_and_rounds_are_few():
    data, state, done = glm.prepare(people(1), SPEC), glm.initial_state(SPEC), False
    while not done:
        sent = json.loads(json.dumps(glm.local(data, SPEC, json.loads(json.dumps(state))), allow_nan=False))
        state, done, result = glm.combine(sums.pool([sent]), SPEC, state)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["rounds"] <= 8


def test_incomplete_people_are_left_out_and_counted():
    frame = people(2)
    age = [None if index < 30 else value for index, value in enumerate(frame["age"].to_pylist())]
    sex = ["X" if 20 <= index < 40 else value for index, value in enumerate(frame["sex"].to_pylist())]
    dirty = frame.set_column(1, "age", pa.array(age)).set_column(2, "sex", pa.array(sex))
    result = methods.run("logistic", [dirty], SPEC)
    assert (result["people"], result["dropped"]) == (560, 40)
    assert result["terms"] == methods.run("logistic", [frame.slice(40)], SPEC)["terms"]


def _with(frame, name, values):
    return frame.set_column(frame.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_separation_is_told(kept):
    """Complete, and quasi-complete: everyone with the drug is ill, some of the others are too."""
    frame = people(3)
    ill, drug = frame["ill"].to_pylist(), frame["drug"].to_pylist()
    values = [d or (i and kept < 1) for i, d in zip(ill, drug, strict=True)]
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [_with(frame, "ill", values)], SPEC)
    assert caught.value.code == "separated"
    assert caught.value.facts["term"] == "drug"


def test_a_rare_outcome_with_strong_effects_is_not_taken_for_separation():
    chance = np.random.default_rng(5)
    frame = people(5, 20_000)
    age = np.array(frame["age"])
    ill = chance.random(20_000) < 1 / (1 + np.exp(-(-9 + 1.2 * (age - 50) / 10)))
    frame = _with(frame, "ill", ill.tolist())
    assert np.allclose(
        [t["coefficient"] for t in methods.run("logistic", [frame], SPEC)["terms"]], oracle(frame).params, rtol=1e-8
    )


def test_collinear_empty_and_constant_are_told():
    frame = people(4)
    doubled = frame.append_column("months", pa.array([12 * age for age in frame["age"].to_pylist()]))
    spec = SPEC | {"terms": [*SPEC["terms"], {"variable": "months"}]}
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [doubled.slice(0, 300), doubled.slice(300)], spec)
    assert caught.value.code == "collinear"
    assert {"age", "months"} <= set(caught.value.facts["terms"].split(", "))
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [_with(frame, "drug", [False] * 600)], SPEC)
    assert (caught.value.code, caught.value.facts["term"]) == ("empty-term", "drug")
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [_with(frame, "ill", [True] * 600)], SPEC)
    assert caught.value.code == "one-outcome"
    with pytest.raises(Problem) as caught:
        methods.run("logistic", [frame.slice(0, 0)], SPEC)
    assert caught.value.code == "one-outcome"


@pytest.mark.parametrize(
    "harm",
    [{"gradient": [0.0]}, {"loglik": float("nan")}, {"information": [[1.0] * 4] * 3}, {"people": True}, {"more": 1}],
)
def test_a_site_that_answers_in_another_shape_is_refused(harm):
    good = glm.local(glm.prepare(people(6), SPEC), SPEC, glm.initial_state(SPEC))
    with pytest.raises(Problem) as caught:
        sums.pool([good, good | harm])
    assert caught.value.code == "aggregate-shape"
