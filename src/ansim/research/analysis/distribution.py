"""How values are distributed: a histogram over agreed edges, and exact quantiles.

Quantiles are found by bisection, in 256 parts a round, over the ordered bits of floats: after eight rounds the value
with the wanted rank is left, the very number that somebody has. Each round asks how many people are at or below some
cuts. That narrows in on single people by design, so one site's counts may not stand alone.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, specification
from ansim.research.analysis.method import Method, Parts

PARTS = 256
SIGN = 1 << 63


def histogram_state(spec: dict) -> dict:
    specification.analysis(spec, "histogram", "variable", "from", "width", "bins")
    specification.name(spec, "variable")
    specification.integer(spec, "from", -(10**12), 10**12)
    specification.integer(spec, "width", 1, 10**12)
    specification.integer(spec, "bins", 1, 500)
    return {"round": 0}


def values(frame: pa.Table, spec: dict) -> np.ndarray:
    """n floats, sorted, unknown ones last."""
    specification.check_frame(frame)
    return np.sort(design.numbers(frame, spec["variable"], "variable") + 0.0)  # -0.0 becomes 0.0


def histogram_local(data: np.ndarray, spec: dict, state: dict) -> dict:
    """{"people", "missing", "below", "above", "counts": [bins]}; a bin has its lower edge and not its upper one."""
    known = data[np.isfinite(data)]
    edges = spec["from"] + spec["width"] * np.arange(spec["bins"] + 1)
    place = np.searchsorted(edges, known, side="right")
    counts = np.bincount(place, minlength=len(edges) + 1)
    return {
        "people": len(data),
        "missing": len(data) - len(known),
        "below": int(counts[0]),
        "above": int(counts[-1]),
        "counts": counts[1:-1].tolist(),
    }


def histogram_combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict]:
    edges = [spec["from"] + spec["width"] * k for k in range(spec["bins"] + 1)]
    if len(pooled["counts"]) != spec["bins"]:
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    result = {"kind": "histogram", "variable": spec["variable"], "edges": edges, **pooled}
    return {"round": 1}, True, result


def histogram_parts(data: np.ndarray, spec: dict, state: dict) -> Parts:
    return Parts(len(data))


def quantiles_state(spec: dict) -> dict:
    specification.analysis(spec, "quantiles", "variable", "percent")
    specification.name(spec, "variable")
    wanted: Any = spec.get("percent")
    sound = isinstance(wanted, list) and all(type(each) is int and 0 <= each <= 100 for each in wanted)
    if not sound or not 1 <= len(set(wanted)) == len(wanted) <= 20:
        raise Problem(
            "specification",
            N_("Quantiles are whole percents, each once."),
            where="percent",
            remedy=N_("Write [25, 50, 75]."),
        )
    return {"round": 0, "cuts": None}


def quantiles_local(data: np.ndarray, spec: dict, state: dict) -> dict:
    """Round 0: {"people", "missing"}; then {"counts": [[…]]}: people at or below each cut."""
    known = data[np.isfinite(data)]
    if state["round"] == 0:
        return {"people": len(known), "missing": len(data) - len(known)}
    return {"counts": [np.searchsorted(known, np.array(cuts, float), side="right").tolist() for cuts in _cuts(state)]}


def _cuts(state: dict) -> list[list[float]]:
    cuts: Any = state.get("cuts")
    sound = isinstance(cuts, list) and 0 < len(cuts) <= 40
    if not sound or not all(isinstance(row, list) and 0 < len(row) < PARTS and _numbers(row) for row in cuts):
        raise Problem("state-shape", N_("The round does not fit the model."), where="cuts")
    return cuts


def _numbers(row: list) -> bool:
    return all(type(cut) in (int, float) and math.isfinite(cut) for cut in row)


def quantiles_combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    if state["round"] == 0:
        if not pooled["people"]:
            raise Problem("few-people", N_("Fewer than {least} people are asked about."), least=1)
        ranks = sorted({rank for percent in spec["percent"] for rank in _ranks(percent, pooled["people"])})
        low, high = _ordered(-math.inf) + 1, _ordered(math.inf) - 1
        spans = [[low, high] for _ in ranks]
        state = {**state, "people": pooled["people"], "missing": pooled["missing"], "ranks": ranks, "spans": spans}
    else:
        if [len(row) for row in pooled["counts"]] != [len(row) for row in state["cuts"]]:
            raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
        open_spans = [k for k, (low, high) in enumerate(state["spans"]) if low < high]
        spans = list(state["spans"])
        for k, cuts, counts in zip(open_spans, state["cuts"], pooled["counts"], strict=True):
            spans[k] = _narrowed(spans[k], [_ordered(cut) for cut in cuts], counts, state["ranks"][k])
        state = {**state, "spans": spans}
    asked = [_between(low, high) for low, high in state["spans"] if low < high]
    following = {**state, "round": state["round"] + 1, "cuts": asked or None}
    if asked:
        return following, False, None
    return following, True, _quantiles(spec, state)


def _quantiles(spec: dict, state: dict) -> dict:
    """Linear between neighbouring values (type 7 of Hyndman and Fan, American Statistician 1996; 50: 361-365)."""
    people = state["people"]
    at = {rank: _float(low) for rank, (low, _high) in zip(state["ranks"], state["spans"], strict=True)}
    found = []
    for percent in spec["percent"]:
        lower, upper = _ranks(percent, people)
        part = (people - 1) * percent / 100 - (lower - 1)
        found.append({"percent": percent, "value": at[lower] + part * (at[upper] - at[lower])})
    return {
        "kind": "quantiles", "variable": spec["variable"], "people": people, "missing": state["missing"],
        "rounds": state["round"] + 1, "quantiles": found,
    }  # fmt: skip


def _ranks(percent: int, people: int) -> tuple[int, int]:
    """The one or two ranks (from 1) that the quantile lies at or between."""
    whole, rest = divmod((people - 1) * percent, 100)
    return whole + 1, whole + 1 + (rest > 0)


def _between(low: int, high: int) -> list[float]:
    """Cuts that part the span of ordered bits, the last one below its end."""
    step = max(1, -(-(high - low + 1) // PARTS))
    return [_float(cut) for cut in range(low + step - 1, high, step)]


def _narrowed(span: list[int], cuts: list[int], counts: list[int], rank: int) -> list[int]:
    low, high = span
    for cut, count in zip(cuts, counts, strict=True):
        if count >= rank:
            return [low, cut]
        low = cut + 1
    return [low, high]


def _ordered(value: float) -> int:
    """Floats as whole numbers of the same order (IEEE 754 bits; negative ones turned round)."""
    bits = int(np.array(value, dtype=np.float64).view(np.uint64))
    return (2 * SIGN - 1) ^ bits if bits & SIGN else bits | SIGN


def _float(order: int) -> float:
    bits = order ^ SIGN if order & SIGN else (2 * SIGN - 1) ^ order
    return float(np.array(bits, dtype=np.uint64).view(np.float64))


def quantiles_parts(data: np.ndarray, spec: dict, state: dict) -> Parts:
    return Parts(int(np.isfinite(data).sum()))


def alone(spec: dict) -> str:
    return N_("Exact quantiles narrow in on single people of one site.")


METHODS = [
    Method("histogram", N_("Histogram"), histogram_state, values, histogram_local, histogram_combine, histogram_parts),
    Method(
        "quantiles",
        N_("Quantiles"),
        quantiles_state,
        values,
        quantiles_local,
        quantiles_combine,
        quantiles_parts,
        alone,
    ),
]
