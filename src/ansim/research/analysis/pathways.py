"""Treatment pathways: in which order people had their first of several treatments.

    {"kind": "pathways", "steps": [{"name": "A", "variable": "days_to_a"}, …], "longest": 4}

Each variable is the day of a person's first such treatment (empty: never). Treatments that begin on one day stand
together ("A+B"). Round 0 asks which pathways there are; round 1 counts people on each.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.research.analysis import design, specification
from ansim.research.analysis.method import Method, Parts

NAME = "pathways"
MAX_STEPS, THEN, WITH = 10, " > ", "+"


@dataclass(frozen=True)
class Walked:
    """paths: the site's distinct pathways, sorted; counts: people on each; none: people without any treatment."""

    paths: tuple[str, ...]
    counts: np.ndarray
    none: int


def initial_state(spec: dict) -> dict:
    _read(spec)
    return {"round": 0, "paths": None}


def _read(spec: dict) -> tuple[list[str], tuple[str, ...], int]:
    """(names, variables, longest)."""
    specification.analysis(spec, NAME, "steps", "longest")
    steps = spec.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise Problem(
            "specification", N_("Name one to ten treatments."), where="steps", remedy=N_("Write [{{name, variable}}].")
        )
    for index, step in enumerate(steps):
        if not isinstance(step, dict) or set(step) != {"name", "variable"}:
            raise Problem("specification", N_("A step has a name and a variable."), where=f"steps[{index}]")
    names = [specification.name(step, "name") for step in steps]
    variables = tuple(specification.name(step, "variable") for step in steps)
    if len(set(names)) < len(names) or any(sign in name for name in names for sign in (THEN.strip(), WITH)):
        raise Problem("specification", N_("Names of steps differ and have no > or +."), where="steps")
    return names, variables, specification.integer(spec, "longest", 1, MAX_STEPS, 4)


def prepare(frame: pa.Table, spec: dict) -> Walked:
    names, variables, longest = _read(spec)
    days = design.matrix(frame, variables)
    order = np.argsort(np.where(np.isfinite(days), days, np.inf), axis=1, kind="stable")
    ranked = np.take_along_axis(days, order, axis=1)
    known = np.isfinite(ranked)
    same = np.zeros_like(known)
    same[:, 1:] = known[:, 1:] & (ranked[:, 1:] == ranked[:, :-1])
    shown = known & (np.cumsum(known & ~same, axis=1) <= longest)
    digits = np.where(shown, 2 * (order + 1) + same, 0)  # one digit a treatment; odd: on the day of the one before
    base = 2 * (len(names) + 1)
    codes = digits @ (base ** np.arange(len(names), dtype=np.int64))
    found, counts = np.unique(codes, return_counts=True)
    made = {_path(int(code), base, names): int(count) for code, count in zip(found, counts, strict=True)}
    none = made.pop("", 0)
    return Walked(tuple(sorted(made)), np.array([made[path] for path in sorted(made)], int), none)


def _path(code: int, base: int, names: list[str]) -> str:
    text = ""
    while code:
        code, digit = divmod(code, base)
        text += (WITH if digit % 2 else THEN if text else "") + names[digit // 2 - 1]
    return text


def local(data: Walked, spec: dict, state: dict) -> dict:
    if state["round"] == 0:
        return {"union": {"paths": list(data.paths)}}
    asked = state.get("paths")
    if not isinstance(asked, list) or not all(isinstance(path, str) for path in asked):
        raise Problem("state-shape", N_("The round does not fit the model."), where="paths")
    own = dict(zip(data.paths, data.counts.tolist(), strict=True))
    people = int(data.counts.sum()) + data.none
    return {"people": people, "none": data.none, "counts": [own.get(path, 0) for path in asked]}


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    if state["round"] == 0:
        return {"round": 1, "paths": pooled["union"]["paths"]}, False, None
    if len(pooled["counts"]) != len(state["paths"]):
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    ranked = sorted(zip(state["paths"], pooled["counts"], strict=True), key=lambda each: (-each[1], each[0]))
    result = {
        "kind": NAME,
        "people": pooled["people"],
        "none": pooled["none"],
        "paths": [{"path": path.split(THEN), "people": count} for path, count in ranked if count],
    }
    return {**state, "round": 2}, True, result


def parts(data: Walked, spec: dict, state: dict) -> Parts:
    return Parts(int(data.counts.sum()) + data.none)


METHODS = [Method(NAME, N_("Treatment pathways"), initial_state, prepare, local, combine, parts)]
