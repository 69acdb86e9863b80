"""What a CDM's catalogue of types and one look at each table tell; most checks are answered from it without a scan.

Filled counts answer completeness; a column whose lowest and highest value are inside the plausible range needs no look
at its rows; a column with one value needs no grouping. DuckDB knows extremes from its statistics.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ansim.data.cdm import quoted
from ansim.data.engine import Engine
from ansim.data.quality.table import Check

TEXT = {"varchar", "char", "bpchar"}
WHOLE = {"tinyint", "smallint", "int", "bigint", "int128", "utinyint", "usmallint", "uint", "ubigint"}
EXTREMES = {"plausibleValueLow", "plausibleValueHigh"}


@dataclass
class Facts:
    """columns: {table: {field: type}}. rows: per table. filled: rows with a value, per field. low, high: per field,
    where asked. concepts: rows per concept (0 included, NULL left out), filled in by `concepts`."""

    engine: Engine
    columns: dict[str, dict[str, str]]
    rows: dict[str, int] = field(default_factory=dict)
    filled: dict[tuple[str, str], int] = field(default_factory=dict)
    extremes: dict[tuple[str, str], tuple[Any, Any]] = field(default_factory=dict)
    concepts: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    def has(self, table: str, *fields: str) -> bool:
        return table in self.columns and all(name in self.columns[table] for name in fields)

    def whole(self, table: str, field: str) -> bool:
        return self.columns[table][field] in WHOLE

    def empty(self, table: str, field: str = "") -> bool:
        """Whether there is nothing to look at."""
        return not (self.filled.get((table, field), 0) if field else self.rows.get(table, 0))

    def only(self, table: str, field: str) -> Any:
        """The single value of a field, or None when there are several or none."""
        low, high = self.extremes.get((table, field), (None, None))
        return low if low is not None and low == high else None


def look(engine: Engine, chosen: Iterable[Check]) -> Facts:
    """One look at each table that a check is about, or compares with."""
    facts = Facts(engine, engine.columns())
    wanted: dict[str, set[str]] = {}
    extremes: dict[str, set[str]] = {}
    for check in chosen:
        target = check.argument.partition(".") if check.type == "isForeignKey" else None
        if target:
            wanted.setdefault(target[0], set()).add(target[2])
            extremes.setdefault(check.table, set()).add(check.field)
        wanted.setdefault(check.table, set()).add(check.field)
        if check.type in EXTREMES:
            extremes.setdefault(check.table, set()).add(check.field)
    for table in ("person", "death", "visit_occurrence", "concept", "concept_ancestor"):
        wanted.setdefault(table, set())
    for table in wanted:
        if facts.has(table):
            there = facts.columns[table]
            fields = [name for name in there if name in wanted[table]]
            _count(facts, table, fields, [name for name in there if name in extremes.get(table, ())])
    return facts


def _count(facts: Facts, table: str, fields: list[str], ends: list[str]) -> None:
    counts = ", ".join(["count(*)", *(f"count({quoted(name)})" for name in fields)])
    found = facts.engine.rows(f"SELECT {counts} FROM {quoted(table)}")[0]
    facts.rows[table] = found[0]
    facts.filled.update(zip(((table, name) for name in fields), found[1:], strict=True))
    # An empty field, or one of text, would make DuckDB read the table in place of its statistics.
    ends = [name for name in ends if facts.filled[table, name] and facts.columns[table][name] not in TEXT]
    if ends:
        pairs = ", ".join(f"min({quoted(name)}), max({quoted(name)})" for name in ends)
        found = facts.engine.rows(f"SELECT {pairs} FROM {quoted(table)}")[0]
        for place, name in enumerate(ends):
            facts.extremes[table, name] = (found[2 * place], found[2 * place + 1])
