"""Two variables against each other, over agreed levels: counts, Pearson's chi-square and Cramér's V. One round.

A level that nobody has in the pool says nothing: it is left out of the test and named.
"""

import math

import numpy as np
import pyarrow as pa
from scipy import special

from ansim.errors import N_, Problem
from ansim.research.analysis import design, specification
from ansim.research.analysis.method import Method, Parts

NAME = "crosstab"
Codes = tuple[np.ndarray, np.ndarray]


def initial_state(spec: dict) -> dict:
    specification.analysis(spec, NAME, "row", "column")
    if specification.group(spec, "row").variable == specification.group(spec, "column").variable:
        raise Problem("specification", N_("A variable stands twice in the model."), where="column")
    return {"round": 0}


def prepare(frame: pa.Table, spec: dict) -> Codes:
    row, column = (design.codes(frame, specification.group(spec, side), side) for side in ("row", "column"))
    return row, column


def local(data: Codes, spec: dict, state: dict) -> dict:
    """{"people", "dropped", "counts": [r][c]}"""
    row, column = data
    shape = tuple(len(specification.group(spec, side).levels) for side in ("row", "column"))
    known = (row >= 0) & (column >= 0)
    counts = np.bincount(row[known] * shape[1] + column[known], minlength=shape[0] * shape[1]).reshape(shape)
    return {"people": int(known.sum()), "dropped": int((~known).sum()), "counts": counts.tolist()}


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict]:
    row, column = (specification.group(spec, side) for side in ("row", "column"))
    counts = np.array(pooled["counts"])
    if counts.shape != (len(row.levels), len(column.levels)):
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    kept = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    empty = [name for name, n in zip(row.names, counts.sum(axis=1), strict=True) if not n]
    empty += [name for name, n in zip(column.names, counts.sum(axis=0), strict=True) if not n]
    if min(kept.shape) < 2:
        raise Problem(
            "one-level",
            N_("Only one level is there: nothing can be compared."),
            where="row",
            remedy=N_("Widen the cohort or choose other levels."),
        )
    result = {
        "kind": NAME,
        "row": row.variable,
        "column": column.variable,
        "rows": row.names,
        "columns": column.names,
        "people": pooled["people"],
        "dropped": pooled["dropped"],
        "counts": counts.tolist(),
        "empty": empty,
        **chi_square(kept),
    }
    return {"round": 1}, True, result


def chi_square(counts: np.ndarray) -> dict:
    """Pearson's test of independence (Philosophical Magazine 1900), without continuity correction."""
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return {
        "chi_square": statistic,
        "freedom": freedom,
        "p": float(special.chdtrc(freedom, statistic)),
        "cramers_v": math.sqrt(statistic / (counts.sum() * (min(counts.shape) - 1))),
        "least_expected": float(expected.min()),
    }


def parts(data: Codes, spec: dict, state: dict) -> Parts:
    """Cells may be small: only their pool is shown, by the disclosure rules."""
    return Parts(int(((data[0] >= 0) & (data[1] >= 0)).sum()))


METHODS = [Method(NAME, N_("Cross table with chi-square test"), initial_state, prepare, local, combine, parts)]
