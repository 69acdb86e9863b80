"""Secondary suppression: hide further cells until no hidden one follows from what is shown.

The attacker is assumed to know the published counts exactly (rounding is extra), that counts are not negative, which
hidden cells are small ones, and the table's additive structure. For each hidden cell the smallest and the largest value
that fit are found by linear programming; that interval must be as wide as the rule that hid the cell promises. Where it
is not, an integer programme chooses the cheapest further cells (fewest people hidden) that make it so, as in the
incremental method of [HUN] (Hundepool et al. 2012) 4.4. The audit decides, never the choice: if no cells help, the
whole table is hidden. Hiding more only widens intervals, so one pass is enough.

Not covered: inference from knowing this algorithm (which cells it would have preferred), and bounds on the values of
sums (hidden sums are protected through their counts).
"""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.rules import Categories, lines
from ansim.privacy.disclosure.table import Key

_SECONDS = 5.0  # per integer programme; an unfinished one falls back to hiding whole lines
_SLACK = 1e-6


class Pattern:
    """Which cells are hidden, and what an attacker can conclude. structure: every margin with the cells that add up to
    it, where that is more than the lines of one cube (linked tables, hierarchies)."""

    def __init__(
        self,
        counts: Mapping[Key, int],
        categories: Categories,
        policy: Policy,
        structure: Iterable[tuple[Key, tuple[Key, ...]]] | None = None,
    ):
        self.keys = list(counts)
        self.index = {key: place for place, key in enumerate(self.keys)}
        self.values = np.array([counts[key] for key in self.keys], float)
        self.policy = policy
        self.low_value = 0 if policy.zeros == "hide" else 1
        self.rows, self.lower, self.upper = self._structure(
            counts, lines(categories) if structure is None else structure
        )

    def _structure(self, counts: Mapping[Key, int], structure: Iterable[tuple[Key, tuple[Key, ...]]]):
        """margin - sum(line) = 0. Where people stand in several cells of a line, only
        max(line) <= margin <= sum(line) is known to hold, and the attacker knows no more."""
        data: list[float] = []
        place: list[tuple[int, int]] = []
        lower: list[float] = []
        upper: list[float] = []

        def add(terms: list[tuple[Key, float]], low: float, high: float) -> None:
            for key, factor in terms:
                place.append((len(lower), self.index[key]))
                data.append(factor)
            lower.append(low)
            upper.append(high)

        for margin, line in structure:
            additive = counts[margin] == sum(counts[key] for key in line)
            add([(margin, 1.0), *((key, -1.0) for key in line)], 0.0 if additive else -np.inf, 0.0)
            if not additive:
                for key in line:
                    add([(margin, 1.0), (key, -1.0)], 0.0, np.inf)
        row, column = zip(*place, strict=True) if place else ((), ())
        matrix = sparse.csr_matrix((data, (row, column)), shape=(len(lower), len(self.keys)))
        return matrix, np.array(lower), np.array(upper)

    def protect(self, small: set[Key], other: set[Key]) -> set[Key]:
        """The cells to hide in addition to `small` (below the threshold) and `other` (hidden by other rules)."""
        hidden = {self.index[key] for key in small | other}
        bounded = {self.index[key] for key in small}
        first = set(hidden)
        queue = sorted(hidden)
        while queue:
            target = queue.pop()
            if self._is_protected(target, hidden, bounded):
                continue
            more = self._cheapest(target, hidden, bounded)
            trial = hidden | more
            if not more or not self._is_protected(target, trial, bounded):
                return set(self.keys) - small - other
            queue.extend(sorted(more - hidden))
            hidden = trial
        return {self.keys[place] for place in hidden - first}

    def interval(self, key: Key, small: set[Key], hidden: set[Key]) -> tuple[float, float]:
        """What an attacker concludes about one cell; `hidden` are all hidden cells, `small` those known as small."""
        return self._interval(self.index[key], {self.index[one] for one in hidden}, {self.index[one] for one in small})

    def _wanted(self, target: int, bounded: set[int]) -> tuple[float, float, float]:
        """(lowest, highest) value that must stay possible for a small cell; else any interval of that width."""
        top = self.policy.threshold - 1
        width = float(top - self.low_value)
        return (float(self.low_value), float(top), width) if target in bounded else (-np.inf, np.inf, width)

    def _is_protected(self, target: int, hidden: set[int], bounded: set[int]) -> bool:
        low, high = self._interval(target, hidden, bounded)
        need_low, need_high, width = self._wanted(target, bounded)
        if target in bounded:
            return low <= need_low + _SLACK and high >= need_high - _SLACK
        return high - low >= width - _SLACK

    def _bounds(self, hidden: set[int], bounded: set[int]) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.values.copy(), self.values.copy()
        for place in hidden:
            low[place] = self.low_value if place in bounded else 0.0
            high[place] = self.policy.threshold - 1 if place in bounded else np.inf
        return low, high

    def _interval(self, target: int, hidden: set[int], bounded: set[int]) -> tuple[float, float]:
        low, high = self._bounds(hidden, bounded)
        free = np.array(sorted(hidden))
        known = self.rows @ np.where(np.isin(np.arange(len(self.keys)), free), 0.0, self.values)
        rows = self.rows[:, free]
        used = np.flatnonzero(np.diff(rows.indptr))
        rows, lower, upper = rows[used], self.lower[used] - known[used], self.upper[used] - known[used]
        ends = []
        for sign in (1.0, -1.0):
            cost = np.where(free == target, sign, 0.0)
            finite_low, finite_high = np.isfinite(lower), np.isfinite(upper)
            answer = linprog(
                cost,
                A_ub=sparse.vstack([rows[finite_high], -rows[finite_low]]) if len(used) else None,
                b_ub=np.concatenate([upper[finite_high], -lower[finite_low]]) if len(used) else None,
                bounds=np.column_stack([low[free], high[free]]),
                method="highs",
            )
            if answer.status == 3:  # unbounded: nothing shown limits this cell
                ends.append(-np.inf)
            elif answer.status == 0:
                ends.append(float(answer.fun))
            else:
                return float(self.values[target]), float(self.values[target])  # unsolved counts as recovered
        return ends[0], -ends[1]

    def _cheapest(self, target: int, hidden: set[int], bounded: set[int]) -> set[int]:
        """Two tables that fit everything shown and differ enough at the target, at the least number of people hidden.

        Unknowns: table a, table b, and z = 1 where a cell is hidden; |a - value| and |b - value| <= M z.
        """
        size = len(self.keys)
        reach = 4.0 * self.policy.threshold  # far enough to move; a small M keeps the programme tight
        low, high = self._bounds(hidden, bounded)
        fixed = np.array([place in hidden for place in range(size)])
        lows = np.where(fixed, low, np.maximum(self.values - reach, 0.0))
        highs = np.minimum(np.where(fixed, high, self.values + reach), self.values + reach)
        need_low, need_high, width = self._wanted(target, bounded)
        low_a, high_b = lows.copy(), highs.copy()
        high_a, low_b = highs.copy(), lows.copy()
        if target in bounded:
            high_a[target], low_b[target] = need_low, need_high
        zero, one = sparse.csr_matrix((self.rows.shape[0], size)), sparse.identity(size, format="csr")
        nothing = sparse.csr_matrix((size, size))
        apart = sparse.csr_matrix(([-1.0, 1.0], ([0, 0], [target, size + target])), shape=(1, 3 * size))
        constraints = [
            LinearConstraint(sparse.hstack([self.rows, zero, zero]), self.lower, self.upper),
            LinearConstraint(sparse.hstack([zero, self.rows, zero]), self.lower, self.upper),
            LinearConstraint(apart, width, np.inf),
        ]
        for shift in (0, 1):
            parts = [nothing, nothing]
            parts[shift] = one
            constraints.append(LinearConstraint(sparse.hstack([*parts, -reach * one]), -np.inf, self.values))
            constraints.append(LinearConstraint(sparse.hstack([*parts, reach * one]), self.values, np.inf))
        answer = milp(
            np.concatenate([np.zeros(2 * size), np.where(fixed, 0.0, 1.0 + self.values)]),
            integrality=np.concatenate([np.zeros(2 * size), np.ones(size)]),
            bounds=Bounds(
                np.concatenate([low_a, low_b, fixed.astype(float)]), np.concatenate([high_a, high_b, np.ones(size)])
            ),
            constraints=constraints,
            options={"time_limit": _SECONDS, "mip_rel_gap": 0.05},
        )
        if answer.x is None:
            return set()
        return {int(place) for place in np.flatnonzero(answer.x[2 * size :] > 0.5)} - hidden
