"""Checks on the shape: tables, fields, types, filled fields, keys and references between tables."""

from collections.abc import Iterable, Iterator

import numpy as np

from ansim.data.cdm import quoted
from ansim.data.quality.asks import Ask, Known, Step, column, of
from ansim.data.quality.facts import TEXT, Facts
from ansim.data.quality.table import Check

SORTED_HERE = 100_000_000  # rows; more are grouped by the engine, which spills
NUMBERS = {"double", "float", "decimal", "numeric", "real"}


def shape(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Tables and fields that are there, types, and filled fields: from the facts, but for fields of another type."""
    for check in of(checks, "cdmTable"):
        yield Known(check, int(not facts.has(check.table)), 1)
    for check in of(checks, "cdmField"):
        yield Known(check, int(not facts.has(check.table, check.field)), 1)
    for check in of(checks, "isRequired", "measureValueCompleteness"):
        rows = facts.rows[check.table]
        yield Known(check, rows - facts.filled[check.table, check.field], rows)
    for check in of(checks, "cdmDatatype"):
        yield from _whole_numbers(facts, check)


def _whole_numbers(facts: Facts, check: Check) -> Iterator[Step]:
    kind, rows, name = facts.columns[check.table][check.field], facts.rows[check.table], column(check.field)
    if facts.whole(check.table, check.field) or facts.empty(check.table, check.field):
        yield Known(check, 0, rows)
        return
    if kind in NUMBERS:
        broken = f"{name} <> floor({name})"
    elif kind in TEXT:
        broken = f"NOT regexp_matches({name}, '^-?[0-9]+$')"
    else:
        broken = f"{name} IS NOT NULL"
    yield Ask(
        check.table,
        f"SELECT count(*) FILTER (WHERE {broken}) FROM {quoted(check.table)} t",
        lambda found: [Known(check, found[0][0], rows)],
    )


def keys(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Rows that share their key with another row, in one pass over the key alone."""
    for check in of(checks, "isPrimaryKey"):
        rows = facts.rows[check.table]
        if facts.engine.dialect == "duckdb" and facts.whole(check.table, check.field) and rows <= SORTED_HERE:
            yield _sorted(check, rows)
        else:
            yield _grouped(check, rows)


def _sorted(check: Check, rows: int) -> Ask:
    """The keys as one array: sorting it costs a quarter of grouping by it, and 8 bytes a row."""

    def read(found: list[tuple]) -> list[Known]:
        keys = found[0][0]
        if not bool(np.all(keys[1:] > keys[:-1])):
            keys = np.sort(keys)
        same = np.concatenate(([False], keys[1:] == keys[:-1], [False]))
        return [Known(check, int((same[1:] | same[:-1]).sum()), rows)]

    return Ask(check.table, f"SELECT {quoted(check.field)} FROM {quoted(check.table)}", read, column=True)


def _grouped(check: Check, rows: int) -> Ask:
    name = quoted(check.field)
    return Ask(
        check.table,
        f"SELECT sum(n) FROM (SELECT count(*) AS n FROM {quoted(check.table)} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} HAVING count(*) > 1) AS repeated",
        lambda found: [Known(check, found[0][0] or 0, rows)],
    )


def references(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """References to tables other than concept (those are answered from the concept counts)."""
    for check in of(checks, "isForeignKey"):
        target, _, key = check.argument.partition(".")
        if target == "concept":
            continue
        rows, filled = facts.rows[check.table], facts.filled[check.table, check.field]
        if not facts.has(target, key):
            yield Known(check, filled, rows, f"{target}.{key}")
        elif not filled or facts.empty(target):
            yield Known(check, filled, rows)
        else:
            yield _orphans(facts, check, target, key, rows, filled)


def _orphans(facts: Facts, check: Check, target: str, key: str, rows: int, filled: int) -> Ask:
    only = facts.only(check.table, check.field)
    if isinstance(only, int):
        return Ask(
            check.table,
            f"SELECT count(*) FROM {quoted(target)} WHERE {quoted(key)} = {only}",
            lambda found: [Known(check, 0 if found[0][0] else filled, rows)],
        )
    return Ask(
        check.table,
        f"SELECT count(*) FROM {quoted(check.table)} t JOIN (SELECT DISTINCT {quoted(key)} AS id FROM "
        f"{quoted(target)}) AS r ON r.id = {column(check.field)}",
        lambda found: [Known(check, filled - found[0][0], rows)],
    )
