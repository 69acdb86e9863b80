"""What a released result shows: for each method enough on many people, and nothing about few."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "research"))
from test_guard import EVERY, values
from test_logistic import _with

from ansim.errors import Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.research.analysis import methods, plots
from ansim.sites.centre import released, results

POLICY = Policy()
MANY = values(900)


def shown(name, frame=MANY, policy=POLICY, spec=None):
    spec = spec or EVERY[name]
    return released.SHOWN[name](spec, methods.run(name, [frame], spec), policy)


def numbers(tree):
    if isinstance(tree, dict):
        return [number for part in tree.values() for number in numbers(part)]
    if isinstance(tree, list):
        return [number for part in tree for number in numbers(part)]
    return [tree] if isinstance(tree, int | float) and not isinstance(tree, bool) else []


def test_every_method_has_a_rule_of_release():
    assert released.SHOWN.keys() | {"table"} == methods.METHODS.keys()
    drawn = {"table", "linear", "logistic", "poisson", "cox", *plots.DRAWN}
    assert drawn == methods.METHODS.keys()


@pytest.mark.parametrize("name", sorted(released.SHOWN))
def test_it_shows_something_of_many_people_with_a_figure_in_both_languages(name):
    body, rows = shown(name)
    assert rows
    json.dumps([body, rows], allow_nan=False)
    key = "model" if "terms" in body else "shown"
    for language in ("ko", "en"):
        svg = plots.draw({key: body}, language)
        assert svg.startswith("<svg")
        assert "nan" not in svg.lower().replace("nanum", "")
    assert results._csv(rows).decode().count("\n") == len(rows) + 1


@pytest.mark.parametrize("name", sorted(set(released.SHOWN) - {"linear", "logistic", "poisson", "cox"}))
def test_counts_are_rounded_and_values_short(name):
    """Positive control: the true result has counts that are no multiples of five and values of many digits."""
    body, rows = shown(name)
    for key in ("people", "used", "n", "events"):
        found = [each[key] for each in (*rows, body) if isinstance(each.get(key), int)]
        assert all(count % POLICY.rounding == 0 for count in found), (key, found)
    for number in numbers([body, rows]):
        assert isinstance(number, int) or float(f"{number:.{POLICY.significant_digits}g}") == number


def few(name, count):
    """So many people in one of two groups, in an order by chance."""
    order = np.random.default_rng(9).permutation(600)
    return _with(values(600), name, [bool(place < count) for place in order])


@pytest.mark.parametrize("name", ["logistic", "cox", "poisson", "ttest", "anova", "propensity", "characterise"])
def test_a_group_of_few_people_refuses_the_whole(name):
    spec, column = EVERY[name], {"logistic": "ill", "cox": "drug"}.get(name, "drug")
    if name in ("ttest", "anova"):
        spec = spec | {"group": {"variable": "drug"}}
    for count, refused in ((4, True), (250, False)):
        frame = few(column, count)
        if not refused:
            shown(name, frame, spec=spec)
            continue
        with pytest.raises(Problem) as caught:
            shown(name, frame, spec=spec)
        assert caught.value.code == "small-group"


def test_a_test_statistic_does_not_stand_beside_hidden_cells():
    assert "chi_square" in shown("crosstab")[0]
    sex = ["F" if place % 100 else "M" for place in range(600)]  # six men
    body, rows = shown("crosstab", _with(values(600), "sex", sex))
    assert "chi_square" not in body
    assert any(not row["n"].isdigit() for row in rows)


def test_extremes_and_percentiles_of_few_are_hidden():
    spec = EVERY["quantiles"] | {"percent": [0, 1, 25, 50, 99, 100]}
    body, _ = shown("quantiles", values(300), spec=spec)
    assert {each["percent"] for each in body["quantiles"] if each["value"] is not None} == {25, 50}
    with pytest.raises(Problem):
        shown("quantiles", values(19))


def test_a_curve_has_no_step_of_few_people():
    body, _ = shown("km")
    result = methods.run("km", [MANY], EVERY["km"])
    for curve, true in zip(body["curves"], result["curves"], strict=True):
        assert 0 < len(curve["steps"]) < len(true["times"])
        at = [true["times"].index(step["time"]) for step in curve["steps"]]
        events, since = np.array(true["events"]), 0
        for place in at:
            assert events[since : place + 1].sum() >= POLICY.threshold
            assert true["risk"][place] - true["events"][place] >= POLICY.threshold
            since = place + 1


def test_rare_pathways_are_not_named():
    days = [None] * 590 + [5.0] * 4 + [None] * 6
    frame = _with(values(600), "days", days).append_column(
        "other", pa.array([float(k) if k % 3 else None for k in range(600)])
    )
    spec = EVERY["pathways"] | {"steps": [{"name": "A", "variable": "days"}, {"name": "B", "variable": "other"}]}
    body, rows = shown("pathways", frame, spec=spec)
    assert [each["path"] for each in body["paths"]] == [["B"]]
    assert not any("A" in row["path"] for row in rows)


def test_small_clusters_are_refused():
    spec = EVERY["kmeans"] | {"variables": ["age"], "start": [[0], [9000]]}
    far = _with(values(600), "age", [*values(600)["age"].to_pylist()[:-5], *[5000.0] * 5])
    with pytest.raises(Problem) as caught:
        shown("kmeans", far, spec=spec)
    assert caught.value.code == "small-group"
