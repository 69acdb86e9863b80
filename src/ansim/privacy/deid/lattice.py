"""Optimal full-domain generalisation: the node of the lattice of steps with the least loss that reaches k.

A node gives each quasi-identifier one step of its hierarchy for everybody; people left in classes under k are
suppressed, at most `limit` of them. Loss is the mean over people and quasi-identifiers of the detail given up
(`hierarchy.Levels`), a suppressed person counting as all of it.

Why the answer is the optimum. Going up, classes only merge, so nobody in a class of k falls out of one: the number
suppressed never rises (El Emam et al. 2009, OLA). Hence a node that suppresses too many condemns all nodes below
it, and a good one vouches for all above: predictive tagging, applied along chains cut in half as in Flash
(Kohlmayer, Prasser et al. 2012). And loss(node) >= bound(node) = detail(node) + suppressed(any node above) * (1 -
greatest detail of a class at it), where detail(node) is the loss with nobody suppressed, which only rises going up.
Nodes are taken by rising bound, and the search ends when no node that could still be good has a bound under the
best loss found. `Outcome.proof` names the nodes that this rests on; `verify` checks it again without the search.
Hierarchies that are not nested switch the tagging off.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ansim.privacy.deid import classes
from ansim.privacy.deid.classes import Column
from ansim.privacy.deid.hierarchy import Levels

Node = tuple[int, ...]
_ROUNDING = 1e-12
_ROOM = 1 << 62
_PART = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hashing
_SPARSE = 4  # times as many possible classes as people to count: then a table of all is no longer quick


class Groups:
    """Classes at a node: the group of each quasi-identifier (one array each), and the people in each class.

    Quasi-identifiers are also held some at a time as one number, so that a class's key at another node is a sum of
    two or three look-ups rather than of one for each.
    """

    def __init__(self, node: Node, codes: list[np.ndarray], levels: Sequence[int], sizes: np.ndarray):
        self.node, self.codes, self.sizes = node, codes, sizes  # sizes: whole numbers as float64, as they are summed
        self.parts: list[tuple[list[int], np.ndarray]] = []
        room = _PART + 1
        for at, (code, size) in enumerate(zip(codes, levels, strict=True)):
            if room * size > _PART:
                self.parts.append(([], np.zeros(len(sizes), dtype=np.intp)))
                room = 1
            together, joined = self.parts[-1]
            together.append(at)
            joined *= size
            joined += code
            room *= size

    def keys(self, maps: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
        """One number a class: its groups by `maps`, packed for groups of these sizes."""
        radix = [prod(sizes[at + 1 :]) for at in range(len(sizes))]
        keys = np.zeros(len(self.sizes), dtype=np.int64)
        for together, joined in self.parts:
            table = np.zeros(1, dtype=np.int64)
            for at in together:
                table = (table[:, None] + maps[at] * radix[at]).reshape(-1)
            keys += table.take(joined, mode="clip")
        return keys


@dataclass
class Outcome:
    """The best node, None where none is good enough; suppressed people; loss in all and of each quasi-identifier."""

    node: Node | None
    people: int
    suppressed: int = 0
    loss: float = 1.0
    loss_of: list[float] = field(default_factory=list)
    checked: int = 0
    nodes: int = 0
    proof: dict[str, Any] = field(default_factory=dict)


class Lattice:
    """The classes of a table at any node of its hierarchies, from the nearest node already known."""

    def __init__(self, columns: Sequence[Column], levels: Sequence[Levels], k: int):
        self.levels, self.k = list(levels), k
        self.shape = tuple(len(each.codes) for each in levels)
        self.nested = all(each.nested for each in levels)
        self.people = len(columns[0].codes)
        sizes = [column.levels for column in columns]
        rows = Groups((), [column.codes for column in columns], sizes, np.ones(self.people))
        self.raw = _merge((), rows, [np.arange(size) for size in sizes], sizes)
        self.kept: list[Groups] = []
        self._tried: set[Node] = set()
        self._last: Groups | None = None
        self._maps: dict[tuple[int, int, int], np.ndarray] = {}
        if self.nested:
            self.kept.append(self.groups((0,) * len(columns)))

    def groups(self, node: Node) -> Groups:
        """The classes of a node."""
        if self._last is None or self._last.node != node:
            source, maps = self._source(node)
            self._last = source if source.node == node else _merge(node, source, maps, self._sizes(node))
        return self._last

    def keep(self, node: Node) -> None:
        """Remember a node that many others lie above, when it has far fewer classes than what they would start from."""
        if node in self._tried:
            return
        self._tried.add(node)
        found = self.groups(node)
        if 3 * len(found.sizes) < 2 * len(self._source(node)[0].sizes):
            self.kept.append(found)

    def suppressed(self, node: Node, limit: int) -> int:
        """People in classes under k at a node; a lesser number, still over the limit, where that is quicker to know.

        Classes that share a place in a hashed table are counted as one, which can only hide small ones.
        """
        source, maps = self._source(node)
        sizes = self._sizes(node)
        room, width = prod(sizes), max(len(source.sizes).bit_length(), 10)
        if room <= _ROOM:
            keys = source.keys(maps, sizes)
            rough = room > _SPARSE * len(keys)
            if rough:
                keys = (keys.astype(np.uint64) * _GOLDEN >> np.uint64(64 - width)).astype(np.int64)
            gone = self._small(np.bincount(keys, source.sizes))
            if gone > limit or not rough:
                return gone
        return self._small(self.groups(node).sizes)

    def _small(self, sizes: np.ndarray) -> int:
        return round(np.where(sizes < self.k, sizes, 0).sum())

    def _sizes(self, node: Node) -> list[int]:
        return [level.sizes[s] for level, s in zip(self.levels, node, strict=True)]

    def _source(self, node: Node) -> tuple[Groups, list[np.ndarray]]:
        """The known classes to start from, and the group at the node of each of their groups."""
        below = [g for g in self.kept if all(a <= b for a, b in zip(g.node, node, strict=True))]
        if not below:
            return self.raw, [level.codes[s] for level, s in zip(self.levels, node, strict=True)]
        source = min(below, key=lambda g: len(g.sizes))
        return source, [self._map(at, source.node[at], node[at]) for at in range(len(node))]

    def _map(self, at: int, low: int, high: int) -> np.ndarray:
        """The group at step `high` of each group at step `low`."""
        if (at, low, high) not in self._maps:
            fine, coarse = self.levels[at].codes[low], self.levels[at].codes[high]
            found = np.zeros(self.levels[at].sizes[low], dtype=np.int64)
            found[fine] = coarse
            self._maps[at, low, high] = found
        return self._maps[at, low, high]

    def judge(self, node: Node) -> tuple[int, float, list[float]]:
        """(people suppressed, loss, loss of each quasi-identifier) of a node."""
        groups = self.groups(node)
        kept = groups.sizes >= self.k
        sizes = groups.sizes[kept]
        gone = round(self.people - sizes.sum())
        losses = []
        for at, step in enumerate(node):
            share = self.share(at, step)
            losses.append(float(share[groups.codes[at][kept]] @ sizes + gone) / max(self.people, 1))
        return gone, sum(losses) / len(losses), losses

    def share(self, at: int, step: int) -> np.ndarray:
        """The share of detail given up in each group of a step."""
        level = self.levels[at]
        found = np.zeros(level.sizes[step])
        found[level.codes[step]] = level.loss[step]
        return found

    def detail(self) -> np.ndarray:
        """Loss of every node with nobody suppressed: the mean over quasi-identifiers of its steps' losses."""
        found = np.zeros(self.shape)
        for at, level in enumerate(self.levels):
            counts = np.bincount(self.raw.codes[at], self.raw.sizes, minlength=len(level.codes[0]))
            one = [float(loss @ counts) / max(self.people, 1) for loss in level.loss]
            found += _along(one, at, self.shape)
        return found / len(self.shape)

    def room(self) -> np.ndarray:
        """For every node, what a suppressed person loses more at the least: 1 - the greatest detail of a class."""
        found = np.zeros(self.shape)
        for at, level in enumerate(self.levels):
            found += _along([float(loss.max(initial=0.0)) for loss in level.loss], at, self.shape)
        return 1 - found / len(self.shape)


def search(columns: Sequence[Column], levels: Sequence[Levels], *, k: int, limit: int) -> Outcome:
    """The optimum over the lattice of these columns' levels, with at most `limit` people suppressed (never all)."""
    lattice = Lattice(columns, levels, k)
    best = Outcome(None, lattice.people, nodes=prod(lattice.shape))
    if not lattice.people:
        return best
    detail, room = lattice.detail(), lattice.room()
    least = np.zeros(lattice.shape)  # people known to be suppressed at each node, from nodes above
    bad, good, done = (np.zeros(lattice.shape, dtype=bool) for _ in range(3))
    limit = min(limit, lattice.people - 1)
    condemned: list[Node] = []

    def check(node: Node) -> bool:
        best.checked += 1
        gone = lattice.suppressed(node, limit)
        below, above = tuple(slice(0, s + 1) for s in node), tuple(slice(s, None) for s in node)
        done[node] = True
        if lattice.nested:
            least[below] = np.maximum(least[below], gone)
        if gone > limit:
            condemned.append(node)
            if lattice.nested:
                bad[below] = True
            else:
                bad[node] = True
            return False
        if lattice.nested:
            good[above] = True
        gone, loss, of = lattice.judge(node)
        if best.node is None or loss < best.loss - _ROUNDING:
            best.node, best.suppressed, best.loss, best.loss_of = node, gone, loss, of
        return True

    while True:
        bound = detail + least * room / lattice.people
        ceiling = best.loss - _ROUNDING if best.node is not None else np.inf
        open_ = ~bad & ~done & (bound < ceiling)
        if not open_.any():
            break
        if lattice.nested:
            lattice.keep(_node_of(np.argwhere(open_).min(axis=0)))
        node = _node(int(np.where(open_, bound, np.inf).argmin()), lattice.shape)
        if good[node] or not lattice.nested:
            check(node)
        else:
            _halve(_chain(node, open_ & ~good, bound), check)
    best.proof = {"bad": [list(node) for node in _highest(condemned)], "loss": best.loss, "nested": lattice.nested}
    return best


def verify(columns: Sequence[Column], levels: Sequence[Levels], outcome: Outcome, *, k: int, limit: int) -> bool:
    """Whether an outcome's proof holds: the bad nodes are bad, and every node not below one of them loses no less.

    Rests on `Lattice.judge` and on merging of classes alone, not on how the search went. Judges every node that
    neither is under a bad one nor has a detail above the loss: for tests and for reviewers, slower than the search.
    """
    lattice = Lattice(columns, levels, k)
    limit = min(limit, lattice.people - 1)
    under = np.zeros(lattice.shape, dtype=bool)
    for node in outcome.proof["bad"]:
        if lattice.judge(tuple(node))[0] <= limit:
            return False
        under[tuple(slice(0, s + 1) for s in node) if lattice.nested else tuple(node)] = True
    ceiling = outcome.loss + 1e-9 if outcome.node is not None else np.inf
    left = np.argwhere(~under & (lattice.detail() < outcome.loss - 1e-9 if outcome.node is not None else ~under))
    for each in left:
        gone, loss, _ = lattice.judge(tuple(int(s) for s in each))
        if gone <= limit and loss < ceiling - 2e-9:
            return False
    if outcome.node is None:
        return True
    gone, loss, _ = lattice.judge(outcome.node)
    return gone == outcome.suppressed and gone <= limit and abs(loss - outcome.loss) < 1e-9


def exhaustive(columns: Sequence[Column], levels: Sequence[Levels], *, k: int, limit: int) -> Outcome:
    """The same by judging every node: the oracle of the tests."""
    lattice = Lattice(columns, levels, k)
    best = Outcome(None, lattice.people, nodes=prod(lattice.shape))
    for node in itertools.product(*(range(n) for n in lattice.shape)):
        gone, loss, of = lattice.judge(node)
        best.checked += 1
        if gone <= min(limit, lattice.people - 1) and (best.node is None or loss < best.loss - _ROUNDING):
            best.node, best.suppressed, best.loss, best.loss_of = node, gone, loss, of
    return best


def _merge(node: Node, source: Groups, maps: Sequence[np.ndarray], sizes: Sequence[int]) -> Groups:
    """The distinct rows of groups, and the people in each."""
    room, weights = prod(sizes), source.sizes
    if room > _ROOM:
        return _merge_by_rank(node, source, maps, sizes)
    keys = source.keys(maps, sizes)
    if room <= _SPARSE * len(keys):
        table = np.bincount(keys, weights, minlength=1)
        keys = np.flatnonzero(table)
        sums = table[keys]
    else:
        keys, sums = _sorted_sums(keys, room, weights)
    parts = []
    for size in reversed(sizes):
        if size > 1:
            keys, code = np.divmod(keys, size)
        else:
            code = np.zeros(len(keys), dtype=np.uint8)
        parts.append(code.astype(np.min_scalar_type(size)))
    return Groups(node, parts[::-1], sizes, sums)


def _sorted_sums(keys: np.ndarray, room: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys and their summed weights; the weight rides in the key's low bits where both fit one number."""
    bits = int(weights.max()).bit_length()
    if room << bits < _ROOM:
        both = np.sort((keys << bits) | weights.astype(np.int64))
        keys, weights = both >> bits, both & ((1 << bits) - 1)
    else:
        order = np.argsort(keys)
        keys, weights = keys[order], weights[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return keys[starts], np.add.reduceat(weights, starts).astype(float)


def _merge_by_rank(node: Node, source: Groups, maps: Sequence[np.ndarray], sizes: Sequence[int]) -> Groups:
    """The same where the groups of a row do not fit one number."""
    codes = [each[code] for each, code in zip(maps, source.codes, strict=True)]
    keys, _ = classes.pack([Column(code, size, None) for code, size in zip(codes, sizes, strict=True)])
    _, rows, place = np.unique(keys, return_index=True, return_inverse=True)
    return Groups(node, [code[rows] for code in codes], sizes, np.bincount(place, source.sizes))


def _along(values: Sequence[float], axis: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.array(values).reshape([-1 if at == axis else 1 for at in range(len(shape))])


def _node(flat: int, shape: tuple[int, ...]) -> Node:
    return tuple(int(s) for s in np.unravel_index(flat, shape))


def _node_of(steps: np.ndarray) -> Node:
    return tuple(int(s) for s in steps)


def _chain(node: Node, undecided: np.ndarray, bound: np.ndarray) -> list[Node]:
    """From a node upwards, each time by the step of the least bound, while nodes are undecided."""
    chain = [node]
    while True:
        higher = [
            up
            for at, s in enumerate(chain[-1])
            if s + 1 < undecided.shape[at] and undecided[up := (*chain[-1][:at], s + 1, *chain[-1][at + 1 :])]
        ]
        if not higher:
            return chain
        chain.append(min(higher, key=lambda up: bound[up]))


def _halve(chain: list[Node], check: Any) -> None:
    """Find where the chain turns good, by halving."""
    low, high = 0, len(chain)
    while low < high:
        middle = (low + high) // 2
        if check(chain[middle]):
            high = middle
        else:
            low = middle + 1


def _highest(nodes: list[Node]) -> list[Node]:
    """The nodes that are below no other."""
    if not nodes:
        return []
    all_ = np.array(sorted(set(nodes)))
    return [tuple(n) for n in all_ if not ((all_ >= n).all(axis=1) & (all_ != n).any(axis=1)).any()]
