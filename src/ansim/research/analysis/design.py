"""From a frame to the numbers of a model: the design matrix of complete cases.

A person with an unknown outcome, an unknown number or a level that the model does not list is left out and counted.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ansim.errors import N_, Problem
from ansim.research.analysis import specification
from ansim.research.analysis.specification import Model, Term


@dataclass(frozen=True)
class Design:
    """x: n × p with the intercept first; y: n of 0.0 and 1.0; names: p; dropped: people left out."""

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    dropped: int


def build(frame: pa.Table, model: Model) -> Design:
    """The design of this frame. Raises Problem for an unknown variable or one of the wrong kind."""
    specification.check_frame(frame)
    outcome = _numbers(frame, model.outcome, "outcome")
    blocks = [_block(frame, term, f"terms[{index}].variable") for index, term in enumerate(model.terms)]
    x = np.column_stack([np.ones(frame.num_rows), *blocks])
    known = np.isfinite(x).all(axis=1) & np.isfinite(outcome)
    y = outcome[known]
    if not np.isin(y, (0.0, 1.0)).all():
        raise Problem(
            "outcome", N_("The outcome must be a flag."), where="outcome", remedy=N_("Use a variable of kind flag.")
        )
    return Design(x[known], y, model.names, int((~known).sum()))


def _block(frame: pa.Table, term: Term, where: str) -> np.ndarray:
    if not term.levels:
        return (_numbers(frame, term.variable, where) - term.offset) / term.divisor
    values = specification.column(frame, term.variable, where)
    if not (
        pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or values.null_count == len(values)
    ):
        raise Problem("wrong-type", N_("Levels belong to a variable of texts."), where=where)
    values = pc.cast(values, pa.string())
    place = pc.index_in(values, value_set=pa.array(term.levels, pa.string()))
    index = np.asarray(pc.fill_null(place, -1), dtype=float)
    block = (index[:, None] == np.arange(1, len(term.levels))).astype(float)
    block[index < 0] = np.nan
    return block


def _numbers(frame: pa.Table, variable: str, where: str) -> np.ndarray:
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
