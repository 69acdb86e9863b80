"""From a table to what may leave: primary suppression, memory, secondary suppression, rounding.

Two entries, one core. `protect` knows the people behind each cell. `protect_counts` knows counts alone, as a centre
does that pools tables of several holders; on counts of disjoint people it gives the same release as `protect` on the
pooled people (without memory, which only a holder has).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.rules import (
    Categories,
    Finding,
    class_disclosure,
    rows_of_one_person,
    small_cells,
    value_rules,
)
from ansim.privacy.disclosure.secondary import Pattern
from ansim.privacy.disclosure.table import TOTAL, Key, Table, TableSpec, cube_keys, sort_key

HIDDEN = "–"  # marker of a cell that is hidden for another reason than being small


class Remembers(Protocol):
    """What `protect` asks of a memory already bound to its asker (see memory.Memory.for_asker)."""

    def check(self, table: Table, shown: set[Key]) -> list[Finding]: ...


@dataclass(frozen=True)
class ReleasedCell:
    """n: rounded people or None where hidden. value: of a sum or mean, as decimal text (floats have no place in signed
    documents). marker: what stands in a hidden cell. rules: why, for the checker (not for the requester)."""

    key: Key
    n: int | None
    value: str | None = None
    marker: str = ""
    rules: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.marker or (self.value if self.value is not None else str(self.n))


@dataclass(frozen=True)
class Released:
    spec: TableSpec
    categories: Categories
    cells: dict[Key, ReleasedCell]
    findings: tuple[Finding, ...]

    @property
    def hidden(self) -> set[Key]:
        return {key for key, cell in self.cells.items() if cell.n is None}

    @property
    def shown(self) -> set[Key]:
        return set(self.cells) - self.hidden

    @property
    def refused(self) -> bool:
        """Nothing at all may be shown."""
        return not self.shown

    def shares(self) -> dict[Key, tuple[int, int] | None]:
        """For a share: (numerator, denominator) per key without the flag, from the rounded counts; None where either
        is hidden. So a share never says more than the two counts do."""
        if self.spec.kind != "share":
            return {}
        keys = {key[:-1] for key in self.cells}
        return {key: self._share(self.cells.get((*key, True)), self.cells[(*key, TOTAL)]) for key in keys}

    @staticmethod
    def _share(flagged: ReleasedCell | None, everyone: ReleasedCell) -> tuple[int, int] | None:
        if flagged is None or flagged.n is None or not everyone.n:
            return None
        return flagged.n, everyone.n

    def as_data(self, reasons: bool = True) -> dict[str, Any]:
        """For a page or a document; without reasons for the requester, whom they could tell what the marker hides."""
        cells = [
            {"key": list(cell.key), "n": cell.n, "value": cell.value, "text": cell.text}
            | ({"rules": list(cell.rules)} if reasons else {})
            for cell in self.cells.values()
        ]
        data = {
            "spec": self.spec.as_data(),
            "dimensions": list(self.spec.dimensions),
            "categories": [list(values) for values in self.categories],
            "cells": cells,
        }
        return data | ({"findings": [finding.as_data() for finding in self.findings]} if reasons else {})


def protect(table: Table, policy: Policy, memory: Remembers | None = None) -> Released:
    """Apply every rule of `policy` to a table whose people are known. Raises Problem if it has too many cells."""
    findings = value_rules(table, policy) + rows_of_one_person(table)
    return _protect(table.spec, table.counts(), table.categories, policy, findings, table, memory)


def protect_counts(counts: Mapping[Key, int], spec: TableSpec, policy: Policy) -> Released:
    """The same rules on counts of distinct people, margins included; for counts and shares only.

    Raises Problem for a sum or mean (dominance needs the contributions), a missing or an impossible count.
    """
    if spec.kind not in ("count", "share"):
        raise Problem("counts-only", N_("Pooled tables are of counts and shares."), where="measure")
    categories = _categories(counts, len(spec.dimensions))
    full = {key: counts.get(key, 0) for key in cube_keys(categories)}
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in full.values()):
        raise Problem("counts-invalid", N_("A count is a whole number from 0."), where="cells")
    return _protect(spec, full, categories, policy, [], None, None)


def pool(tables: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Counts of several holders added cell by cell; people are taken as disjoint unless a linkage says otherwise."""
    pooled: dict[Key, int] = {}
    for counts in tables:
        for key, n in counts.items():
            pooled[key] = pooled.get(key, 0) + n
    return pooled


def counts_as_data(counts: Mapping[Key, int]) -> list[list[Any]]:
    """Counts as JSON, for an intermediate aggregate that travels to the centre: [[key, n], …]."""
    return [[list(key), n] for key, n in counts.items()]


def counts_from_data(data: Iterable[Any]) -> dict[Key, int]:
    """Raises Problem if the form is not that of counts_as_data."""
    try:
        pairs = [(tuple(key), n) for key, n in data]
        counts = dict(pairs)
    except (TypeError, ValueError) as error:
        raise Problem("counts-invalid", N_("These are not the counts of a table."), where="cells") from error
    if len(counts) != len(pairs):
        raise Problem("counts-invalid", N_("A cell stands twice."), where="cells")
    return counts


def round_to(n: int, base: int) -> int:
    """Nearest multiple of base, ties upwards."""
    return (2 * n + base) // (2 * base) * base


def _protect(
    spec: TableSpec,
    counts: Mapping[Key, int],
    categories: Categories,
    policy: Policy,
    findings: list[Finding],
    table: Table | None,
    memory: Remembers | None,
) -> Released:
    if len(counts) > policy.max_cells:
        raise Problem(
            "table-too-large",
            N_("The table has {cells} cells; at most {most} are checked at once."),
            remedy=N_("Use fewer dimensions or broader categories."),
            cells=len(counts),
            most=policy.max_cells,
        )
    found = small_cells(counts, policy) + class_disclosure(counts, categories, policy) + findings
    small = {key for finding in found if finding.rule == "small-cell" for key in finding.keys}
    other = {key for finding in found if finding.hides for key in finding.keys} - small
    pattern = Pattern(counts, categories, policy)
    while True:
        extra = pattern.protect(small, other) if policy.secondary else set()
        shown = set(counts) - small - other - extra
        differences = memory.check(table, shown) if memory and table else []
        if not differences:
            break
        found += differences
        other |= {key for finding in differences for key in finding.keys}
    if extra:
        found.append(_secondary(tuple(key for key in counts if key in extra), policy))
    rules = _rules_by_key(found)
    cells = {}
    for key, n in counts.items():
        if key in shown:
            cells[key] = ReleasedCell(key, round_to(n, policy.rounding), _value(table, key, policy))
        else:
            marker = f"<{policy.threshold}" if key in small else HIDDEN
            cells[key] = ReleasedCell(key, None, None, marker, tuple(rules[key]))
    return Released(spec, categories, cells, tuple(found))


def _secondary(keys: tuple[Key, ...], policy: Policy) -> Finding:
    return Finding(
        "secondary",
        keys,
        N_("Hidden so that other hidden cells do not follow from the totals."),
        N_("Join categories so that fewer cells are small, or leave out the totals' dimension."),
        "HUN 4.4: secondary cell suppression",
        {"threshold": policy.threshold},
    )


def _rules_by_key(findings: Iterable[Finding]) -> dict[Key, list[str]]:
    rules: dict[Key, list[str]] = {}
    for finding in findings:
        for key in finding.keys if finding.hides else ():
            named = rules.setdefault(key, [])
            if finding.rule not in named:
                named.append(finding.rule)
    return rules


def _value(table: Table | None, key: Key, policy: Policy) -> str | None:
    """Sum, or mean over the people who have a value, to the policy's significant digits."""
    if table is None or table.spec.kind not in ("sum", "mean"):
        return None
    cell = table.cells[key]
    exact = float(cell.total or 0.0)
    if table.spec.kind == "mean":
        exact /= max(len(cell.valued), 1)
    return f"{float(f'{exact:.{policy.significant_digits}g}'):.15g}"


def _categories(counts: Mapping[Key, int], dimensions: int) -> Categories:
    if any(not isinstance(key, tuple) or len(key) != dimensions for key in counts):
        raise Problem("counts-invalid", N_("The cells do not fit the table's dimensions."), where="cells")
    return tuple(
        tuple(sorted({key[axis] for key in counts if key[axis] != TOTAL}, key=sort_key)) for axis in range(dimensions)
    )
