"""Propensity scores within each site: weighting or matching, then one pooled effect and the balance of covariates.

    {"kind": "propensity", "treatment": "drug", "outcome": "ill", "terms": […], "use": "weighting", "estimand": "ate"}

Each site fits its own logistic model of the treatment, so hospitals may differ in whom they treat, and no score leaves.
Sums of weights and weighted values pool. Weights: inverse probability (Rosenbaum, JASA 1987), means after Hájek.
Matching: pairs of treated and not, nearest logits first, each person once, within a calliper in percent of the logit's
pooled deviation (Austin, Pharmaceutical Statistics 2011; 10: 150-161, proposes 20). The score is taken as known in
standard errors, which makes them cautious (Lunceford and Davidian, Statistics in Medicine 2004).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, glm, newton, specification, sums
from ansim.research.analysis.method import Method, Parts

NAME = "propensity"


@dataclass(frozen=True)
class Scored:
    """Complete people: x (n × p, without intercept), treated and outcome, and each one's weight (0: not matched)."""

    x: np.ndarray
    treated: np.ndarray
    outcome: np.ndarray
    weight: np.ndarray
    names: list[str]
    flag: bool
    dropped: int


def initial_state(spec: dict) -> dict:
    _read(spec)
    return {"round": 0}


def _read(spec: dict) -> dict:
    """The logistic model of the treatment."""
    specification.analysis(spec, NAME, "treatment", "outcome", "terms", "use", "estimand", "caliper")
    specification.choice(spec, "use", ("weighting", "matching"))
    specification.choice(spec, "estimand", ("ate", "att"))
    specification.integer(spec, "caliper", 1, 1000, 20)
    specification.name(spec, "outcome")
    model = {"ansim": "model/1", "kind": "logistic", "outcome": spec.get("treatment"), "terms": spec.get("terms")}
    names = [term.variable for term in specification.model(model).terms]
    if spec["outcome"] in (*names, spec["treatment"]):
        raise Problem("specification", N_("A variable stands twice in the model."), where="outcome")
    return model


def prepare(frame: pa.Table, spec: dict) -> Scored:
    """Raises Problem where this site alone cannot fit the treatment's model (nobody treated, separation, …)."""
    model = _read(spec)
    outcome = design.numbers(frame, spec["outcome"], "outcome")
    known = frame.filter(pa.array(np.isfinite(outcome)))
    made = glm.prepare(known, model)
    flag = pa.types.is_boolean(frame[spec["outcome"]].type)
    if not len(made.y):
        return Scored(made.x[:, 1:], made.y, made.y, made.y, made.names[1:], flag, frame.num_rows)
    outcome = outcome[np.isfinite(outcome)][_complete(known, model)]
    score = fit(made, model)
    logit = made.x @ score
    weights = _weights if spec.get("use", "weighting") == "weighting" else _matched
    weight = weights(logit, made.y, spec)
    return Scored(made.x[:, 1:], made.y, outcome, weight, made.names[1:], flag, frame.num_rows - len(made.y))


def _complete(frame: pa.Table, model: dict) -> np.ndarray:
    terms = specification.model(model).terms
    blocks = [design.block(frame, term, "terms") for term in terms]
    treated = design.numbers(frame, model["outcome"], "treatment")
    return np.isfinite(np.column_stack([*blocks, treated])).all(axis=1)


def fit(made: design.Design, model: dict) -> np.ndarray:
    """The site's own coefficients."""
    state, done, result = glm.initial_state(model), False, None
    while not done:
        state, done, result = glm.combine(sums.pool([glm.local(made, model, state)]), model, state)
    assert result is not None
    return np.array([term["coefficient"] for term in result["terms"]])


def _weights(logit: np.ndarray, treated: np.ndarray, spec: dict) -> np.ndarray:
    score = 1 / (1 + np.exp(-logit))
    if spec.get("estimand", "ate") == "att":
        return np.where(treated > 0, 1.0, score / (1 - score))
    return np.where(treated > 0, 1 / score, 1 / (1 - score))


def _matched(logit: np.ndarray, treated: np.ndarray, spec: dict) -> np.ndarray:
    spread = math.sqrt((logit[treated > 0].var(ddof=1) + logit[treated == 0].var(ddof=1)) / 2)
    weight = np.zeros(len(logit))
    weight[pairs(logit, treated > 0, spec.get("caliper", 20) / 100 * spread).ravel()] = 1.0
    return weight


def pairs(score: np.ndarray, treated: np.ndarray, caliper: float) -> np.ndarray:
    """m × 2 indices (treated, not treated), the nearest pairs first, each person once.

    Two who are each other's nearest are the next pair of the greedy order, so all such pairs are taken at once, and
    again among those who are left. Of equally near people the first in order counts.
    """
    left, right = np.flatnonzero(treated), np.flatnonzero(~treated)
    found = []
    while len(left) and len(right):
        to_right, gap = _nearest(score[left], score[right])
        to_left, _ = _nearest(score[right], score[left])
        mutual = (to_left[to_right] == np.arange(len(left))) & (gap <= caliper)
        if not mutual.any():
            break
        found.append(np.column_stack([left[mutual], right[to_right[mutual]]]))
        right = np.delete(right, to_right[mutual])
        left = left[~mutual & (gap <= caliper)]
    return np.concatenate(found) if found else np.empty((0, 2), int)


def _nearest(of: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each value the index of the nearest one among the others (the first of equals), and how far it is."""
    order = np.argsort(among, kind="stable")
    ranked = among[order]
    above = np.searchsorted(ranked, of)  # the first that is not smaller
    upper = np.minimum(above, len(ranked) - 1)
    lower = np.searchsorted(ranked, ranked[np.maximum(above - 1, 0)])  # the first of equals
    gap_up, gap_low = np.abs(ranked[upper] - of), np.abs(ranked[lower] - of)
    place = np.where(gap_low <= gap_up, lower, upper)
    return order[place], np.minimum(gap_low, gap_up)


def local(data: Scored, spec: dict, state: dict) -> dict:
    """By arm (not treated, treated): people, sums of values and squares before; of weights and weighted ones after."""
    arms = [data.treated == 0, data.treated > 0]
    found: dict[str, Any] = {"dropped": data.dropped}
    for key in ("people", "used", "w", "ww", "x", "xx", "wx", "wxx", "wy", "wwy", "wwyy"):
        found[key] = []
    for at in arms:
        x, y, w = data.x[at], data.outcome[at], data.weight[at]
        for key, value in {
            "people": len(y), "used": int((w > 0).sum()), "w": float(w.sum()), "ww": float(w @ w),
            "x": x.sum(axis=0).tolist(), "xx": (x * x).sum(axis=0).tolist(),
            "wx": (w @ x).tolist(), "wxx": (w @ (x * x)).tolist(),
            "wy": float(w @ y), "wwy": float(w * w @ y), "wwyy": float(w * w @ (y * y)),
        }.items():  # fmt: skip
            found[key].append(value)
    return found


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict]:
    model = specification.model(_read(spec))
    if not all(pooled["used"]):
        raise Problem(
            "one-outcome", N_("Nobody is treated, or everybody is."), where="treatment", remedy=N_("Widen the cohort.")
        )
    people, weight = np.array(pooled["people"], float), np.array(pooled["w"])
    before, after = np.array(pooled["x"]) / people[:, None], np.array(pooled["wx"]) / weight[:, None]
    variance = (np.array(pooled["xx"]) - people[:, None] * before**2) / np.maximum(people - 1, 1)[:, None]
    spread = np.sqrt(np.maximum(variance.mean(axis=0), 0))
    balance = [
        {"name": name, "smd_before": _over(b, s), "smd_after": _over(a, s)}
        for name, b, a, s in zip(model.names[1:], before[1] - before[0], after[1] - after[0], spread, strict=True)
    ]
    mean = np.array(pooled["wy"]) / weight
    spreads = np.array(pooled["wwyy"]) - 2 * mean * np.array(pooled["wwy"]) + mean**2 * np.array(pooled["ww"])
    error = math.sqrt(float((np.maximum(spreads, 0) / weight**2).sum()))
    difference = float(mean[1] - mean[0])
    result = {
        "kind": NAME,
        "treatment": spec["treatment"],
        "outcome": spec["outcome"],
        "use": spec.get("use", "weighting"),
        "estimand": spec.get("estimand", "ate") if spec.get("use", "weighting") == "weighting" else "att",
        "people": int(people.sum()),
        "dropped": pooled["dropped"],
        "arms": [
            {
                "name": name,
                "people": pooled["people"][arm],
                "used": pooled["used"][arm],
                "effective": float(weight[arm] ** 2 / pooled["ww"][arm]),
                "mean": float(mean[arm]),
            }
            for arm, name in enumerate(("false", "true"))
        ],
        "difference": difference,
        "se": error,
        "low": difference - newton.NORMAL_975 * error,
        "high": difference + newton.NORMAL_975 * error,
        "p": math.erfc(abs(difference) / error / math.sqrt(2)) if error else None,
        "ratio": float(mean[1] / mean[0]) if mean[0] > 0 else None,
        "balance": balance,
    }
    return {"round": 1}, True, result


def _over(value: float, spread: float) -> float | None:
    return float(value / spread) if spread else None


def parts(data: Scored, spec: dict, state: dict) -> Parts:
    columns = [("treatment", data.treated), ("outcome", data.outcome), *zip(data.names, data.x.T, strict=True)]
    return Parts(len(data.treated), tuple(columns), len(data.names) + 1, data.weight)


METHODS = [
    Method(NAME, N_("Effect of a treatment by propensity scores"), initial_state, prepare, local, combine, parts)
]
