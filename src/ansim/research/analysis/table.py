"""Tables over the frame: people, sums, means and shares by the values of row and column variables.

The aggregate of a site is its cells with the distinct people behind each:
    {"people": n, "cells": [{"row": […], "column": […], "people": n, "missing": m, "amount": x}, …]}
people are those who count (with a value, where one is measured), missing those of the cell without one; amount is the
sum (sum, mean) or the people for whom the flag is true (share), and absent for count. One round.
"""

import math
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ansim.errors import N_, Problem
from ansim.research.analysis import specification
from ansim.research.analysis.specification import Table

NAME = "table"
Key = tuple[tuple, tuple]


def initial_state(spec: dict) -> dict:
    specification.table(spec)
    return {"round": 0}


def local(frame: pa.Table, spec: dict, state: dict) -> dict:
    """This site's cells; cells without people are left out."""
    asked = specification.table(spec)
    specification.check_frame(frame)
    chosen = _where(frame, asked)
    keys = list(asked.rows + asked.columns)
    columns: dict[str, Any] = {f"k{i}": _key(chosen, name) for i, name in enumerate(keys)}
    columns["value"] = _measured(chosen, asked)
    grouped = pa.table(columns).group_by([f"k{i}" for i in range(len(keys))], use_threads=False)
    sums = grouped.aggregate([("value", "sum"), ("value", "count"), ([], "count_all")]).to_pylist()
    cells = [_cell(row, asked) for row in sums if row["count_all"]]
    return {"people": chosen.num_rows, "cells": sorted(cells, key=lambda cell: _order(_of(cell)))}


def combine(aggregates: list[dict], spec: dict, state: dict) -> tuple[dict, bool, dict]:
    """The table of all sites: every row with every column, zero where nobody is.

    result: {"kind", "measure", "rows", "columns", "people", "cells"}; each cell has row, column, people, missing and
    value (None where a mean or share has nobody), for a share also numerator. Nothing is suppressed here.
    """
    asked = specification.table(spec)
    total: dict[Key, dict[str, float]] = {}
    for aggregate in aggregates:
        for cell in _checked(aggregate, asked):
            into = total.setdefault(_of(cell), {"people": 0, "missing": 0, "amount": 0})
            for part in into:
                into[part] += cell.get(part, 0)
    rows = sorted({key[0] for key in total}, key=_side)
    columns = sorted({key[1] for key in total}, key=_side)
    nobody = {"people": 0, "missing": 0, "amount": 0}
    cells = [_answer((row, column), total.get((row, column), nobody), asked) for row in rows for column in columns]
    result = {
        "kind": NAME,
        "measure": asked.measure,
        "variable": asked.variable,
        "rows": list(asked.rows),
        "columns": list(asked.columns),
        "people": sum(aggregate["people"] for aggregate in aggregates),
        "cells": cells,
    }
    return {"round": state["round"] + 1}, True, result


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


def _cell(row: dict, asked: Table) -> dict:
    keys = [row[f"k{index}"] for index in range(len(asked.rows + asked.columns))]
    cell = {"row": keys[: len(asked.rows)], "column": keys[len(asked.rows) :]}
    if asked.measure == "count":
        return cell | {"people": row["count_all"], "missing": 0}
    people = row["value_count"]
    return cell | {"people": people, "missing": row["count_all"] - people, "amount": row["value_sum"] or 0}


def _answer(key: Key, total: dict, asked: Table) -> dict:
    cell = {"row": list(key[0]), "column": list(key[1]), "people": total["people"], "missing": total["missing"]}
    if asked.measure == "count":
        return cell | {"value": total["people"]}
    if asked.measure == "sum":
        return cell | {"value": total["amount"]}
    share = {"numerator": total["amount"]} if asked.measure == "share" else {}
    return cell | share | {"value": total["amount"] / total["people"] if total["people"] else None}


def _checked(aggregate: dict, asked: Table) -> list[dict]:
    """The cells of a site's aggregate, refused as a whole when it is not of the agreed shape."""
    whole = isinstance(aggregate, dict) and isinstance(aggregate.get("cells"), list)
    counted = whole and all(_sound(cell, asked) for cell in aggregate["cells"])
    if not counted or sum(cell["people"] + cell["missing"] for cell in aggregate["cells"]) != aggregate.get("people"):
        raise Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
    return aggregate["cells"]


def _sound(cell: Any, asked: Table) -> bool:
    if not isinstance(cell, dict) or not all(isinstance(cell.get(side), list) for side in ("row", "column")):
        return False
    amount = cell.get("amount", 0)
    return (
        len(cell["row"]) == len(asked.rows)
        and len(cell["column"]) == len(asked.columns)
        and all(isinstance(key, str | int | None) for key in cell["row"] + cell["column"])
        and all(type(cell.get(part)) is int and cell[part] >= 0 for part in ("people", "missing"))
        and type(amount) in (int, float)
        and math.isfinite(amount)
        and (asked.measure != "share" or 0 <= amount <= cell["people"])
    )


def _of(cell: dict) -> Key:
    return tuple(cell["row"]), tuple(cell["column"])


def _order(key: Key) -> tuple:
    return _side(key[0]), _side(key[1])


def _side(keys: tuple) -> tuple:
    """Bands by their lower end ("5-9" before "10-14"), unknown last."""
    return tuple(_rank(key) for key in keys)


def _rank(key: Any) -> tuple:
    if key is None:
        return 2, 0, ""
    band = re.match(r"(\d+)-\d+\Z", key) if isinstance(key, str) else None
    if band or not isinstance(key, str):
        return 0, int(band[1]) if band else int(key), ""
    return 1, 0, key
