"""What a class tells about a sensitive value: l-diversity and t-closeness, exactly, for all classes at once.

l-diversity (Machanavajjhala et al. 2007): distinct, entropy (the exponential of the class's entropy) and recursive
(c, l): r1 < c (rl + … + rm), the r in falling order. t-closeness (Li et al. 2007): the earth mover's distance
between the values of a class and those of everybody, with the ground distances of that paper: *equal* (all values
are 1 apart), *ordered* (ranks apart, by m - 1) and *hierarchical* (height of the lowest common ancestor, by the
height of the tree).

Missing sensitive values are the worst case. For l they count as the class's most frequent value, which gives the least
diversity that any filling in could give. For t a missing value is a value of its own at distance 1 from all others:
exact for equal and hierarchical distance; for ordered distance the bound |p0 - q0| + (1 - max(p0, q0)) * EMD(known
values) is given (p0, q0: shares missing), which is never too small and is exact where nothing is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ansim.privacy.deid import classes
from ansim.privacy.deid.classes import Column


@dataclass(frozen=True)
class Table:
    """Non-empty cells of class x value, by class and then by value; `start` is where each class begins."""

    cls: np.ndarray
    value: np.ndarray
    n: np.ndarray
    start: np.ndarray
    total: np.ndarray  # of each class

    @property
    def share(self) -> np.ndarray:
        return self.n / self.total[self.cls]


def tabulate(keys: np.ndarray, room: int, column: Column, person: Column | None = None) -> Table:
    """Count the people of each class by value; keys as of `classes.pack`."""
    cells, room = classes.join(keys, room, column.codes, column.levels)
    found = classes.count(classes.people(cells, room, person), room)
    owner = found.keys // column.levels
    begins = np.concatenate(([True], owner[1:] != owner[:-1])) if len(owner) else np.zeros(0, dtype=bool)
    start = np.flatnonzero(begins)
    total = np.add.reduceat(found.sizes, start) if len(start) else np.zeros(0, dtype=np.int64)
    return Table(np.cumsum(begins) - 1, found.keys % column.levels, found.sizes, start, total)


# --- l-diversity -----------------------------------------------------------------------------------------


def distinct(table: Table) -> int:
    """The fewest distinct known values of a class, at least 1; 0 without people."""
    if not len(table.start):
        return 0
    return int(np.maximum(np.add.reduceat((table.value > 0).astype(np.int64), table.start), 1).min())


def entropy(table: Table) -> float:
    """The least exp(entropy) of a class: entropy l-diversity holds for each l up to it."""
    if not len(table.start):
        return 0.0
    n = _filled(table)
    share = n / table.total[table.cls]
    terms = np.where(n > 0, -share * np.log(np.where(n > 0, share, 1)), 0.0)
    return float(np.exp(np.add.reduceat(terms, table.start).min()))


def recursive(table: Table, l: int) -> float:  # noqa: E741 (the letter of the article)
    """The least c that is still too small: recursive (c, l)-diversity holds for each greater c; infinite if never."""
    if not len(table.start):
        return float("inf")
    n = _filled(table)
    order = np.lexsort((-n, table.cls))
    falling = n[order]
    rank = np.arange(len(falling)) - table.start[table.cls]
    tail = np.add.reduceat(np.where(rank >= l - 1, falling, 0), table.start)
    with np.errstate(divide="ignore"):
        return float((falling[table.start] / tail).max())


def _filled(table: Table) -> np.ndarray:
    """The counts, with each class's missing values added to its most frequent known one."""
    missing = table.value == 0
    if not missing.any():
        return table.n
    known = np.where(missing, 0, table.n)
    most = np.lexsort((-known, table.cls))[table.start]
    gone = np.add.reduceat(np.where(missing, table.n, 0), table.start)
    known[most] += gone  # a class of missing values only keeps them as one value
    return known


# --- t-closeness -----------------------------------------------------------------------------------------


def shares(table: Table, levels: int) -> np.ndarray:
    """q: the share of each code among everybody."""
    counts = np.bincount(table.value, table.n, minlength=levels)
    return counts / max(counts.sum(), 1)


def equal(table: Table, q: np.ndarray) -> np.ndarray:
    """The distance of each class with all values 1 apart: half the sum of |p - q|."""
    p, share = table.share, q[table.value]
    return (_sum(table, np.abs(p - share)) + 1 - _sum(table, share)) / 2


def ordered(table: Table, q: np.ndarray) -> np.ndarray:
    """The distance of each class by ranks: sum over i of |P(i) - Q(i)| / (m - 1), over the values that occur.

    P is a step function over the class's own values; between two steps |P - Q| is summed from prefix sums of Q, so the
    cost is that of the non-empty cells and not of classes times values.
    """
    p0 = _sum(table, np.where(table.value == 0, table.share, 0.0))
    q0 = q[0]
    inner = _by_ranks(table, q)
    return np.abs(p0 - q0) + (1 - np.maximum(p0, q0)) * inner


def _by_ranks(table: Table, q: np.ndarray) -> np.ndarray:
    occurs = np.flatnonzero(q[1:] > 0) + 1
    m = len(occurs)
    if m < 2:
        return np.zeros(len(table.start))
    rank = np.zeros(len(q), dtype=np.int64)
    rank[occurs] = np.arange(m)
    cumulated = np.cumsum(q[occurs]) / q[occurs].sum()
    sums = np.concatenate(([0.0], np.cumsum(cumulated)))
    known = table.value > 0
    if not known.any():
        return np.zeros(len(table.start))
    cls, at, n = table.cls[known], rank[table.value[known]], table.n[known]
    starts = np.flatnonzero(np.concatenate(([True], cls[1:] != cls[:-1])))
    lengths = np.diff(np.append(starts, len(cls)))
    run = np.cumsum(n)
    before = np.repeat(run[starts] - n[starts], lengths)
    height = (run - before) / np.repeat(np.add.reduceat(n, starts), lengths)  # P after each of the class's values
    until = np.append(at[1:], m)
    until[np.append(starts[1:] - 1, len(cls) - 1)] = m
    area = _area(cumulated, sums, at, until, height)
    found = np.zeros(len(table.start))
    found[cls[starts]] = np.add.reduceat(area, starts) + sums[at[starts]]  # before the class's first value P is 0
    return found / (m - 1)


def _area(q: np.ndarray, sums: np.ndarray, low: np.ndarray, high: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Sum of |level - q[i]| over i in [low, high), for rising q with prefix sums `sums`."""
    cross = np.clip(np.searchsorted(q, level), low, high)
    below = level * (cross - low) - (sums[cross] - sums[low])
    return below + (sums[high] - sums[cross]) - level * (high - cross)


def hierarchical(table: Table, q: np.ndarray, nodes: Sequence[np.ndarray]) -> np.ndarray:
    """The distance of each class in a tree (`hierarchy.tree`): over its nodes, height / H * min(surplus, lack) below.

    Only children that occur in a class can have a surplus, so a node without people of the class costs nothing.
    """
    cls, node, p = table.cls, table.value, table.share
    classes_, height = len(table.start), len(nodes) - 1
    found, below = np.zeros(classes_), q
    for level in range(1, height + 1):
        up = _parents(nodes[level - 1], nodes[level])
        above = np.bincount(up, below, minlength=int(up.max()) + 1)
        cells, place = np.unique(cls * len(above) + up[node], return_inverse=True)
        mass, surplus = np.bincount(place, p), np.bincount(place, np.maximum(p - below[node], 0))
        cls, node, p = cells // len(above), cells % len(above), mass
        lack = surplus - (mass - above[node])
        found += np.bincount(cls, np.minimum(surplus, lack), minlength=classes_) * level / height
        below = above
    return found


def _parents(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """The node above each node of a step."""
    found = np.zeros(int(fine.max()) + 1, dtype=np.int64)
    found[fine] = coarse
    return found


def _sum(table: Table, terms: np.ndarray) -> np.ndarray:
    return np.add.reduceat(terms, table.start) if len(table.start) else np.zeros(0)
