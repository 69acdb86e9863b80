"""Means, variances and what follows from them, by group: describe, t-test, analysis of variance, correlation, principal
components.

Two rounds: the pooled means, then the sums of squares (or products) around them. Around the pooled mean nothing
cancels, so variances keep a float's precision (Chan, Golub and LeVeque, American Statistician 1983; 37: 242-247).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import special

from ansim.errors import N_, Problem
from ansim.research.analysis import design, newton, specification
from ansim.research.analysis.method import Method, Parts


@dataclass(frozen=True)
class Values:
    """x: n × k numbers, nan where unknown; group: n indices of `groups` groups (-1: none); dropped: people left out."""

    x: np.ndarray
    group: np.ndarray
    groups: int
    names: tuple[str, ...]
    dropped: int = 0


def initial_state(spec: dict) -> dict:
    _read(spec)
    return {"round": 0, "means": None}


def local(data: Values, spec: dict, state: dict) -> dict:
    """Round 0: {"people", "dropped", "n": [g][k], "sum": [g][k]}; round 1: {"squares": [g][k]} around the means."""
    inside = [data.x[data.group == g] for g in range(data.groups)]
    if state["round"] == 0:
        return {
            "people": len(data.x),
            "dropped": data.dropped,
            "n": [np.isfinite(part).sum(axis=0).tolist() for part in inside],
            "sum": [sums(part) for part in inside],
        }
    means = means_of(state, data.groups, data.x.shape[1])
    return {"squares": [sums((part - mean) ** 2) for part, mean in zip(inside, means, strict=True)]}


def sums(part: np.ndarray) -> list[float]:
    return np.nansum(part, axis=0, dtype=float).tolist()


def means_of(state: dict, *shape: int) -> np.ndarray:
    try:
        means = np.array(state["means"], dtype=float)
    except (TypeError, ValueError):
        means = np.empty(0)
    if means.shape != shape or not np.isfinite(means).all():
        raise Problem("state-shape", N_("The round does not fit the model."), where="means")
    return means


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    if state["round"] == 0:
        n, total = np.array(pooled["n"]), np.array(pooled["sum"])
        means = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
        first = {name: pooled[name] for name in ("people", "dropped", "n")}
        return {"round": 1, "means": means.tolist(), "first": first}, False, None
    n = np.array(state["first"]["n"])
    squares = np.array(pooled["squares"])
    variance = np.divide(squares, n - 1, out=np.full(squares.shape, math.nan), where=n > 1)
    found = RESULTS[spec["kind"]](spec, state["first"]["people"], n, np.array(state["means"]), variance)
    result = {"kind": spec["kind"], **{name: state["first"][name] for name in ("people", "dropped")}, **found}
    return {**state, "round": 2}, True, result


def _describe(spec: dict, people: int, n: np.ndarray, means: np.ndarray, variance: np.ndarray) -> dict:
    return {
        "variables": [
            {"name": name, "missing": people - int(n[0][k]), **summary(int(n[0][k]), means[0][k], variance[0][k])}
            for k, name in enumerate(specification.names(spec, "variables"))
        ]
    }


def summary(n: int, mean: float, variance: float) -> dict:
    """n, mean, variance (n - 1) and standard deviation; None where nobody, or one person, has a value."""
    known = math.isfinite(variance)
    return {
        "n": n,
        "mean": float(mean) if n else None,
        "variance": float(variance) if known else None,
        "sd": math.sqrt(variance) if known else None,
    }


def _ttest(spec: dict, _people: int, n: np.ndarray, means: np.ndarray, variance: np.ndarray) -> dict:
    """Welch (Biometrika 1947) unless variances are said to be equal; the difference is the second group's less the
    first's."""
    groups = _groups(spec, n, means, variance)
    counts, spread = n[:, 0], variance[:, 0]
    if spec.get("equal_variance", False):
        freedom = float(counts.sum() - 2)
        pooled = float(((counts - 1) * spread).sum() / freedom)
        error = math.sqrt(pooled * float((1 / counts).sum()))
    else:
        parts = spread / counts
        error = math.sqrt(float(parts.sum()))
        freedom = float(parts.sum() ** 2 / (parts**2 / (counts - 1)).sum()) if error else 0.0
    if not error:
        raise constant(spec["outcome"])
    difference = float(means[1, 0] - means[0, 0])
    margin = float(special.stdtrit(freedom, 0.975)) * error
    return {
        "outcome": spec["outcome"],
        "groups": groups,
        "difference": difference,
        "se": error,
        "t": difference / error,
        "freedom": freedom,
        "p": 2 * float(special.stdtr(freedom, -abs(difference / error))),
        "low": difference - margin,
        "high": difference + margin,
    }


def _anova(spec: dict, _people: int, n: np.ndarray, means: np.ndarray, variance: np.ndarray) -> dict:
    """One-way analysis of variance (Fisher 1925)."""
    groups = _groups(spec, n, means, variance)
    counts, mean = n[:, 0], means[:, 0]
    grand = float((counts * mean).sum() / counts.sum())
    between, within = float((counts * (mean - grand) ** 2).sum()), float(((counts - 1) * variance[:, 0]).sum())
    if within == 0:
        raise constant(spec["outcome"])
    one, two = len(counts) - 1, int(counts.sum()) - len(counts)
    ratio = (between / one) / (within / two)
    return {
        "outcome": spec["outcome"],
        "groups": groups,
        "f": ratio,
        "freedom": [one, two],
        "p": float(special.fdtrc(one, two, ratio)),
        "eta_squared": between / (between + within),
    }


def _groups(spec: dict, n: np.ndarray, means: np.ndarray, variance: np.ndarray) -> list[dict]:
    names = specification.group(spec).names
    for g, name in enumerate(names):
        if n[g, 0] < 2:
            raise Problem(
                "empty-group",
                N_("Fewer than two people of {group} have a value."),
                where="group.levels",
                remedy=N_("Leave the level out or merge it with another."),
                group=name,
            )
    return [{"name": name, **summary(int(n[g, 0]), means[g, 0], variance[g, 0])} for g, name in enumerate(names)]


def constant(name: str) -> Problem:
    return Problem(
        "constant", N_("{name} has the same value for everybody."), where=name, remedy=N_("Leave it out."), name=name
    )


RESULTS: dict[str, Any] = {"describe": _describe, "ttest": _ttest, "anova": _anova}


def _read(spec: dict) -> None:
    if spec.get("kind") == "describe":
        specification.analysis(spec, "describe", "variables")
        specification.names(spec, "variables")
        return
    kind = "ttest" if spec.get("kind") == "ttest" else "anova"
    specification.analysis(spec, kind, "outcome", "group", *(["equal_variance"] if kind == "ttest" else []))
    specification.name(spec, "outcome")
    specification.group(spec, exactly=2 if kind == "ttest" else 0)
    specification.choice(spec, "equal_variance", (False, True))


def prepare(frame: pa.Table, spec: dict) -> Values:
    _read(spec)
    if spec["kind"] == "describe":
        names = specification.names(spec, "variables")
        return Values(design.matrix(frame, names), np.zeros(frame.num_rows, int), 1, names)
    group = specification.group(spec)
    place, outcome = design.codes(frame, group), design.numbers(frame, spec["outcome"], "outcome")
    known = (place >= 0) & np.isfinite(outcome)
    return Values(outcome[known][:, None], place[known], len(group.levels), (spec["outcome"],), int((~known).sum()))


def parts(data: Values, spec: dict, state: dict) -> Parts:
    columns = [(name, column[np.isfinite(column)]) for name, column in zip(data.names, data.x.T, strict=True)]
    if data.groups > 1:
        columns += [(name, (data.group == g).astype(float)) for g, name in enumerate(specification.group(spec).names)]
    return Parts(len(data.x), tuple(columns), data.groups)


# --- several variables together ---------------------------------------------------------------------------------------


def together_state(spec: dict) -> dict:
    _read_together(spec)
    return {"round": 0, "means": None}


def _read_together(spec: dict) -> tuple[str, ...]:
    if spec.get("kind") == "pca":
        specification.analysis(spec, "pca", "variables", "components", "standardise")
        names = specification.names(spec, "variables", least=2)
        specification.integer(spec, "components", 1, len(names), len(names))
        specification.choice(spec, "standardise", (True, False))
        return names
    specification.analysis(spec, "correlation", "variables")
    return specification.names(spec, "variables", least=2)


def together(frame: pa.Table, spec: dict) -> Values:
    """People who have all the values."""
    names = _read_together(spec)
    x = design.matrix(frame, names)
    known = np.isfinite(x).all(axis=1)
    return Values(x[known], np.zeros(int(known.sum()), int), 1, names, int((~known).sum()))


def together_local(data: Values, spec: dict, state: dict) -> dict:
    """Round 0: {"people", "dropped", "sum": [k]}; round 1: {"products": [k][k]} around the means."""
    if state["round"] == 0:
        return {"people": len(data.x), "dropped": data.dropped, "sum": sums(data.x)}
    apart = data.x - means_of(state, data.x.shape[1])
    return {"products": (apart.T @ apart).tolist()}


def together_combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    names = _read_together(spec)
    if state["round"] == 0:
        if pooled["people"] <= len(names):
            raise Problem("few-people", N_("Fewer than {least} people are asked about."), least=len(names) + 1)
        means = (np.array(pooled["sum"]) / pooled["people"]).tolist()
        first = {name: pooled[name] for name in ("people", "dropped")}
        return {"round": 1, "means": means, "first": first}, False, None
    people = state["first"]["people"]
    covariance = np.array(pooled["products"]) / (people - 1)
    deviation = np.sqrt(np.diag(covariance))
    for name, size in zip(names, deviation, strict=True):
        if not size > 0:
            raise constant(name)
    correlation = covariance / np.outer(deviation, deviation)
    made = _pca if spec["kind"] == "pca" else _correlation
    result = {
        "kind": spec["kind"],
        **state["first"],
        "variables": list(names),
        "means": state["means"],
        "sds": deviation.tolist(),
        **made(spec, people, covariance, correlation),
    }
    return {**state, "round": 2}, True, result


def _correlation(spec: dict, people: int, _covariance: np.ndarray, correlation: np.ndarray) -> dict:
    """Pearson's r with the t-test of r = 0 and Fisher's interval (Metron 1921)."""
    names, freedom, pairs = specification.names(spec, "variables", least=2), people - 2, []
    for i, one in enumerate(names):
        for j in range(i + 1, len(names)):
            r = float(np.clip(correlation[i, j], -1, 1))
            if 1 - r * r < 1e-14:
                raise Problem(
                    "collinear",
                    N_("Some terms say the same: {terms}."),
                    where="variables",
                    remedy=N_("Leave one of them out."),
                    terms=f"{one}, {names[j]}",
                )
            t = r * math.sqrt(freedom / (1 - r * r))
            margin = newton.NORMAL_975 / math.sqrt(people - 3) if people > 3 else math.inf
            p = 2 * float(special.stdtr(freedom, -abs(t)))
            low, high = (math.tanh(math.atanh(r) + side * margin) for side in (-1, 1))
            pairs.append({"one": one, "other": names[j], "r": r, "t": t, "p": p, "low": low, "high": high})
    return {"pairs": pairs}


def _pca(spec: dict, _people: int, covariance: np.ndarray, correlation: np.ndarray) -> dict:
    """Components by falling variance; the largest loading of each is positive, for the sign means nothing."""
    matrix = correlation if spec.get("standardise", True) else covariance
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, range(len(values))])
    count = spec.get("components", len(values))
    shares = values / values.sum()
    return {
        "components": [
            {"variance": float(values[k]), "share": float(shares[k]), "loadings": vectors[:, k].tolist()}
            for k in range(count)
        ]
    }


def together_parts(data: Values, spec: dict, state: dict) -> Parts:
    columns = tuple(zip(data.names, data.x.T, strict=True))
    return Parts(len(data.x), columns, len(data.names))


METHODS = [
    Method("describe", N_("Means and variances"), initial_state, prepare, local, combine, parts),
    Method("ttest", N_("Comparison of two means (t-test)"), initial_state, prepare, local, combine, parts),
    Method("anova", N_("Comparison of several means (ANOVA)"), initial_state, prepare, local, combine, parts),
    *(
        Method(name, title, together_state, together, together_local, together_combine, together_parts)
        for name, title in (("correlation", N_("Correlation")), ("pca", N_("Principal components")))
    ),
]  # fmt: skip
