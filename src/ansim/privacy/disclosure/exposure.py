"""How much of each person the feasibility answers have used up, and when a person is no longer counted.

The measure. Let P and Q be the distributions of everything that askers read in two worlds that differ in one person.
Their Bhattacharyya affinity is the sum of sqrt(P Q) over all readings; 1 means "no difference". Three facts make it a
budget. (a) It multiplies: if each answer, given all earlier ones, has affinity at least exp(-c), then answers chosen
one after another with the earlier ones in view have at least exp(-sum of c). (b) What is made of an answer (rounding,
a threshold) only brings the worlds closer. (c) The total variation is at most sqrt(1 - affinity²) (Le Cam 1986), and
whoever must say which world is true, at even odds, is right at most (1 + total variation) / 2 of the time.

The budget. Each answer charges its c to the people that it is about, and to nobody else: a person outside makes no
difference to it. Whoever has not enough left is left out of the question, as if not in the data; that depends on this
person's own charges alone, so being left out tells nothing (individual accounting: Feldman and Zrnic 2021, "Individual
privacy accounting via a Rényi filter"). So the bound holds for any number of questions, chosen in any way, by anybody.
Knowing whether a person has an attribute means telling two worlds apart that each charge their own answers, hence twice
the budget: affinity at least exp(-2 B), and B = -ln(1 - (2 a - 1)²) / 4 for a share a of right guesses.

Two ledgers: what one requester's fresh answers may use up of a person, and what all answers together may. So nobody
uses up what is meant for others; several in collusion get no more than the second.

The noise. Of all noise that never exceeds b, the density cos²(pi x / 2b) / b has the least Fisher information, pi² / b²
(Huber 1974, "Fisher information and spline interpolation"), so it costs least per answer: about pi² / 8b².
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import numpy as np
from pyroaring import BitMap

from ansim.privacy.disclosure.policy import Policy

_PLACES = np.linspace(-1, 1, 20001)
_SHARES = (1 + _PLACES + np.sin(np.pi * _PLACES) / np.pi) / 2  # of the density that lies to the left
FLAT = 1e-5  # a charge below this is put on everybody: too much for some, but no list of a million people is kept


def limit(percent: int) -> float:
    """What may be used up of a person, so that an attacker is right in at most `percent` of even-odds guesses."""
    return -math.log(1 - (percent / 50 - 1) ** 2) / 4


def reach(count: float, policy: Policy) -> float:
    """The largest perturbation of an answer of `count` people."""
    return max(float(policy.noise), policy.noise_percent * count / 100)


def perturbation(coin: float, largest: float) -> float:
    """The noise of the density above at this quantile (coin: 0 … 1)."""
    return float(np.interp(coin, _SHARES, _PLACES) * largest)


@lru_cache(maxsize=100_000)
def answer_cost(count: int, policy: Policy) -> float:
    """-ln of the affinity between the answers of `count` people and of one more or one fewer, by quadrature."""
    return max(-math.log(_affinity(count, other, policy)) for other in (count + 1, max(count - 1, 0)))


def test_cost(policy: Policy) -> float:
    """-ln of the affinity of a test for nearness (see feasibility.py) at neighbouring distances."""
    return -math.log(math.cos(math.pi / (4 * policy.snap_distance)))


def _affinity(one: int, other: int, policy: Policy) -> float:
    first, second = reach(one, policy), reach(other, policy)
    x = np.linspace(max(one - first, other - second), min(one + first, other + second), 2001)
    product = np.cos(np.pi * (x - one) / (2 * first)) * np.cos(np.pi * (x - other) / (2 * second))
    return min(1.0, float(np.trapezoid(product, x)) / math.sqrt(first * second))


@dataclass(frozen=True)
class Charge:
    """day: ordinal of the date; asker: whose ledger beside everybody's."""

    day: int
    asker: str
    people: BitMap
    cost: float


@dataclass
class Exposure:
    """All charges. What a person has used up in the last `exposure_days` is read from them."""

    charges: list[Charge] = field(default_factory=list)
    _kept: tuple[int, int, np.ndarray, float] | None = None  # first day, charges seen, everybody's sums, flat sum

    def spending(self, asker: str, now: datetime, policy: Policy, size: int) -> "Spending":
        """The state of both ledgers now, to charge this question to. size: number of people codes."""
        first = now.date().toordinal() - policy.exposure_days + 1
        own, flat = np.zeros(size, np.float32), 0.0
        for charge in self.charges:
            if charge.asker == asker and charge.day >= first:
                flat += _add(own, charge)
        everybody, common = self._everybody(first, size)
        return Spending(
            (own, everybody), (flat, common), (limit(policy.guess_requester), limit(policy.guess_everybody))
        )

    def _everybody(self, first: int, size: int) -> tuple[np.ndarray, float]:
        kept = self._kept if self._kept and self._kept[0] == first else (first, 0, np.zeros(size, np.float32), 0.0)
        _, seen, sums, flat = kept
        sums = np.concatenate([sums, np.zeros(max(size - len(sums), 0), np.float32)])
        for charge in self.charges[seen:]:
            if charge.day >= first:
                flat += _add(sums, charge)
        self._kept = (first, len(self.charges), sums, flat)
        return sums.copy(), flat


def _add(sums: np.ndarray, charge: Charge) -> float:
    """Puts the charge on its people, or gives it back to be put on all."""
    if charge.cost < FLAT:
        return charge.cost
    sums[np.asarray(charge.people.to_array(), np.int64)] += charge.cost
    return 0.0


@dataclass
class Spending:
    """Both ledgers (the asker's and everybody's) while one question is answered."""

    sums: tuple[np.ndarray, np.ndarray]
    flat: tuple[float, float]
    limits: tuple[float, float]

    def worn(self, cost: float) -> BitMap:
        """The people who have less than `cost` left: to be treated as if not in the data."""
        used_up = np.zeros(len(self.sums[0]), bool)
        for sums, flat, most in zip(self.sums, self.flat, self.limits, strict=True):
            used_up |= sums > most - flat - cost
        return BitMap(np.flatnonzero(used_up).astype(np.uint32))

    def charge(self, people: BitMap, cost: float) -> None:
        """For the rest of this question; it lasts when the anchor is remembered."""
        place = np.asarray(people.to_array(), np.int64)
        for sums in self.sums:
            sums[place] += cost
