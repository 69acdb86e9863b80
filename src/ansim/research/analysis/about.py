"""Whom a result is about: the counts of people that any result of a method goes with, as a table specification.

A model, a curve or a quantile of two nearly equal cohorts singles out those by whom they differ, as two counts do. So a
node compares, before it answers, the people behind each method's result and its groups with all that it answered
before; that is the memory's work (`privacy/disclosure/memory.py`), which knows tables. This module gives the table.
"""

from typing import Any

GROUPED = ("ttest", "anova", "km", "incidence", "characterise")


def people(method: str, spec: dict, query: str) -> dict[str, Any]:
    """A table/1 in the words of the disclosure room. query: the digest of the job's query.

    A table itself, or a cross table's sides; of another method everybody, by its groups where it has any.
    """
    if method == "table":
        measure = dict(spec.get("measure") or {"kind": "count"})
        if "variable" in measure:
            measure["of"] = measure.pop("variable")
        return {**spec, "measure": measure}
    rows, columns = [], []
    if method == "crosstab":
        rows, columns = [spec["row"]["variable"]], [spec["column"]["variable"]]
    elif method in GROUPED and spec.get("group"):
        rows = [spec["group"]["variable"]]
    elif method == "propensity":
        rows = [spec["treatment"]]
    return {"ansim": "table/1", "query": query, "rows": rows, "columns": columns}


def variables(table: dict) -> set[str]:
    """The variables of the frame that such a table needs."""
    measured = table.get("measure", {}).get("of")
    return {
        *table.get("rows", ()),
        *table.get("columns", ()),
        *table.get("where", {}),
        *([measured] if measured else []),
    }
