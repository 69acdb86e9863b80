"""Generalisation hierarchies as data: a list of steps, finest first; step 0, not listed, is the value itself.

Steps: {"width": n} classes of numbers of a width, written as their lower bound (0: one class for all known numbers);
{"top": n, "width": w} the same, with all from n on as one class; {"prefix": n} the first characters of a code (KCD,
ATC, address); {"date": "month" | "quarter" | "year"}; {"map": {value: group}}, values that are not listed become
"other"; {"all": true} one class for everybody. A missing value stays missing at every step but `all`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.privacy.deid import classes
from ansim.privacy.deid.classes import Column
from ansim.privacy.deid.sql import text

OTHER, ALL = "other", "*"
_DATES = ("month", "quarter", "year")


@dataclass(frozen=True)
class Levels:
    """codes[s][c]: the group at step s of the value with code c (0, missing, included); sizes[s]: groups at step s.

    nested: every group of a step lies within one group of the next, so that classes only merge on the way up.
    loss[s][c]: share of the variable's detail given up for that value (Iyengar 2002): (values in its group - 1) /
    (values - 1), over the values that occur; 0 for a value alone or missing, 1 in one group with all.
    """

    codes: list[np.ndarray]
    sizes: list[int]
    nested: bool
    loss: list[np.ndarray]


def expression(column: str, step: Mapping) -> str:
    """SQL of one step over a quoted column; Problem for a step that is none."""
    if step.get("all"):
        return text(ALL)
    if "map" in step:
        pairs = ", ".join(f"{text(value)}: {text(group)}" for value, group in step["map"].items())
        known = f"coalesce(MAP {{{pairs}}}[{column}::VARCHAR], {text(OTHER)})" if pairs else text(OTHER)
        return f"CASE WHEN {column} IS NOT NULL THEN {known} END"
    if "prefix" in step:
        return f"left({column}::VARCHAR, {int(step['prefix'])})"
    if step.get("date") in _DATES:
        return f"date_trunc({text(step['date'])}, {column})::DATE"
    if "width" in step:
        return _width(column, int(step["width"]), step.get("top"))
    raise Problem(
        "no-step",
        N_("'{step}' is no step of generalisation."),
        step=str(dict(step)),
        remedy=N_("Use width, top, prefix, date, map or all."),
    )


def _width(column: str, width: int, top: int | None) -> str:
    number = column if top is None else f"CASE WHEN {column} >= {int(top)} THEN {int(top)} ELSE {column} END"
    if width == 0:
        return f"CASE WHEN {column} IS NOT NULL THEN 0 END"
    return f"(floor(({number}) / {width}) * {width})::BIGINT"


def label(column: str, step: Mapping | None) -> str:
    """SQL of a group as a text that also says how wide it is, for rows that are generalised each in its own way."""
    if step is None:
        return f"{column}::VARCHAR"
    if step.get("date") in _DATES:
        forms = {"month": "strftime({c}, '%Y-%m')", "year": "strftime({c}, '%Y')",
                 "quarter": "concat(year({c}), '-Q', quarter({c}))"}  # fmt: skip
        return f"CASE WHEN {column} IS NOT NULL THEN {forms[step['date']].format(c=column)} END"
    if step.get("width"):
        low, top = expression(column, step), step.get("top")
        wide = f"concat({low}, '-', {low} + {int(step['width']) - 1})"
        if top is not None:
            wide = f"CASE WHEN {column} >= {int(top)} THEN concat({low}, '+') ELSE {wide} END"
        return f"CASE WHEN {column} IS NOT NULL THEN {wide} END"
    return text(ALL) if step.get("width") == 0 else f"({expression(column, step)})::VARCHAR"


def ladder(widths: Iterable[int]) -> list[dict]:
    """The steps of class widths, finest first; 1 is the value itself and needs no step."""
    return [{"width": width} for width in widths if width != 1]


def levels(column: Column, steps: Sequence[Mapping], *, raw: bool = True, con: Any = None) -> Levels:
    """What each step does to the values of a column.

    raw: whether the value itself is step 0. con: a DuckDB connection to work in, where many columns are asked for.
    """
    occurring = np.bincount(column.codes, minlength=column.levels) > 0
    own = np.arange(column.levels)
    codes = [*([own] if raw else []), *_groups(column, steps, con)]
    if not codes:
        codes = [own]
    nested = all(_within(fine[occurring], coarse[occurring]) for fine, coarse in pairwise(codes))
    values = occurring.copy()
    values[0] = False
    count = max(int(values.sum()) - 1, 1)
    loss = []
    for groups in codes:
        inside = np.bincount(groups, values, minlength=int(groups.max()) + 1)[groups]
        loss.append(np.maximum(inside - 1, 0) / count)
    return Levels(codes, [int(groups.max()) + 1 for groups in codes], nested, loss)


def tree(column: Column, steps: Sequence[Mapping]) -> list[np.ndarray]:
    """The nodes above each value, for hierarchical distance, up to one root, which missing values share."""
    found = levels(column, steps)
    if not found.nested:
        raise Problem("not-nested", N_("The steps of this hierarchy do not lie within each other."))
    root = np.zeros(column.levels, dtype=np.int64)
    whole = bool(steps) and (steps[-1].get("all") or steps[-1].get("width") == 0)
    return [*(found.codes[:-1] if whole else found.codes), root]


def _groups(column: Column, steps: Sequence[Mapping], con: Any) -> list[np.ndarray]:
    """For each step the group of each code, as small numbers; code 0 keeps 0."""
    with con.cursor() if con else duckdb.connect() as work:
        work.register("_steps", pa.table({"i": pa.array(range(len(column.values))), "v": column.values}))
        return [_grouped(work, column, step) for step in steps]


def _grouped(con: Any, column: Column, step: Mapping) -> np.ndarray:
    if step.get("all"):  # missing values are in it too
        return np.zeros(column.levels, dtype=np.int64)
    try:
        sql = f"SELECT {expression('v', step)} AS g FROM _steps ORDER BY i"
        return np.concatenate(([0], classes.encode(con.sql(sql).to_arrow_table().column("g")).codes))
    except duckdb.Error as error:
        raise Problem(
            "wrong-step",
            N_("The step {step} does not suit values of the type {type}."),
            step=str(dict(step))[:80],
            type=str(column.values.type),
        ) from error


def _within(fine: np.ndarray, coarse: np.ndarray) -> bool:
    pairs = np.unique(np.stack([fine, coarse], axis=1), axis=0) if len(fine) else np.zeros((0, 2))
    return len(np.unique(pairs[:, 0])) == len(pairs)
