"""Do two families of disjoint sets of people, combined in any way, isolate a few people?

Let U(S) be the union of some cells S of one table and U(T) of some cells T of another. Someone who knows both tables
knows |U(S)| - |U(T)|, which rests on the people in exactly one of the two, the symmetric difference of U(S) and U(T).
Draw a graph: a node per cell, one node for "outside"; between two cells the number of people they share, between a cell
and outside its people that are in no cell of the other table. A choice of S and T is a cut of this graph, and the cut's
weight is exactly the size of that symmetric difference. So some combination isolates 1 … t-1 people if and only if a
connected part of the graph has a minimum cut below t (Stoer and Wagner 1997, "A simple min-cut algorithm"). This is
exact for all sums and differences over two disjoint families, pairs of cells included.
"""

import numpy as np

MOST_NODES = 300  # left after contraction; beyond it the question counts as unsafe (fail closed)


def small_cut(weights: np.ndarray, threshold: int) -> set[int] | None:
    """One side (without node 0, "outside") of a cut of weight 1 … threshold-1, or None if there is none.

    weights: symmetric n x n matrix of counts with a zero diagonal.
    """
    groups, contracted = _contract(weights, threshold)
    for part in _parts(contracted > 0):
        if len(part) < 2:
            continue
        inside = contracted[np.ix_(part, part)]
        degrees = inside.sum(axis=1)
        if degrees.min() < threshold:
            chosen = {part[int(degrees.argmin())]}
        elif len(part) > MOST_NODES:
            chosen = set(part)
        else:
            weight, side = _minimum_cut(inside)
            if weight >= threshold:
                continue
            chosen = {part[node] for node in side}
        if groups[0] in chosen:
            chosen = set(part) - chosen or set(part)
        return {node for node, group in enumerate(groups) if group in chosen and node != 0}
    return None


def _contract(weights: np.ndarray, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """No cut below the threshold separates two nodes joined by that much: merge them, until none are left."""
    groups = np.arange(len(weights))
    while (weights >= threshold).any():
        parts = _parts(weights >= threshold)
        label = np.empty(len(weights), int)
        for number, part in enumerate(parts):
            label[part] = number
        merge = np.zeros((len(weights), len(parts)), weights.dtype)
        merge[np.arange(len(weights)), label] = 1
        weights = merge.T @ weights @ merge
        np.fill_diagonal(weights, 0)
        groups = label[groups]
    return groups, weights


def _parts(adjacent: np.ndarray) -> list[list[int]]:
    """Connected parts, each a sorted list of nodes."""
    free = np.ones(len(adjacent), bool)
    parts = []
    for start in range(len(adjacent)):
        if not free[start]:
            continue
        free[start] = False
        reached, queue = [start], [start]
        while queue:
            near = np.flatnonzero(adjacent[queue.pop()] & free).tolist()
            free[near] = False
            reached += near
            queue += near
        parts.append(sorted(reached))
    return parts


def _minimum_cut(weights: np.ndarray) -> tuple[int, set[int]]:
    weights = weights.astype(np.int64).copy()
    merged = [{node} for node in range(len(weights))]
    alive = list(range(len(weights)))
    best, side = np.iinfo(np.int64).max, set[int]()
    while len(alive) > 1:
        joined = weights[alive[0], :].copy()
        order, rest = [alive[0]], set(alive[1:])
        while rest:
            last = max(rest, key=lambda node: (joined[node], -node))
            rest.remove(last)
            order.append(last)
            phase = int(joined[last])
            joined += weights[last]
        if phase < best:
            best, side = phase, set(merged[order[-1]])
        into, gone = order[-2], order[-1]
        weights[into] += weights[gone]
        weights[:, into] += weights[:, gone]
        weights[into, into] = 0
        merged[into] |= merged[gone]
        alive.remove(gone)
    return int(best), side
