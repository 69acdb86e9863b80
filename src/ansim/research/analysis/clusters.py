"""k-means by Lloyd's algorithm (IEEE Transactions on Information Theory 1982): sums by cluster come back each round.

The first round standardises (pooled mean and deviation); the start is a fixed spread around the mean, the same at each
run, or given in the specification in whole percent of a deviation. A cluster that nobody is nearest to keeps its place.
"""

import math

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, moments, specification
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.moments import Values

NAME = "kmeans"
MAX_ROUNDS = 60


def initial_state(spec: dict) -> dict:
    _read(spec)
    return {"round": 0, "means": None, "centres": None}


def _read(spec: dict) -> tuple[tuple[str, ...], int]:
    specification.analysis(spec, NAME, "variables", "clusters", "start")
    names, clusters = specification.names(spec, "variables"), specification.integer(spec, "clusters", 2, 20)
    start = spec.get("start")
    if start is not None and not (
        isinstance(start, list)
        and len(start) == clusters
        and all(isinstance(row, list) and len(row) == len(names) for row in start)
        and all(type(each) is int for row in start for each in row)
    ):
        raise Problem(
            "specification",
            N_("A start has one row a cluster and one whole number a variable."),
            where="start",
            remedy=N_("Leave it out."),
        )
    return names, clusters


def prepare(frame: pa.Table, spec: dict) -> Values:
    names, _ = _read(spec)
    x = design.matrix(frame, names)
    known = np.isfinite(x).all(axis=1)
    return Values(x[known], np.zeros(int(known.sum()), int), 1, names, int((~known).sum()))


def local(data: Values, spec: dict, state: dict) -> dict:
    """Round 0: sums; round 1: squares around the means; then, by cluster, {"n", "sum", "inertia"} in deviations."""
    if state["round"] == 0:
        return {"people": len(data.x), "dropped": data.dropped, "sum": moments.sums(data.x)}
    if state["round"] == 1:
        return {"squares": moments.sums((data.x - moments.means_of(state, data.x.shape[1])) ** 2)}
    scaled, nearest, distance = _nearest(data, state)
    _names, clusters = _read(spec)
    return {
        "n": np.bincount(nearest, minlength=clusters).tolist(),
        "sum": [np.bincount(nearest, each, minlength=clusters).astype(float).tolist() for each in scaled.T],
        "inertia": float(distance.sum()),
    }


def _nearest(data: Values, state: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(standardised values, each person's nearest centre, its squared distance)."""
    means = moments.means_of(state, 2, data.x.shape[1])
    centres = np.array(state["centres"], float)
    if centres.ndim != 2 or centres.shape[1] != data.x.shape[1] or not np.isfinite(centres).all():
        raise Problem("state-shape", N_("The round does not fit the model."), where="centres")
    scaled = (data.x - means[0]) / means[1]
    distances = np.column_stack([((scaled - centre) ** 2).sum(axis=1) for centre in centres])
    nearest = distances.argmin(axis=1)
    return scaled, nearest, distances[np.arange(len(scaled)), nearest]


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    names, clusters = _read(spec)
    if state["round"] == 0:
        if pooled["people"] < clusters:
            raise Problem("few-people", N_("Fewer than {least} people are asked about."), least=clusters)
        means = [total / pooled["people"] for total in pooled["sum"]]
        first = {name: pooled[name] for name in ("people", "dropped")}
        return {"round": 1, "means": means, "centres": None, "first": first}, False, None
    if state["round"] == 1:
        deviations = [math.sqrt(square / state["first"]["people"]) for square in pooled["squares"]]
        for name, deviation in zip(names, deviations, strict=True):
            if not deviation:
                raise moments.constant(name)
        scale = [state["means"], deviations]
        return {**state, "round": 2, "means": scale, "centres": start(spec)}, False, None
    old, n, total = np.array(state["centres"]), np.array(pooled["n"]), np.array(pooled["sum"]).T
    centres = np.where(n[:, None] > 0, total / np.maximum(n, 1)[:, None], old)
    following = {**state, "round": state["round"] + 1, "centres": centres.tolist()}
    settled = bool((centres == old).all() or np.abs(centres - old).max() < 1e-12)
    if not settled and following["round"] < MAX_ROUNDS:
        return following, False, None
    means, deviations = np.array(state["means"])
    result = {
        "kind": NAME,
        **state["first"],
        "variables": list(names),
        "rounds": following["round"],
        "settled": settled,
        "inertia": pooled["inertia"],
        "clusters": [
            {"people": int(n[k]), "centre": (centres[k] * deviations + means).tolist()} for k in range(clusters)
        ],
    }
    return following, True, result


def start(spec: dict) -> list[list[float]]:
    """Where the centres begin, in deviations from the mean."""
    names, clusters = _read(spec)
    if spec.get("start"):
        return [[each / 100 for each in row] for row in spec["start"]]
    return np.random.default_rng(0).standard_normal((clusters, len(names))).tolist()


def parts(data: Values, spec: dict, state: dict) -> Parts:
    groups = () if state["round"] < 2 else tuple(np.unique(_nearest(data, state)[1], return_counts=True)[1].tolist())
    return Parts(len(data.x), tuple(zip(data.names, data.x.T, strict=True)), len(data.names), groups=groups)


METHODS = [Method(NAME, N_("Clusters (k-means)"), initial_state, prepare, local, combine, parts)]
