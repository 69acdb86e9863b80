"""Tables of one cohort that share cells: one structure, so that what one table hides no other gives back.

Two tables over the same people are linked where they have a cell in common: the same people by the same values, such
as the number of women in a table by age band and sex and in one by year and sex. A variable that is a function of
another (age bands of 20 years and of 10, a chapter and its codes) makes a hierarchy: the coarse cell is the sum of its
fine ones. It is found from the people themselves: each fine cell lies within one coarse cell. HUN 4.5: linked and
hierarchical tables are protected together, or not at all.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from ansim.privacy.disclosure.rules import lines
from ansim.privacy.disclosure.table import TOTAL, Key, Table, TableSpec

Place = tuple[tuple[str, Any], ...]  # a cell by what its people have in common: sorted (variable, value)


def place(spec: TableSpec, key: Key) -> Place:
    """The cell of this key in any table: tables that share it say the same of it."""
    values = [(name, value) for name, value in zip(spec.dimensions, key, strict=True) if value != TOTAL]
    return tuple(sorted({*spec.where, *values}, key=str))


def structure(tables: Sequence[Table]) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """Every margin with the cells that add up to it, over all tables and hierarchies."""
    known: set[Place] = set()
    for table in tables:
        known.update(place(table.spec, key) for key in table.cells)
        for margin, line in lines(table.categories):
            yield place(table.spec, margin), tuple(place(table.spec, key) for key in line)
    for fine, coarse, parents in _hierarchies(tables):
        for whole in list(known):
            values = dict(whole)
            if coarse not in values or fine in values:
                continue
            rest = {each for each in whole if each[0] != coarse}
            children = [
                tuple(sorted({*rest, (fine, value)}, key=str))
                for value, parent in parents.items()
                if parent == values[coarse]
            ]
            if children and all(child in known for child in children):
                yield whole, tuple(children)


def _hierarchies(tables: Sequence[Table]) -> Iterator[tuple[str, str, dict[Any, Any]]]:
    """(fine variable, coarse variable, {fine value: coarse value}) for each pair of which one is a function of the
    other, among tables under the same condition."""
    margins: dict[tuple[Any, str], dict[Any, Any]] = {}
    for table in tables:
        for axis, name in enumerate(table.spec.dimensions):
            for value in table.categories[axis]:
                key = tuple(value if index == axis else TOTAL for index in range(len(table.spec.dimensions)))
                margins.setdefault((table.spec.where, name), {})[value] = table.cells[key].people
    for (where, fine), (other, coarse) in permutations(margins, 2):
        if where != other or fine == coarse or len(margins[where, fine]) <= len(margins[other, coarse]):
            continue
        parents = {
            value: next((top for top, all_of in margins[other, coarse].items() if people.issubset(all_of)), TOTAL)
            for value, people in margins[where, fine].items()
            if people
        }
        if parents and TOTAL not in parents.values():
            yield fine, coarse, parents
