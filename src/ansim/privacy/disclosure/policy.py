"""One site's disclosure policy: every threshold is a value of the site, none is hidden in code.

No official small-cell number was found in Korea, so the defaults are cautious: hide below 10, round to 5.
Percentages are integers, so that a policy can stand in a signed document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ansim.errors import N_, Problem, Problems

# For each field: smallest and largest legal value, and which of two values is the stricter one.
_BOUNDS: dict[str, tuple[int, int, Any]] = {
    "threshold": (2, 1_000_000, max),
    "rounding": (1, 1_000_000, max),
    "dominance_n": (1, 20, max),
    "dominance_percent": (1, 100, min),
    "p_percent": (0, 100, max),
    "class_percent": (51, 100, min),
    "min_degrees_of_freedom": (1, 1_000_000, max),
    "significant_digits": (1, 15, min),
    "snap_distance": (2, 1_000_000, max),
    "noise": (1, 1_000_000, max),
    "noise_percent": (0, 50, max),
    "guess_requester": (51, 99, min),
    "guess_everybody": (51, 99, min),
    "exposure_days": (1, 36_500, max),
    "feasibility_per_requester": (0, 1_000_000, min),
    "feasibility_reserved": (0, 1_000_000, min),
    "feasibility_per_organisation": (0, 1_000_000, min),
    "feasibility_per_day": (0, 1_000_000, min),
    "max_cells": (1, 100_000, min),
    "max_file_bytes": (1, 10**12, min),
    "max_file_rows": (1, 10**9, min),
}
_AUDIENCES = ("requester", "organisation", "anyone")  # from the weakest to the strictest comparison


@dataclass(frozen=True)
class Policy:
    """Thresholds of one site; counts are of distinct people, percentages are integers 0..100."""

    threshold: int = 10  # fewest people behind a shown number
    rounding: int = 5  # base to which released counts are rounded
    zeros: str = "hide"  # "hide": an empty cell is treated as a small one; "show"
    dominance_n: int = 2  # (n, k) rule: the n largest contributors ...
    dominance_percent: int = 90  # ... hold at most this share of a sum
    p_percent: int = 10  # p% rule: the second largest estimates the largest no closer than this
    class_percent: int = 90  # a line with this share in one cell discloses its class
    extremes: str = "refuse"  # minima, maxima: "refuse" or "people" (needs threshold people at the value)
    min_degrees_of_freedom: int = 10  # of a released model
    significant_digits: int = 3  # of released sums and means
    secondary: bool = True  # off only in positive controls of the attack suite
    audience: str = "anyone"  # whose earlier releases are compared
    snap_distance: int = 10  # feasibility: sets nearer than this show the same number
    noise: int = 15  # feasibility: largest perturbation of a fresh answer ...
    noise_percent: int = 5  # ... or this share of the count where that is more
    guess_requester: int = (
        75  # how often at most, in percent, one requester's fresh answers make even-odds guesses right
    )
    guess_everybody: int = 85  # the same for all answers to everybody together
    exposure_days: int = 365  # over which both are counted
    feasibility_per_requester: int = 50  # answers a day
    feasibility_reserved: int = 20  # of them, what colleagues cannot use up
    feasibility_per_organisation: int = 200  # answers a day, beyond the reserved ones
    feasibility_per_day: int = 1000  # answers a day to everybody: names are the hub's word, this number is not
    max_cells: int = 2000  # of one table, margins included
    max_file_bytes: int = 16 * 1024 * 1024
    max_file_rows: int = 5000

    def __post_init__(self) -> None:
        problems = [self._out_of_bounds(name, low, high) for name, (low, high, _) in _BOUNDS.items()]
        choices = {"zeros": ("hide", "show"), "extremes": ("refuse", "people"), "audience": _AUDIENCES}
        problems += [self._not_a_choice(name, allowed) for name, allowed in choices.items()]
        if not isinstance(self.secondary, bool):
            problems.append(_invalid("secondary", self.secondary, "true, false"))
        found = [problem for problem in problems if problem]
        if found:
            raise Problems(found)

    def _out_of_bounds(self, name: str, low: int, high: int) -> Problem | None:
        value = getattr(self, name)
        legal = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if legal else _invalid(name, value, f"{low} … {high}")

    def _not_a_choice(self, name: str, allowed: tuple[str, ...]) -> Problem | None:
        value = getattr(self, name)
        return None if value in allowed else _invalid(name, value, ", ".join(allowed))

    def as_data(self) -> dict[str, Any]:
        """Plain values, as they stand under `[disclosure]` in a site's TOML."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Policy":
        """Raises Problems naming every unknown or illegal entry: a misspelt threshold must not fall back silently."""
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise Problem(
                "policy-unknown",
                N_("The disclosure policy has no entry {names}."),
                where="disclosure",
                remedy=N_("Correct the spelling or remove it."),
                names=", ".join(unknown),
            )
        return cls(**dict(data))


def strictest(policies: Iterable[Policy]) -> Policy:
    """The policy that satisfies all given ones, entry by entry. Raises Problem for an empty list (fail closed)."""
    listed = list(policies)
    if not listed:
        raise Problem("policy-missing", N_("There is no disclosure policy."), remedy=N_("Name at least one site."))
    numbers = {name: pick(getattr(policy, name) for policy in listed) for name, (_, _, pick) in _BOUNDS.items()}
    return Policy(
        **numbers,
        zeros="hide" if any(policy.zeros == "hide" for policy in listed) else "show",
        extremes="refuse" if any(policy.extremes == "refuse" for policy in listed) else "people",
        secondary=any(policy.secondary for policy in listed),
        audience=max((policy.audience for policy in listed), key=_AUDIENCES.index),
    )


def _invalid(name: str, value: Any, allowed: str) -> Problem:
    return Problem(
        "policy-invalid",
        N_("{name} = {value} is not allowed."),
        where=f"disclosure.{name}",
        remedy=N_("Allowed: {allowed}."),
        name=name,
        value=repr(value),
        allowed=allowed,
    )
