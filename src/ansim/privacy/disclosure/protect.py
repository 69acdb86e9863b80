"""From a table to what may leave: primary suppression, memory, secondary suppression, rounding.

Two entries, one core. `protect` knows the people behind each cell. `protect_counts` knows counts alone, as a centre
does that pools tables of several holders; on counts of disjoint people it gives the same release as `protect` on the
pooled people (without memory, which only a holder has).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.linked import Place, place, structure
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.rules import (
    Categories,
    Finding,
    class_disclosure,
    lines,
    measure,
    rows_of_one_person,
    small_cells,
    value_rules,
)
from ansim.privacy.disclosure.secondary import Pattern
from ansim.privacy.disclosure.table import TOTAL, VALUED, Key, Table, TableSpec, cube_keys, sort_key

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
    return protect_linked([table], policy, memory)[0]


def protect_linked(tables: Sequence[Table], policy: Policy, memory: Remembers | None = None) -> list[Released]:
    """The same for several tables of one frame, protected together: shared cells and hierarchies (see linked.py)."""
    parts = [_Part(table.spec, table.counts(), table.categories, table) for table in tables]
    if len(tables) == 1:
        return _protect(parts, policy, memory, None)
    return _protect(parts, policy, memory, list(structure(tables)))


def as_csv(released: Released) -> bytes:
    """The protected table as the file that may leave: a column for each variable ("*" in margins) and the number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*released.spec.dimensions, number_column(released.spec)])
    for key, cell in released.cells.items():
        writer.writerow([*(as_text(part) for part in key), cell.text])
    return out.getvalue().encode()


def number_column(spec: TableSpec) -> str:
    return "n" if spec.kind in ("count", "share") else f"{spec.kind}_{spec.of}"


def as_text(part: Any) -> str:
    """A category as it stands in a file."""
    if part is None:
        return ""
    return str(part).lower() if isinstance(part, bool) else str(part)


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
    return _protect([_Part(spec, full, categories, None)], policy, None, None)[0]


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


@dataclass(frozen=True)
class _Part:
    """One table of those that are protected together."""

    spec: TableSpec
    counts: Mapping[Key, int]
    categories: Categories
    table: Table | None

    def places(self, keys: Iterable[Key]) -> set[Place]:
        return {place(self.spec, key) for key in keys}

    def found(self, policy: Policy) -> list[Finding]:
        found = small_cells(self.counts, policy) + class_disclosure(self.counts, self.categories, policy)
        return found + (value_rules(self.table, policy) + rows_of_one_person(self.table) if self.table else [])


def _protect(
    parts: list[_Part],
    policy: Policy,
    memory: Remembers | None,
    links: list[tuple[Place, tuple[Place, ...]]] | None,
) -> list[Released]:
    counts = {place(part.spec, key): n for part in parts for key, n in part.counts.items()}
    if len(counts) > policy.max_cells:
        raise Problem(
            "table-too-large",
            N_("The table has {cells} cells; at most {most} are checked at once."),
            remedy=N_("Use fewer dimensions or broader categories."),
            cells=len(counts),
            most=policy.max_cells,
        )
    found = [part.found(policy) for part in parts]
    small: set[Place] = set()
    other: set[Place] = set()
    for part, findings in zip(parts, found, strict=True):
        small |= part.places(key for one in findings if one.rule == "small-cell" for key in one.keys)
        other |= part.places(key for one in findings if one.hides for key in one.keys)
    other -= small
    if links is None:
        links = [(place(part.spec, margin), tuple(place(part.spec, key) for key in line))
                 for part in parts for margin, line in lines(part.categories)]  # fmt: skip
    pattern = Pattern(counts, (), policy, links)
    while True:
        extra = pattern.protect(small, other) if policy.secondary else set()
        hidden = small | other | extra
        again = False
        for part, findings in zip(parts, found, strict=True):
            shown = {key for key in part.counts if place(part.spec, key) not in hidden}
            differences = memory.check(part.table, shown) if memory and part.table else []
            findings += differences
            other |= part.places(key for one in differences for key in one.keys)
            again = again or bool(differences)
        if not again:
            break
    return [_released(part, findings, small, hidden, policy) for part, findings in zip(parts, found, strict=True)]


def _released(part: _Part, found: list[Finding], small: set[Place], hidden: set[Place], policy: Policy) -> Released:
    mine = {key for finding in found if finding.hides for key in finding.keys}
    derived = tuple(key for key in part.counts if place(part.spec, key) in hidden and key not in mine)
    if derived:
        found = [*found, _secondary(derived, policy)]
    rules = _rules_by_key(found)
    cells = {}
    for key, n in part.counts.items():
        if place(part.spec, key) not in hidden:
            cells[key] = ReleasedCell(key, round_to(n, policy.rounding), _value(part.table, key, policy))
        else:
            marker = f"<{policy.threshold}" if place(part.spec, key) in small else HIDDEN
            cells[key] = ReleasedCell(key, None, None, marker, tuple(rules[key]))
    return Released(part.spec, part.categories, cells, tuple(found))


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
    """The measure of the cell over the people who have a value, to the policy's significant digits."""
    if table is None or table.spec.kind not in VALUED:
        return None
    exact = measure(table.cells[key], table.spec.kind, policy.threshold)
    return f"{float(f'{exact:.{policy.significant_digits}g}'):.15g}"


def _categories(counts: Mapping[Key, int], dimensions: int) -> Categories:
    if any(not isinstance(key, tuple) or len(key) != dimensions for key in counts):
        raise Problem("counts-invalid", N_("The cells do not fit the table's dimensions."), where="cells")
    return tuple(
        tuple(sorted({key[axis] for key in counts if key[axis] != TOTAL}, key=sort_key)) for axis in range(dimensions)
    )
