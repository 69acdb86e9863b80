"""The first table of an article: each variable by group, with standardised differences.

    {"kind": "characterise", "variables": [{"variable": "age"}, {"variable": "sex", "levels": ["F", "M"]}],
     "group": {"variable": "drug"}}

Two rounds: sums and counts, then squares around the pooled means of each group. Standardised differences: Austin,
Statistics in Medicine 2009; 28: 3083-3107; of several levels: Yang and Dalton, SAS Global Forum 2012, paper 335.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, moments, specification
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.specification import Group, Term

NAME = "characterise"


@dataclass(frozen=True)
class People:
    """group: n indices; x: n × k numbers of the numeric terms; levels: n indices for each term with levels."""

    group: np.ndarray
    x: np.ndarray
    levels: list[np.ndarray]
    dropped: int


def initial_state(spec: dict) -> dict:
    _read(spec)
    return {"round": 0, "means": None}


def _read(spec: dict) -> tuple[list[Term], list[Term], Group | None]:
    """(numeric terms, terms with levels, the group)."""
    specification.analysis(spec, NAME, "variables", "group")
    terms = specification.terms_of({"terms": spec.get("variables")})
    if len({term.variable for term in terms}) < len(terms):
        raise Problem("specification", N_("A variable stands twice in the model."), where="variables")
    group = specification.group(spec) if "group" in spec else None
    return [term for term in terms if not term.levels], [term for term in terms if term.levels], group


def prepare(frame: pa.Table, spec: dict) -> People:
    numeric, texts, group = _read(spec)
    place = design.codes(frame, group) if group else np.zeros(frame.num_rows, int)
    known = place >= 0
    x = design.matrix(frame, tuple(term.variable for term in numeric))[known]
    levels = [design.codes(frame, Group(term.variable, term.levels), "variables")[known] for term in texts]
    return People(place[known], x, levels, int((~known).sum()))


def local(data: People, spec: dict, state: dict) -> dict:
    """Round 0: {"people": [g], "dropped", "n", "sum": [g][k], "levels": [g][text][level; last: unknown]}."""
    _numeric, texts, group = _read(spec)
    groups = range(len(group.levels) if group else 1)
    inside = [data.group == g for g in groups]
    if state["round"]:
        means = np.array(state["means"], float)
        if means.shape != (len(inside), data.x.shape[1]):
            raise Problem("state-shape", N_("The round does not fit the model."), where="means")
        return {"squares": [moments.sums((data.x[at] - means[g]) ** 2) for g, at in enumerate(inside)]}
    levels = list(zip(data.levels, (len(term.levels) for term in texts), strict=True))
    return {
        "people": [int(at.sum()) for at in inside],
        "dropped": data.dropped,
        "n": [np.isfinite(data.x[at]).sum(axis=0).tolist() for at in inside],
        "sum": [moments.sums(data.x[at]) for at in inside],
        "levels": [
            [np.bincount(codes[at] % (k + 1), minlength=k + 1).tolist() for codes, k in levels] for at in inside
        ],
    }  # fmt: skip


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    numeric, texts, group = _read(spec)
    if state["round"] == 0:
        n, total = np.array(pooled["n"], float), np.array(pooled["sum"], float)
        means = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
        return {"round": 1, "means": means.tolist(), "first": pooled}, False, None
    first, squares = state["first"], np.array(pooled["squares"], float)
    n, means = np.array(first["n"]), np.array(state["means"], float)
    names = group.names if group else ["all"]
    rows = [_number_row(term, k, n, means, squares) for k, term in enumerate(numeric)]
    rows += [_level_row(term, [each[k] for each in first["levels"]]) for k, term in enumerate(texts)]
    order = [each["variable"] for each in spec["variables"]]
    result = {
        "kind": NAME,
        "group": group.variable if group else None,
        "groups": [{"name": name, "people": first["people"][g]} for g, name in enumerate(names)],
        "people": sum(first["people"]),
        "dropped": first["dropped"],
        "rows": sorted(rows, key=lambda row: order.index(row["name"])),
    }
    return {**state, "round": 2}, True, result


def _number_row(term: Term, k: int, n: np.ndarray, means: np.ndarray, squares: np.ndarray) -> dict:
    spread = [squares[g, k] / (n[g, k] - 1) if n[g, k] > 1 else math.nan for g in range(len(n))]
    groups = [moments.summary(int(n[g, k]), means[g, k], spread[g]) for g in range(len(n))]
    return {"name": term.variable, "groups": groups, "smd": _smd(groups)}


def _smd(groups: list[dict]) -> float | None:
    """Second group less first, in pooled standard deviations."""
    if len(groups) != 2 or any(each["variance"] is None for each in groups):
        return None
    spread = math.sqrt((groups[0]["variance"] + groups[1]["variance"]) / 2)
    return (groups[1]["mean"] - groups[0]["mean"]) / spread if spread else None


def _level_row(term: Term, counts: list[list[int]]) -> dict:
    """counts: by group, by level; the last is unknown. Shares are of the people whose level is known."""
    groups = []
    for each in counts:
        known = sum(each[:-1])
        levels = [
            {"level": level, "n": n, "share": n / known if known else None}
            for level, n in zip(term.levels, each[:-1], strict=True)
        ]
        groups.append({"n": known, "missing": each[-1], "levels": levels})
    return {"name": term.variable, "levels": list(term.levels), "groups": groups, "smd": _smd_levels(counts)}


def _smd_levels(counts: list[list[int]]) -> float | None:
    if len(counts) != 2 or any(not sum(each[:-1]) for each in counts):
        return None
    one, two = (np.array(each[:-1]) / sum(each[:-1]) for each in counts)
    spread = (np.diag(one + two) - np.outer(one, one) - np.outer(two, two))[1:, 1:] / 2
    apart = (two - one)[1:]
    return math.sqrt(max(0.0, float(apart @ np.linalg.pinv(spread) @ apart)))


def parts(data: People, spec: dict, state: dict) -> Parts:
    numeric, _texts, group = _read(spec)
    columns: list[tuple[str, Any]] = [
        (term.variable, column[np.isfinite(column)]) for term, column in zip(numeric, data.x.T, strict=True)
    ]
    names = group.names if group else []
    columns += [(name, (data.group == g).astype(float)) for g, name in enumerate(names)]
    return Parts(len(data.group), tuple(columns))


METHODS = [Method(NAME, N_("Characteristics by group (table 1)"), initial_state, prepare, local, combine, parts)]
