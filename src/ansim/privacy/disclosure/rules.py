"""Disclosure rules: small pure functions from a table to findings, each with its source.

Sources: [GHB] Griffiths et al., Handbook on Statistical Disclosure Control for Outputs (2019); [HUN] Hundepool et al.,
Statistical Disclosure Control (Wiley, 2012), chapters 4 and 5; [RIT] Ritchie, "Operationalising 'safe statistics'"
(2014). Rules that use counts alone come first: they give the same result on pooled counts as on the pooled people,
which is what lets a centre apply them to a federated table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.table import QUANTILES, TOTAL, VALUED, Cell, Key, Table

Categories = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Finding:
    """Why cells may not be shown. text and remedy are templates for `facts` (see errors.Problem); `hides` is False for
    a remark that the checker should read but that hides nothing."""

    rule: str
    keys: tuple[Key, ...]
    text: str
    remedy: str
    source: str
    facts: dict[str, Any] = field(default_factory=dict)
    hides: bool = True

    def problem(self) -> Problem:
        where = "; ".join(name(key) for key in self.keys[:3]) + (" …" if len(self.keys) > 3 else "")
        return Problem(self.rule, self.text, where=where, remedy=self.remedy, **self.facts)

    def as_data(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "keys": [list(key) for key in self.keys],
            "text": self.text,
            "remedy": self.remedy,
            "facts": self.facts,
            "source": self.source,
            "hides": self.hides,
            "message": str(self.problem()),
        }


def name(key: Key) -> str:
    """A cell's key as people read it, such as `30-39 × F`."""
    return " × ".join("–" if value is None else str(value) for value in key) or TOTAL


def small_cells(counts: Mapping[Key, int], policy: Policy) -> list[Finding]:
    """Fewer distinct people than the threshold; zero counts as small unless the policy shows zeros. [GHB] ch. 4."""
    return [
        Finding(
            "small-cell",
            (key,),
            N_("{n} people stand behind this cell; at least {threshold} are needed."),
            N_("Join categories or leave out a dimension."),
            "GHB ch. 4: threshold rule",
            {"n": n, "threshold": policy.threshold},
        )
        for key, n in counts.items()
        if n < policy.threshold and (n > 0 or policy.zeros == "hide")
    ]


def class_disclosure(counts: Mapping[Key, int], categories: Categories, policy: Policy) -> list[Finding]:
    """A line (row, column, …) almost all of whose people fall in one cell tells that attribute of each of them.

    The whole line is named, not the full cell alone: with its neighbours shown the full cell would follow from the
    margin. For a share this covers 0 % and 100 %, since numerator and complement are cells. [HUN] 4.2.2, [RIT].
    """
    return [
        Finding(
            "class-disclosure",
            line,
            N_("{percent} % of the {n} people of this line fall in one cell ({cell})."),
            N_("Join categories, or leave out this dimension."),
            "HUN 4.2: group attribute disclosure",
            {"percent": 100 * counts[full] // counts[margin], "n": counts[margin], "cell": name(full)},
        )
        for margin, line in lines(categories)
        if (full := max(line, key=lambda key: counts[key])) and counts[margin] >= policy.threshold
        if 100 * counts[full] >= policy.class_percent * counts[margin]
    ]


def lines(categories: Categories) -> Iterator[tuple[Key, tuple[Key, ...]]]:
    """Every margin with the cells that add up to it along one dimension."""
    for axis, values in enumerate(categories):
        others = [(*one, TOTAL) for index, one in enumerate(categories) if index != axis]
        for rest in product(*others):
            place = [(*rest[:axis], value, *rest[axis:]) for value in (*values, TOTAL)]
            if values:
                yield place[-1], tuple(place[:-1])


def value_rules(table: Table, policy: Policy) -> list[Finding]:
    """All rules about sums, means and percentiles, on the contributions of distinct people."""
    kind = table.spec.kind
    if kind not in VALUED:
        return []
    found = []
    for cell in table.cells.values():
        if cell.n:
            checks = (_few_values, _all_same) if kind in QUANTILES else (_few_values, _dominance, _p_percent, _all_same)
            found += [finding for check in checks if (finding := check(cell, policy))]
            if kind in QUANTILES and (finding := extreme(kind, people_beyond(cell, kind), policy)):
                found.append(replace(finding, keys=(cell.key,)))
    return found


def measure(cell: Cell, kind: str, threshold: int) -> float:
    """Sum, mean, or percentile of the people who have a value. A percentile between the extremes is the mean of the
    `threshold` people next to it in rank, so that it is nobody's own value."""
    if kind not in QUANTILES:
        return float(cell.total or 0.0) / (max(len(cell.valued), 1) if kind == "mean" else 1)
    values = np.sort(cell.contributions[np.isfinite(cell.contributions)])
    if not len(values) or kind in ("min", "max"):
        return float(values[-1 if kind == "max" else 0]) if len(values) else 0.0
    rank = QUANTILES[kind] / 100 * (len(values) - 1)
    first = int(np.clip(round(rank - (threshold - 1) / 2), 0, max(len(values) - threshold, 0)))
    return float(values[first : first + threshold].mean())


def people_beyond(cell: Cell, kind: str) -> int:
    """People at a minimum or maximum; at or beyond a percentile, on its thinner side."""
    values = cell.contributions[np.isfinite(cell.contributions)]
    if not len(values):
        return 0
    at = np.quantile(values, QUANTILES[kind] / 100, method="inverted_cdf")
    if kind in ("min", "max"):
        return int((values == at).sum())
    return int(min((values <= at).sum(), (values >= at).sum()))


def _few_values(cell: Cell, policy: Policy) -> Finding | None:
    if len(cell.valued) >= policy.threshold:
        return None
    return Finding(
        "few-values",
        (cell.key,),
        N_("Only {n} people have a value here; at least {threshold} are needed."),
        N_("Join categories or leave out a dimension."),
        "GHB ch. 4: threshold rule",
        {"n": len(cell.valued), "threshold": policy.threshold},
    )


def _dominance(cell: Cell, policy: Policy) -> Finding | None:
    """(n, k) rule. [HUN] 4.2.1."""
    share = sum(cell.largest[: policy.dominance_n])
    if cell.absolute == 0 or 100 * share <= policy.dominance_percent * cell.absolute:
        return None
    return Finding(
        "dominance",
        (cell.key,),
        N_("The {count} largest contributors make up more than {percent} % of this value."),
        N_("Join categories, or show a count instead."),
        "HUN 4.2.1: (n, k) dominance rule",
        {"count": policy.dominance_n, "percent": policy.dominance_percent},
    )


def _p_percent(cell: Cell, policy: Policy) -> Finding | None:
    """p% rule: the second largest contributor could estimate the largest to within p percent. [HUN] 4.2.1."""
    first, second = (*cell.largest, 0.0, 0.0)[:2]
    if first == 0 or 100 * (cell.absolute - first - second) >= policy.p_percent * first:
        return None
    return Finding(
        "p-percent",
        (cell.key,),
        N_("The second largest contributor could estimate the largest to within {percent} %."),
        N_("Join categories, or show a count instead."),
        "HUN 4.2.1: p% rule",
        {"percent": policy.p_percent},
    )


def _all_same(cell: Cell, policy: Policy) -> Finding | None:
    if cell.distinct != 1:
        return None
    return Finding(
        "all-same",
        (cell.key,),
        N_("All people here have the same value, so the mean is everybody's value."),
        N_("Join categories or leave this value out."),
        "HUN 4.2: group attribute disclosure",
    )


def rows_of_one_person(table: Table) -> list[Finding]:
    """Cells whose rows would pass the threshold although their people do not: said so, to spare a checker's doubt."""
    cells = [cell for cell in table.cells.values() if 0 < cell.n < cell.rows]
    return [
        Finding(
            "rows-not-people",
            (cell.key,),
            N_("{rows} rows here belong to {n} people; people are counted."),
            N_("Nothing to do: the number shown is of people."),
            "GHB ch. 4: units are people",
            {"rows": cell.rows, "n": cell.n},
            hides=False,
        )
        for cell in cells
    ]


def extreme(statistic: str, people_at_value: int, policy: Policy) -> Finding | None:
    """Minimum, maximum or percentile that rests on `people_at_value` distinct people (at it, or on its far side).
    [GHB] ch. 4: maxima and minima usually describe one person."""
    if people_at_value >= policy.threshold and policy.extremes == "people":
        return None
    if statistic not in ("min", "max") and people_at_value >= policy.threshold:
        return None
    return Finding(
        "extreme",
        (),
        N_("The {statistic} describes {n} people; at least {threshold} are needed, and extremes may be refused."),
        N_("Show a percentile that rests on more people, such as the 5th or 95th, or grouped values."),
        "GHB ch. 4: extremes and percentiles",
        {"statistic": statistic, "n": people_at_value, "threshold": policy.threshold},
    )


def model_rules(people: int, parameters: int, smallest_group: int, policy: Policy) -> list[Finding]:
    """A regression: residual degrees of freedom, and the fewest distinct people on either side of a 0/1 column (a dummy
    for one person gives away that person's outcome exactly). [RIT]; [GHB] ch. 4 asks for 10 degrees of freedom."""
    found = []
    freedom = people - parameters
    if freedom < policy.min_degrees_of_freedom:
        found.append(
            Finding(
                "degrees-of-freedom",
                (),
                N_("The model leaves {freedom} degrees of freedom; at least {least} are needed."),
                N_("Use fewer variables or more people."),
                "GHB ch. 4: regression",
                {"freedom": freedom, "least": policy.min_degrees_of_freedom},
            )
        )
    if smallest_group < policy.threshold:
        found.append(
            Finding(
                "small-group",
                (),
                N_("A variable of the model singles out {n} people; at least {threshold} are needed."),
                N_("Join its categories or leave the variable out."),
                "RIT: saturated dummies",
                {"n": smallest_group, "threshold": policy.threshold},
            )
        )
    return found
