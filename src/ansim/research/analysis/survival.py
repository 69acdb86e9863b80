"""Time to an event: Kaplan-Meier curves with the log-rank test, and incidence rates.

Curves: on an agreed grid of time a site sends, for each group and step, how many had the event and how many left. With
a grid as fine as the times this equals the pooled curve. It shows when people had the event, so with a fine grid one
site's counts may not stand alone. Kaplan and Meier, JASA 1958; variance by Greenwood (1926), interval on the log-log
scale (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 1980); log-rank: Mantel 1966.

Rates: events and time at risk; exact interval of Garwood (Biometrika 1936), rate ratios with Wald intervals.
"""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import special

from ansim.errors import N_, Problem
from ansim.research.analysis import design, newton, specification
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.specification import Group

COARSE = 20  # at most this many steps may stand alone


@dataclass(frozen=True)
class Times:
    """time: n steps of the grid (km) or time at risk (incidence); event: n of 0.0 and 1.0; group: n indices."""

    time: np.ndarray
    event: np.ndarray
    group: np.ndarray
    dropped: int


def km_state(spec: dict) -> dict:
    specification.analysis(spec, "km", "time", "event", "group", "grid", "horizon")
    _read(spec)
    specification.grid(spec)
    return {"round": 0}


def _read(spec: dict) -> tuple[str, str, Group | None]:
    time, event = specification.name(spec, "time"), specification.name(spec, "event")
    return time, event, specification.group(spec) if "group" in spec else None


def _times(frame: pa.Table, spec: dict) -> Times:
    specification.check_frame(frame)
    names = _read(spec)
    time, event = (design.numbers(frame, name, key) for name, key in zip(names[:2], ("time", "event"), strict=True))
    group = design.codes(frame, names[2]) if names[2] else np.zeros(frame.num_rows, int)
    known = np.isfinite(time) & np.isfinite(event) & (group >= 0)
    if (time[known] < 0).any() or not np.isin(event[known], (0.0, 1.0)).all():
        raise Problem("not-positive", N_("{place} must be positive."), where="time", place="time")
    return Times(time[known], event[known], group[known], int((~known).sum()))


def km_prepare(frame: pa.Table, spec: dict) -> Times:
    found, (grid, horizon) = _times(frame, spec), (value for _name, value in specification.grid(spec))
    event = np.where(found.time > horizon, 0.0, found.event)
    steps = np.floor(np.minimum(found.time, horizon) / grid).astype(int)
    return Times(steps, event, found.group, found.dropped)


def km_local(data: Times, spec: dict, state: dict) -> dict:
    """{"people": [g], "dropped", "events": [g][steps], "left": [g][steps]} (left: with or without the event)."""
    groups, steps = _shape(spec)
    place = data.group * steps + data.time
    events = np.bincount(place, data.event, minlength=groups * steps).astype(int).reshape(groups, steps)
    left = np.bincount(place, minlength=groups * steps).reshape(groups, steps)
    people = np.bincount(data.group, minlength=groups).tolist()
    return {"people": people, "dropped": data.dropped, "events": events.tolist(), "left": left.tolist()}


def _shape(spec: dict) -> tuple[int, int]:
    (_, grid), (_, horizon) = specification.grid(spec)
    group = _read(spec)[2]
    return len(group.levels) if group else 1, horizon // grid + 1


def km_combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict]:
    events, left = np.array(pooled["events"]), np.array(pooled["left"])
    if events.shape != _shape(spec) or left.shape != events.shape or (events > left).any():
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    risk = np.cumsum(left[:, ::-1], axis=1)[:, ::-1]
    group = _read(spec)[2]
    grid = specification.grid(spec)[0][1]
    curves = [
        {"name": name, "people": pooled["people"][g], **curve(events[g], risk[g], grid)}
        for g, name in enumerate(group.names if group else ["all"])
    ]
    result = {
        "kind": "km",
        "time": spec["time"],
        "outcome": spec["event"],
        "grid": grid,
        "people": sum(pooled["people"]),
        "dropped": pooled["dropped"],
        "cases": int(events.sum()),
        "curves": curves,
        "logrank": logrank(events, risk) if group else None,
    }
    return {"round": 1}, True, result


def curve(events: np.ndarray, risk: np.ndarray, grid: int) -> dict:
    """Steps with an event: lists "times", "events", "risk", "survival", "low", "high"; and the median (or None)."""
    at = np.flatnonzero(events)
    d, n = events[at].astype(float), risk[at].astype(float)
    survival = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(d / (n * (n - d)))
        spread = newton.NORMAL_975 * np.sqrt(greenwood) / np.log(survival)
        low, high = survival ** np.exp(-spread), survival ** np.exp(spread)
    ended = survival <= 0
    below = np.flatnonzero(survival <= 0.5)
    return {
        "times": (at * grid).tolist(),
        "events": events[at].tolist(),
        "risk": risk[at].tolist(),
        "survival": survival.tolist(),
        "low": np.where(ended, 0.0, low).tolist(),
        "high": np.where(ended, 0.0, high).tolist(),
        "median": int(at[below[0]] * grid) if len(below) else None,
    }


def logrank(events: np.ndarray, risk: np.ndarray) -> dict | None:
    """Mantel's test that all groups have one hazard; None where no test is possible."""
    d, n = events.sum(axis=0), risk.sum(axis=0)
    at = (d > 0) & (n > 1)
    d, n, risk = d[at].astype(float), n[at].astype(float), risk[:, at].astype(float)
    expected = (risk * d / n).sum(axis=1)
    apart = events[:, at].sum(axis=1) - expected
    factor = d * (n - d) / (n**2 * (n - 1))
    covariance = np.diag((risk * n * factor).sum(axis=1)) - (risk * factor) @ risk.T
    kept = np.flatnonzero(risk[:, 0] > 0)[:-1] if risk.size else np.empty(0, int)
    if not len(kept) or np.linalg.matrix_rank(covariance[np.ix_(kept, kept)]) < len(kept):
        return None
    statistic = float(apart[kept] @ np.linalg.solve(covariance[np.ix_(kept, kept)], apart[kept]))
    freedom = len(kept)
    return {
        "chi_square": statistic,
        "freedom": freedom,
        "p": float(special.chdtrc(freedom, statistic)),
        "expected": expected.tolist(),
    }


def km_parts(data: Times, spec: dict, state: dict) -> Parts:
    group = _read(spec)[2]
    columns = [(name, (data.group == g).astype(float)) for g, name in enumerate(group.names if group else [])]
    return Parts(len(data.time), (("event", data.event), *columns))


def km_alone(spec: dict) -> str:
    if _shape(spec)[1] <= COARSE:
        return ""
    return N_("A curve on a fine grid shows at which times people of one site had the event.")


# --- incidence --------------------------------------------------------------------------------------------------------


def incidence_state(spec: dict) -> dict:
    specification.analysis(spec, "incidence", "time", "event", "group", "per")
    _read(spec)
    specification.integer(spec, "per", 1, 10**9, 1000)
    return {"round": 0}


def incidence_local(data: Times, spec: dict, state: dict) -> dict:
    """{"people": [g], "dropped", "events": [g], "time": [g]}"""
    group = _read(spec)[2]
    groups = len(group.levels) if group else 1
    return {
        "people": np.bincount(data.group, minlength=groups).tolist(),
        "dropped": data.dropped,
        "events": np.bincount(data.group, data.event, minlength=groups).astype(int).tolist(),
        "time": np.bincount(data.group, data.time, minlength=groups).astype(float).tolist(),
    }


def incidence_combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict]:
    group, per = _read(spec)[2], specification.integer(spec, "per", 1, 10**9, 1000)
    names = group.names if group else ["all"]
    rows: list[dict] = []
    for name, people, events, time in zip(names, pooled["people"], pooled["events"], pooled["time"], strict=True):
        rates = [value / time * per if time > 0 else None for value in (events, *garwood(events))]
        row = {"name": name, "people": people, "events": events, "time": time, "rate": rates[0]}
        row |= {"low": rates[1], "high": rates[2], **_ratio(events, time, pooled["events"][0], pooled["time"][0])}
        rows.append(row if rows else {**row, "ratio": None, "ratio_low": None, "ratio_high": None})
    result = {
        "kind": "incidence", "time": spec["time"], "outcome": spec["event"], "per": per,
        "group": group.variable if group else None, "people": sum(pooled["people"]), "dropped": pooled["dropped"],
        "cases": sum(pooled["events"]), "rows": rows,
    }  # fmt: skip
    return {"round": 1}, True, result


def garwood(events: int) -> tuple[float, float]:
    """Exact 95 % interval of a Poisson mean."""
    low = float(special.gammaincinv(events, 0.025)) if events else 0.0
    return low, float(special.gammaincinv(events + 1, 0.975))


def _ratio(events: int, time: float, first: int, first_time: float) -> dict:
    if not events or not first or not time or not first_time:
        return {"ratio": None, "ratio_low": None, "ratio_high": None}
    ratio, spread = (events / time) / (first / first_time), newton.NORMAL_975 * math.sqrt(1 / events + 1 / first)
    return {"ratio": ratio, "ratio_low": ratio * math.exp(-spread), "ratio_high": ratio * math.exp(spread)}


def incidence_parts(data: Times, spec: dict, state: dict) -> Parts:
    found = km_parts(data, spec, state)
    return Parts(found.people, (*found.columns, ("time", data.time)))


METHODS = [
    Method(
        "km", N_("Survival curves with log-rank test"), km_state, km_prepare, km_local, km_combine, km_parts, km_alone
    ),
    Method(
        "incidence",
        N_("Incidence rates"),
        incidence_state,
        _times,
        incidence_local,
        incidence_combine,
        incidence_parts,
    ),
]
