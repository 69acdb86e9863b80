"""How many of a sample's people are unique in a population of which only the size is known: published estimators.

*Pitman*: the population's classes follow Pitman's sampling formula, its two parameters fitted to the sample by maximum
likelihood (Hoshino 2001, Journal of Official Statistics 17). *Zayatz*: a sample unique is a population unique by
Bayes' rule, with the sample's own distribution of class sizes in the population's place (Zayatz 1991, US Bureau of
the Census). Dankar, El Emam, Neisa and Roffey (2012) found Pitman best for small sampling fractions and Zayatz
usable above a tenth; neither is a bound. Where they differ the greater one is the one to judge by, and `uniques`
gives that.
"""

from collections.abc import Mapping
from math import exp
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from ansim.errors import N_, Problem


def estimate(frequencies: Mapping[int, int], size: int) -> dict[str, Any]:
    """{"people", "fraction", "pitman", "zayatz", "uniques", "share_of_uniques"} of a sample with these class sizes.

    frequencies: {class size: number of classes}. size: people in the population, at least those in the sample.
    pitman (None where it has no fit) and zayatz are expected numbers of *population* uniques; share_of_uniques is the
    greater estimate's share of the sample's uniques that are unique in the population too.
    """
    n = sum(j * count for j, count in frequencies.items())
    if size < n:
        raise Problem(
            "population-too-small",
            N_("A population of {size} cannot have a sample of {people} people."),
            size=size,
            people=n,
        )
    single = frequencies.get(1, 0)
    if not n or not single:
        return {"people": size, "fraction": n / size, "pitman": 0.0, "zayatz": 0.0, "uniques": 0.0,
                "share_of_uniques": 0.0}  # fmt: skip
    by_pitman, by_zayatz = pitman(frequencies, size), zayatz(frequencies, size)
    # Of U population uniques, each is in the sample with the chance n / size.
    greatest = max(by_pitman or 0.0, by_zayatz)
    return {
        "people": size,
        "fraction": n / size,
        "pitman": by_pitman,
        "zayatz": by_zayatz,
        "uniques": greatest,
        "share_of_uniques": min(1.0, greatest * n / size / single),
    }


def zayatz(frequencies: Mapping[int, int], size: int) -> float:
    """Expected population uniques: P(unique | sample unique) times the sample's uniques, over the fraction."""
    n = sum(j * count for j, count in frequencies.items())
    j = np.array(sorted(frequencies), dtype=float)
    weight = np.array([frequencies[int(each)] for each in j], dtype=float)
    # Hypergeometric chance that exactly one of a population class of size j is among the n sampled.
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.exp(np.log(j) + _log_choose(size - j, n - 1) - _log_choose(float(size), n))
    chance = np.where(size - j >= n - 1, chance, 0.0)
    share = weight[0] * chance[0] / (weight * chance).sum() if j[0] == 1 else 0.0
    return float(share * frequencies.get(1, 0) * size / n)


def _log_choose(total: Any, chosen: float) -> Any:
    return gammaln(total + 1) - gammaln(chosen + 1) - gammaln(np.maximum(total - chosen, 0) + 1)


def pitman(frequencies: Mapping[int, int], size: int) -> float | None:
    """Expected population uniques: size * prod over 1 <= i < size of (theta + alpha + i - 1) / (theta + i).

    The first person stays alone when each later one goes elsewhere. None where the likelihood has no inner maximum.
    """
    fitted = fit(frequencies)
    if fitted is None:
        return None
    alpha, theta = fitted
    log = gammaln(theta + alpha + size - 1) - gammaln(theta + alpha) - gammaln(theta + size) + gammaln(theta + 1)
    return min(float(size), size * exp(log))


def fit(frequencies: Mapping[int, int]) -> tuple[float, float] | None:
    """(alpha, theta) with 0 < alpha < 1, theta > -alpha that make the sample's class sizes most likely."""
    j = np.array(sorted(frequencies), dtype=float)
    count = np.array([frequencies[int(each)] for each in j], dtype=float)
    n, u = float(j @ count), float(count.sum())
    if u < 2 or u == n:
        return None

    def unlikely(point: np.ndarray) -> float:
        alpha = 1 / (1 + np.exp(-point[0]))
        theta = np.exp(point[1]) - alpha
        # prod over 0 < i < u of (theta + i alpha), over (theta + 1) rising n - 1; (1 - alpha) rising j - 1 a class
        ways = (u - 1) * np.log(alpha) + gammaln(theta / alpha + u) - gammaln(theta / alpha + 1)
        ways -= gammaln(theta + n) - gammaln(theta + 1)
        ways += count @ (gammaln(j - alpha) - gammaln(1 - alpha))
        return float(-ways)

    best = min(
        (
            minimize(unlikely, start, method="Nelder-Mead")
            for start in ((0.0, np.log(u)), (-3.0, np.log(u)), (2.0, 0.0))
        ),
        key=lambda found: found.fun,
    )
    alpha = float(1 / (1 + np.exp(-best.x[0])))
    return (alpha, float(np.exp(best.x[1]) - alpha)) if best.success else None
