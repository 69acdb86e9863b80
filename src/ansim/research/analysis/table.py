"""Tables over the frame: people, sums, means and shares by the values of row and column variables.

Round 0 asks which rows and columns there are; round 1 counts in each cell of their grid:
    {"people": n, "counts": [r][c], "missing": [r][c], "amounts": [r][c]}
counts are the people who count (with a value, where one is measured), missing those of the cell without one; amounts
are the sum (sum, mean) or the people for whom the flag is true (share), and absent for count.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ansim.errors import N_, Problem
from ansim.research.analysis import specification
from ansim.research.analysis.method import Method, Parts
from ansim.research.analysis.specification import Table

NAME = "table"
MAX_CELLS = 20_000
Key = tuple[tuple, tuple]


def initial_state(spec: dict) -> dict:
    specification.table(spec)
    return {"round": 0, "rows": None, "columns": None}


def prepare(frame: pa.Table, spec: dict) -> dict:
    """This site's cells {"people", "cells": [{"row", "column", "people", "missing", "amount"}]}, without empty ones."""
    asked = specification.table(spec)
    specification.check_frame(frame)
    chosen = _where(frame, asked)
    keys = list(asked.rows + asked.columns)
    columns: dict[str, Any] = {f"k{i}": _key(chosen, name) for i, name in enumerate(keys)}
    columns["value"] = _measured(chosen, asked)
    grouped = pa.table(columns).group_by([f"k{i}" for i in range(len(keys))], use_threads=False)
    sums = grouped.aggregate([("value", "sum"), ("value", "count"), ([], "count_all")]).to_pylist()
    nothing = 0.0 if pa.types.is_floating(columns["value"].type) else 0
    cells = [_cell(row, asked, nothing) for row in sums if row["count_all"]]
    return {"people": chosen.num_rows, "nothing": nothing, "cells": cells}


def local(data: dict, spec: dict, state: dict) -> dict:
    asked = specification.table(spec)
    if state["round"] == 0:
        sides = {
            side: sorted({_typed(each[side]): each[side] for each in data["cells"]}.values(), key=_side)
            for side in SIDES
        }  # sorted: the order in which people come says nothing
        return {"union": {"rows": sides["row"], "columns": sides["column"]}}
    rows, columns = (_places(state.get(side), getattr(asked, side)) for side in ("rows", "columns"))
    shape, parts = (len(rows), len(columns)), ["people", "missing"]
    grids = {"people": np.zeros(shape, int), "missing": np.zeros(shape, int)}
    if asked.measure != "count":
        grids["amount"] = np.full(shape, data["nothing"])
        parts.append("amount")
    for cell in data["cells"]:
        row, column = rows.get(_typed(cell["row"])), columns.get(_typed(cell["column"]))
        if row is not None and column is not None:
            for part in parts:
                grids[part][row, column] = cell[part]
    names = {"people": "counts", "missing": "missing", "amount": "amounts"}
    return {"people": data["people"], **{names[part]: grids[part].tolist() for part in parts}}


SIDES = ("row", "column")


def _typed(keys: list) -> tuple:
    """True and 1 are one key to Python and two values here."""
    return tuple((type(key).__name__, key) for key in keys)


def _places(keys: Any, names: tuple[str, ...]) -> dict[tuple, int]:
    if not isinstance(keys, list) or not all(isinstance(key, list) and len(key) == len(names) for key in keys):
        raise Problem("state-shape", N_("The round does not fit the model."), where="rows")
    return {_typed(key): place for place, key in enumerate(keys)}


def combine(pooled: dict, spec: dict, state: dict) -> tuple[dict, bool, dict | None]:
    """The table of all sites: every row with every column, zero where nobody is.

    result: {"kind", "measure", "rows", "columns", "people", "cells"}; each cell has row, column, people, missing and
    value (None where a mean or share has nobody), for a share also numerator. Nothing is suppressed here.
    """
    asked = specification.table(spec)
    if state["round"] == 0:
        rows, columns = (sorted(pooled["union"][side], key=_side) for side in ("rows", "columns"))
        if len(rows) * len(columns) > MAX_CELLS:
            raise Problem("too-many-groups", N_("The sites have more than {most} groups together."), most=MAX_CELLS)
        return {"round": 1, "rows": rows, "columns": columns}, False, None
    grids: dict[str, Any] = {part: pooled.get(part) for part in ("counts", "missing", "amounts")}
    shape = (len(state["rows"]), len(state["columns"]))
    if any(np.shape(grid) != shape and shape[0] for grid in grids.values() if grid is not None):
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    if int(np.sum(grids["counts"])) + int(np.sum(grids["missing"])) != pooled["people"]:
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    cells = []
    for r, row in enumerate(state["rows"]):
        for c, column in enumerate(state["columns"]):
            total = {"people": grids["counts"][r][c], "missing": grids["missing"][r][c]}
            total["amount"] = grids["amounts"][r][c] if grids["amounts"] else 0
            cells.append(_answer((row, column), total, asked))
    result = {
        "kind": NAME,
        "measure": asked.measure,
        "variable": asked.variable,
        "rows": list(asked.rows),
        "columns": list(asked.columns),
        "people": pooled["people"],
        "cells": cells,
    }
    return {**state, "round": 2}, True, result


def _where(frame: pa.Table, asked: Table) -> pa.Table:
    for variable, value in asked.where:
        values = specification.column(frame, variable, f"where.{variable}")
        if value is None:
            frame = frame.filter(pc.is_null(values))
            continue
        try:
            frame = frame.filter(pc.equal(values, pa.scalar(value)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Problem(
                "wrong-type", N_("The value is not of the variable's kind."), where=f"where.{variable}"
            ) from error
    return frame


def _key(frame: pa.Table, name: str) -> pa.ChunkedArray:
    values = specification.column(frame, name, "rows")
    if pa.types.is_floating(values.type):
        raise Problem(
            "not-a-key",
            N_("A measured value cannot be a row or column: almost every person would be a cell."),
            where=name,
            remedy=N_("Use a text, a flag, a count or an age band."),
        )
    return values


def _measured(frame: pa.Table, asked: Table) -> Any:
    if asked.variable is None:
        return pa.nulls(frame.num_rows, pa.int64())
    values = specification.column(frame, asked.variable, "measure.variable")
    flag = pa.types.is_boolean(values.type)
    number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if (asked.measure == "share" and not flag) or (asked.measure != "share" and not number):
        raise Problem(
            "wrong-type",
            N_("The measure does not fit the variable."),
            where="measure.variable",
            remedy=N_("Take the share of a flag, and the sum or mean of a number."),
        )
    return pc.cast(values, pa.int64() if flag else values.type)


def _cell(row: dict, asked: Table, nothing: float) -> dict:
    keys = [row[f"k{index}"] for index in range(len(asked.rows + asked.columns))]
    cell = {"row": keys[: len(asked.rows)], "column": keys[len(asked.rows) :]}
    if asked.measure == "count":
        return cell | {"people": row["count_all"], "missing": 0}
    people = row["value_count"]
    return cell | {"people": people, "missing": row["count_all"] - people, "amount": row["value_sum"] or nothing}


def _answer(key: Key, total: dict, asked: Table) -> dict:
    cell = {"row": list(key[0]), "column": list(key[1]), "people": total["people"], "missing": total["missing"]}
    if asked.measure == "count":
        return cell | {"value": total["people"]}
    if asked.measure == "sum":
        return cell | {"value": total["amount"]}
    share = {"numerator": total["amount"]} if asked.measure == "share" else {}
    return cell | share | {"value": total["amount"] / total["people"] if total["people"] else None}


def parts(data: dict, spec: dict, state: dict) -> Parts:
    """Cells may be small: only their pool is shown, by the disclosure rules."""
    return Parts(data["people"])


def _side(keys: list) -> tuple:
    """Bands by their lower end ("5-9" before "10-14"), unknown last."""
    return tuple(_rank(key) for key in keys)


def _rank(key: Any) -> tuple:
    if key is None:
        return 2, 0, ""
    band = re.match(r"(\d+)-\d+\Z", key) if isinstance(key, str) else None
    if band or not isinstance(key, str):
        return 0, int(band[1]) if band else int(key), ""
    return 1, 0, key


METHODS = [Method(NAME, N_("Table of counts, sums, means or shares"), initial_state, prepare, local, combine, parts)]
