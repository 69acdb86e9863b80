"""Which hospitals to ask: the smallest set that reaches the wanted number of patients, and why each is in it or not.

The choice is an integer programme (HiGHS through SciPy's milp): fewest hospitals whose shown counts together reach
the number; among those sets the one with the best fit, coverage of the variables, quality and past response. Counts are
what feasibility showed, so suppressed and rounded; somebody may be counted at two hospitals, so a sum is no count of
people.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from ansim.governance.purpose import ABSTAIN, APPROVE, DENY

WEIGHTS = {"fit": 4.0, "coverage": 3.0, "quality": 2.0, "response": 1.0}  # of the penalty that breaks ties
EXACT = {"mip_rel_gap": 0.0}  # ties are decided too
SLOW_DAYS = 60.0  # a median answer this late or later has the full penalty of a slow one


@dataclass(frozen=True)
class Candidate:
    """One hospital as the hub knows it. count: the number that feasibility showed, None if it is suppressed or refused.
    coverage: share of the wanted variables that it publishes, 0 to 1. quality: share of quality checks passed, 0 to 1,
    None if not known. fit: approve, abstain or deny (purpose.fit). days: median working days of its past answers."""

    id: str
    count: int | None
    coverage: float = 1.0
    quality: float | None = None
    fit: str = ABSTAIN
    days: float | None = None

    @property
    def penalty(self) -> float:
        """0 (nothing speaks against it) to 1."""
        parts = {
            "fit": 0.0 if self.fit == APPROVE else 1.0,
            "coverage": 1.0 - self.coverage,
            "quality": 0.5 if self.quality is None else 1.0 - self.quality,
            "response": 0.5 if self.days is None else min(self.days / SLOW_DAYS, 1.0),
        }
        return sum(WEIGHTS[name] * value for name, value in parts.items()) / sum(WEIGHTS.values())


@dataclass(frozen=True)
class Choice:
    """chosen: ids, most patients first. total: sum of their counts. enough: whether that reaches the number wanted.
    reasons: id -> why it is in, or why it is left out: chosen, purpose, variables, no-count, not-needed."""

    chosen: tuple[str, ...]
    total: int
    wanted: int
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        return self.total >= self.wanted


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that deny last, then most patients first; ties by what speaks against them."""
    return sorted(candidates, key=lambda one: (one.fit == DENY, -(one.count or 0), one.penalty, one.id))


def smallest(candidates: Iterable[Candidate], wanted: int, least_coverage: float = 1.0) -> Choice:
    """The smallest set that reaches `wanted` people; where none does, every hospital that could take part.

    least_coverage: a hospital that has fewer of the variables is not asked.
    """
    every = rank(candidates)
    reasons = {one.id: _excluded(one, least_coverage) for one in every}
    able = [one for one in every if not reasons[one.id]]
    chosen = _fewest(able, wanted) if sum(one.count or 0 for one in able) >= wanted else able
    for one in able:
        reasons[one.id] = "chosen" if one in chosen else "not-needed"
    return Choice(tuple(one.id for one in chosen), sum(one.count or 0 for one in chosen), wanted, reasons)


def _excluded(one: Candidate, least_coverage: float) -> str:
    if one.fit == DENY:
        return "purpose"
    if one.coverage < least_coverage:
        return "variables"
    return "" if one.count else "no-count"


def _fewest(able: list[Candidate], wanted: int) -> list[Candidate]:
    if wanted <= 0 or not able:
        return []
    # Each hospital costs one and its penalty a little, so that all penalties together weigh less than one hospital.
    costs = 1.0 + np.array([one.penalty for one in able]) / (2 * len(able))
    counts = np.array([[one.count for one in able]], dtype=float)
    solved = milp(
        costs, constraints=LinearConstraint(counts, wanted), integrality=1, bounds=Bounds(0, 1), options=EXACT
    )
    picked = np.round(solved.x).astype(bool)
    return [one for one, taken in zip(able, picked, strict=True) if taken]
