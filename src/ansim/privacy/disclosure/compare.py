"""What a new table, put beside tables that were released before, would tell about a few people.

A *family* is one level of a table (its body or one of its margins): disjoint sets of people. For two families every
sum and difference of cells is decided exactly by a minimum cut (cuts.py). Beyond two tables:

- two earlier families that have nobody in common count as one family, so all unions over both are decided exactly;
- three single cells, one new and two old, with signs plus and minus: exact. The people about whom 1_new - 1_a - 1_b (or
  1_b - 1_new - 1_a) is not zero must not be 1 … t-1. Such a combination needs two sets that nearly add up to the
  third, so candidates are found by size and containment.

Not decided: unions over three or more earlier tables that overlap, four or more single cells, several levels of one
table at once (within one table secondary suppression holds), facts from outside.

Values. For sums and means the people can be the same and their values not. Each person of such a cell has a *mark*, a
keyed hash of the person's own contribution; whoever stands in both families of one variable with another mark is no
longer shared but different in either. In the doubled graph such a person weighs one half on each side: exact where both
cells are used, too little (so too strict) where one is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from ansim.privacy.disclosure.cuts import small_cut
from ansim.privacy.disclosure.table import TOTAL, Key

MOST_TRIPLES = 20_000  # exact set operations for three cells in one check
MOST_PAIRS = 200  # pairs of earlier families joined to one in one check


@dataclass(frozen=True)
class Family:
    """Disjoint cells. marks: per cell one uint32 a person, in the order of the bitmap; of: the variable they are of."""

    keys: tuple[Key, ...]
    cells: tuple[BitMap, ...]
    of: str = ""
    marks: tuple[np.ndarray, ...] = ()

    @property
    def sizes(self) -> np.ndarray:
        return np.array([len(cell) for cell in self.cells], np.int64)


def families(cells: dict[Key, BitMap], of: str = "", marks: dict[Key, np.ndarray] | None = None) -> list[Family]:
    """Cells by level (which dimensions are summed over); cells that overlap each stand alone, so pairs stay exact."""
    levels: dict[tuple[bool, ...], list[Key]] = {}
    for key, people in cells.items():
        if people:
            levels.setdefault(tuple(part == TOTAL for part in key), []).append(key)
    found = []
    for keys in levels.values():
        union = BitMap.union(*(cells[key] for key in keys))
        disjoint = len(union) == sum(len(cells[key]) for key in keys)
        found += [
            Family(
                tuple(group),
                tuple(cells[key] for key in group),
                of if marks else "",
                tuple(marks[key] for key in group) if marks else (),
            )
            for group in ([keys] if disjoint else [[key] for key in keys])
        ]
    return found


@dataclass(frozen=True)
class Overlap:
    """People in both: shared[i, j], row 0 for people of old cell j in no new cell; changed: of other value, [i, j]."""

    shared: np.ndarray
    changed: np.ndarray


class Compared:
    """One new family, prepared to be compared with many old ones. size: number of people codes."""

    def __init__(self, family: Family, size: int):
        self.family, self.sizes = family, family.sizes
        self.label = np.zeros(size, np.int32)
        self.marks = np.zeros(size if family.of else 0, np.uint32)
        for place, people in enumerate(family.cells):
            codes = people.to_array()
            self.label[codes] = place + 1
            if family.of:
                self.marks[codes] = family.marks[place]

    def overlap(self, old: Family) -> Overlap:
        codes = np.concatenate([np.asarray(people.to_array(), np.uint32) for people in old.cells])
        column = np.repeat(np.arange(len(old.cells), dtype=np.int32), old.sizes)
        shape = (len(self.family.cells) + 1, len(old.cells))
        flat = self.label[codes] * np.int32(shape[1]) + column
        shared = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
        changed = np.zeros(shape, np.int64)
        if self.family.of and self.family.of == old.of:
            differ = np.concatenate(old.marks) != self.marks[codes]
            changed = np.bincount(flat[differ], minlength=shape[0] * shape[1]).reshape(shape)
            changed[0] = 0
        return Overlap(shared, changed)

    def isolating(self, overlap: Overlap, threshold: int) -> tuple[int, int] | None:
        """(place of the new cell most to blame, number of new cells) of a combination of both families that differs by
        1 … threshold-1 people; None if none does."""
        shared, changed = 2 * (overlap.shared - overlap.changed), overlap.changed
        alone = 2 * (self.sizes - overlap.shared[1:].sum(axis=1)) + changed[1:].sum(axis=1)
        outside = shared[0] + changed.sum(axis=0)
        if (alone >= 2 * threshold).all() and (outside >= 2 * threshold).all():
            return None  # every cell hangs on "outside" by at least the threshold: no small cut
        new, old = len(alone), len(outside)
        weights = np.zeros((1 + new + old, 1 + new + old), np.int64)
        weights[0, 1 : new + 1], weights[0, new + 1 :] = alone, outside
        weights[1 : new + 1, new + 1 :] = shared[1:]
        weights += weights.T
        side = small_cut(weights, 2 * threshold)
        mine = [node for node in sorted(side or ()) if node <= new]
        if not side or not mine:
            return None
        theirs = [node for node in sorted(side) if node > new]
        others = [node for node in range(1 + new + old) if node not in side]
        crossing = weights[:, others].sum(axis=1)
        shares = weights[np.ix_(mine, theirs)] / np.maximum(weights[theirs].sum(axis=1), 1)
        blame = crossing[mine] + shares @ crossing[theirs]
        return mine[int(blame.argmax())] - 1, len(mine)

    def joined(self, old: Sequence[Family], overlaps: Sequence[Overlap], threshold: int) -> Iterator[tuple[int, int]]:
        """Places of two old families without common people that, as one family, leave some new cell fewer than
        `threshold` people of its own although each alone does not."""
        if len(old) < 2:
            return
        covered = np.array([overlap.shared[1:].sum(axis=1) for overlap in overlaps])
        unions: dict[int, BitMap] = {}
        seen: set[tuple[int, int]] = set()
        for cell, size in enumerate(self.sizes.tolist()):
            order = np.argsort(covered[:, cell], kind="stable")
            sorted_cover = covered[order, cell].tolist()
            for place, cover in enumerate(sorted_cover):
                if cover <= 0 or size - cover < threshold:
                    continue
                first = max(bisect_right(sorted_cover, size - cover - threshold), place + 1)
                for other in range(first, bisect_right(sorted_cover, size - cover)):
                    if size - sorted_cover[other] < threshold:
                        continue
                    pair = (int(min(order[place], order[other])), int(max(order[place], order[other])))
                    if pair in seen:
                        continue
                    seen.add(pair)
                    for one in pair:
                        unions.setdefault(one, BitMap.union(*old[one].cells))
                    if not unions[pair[0]].intersection_cardinality(unions[pair[1]]):
                        yield pair
                    if len(seen) >= MOST_PAIRS:
                        return

    def triples(
        self, old: Sequence[BitMap], sizes: np.ndarray, inside: np.ndarray, threshold: int
    ) -> Iterator[tuple[int, int, int]]:
        """(new cell, old cell, old cell) that together isolate 1 … threshold-1 people. inside[i, j]: people of old
        cell j that are in new cell i."""
        left = MOST_TRIPLES
        order = np.argsort(sizes, kind="stable")
        for cell, mine in enumerate(self.family.cells):
            size, both = len(mine), inside[cell]
            if ((both == size) & (sizes == size)).any():
                continue  # released as it is before: no news
            within = order[(sizes - both < threshold)[order]].tolist()
            around = order[(size - both < threshold)[order]].tolist()
            apart = order[(both < threshold)[order]].tolist() if around else []
            for known, whole in ((within, [-1]), (apart, around)):
                lengths = [int(sizes[j]) for j in known]
                for target, one, other in _adding_up(known, lengths, whole, size, sizes, threshold):
                    left -= 1
                    if left < 0:
                        return
                    parts = (old[one], old[other]) if target < 0 else (old[one], mine)
                    aim = mine if target < 0 else old[target]
                    alone = (aim ^ (parts[0] | parts[1])) | (parts[0] & parts[1])
                    if 0 < len(alone) < threshold:
                        yield cell, one, other if target < 0 else target
                        break


def _adding_up(
    known: list[int], lengths: list[int], whole: list[int], size: int, sizes: np.ndarray, threshold: int
) -> Iterator[tuple[int, int, int]]:
    """Candidates by size alone: two known cells that make the new one (whole is [-1]), or one that with the new cell
    makes a whole one. known is sorted by length."""
    for target in whole:
        if target >= 0:
            rest = int(sizes[target]) - size
            for place in range(bisect_left(lengths, rest - 2 * threshold), bisect_right(lengths, rest + threshold)):
                if known[place] != target:
                    yield target, known[place], target
            continue
        for first, one in enumerate(known):
            rest = size - lengths[first]
            start = max(bisect_left(lengths, rest - threshold), first + 1)
            for place in range(start, bisect_right(lengths, rest + 2 * threshold)):
                yield -1, one, known[place]
