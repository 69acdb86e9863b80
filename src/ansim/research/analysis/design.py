"""From a frame to the numbers of a model: the design matrix of complete cases.

A person with an unknown outcome, an unknown number or a level that the model does not list is left out and counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ansim.errors import N_, Problem
from ansim.research.analysis import specification
from ansim.research.analysis.specification import Group, Model, Term


@dataclass(frozen=True)
class Design:
    """x: n × p, the intercept first; y: n, 0.0 and 1.0 for a flag; offset: n, the log of the exposure; names: p;
    dropped: people left out; time: n, of a Cox model."""

    x: np.ndarray
    y: np.ndarray
    offset: np.ndarray
    time: np.ndarray
    names: list[str]
    dropped: int


def build(frame: pa.Table, model: Model, outcome: str) -> Design:
    """The design of this frame. outcome: "flag", "count" or "number".

    Raises Problem for an unknown variable or one of the wrong kind, and for an exposure or time that is not positive.
    """
    specification.check_frame(frame)
    y = numbers(frame, model.outcome, "outcome")
    exposure = numbers(frame, model.exposure, "exposure") if model.exposure else np.ones(frame.num_rows)
    time = numbers(frame, model.time, "time") if model.time else np.zeros(frame.num_rows)
    blocks = [block(frame, term, f"terms[{index}].variable") for index, term in enumerate(model.terms)]
    x = np.column_stack(blocks if model.time else [np.ones(frame.num_rows), *blocks])
    known = np.isfinite(x).all(axis=1) & np.isfinite(y) & np.isfinite(exposure) & np.isfinite(time)
    x, y, exposure, time = x[known], y[known], exposure[known], time[known]
    _check_outcome(y, outcome)
    if (exposure <= 0).any() or (time < 0).any():
        place = "exposure" if model.exposure else "time"
        raise Problem("not-positive", N_("{place} must be positive."), where=place, place=place)
    return Design(x, y, np.log(exposure), time, model.names, int((~known).sum()))


def _check_outcome(y: np.ndarray, outcome: str) -> None:
    if outcome == "flag" and not np.isin(y, (0.0, 1.0)).all():
        raise Problem(
            "outcome", N_("The outcome must be a flag."), where="outcome", remedy=N_("Use a variable of kind flag.")
        )
    if outcome == "count" and ((y < 0).any() or (y != np.floor(y)).any()):
        raise Problem(
            "outcome", N_("The outcome must be a count."), where="outcome", remedy=N_("Use a variable of kind count.")
        )


def columns(made: Design, model: Model) -> Iterator[tuple[str, np.ndarray]]:
    """(name, values) of each column of the terms; a text's reference level, which has no column, comes with them."""
    place = 0 if model.time else 1
    for term in model.terms:
        width = len(term.names)
        part = made.x[:, place : place + width]
        yield from zip(term.names, part.T, strict=True)
        if term.levels:
            yield f"{term.variable}={term.levels[0]}", 1 - part.sum(axis=1)
        place += width


def matrix(frame: pa.Table, variables: tuple[str, ...]) -> np.ndarray:
    """n × k numbers, nan where unknown."""
    specification.check_frame(frame)
    made = [numbers(frame, variable, f"variables[{index}]") for index, variable in enumerate(variables)]
    return np.column_stack(made) if made else np.empty((frame.num_rows, 0))


def codes(frame: pa.Table, group: Group, where: str = "group") -> np.ndarray:
    """Each person's level as an index; -1 where it is unknown or not listed."""
    specification.check_frame(frame)
    values = specification.column(frame, group.variable, f"{where}.variable")
    if group.levels == (False, True):
        flags = numbers(frame, group.variable, f"{where}.variable")
        if not np.isin(flags[np.isfinite(flags)], (0.0, 1.0)).all():
            raise Problem("wrong-type", N_("Levels belong to a variable of texts."), where=where)
        return np.where(np.isfinite(flags), flags, -1).astype(int)
    _texts(values, where)
    place = pc.index_in(pc.cast(values, pa.string()), value_set=pa.array(group.levels, pa.string()))
    return np.asarray(pc.fill_null(place, -1), dtype=int)


def block(frame: pa.Table, term: Term, where: str) -> np.ndarray:
    if not term.levels:
        return (numbers(frame, term.variable, where) - term.offset) / term.divisor
    values = specification.column(frame, term.variable, where)
    _texts(values, where)
    values = pc.cast(values, pa.string())
    place = pc.index_in(values, value_set=pa.array(term.levels, pa.string()))
    index = np.asarray(pc.fill_null(place, -1), dtype=float)
    block = (index[:, None] == np.arange(1, len(term.levels))).astype(float)
    block[index < 0] = np.nan
    return block


def _texts(values: pa.ChunkedArray, where: str) -> None:
    text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not text and values.null_count < len(values):
        raise Problem("wrong-type", N_("Levels belong to a variable of texts."), where=where)


def numbers(frame: pa.Table, variable: str, where: str) -> np.ndarray:
    """n floats: a number, or 0 and 1 of a flag; nan where unknown."""
    values = specification.column(frame, variable, where)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        raise Problem(
            "wrong-type",
            N_("{variable} is a text, not a number or a flag."),
            where=where,
            remedy=N_("List its levels."),
            variable=variable,
        )
    kind = pa.float64() if not pa.types.is_boolean(values.type) else pa.int8()
    return np.asarray(pc.fill_null(pc.cast(pc.cast(values, kind), pa.float64()), float("nan")), dtype=float)
