"""Checking a submitted table: the centre makes it again by its specification, protects it, and compares cell by cell.

A table file has one row a cell: a column for each variable of the specification (rows, then columns, then, for a share,
the flag) and one more column for the number. CSV with a header, or a JSON list of objects. Margins carry "*". Cells
may be left out or blank: showing less is never worse. Everything shown must be what the protected table shows.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.memory import Asker, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import Released, as_text, number_column, protect
from ansim.privacy.disclosure.rules import name as cell_name
from ansim.privacy.disclosure.table import Table, TableSpec, tabulate

BLANK = {"", "nan", "none", "null", "na", "<na>"}


def specification(given: Any) -> TableSpec:
    """A table/1 of either reading: the measure's variable is `of` in one and `variable` in the other."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise Problem(
                "table-spec", N_("The specification is not JSON: {detail}."), where="tables", detail=str(error)
            ) from error
    if isinstance(given, dict) and isinstance(given.get("measure"), dict) and "variable" in given["measure"]:
        measure = {"kind": given["measure"].get("kind"), "of": given["measure"]["variable"]}
        given = {**given, "measure": measure}
    return TableSpec.parse(given)


def remake(frame: pa.Table, spec: TableSpec, policy: Policy, memory: Memory, asker: Asker) -> tuple[Table, Released]:
    """The table with its people, and what of it may be shown to this asker today."""
    table = tabulate(frame, spec, memory.codes)
    return table, protect(table, policy, memory.for_asker(asker))


def compare(content: bytes, file: str, released: Released) -> Iterator[dict]:
    """Findings [{file, level, code, place, message, shown, allowed, rules}] of every cell that shows something else."""
    try:
        rows = list(_rows(content, file))
    except (ValueError, csv.Error, UnicodeDecodeError, AttributeError) as error:
        yield _finding(file, "malformed", "", N_("The table cannot be read: {detail}."), detail=str(error))
        return
    dimensions = list(released.spec.dimensions)
    allowed = {tuple(_plain(part) for part in key): cell for key, cell in released.cells.items()}
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(rows, start=2):
        rest = [name for name in row if name not in dimensions]
        known = {number_column(released.spec), "n", "people", "count", "value"}
        if len(rest) != 1 or rest[0] not in known or any(name not in row for name in dimensions):
            yield _finding(
                file,
                "columns",
                "",
                N_("A table of this specification has the columns {names} and one for the number, called {number}."),
                names=", ".join(dimensions) or "-",
                number=number_column(released.spec),
            )
            return
        key, shown = tuple(_plain(row[name]) for name in dimensions), _plain(row[rest[0]])
        if shown in BLANK:
            continue
        if key in seen or key not in allowed:
            yield _finding(
                file, "no-cell", f"{number}", N_("Row {row} is no cell of the table, or stands twice."), row=number
            )
            continue
        seen.add(key)
        cell = allowed[key]
        if shown != _plain(cell.text):
            text = N_("The file shows {shown}, the protected table shows {allowed}.")
            found = _finding(file, "unprotected", cell_name(cell.key), text, shown=shown, allowed=cell.text)
            yield found | {"shown": shown, "allowed": cell.text, "rules": list(cell.rules)}


def reasons(released: Released) -> list[dict]:
    """Why cells are hidden, for the checkers."""
    return [{**finding.as_data(), "cells": [cell_name(key) for key in finding.keys]} for finding in released.findings]


def _finding(file: str, code: str, place: str, text: str, **facts: Any) -> dict:
    return {
        "file": file,
        "level": "refuse",
        "code": code,
        "place": place,
        "message": str(Problem(code, text, **facts)),
        "text": text,
        "facts": facts,
    }


def _rows(content: bytes, file: str) -> Iterator[dict[str, Any]]:
    text = content.decode("utf-8-sig")
    if file.lower().endswith(".json"):
        document = json.loads(text)
        if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
            raise ValueError("not a list of objects")
        yield from document
        return
    for row in csv.DictReader(
        io.StringIO(text, newline=""), delimiter="\t" if file.lower().endswith(".tsv") else ",", strict=True
    ):
        if None in row or None in row.values():
            raise ValueError("the rows differ in length")
        if any(name != name.strip() or value != value.strip() for name, value in row.items()):
            raise ValueError("a cell begins or ends with blanks")  # room for what nobody sees
        yield row


def _plain(value: Any) -> str:
    """One spelling: true/false in small letters, whole numbers without a fraction, unknown as nothing."""
    text = as_text(value).strip()
    if text.lower() in {"true", "false"}:
        return text.lower()
    if text.lower() in BLANK:
        return ""
    head, point, tail = text.partition(".")
    if point and tail == "0" and head.lstrip("+-").isdigit():
        return head
    return text
