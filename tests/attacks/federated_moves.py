"""Moves against federated analyses: what the researcher, or the centre that combines, could do to learn of one person.

The attacker knows everything about everybody but one thing about the victim, person 0, and says it: True when right.
Each move is played with the defence on (as the software does it) and with only that defence off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ansim.errors import Problem
from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect
from ansim.privacy.disclosure.table import TableSpec, tabulate
from ansim.research.analysis import about, guard, methods
from ansim.sites.centre import released

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ASKER = Asker("mallory", "alpha")
OFF = guard.Policy(threshold=1, people=1, freedom=-99, rounds=10_000, dominance=2.0, alone=True)


@dataclass(frozen=True)
class Move:
    """right(seed, off): whether the attacker says the victim's secret rightly against the node of this seed."""

    what: str
    defence: str
    right: Callable[[int, bool], bool]


def frame(seed: int, people: int = 400) -> pa.Table:
    """People with age, sex and heat; whether they are ill, and on which day they had the event."""
    chance = np.random.default_rng(seed)
    age, heat = chance.integers(20, 90, people).astype(float), chance.normal(37, 0.8, people).round(2)
    ill = chance.random(people) < 1 / (1 + np.exp(-(age - 60) / 15))
    return pa.table(
        {
            "person_id": np.arange(people), "age": age, "heat": heat, "ill": ill,
            "sex": chance.choice(["F", "M"], people).tolist(), "days": chance.integers(1, 1000, people).astype(float),
        }
    )  # fmt: skip


class Holder:
    """A node as it answers federated jobs: its guard, and its memory of whom it answered about."""

    def __init__(self, seed: int, policy: guard.Policy | None = None, remembers: bool = True):
        self.policy = policy or guard.Policy()
        self.memory = Memory(ListStorage(), b"node secret of seed %012d" % seed, Policy()) if remembers else None

    def admits(self, data: pa.Table, method: str, spec: dict) -> bool:
        if self.memory is None:
            return True
        asked = TableSpec.parse(about.people(method, spec, "0" * 64))
        table = tabulate(data, asked, self.memory.codes)
        found = protect(table, Policy(), self.memory.for_asker(ASKER))
        if any(each.rule == "difference" for each in found.findings):
            return False
        self.memory.remember(table, found, ASKER, NOW, id=str(len(self.memory.releases)))
        return True

    def sums(self, data: pa.Table, method: str, spec: dict, state: dict | None = None, masked: bool = False) -> dict:
        """What leaves in answer to one round. Raises Problem where the guard forbids it."""
        chosen = methods.method(method)
        state = state or methods.start(method, spec)
        prepared = chosen.prepare(data, spec)
        for reason in guard.admissible(method, prepared, spec, self.policy, state, masked=masked):
            raise reason
        return chosen.local(prepared, spec, state)


def refused(ask: Callable[[], Any]) -> Any:
    """What was answered; None for a refusal."""
    try:
        return ask()
    except Problem:
        return None


# --- the researcher ---------------------------------------------------------------------------------------------------

LOGISTIC = {"ansim": "model/1", "kind": "logistic", "outcome": "ill", "terms": [{"variable": "age", "scale": [50, 10]}]}


def two_models(seed: int, off: bool) -> bool:
    """The same model of everybody and of all but the victim, whose age is known: her outcome is the sign of the change.

    Taking a person out moves the fit at her own covariates by x' I^-1 x (y - p): up from below if she is not ill.
    """
    data, holder = frame(seed), Holder(seed, remembers=not off)
    fits = []
    for asked in (data, data.slice(1)):
        if not holder.admits(asked, "logistic", LOGISTIC):
            return False
        body = released.SHOWN["logistic"](LOGISTIC, methods.run("logistic", [asked], LOGISTIC), Policy())[0]
        fits.append(np.array([term["coefficient"] for term in body["terms"]]))
    here = np.array([1.0, (data["age"][0].as_py() - 50) / 10])
    return bool(here @ (fits[0] - fits[1]) > 0) is data["ill"][0].as_py()


KM = {"ansim": "analysis/1", "kind": "km", "time": "days", "event": "ill", "grid": 1, "horizon": 1000}


def curve_steps(seed: int, off: bool) -> bool:
    """On which day the victim had the event: the step of the released curve that no other person can have made."""
    data = frame(seed).set_column(3, "ill", pa.array([True] * 200 + [False] * 200))
    data = data.set_column(5, "days", pa.array([float(3 * (n % 300) + (n != 0)) + 10 for n in range(400)]))
    result = methods.run("km", [data], KM)
    shown = result if off else released.SHOWN["km"](KM, result, Policy())[0]
    curve = shown["curves"][0]
    days = curve["times"] if off else [step["time"] for step in curve["steps"]]
    others = {int(each) for each in data["days"].to_pylist()[1:]}
    alone = [day for day in days if day not in others]
    return alone == [int(data["days"][0].as_py())]


def quantile_of_few(seed: int, off: bool) -> bool:
    """The highest heat is the victim's: asked for as the 100 % quantile, it comes to the last digit."""
    data = frame(seed)
    data = data.set_column(2, "heat", pa.array([41.37, *data["heat"].to_pylist()[1:]]))
    spec = {"ansim": "analysis/1", "kind": "quantiles", "variable": "heat", "percent": [100]}
    result = methods.run("quantiles", [data], spec)
    shown = result if off else (refused(lambda: released.SHOWN["quantiles"](spec, result, Policy())[0]) or {})
    return 41.37 in _numbers(shown)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [found for each in value.values() for found in _numbers(each)]
    if isinstance(value, list):
        return [found for each in value for found in _numbers(each)]
    return [value] if isinstance(value, float) else []


# --- the centre that combines -----------------------------------------------------------------------------------------


def sum_of_two(seed: int, off: bool) -> bool:
    """The covariance of a cohort of the victim and somebody known: its first round's sum, less what is known."""
    data = frame(seed).slice(0, 2)
    spec = {"ansim": "analysis/1", "kind": "pca", "variables": ["age", "heat"]}
    sums = refused(lambda: Holder(seed, OFF if off else None).sums(data, "pca", spec))
    return sums is not None and abs(sums["sum"][0] - data["age"][1].as_py() - data["age"][0].as_py()) < 1e-6


def pointing_round(seed: int, off: bool) -> bool:
    """One round with coefficients that weigh the oldest alone, then no more: its gradient is her outcome."""
    data = frame(seed)
    data = data.set_column(1, "age", pa.array([119.0, *data["age"].to_pylist()[1:]]))
    holder, state = Holder(seed, OFF if off else None), {"round": 1, "beta": [-690.0, 100.0]}
    sums = refused(lambda: holder.sums(data, "logistic", LOGISTIC, state))
    if sums is None:
        return False
    # everybody younger has a fitted chance of 0: the gradient less their known outcomes is what is left of the victim
    known = sum(data["ill"].to_pylist()[1:])
    left = sums["gradient"][0] - known
    chance = 1 / (1 + np.exp(-(-690.0 + 100.0 * (119.0 - 50) / 10)))
    return bool(round(left + chance) == 1) is data["ill"][0].as_py()


def chosen_cuts(seed: int, off: bool) -> bool:
    """Cuts of the centre's own choice in a quantile's rounds, until they close in on the victim's value."""
    data = frame(seed)
    spec = {"ansim": "analysis/1", "kind": "quantiles", "variable": "heat", "percent": [50]}
    holder = Holder(seed, OFF if off else None)
    others = sorted(data["heat"].to_pylist()[1:])

    def counted(cut: float) -> int | None:
        sums = refused(lambda: holder.sums(data, "quantiles", spec, {"round": 1, "cuts": [[cut]]}))
        return None if sums is None else sums["counts"][0][0] - sum(each <= cut for each in others)

    low, high = 30.0, 45.0
    for _ in range(40):
        middle = (low + high) / 2
        below = counted(middle)
        if below is None:
            return False
        low, high = (low, middle) if below else (middle, high)
    return abs(high - data["heat"][0].as_py()) < 1e-6


MOVES = [
    Move("two models of cohorts that differ by one person", "memory of whom results were about", two_models),
    Move("the step of a curve that one person made", "steps of few people are joined", curve_steps),
    Move("the highest value as a quantile", "quantiles rest on enough people", quantile_of_few),
    Move("covariance of the victim and somebody known", "fewest people at the node", sum_of_two),
    Move("one round with coefficients that point at one person", "guard against pointed rounds", pointing_round),
    Move("cuts of the centre's choice around one value", "cuts leave in a pool only", chosen_cuts),
]
