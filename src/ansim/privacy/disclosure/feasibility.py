"""Counts for feasibility questions: near-equal sets of people show the same number, and no person wears thin.

The rule. Every answered set is an *anchor* with the number that was shown for it.
1. The same question of the same data shows its number again.
2. Anchors are looked at from the newest to the oldest. At a distance (people in exactly one of the two sets) up to
   `snap_distance` the anchor's number is shown; from there to three times that distance a coin decides, with the chance
   cos² of an angle that grows evenly from 0 to a right angle. The first that holds gives its number.
3. Else the answer is fresh: the count, plus noise of the density cos² that never exceeds `noise` or `noise_percent` of
   the count, rounded. It is a number only if it reaches threshold + noise. So a fresh number never stands for fewer
   people than the threshold; what is below reads "<25" (threshold 10, noise 15).
4. A fresh answer charges the people that it counts, a coin charges the people in exactly one of its two sets (see
   exposure.py). Whoever has too little left is left out of both. Both cos² are the shapes that cost least.

What an attacker learns who knows all people of all sets but one, who chooses questions as she likes, one after another:
she tells whether that one person has the attribute at most `guess_everybody` percent of the time, from all answers to
anybody in any `exposure_days` days; and at most `guess_requester` percent from the fresh answers of one requester (an
older number that she is shown was charged to who first asked). Guessing is 50. This is a theorem about rule and noise,
not a measurement; tests/attacks measures that the best known strategies stay below it.

What stays. A group of k people who stand or fall together is told apart as if each had k² times the charges. Numbers
for groups near in membership may be off by up to three times `snap_distance`, and by more after a chain of small steps.
Where many have asked about the same people, those are no longer counted and numbers are too low. That a number is an
older one shows that somebody asked something similar before (a fact about questions, not about people). Anchors are
shared by all askers, otherwise two colluding ones would compare two independent noises. Released tables are exact, so
they are outside the theorem; the two are not compared with each other.
"""

import hmac
import math
from dataclasses import dataclass
from datetime import datetime

from pyroaring import BitMap

from ansim.privacy.disclosure.exposure import Spending, answer_cost, perturbation, reach, test_cost
from ansim.privacy.disclosure.memory import Anchor, Asker, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import round_to

BY = ("sex", "age_band", "year")  # what a count can be split by; each part is an answer of its own
MOST_YEARS = 40


@dataclass(frozen=True)
class FeasibilityAnswer:
    """shown: what the requester reads ("125" or "<25"); value: the same as a number, None when low; low: too few for a
    number. For the steward only: fresh, whether no earlier answer was near; worn, how many people were left out."""

    shown: str
    value: int | None
    low: bool
    fresh: bool
    worn: int = 0


def answer(
    people: BitMap, policy: Policy, memory: Memory, secret: bytes, now: datetime, *, question: str, asker: Asker
) -> FeasibilityAnswer:
    """The number to show for a set of people (codes of `memory.codes`); remembers the set.

    question: names what was asked and of which version of the data; equal names show equal numbers. secret: of this
    node, used for nothing else. Deterministic in the secret, the question, and the anchors so far.
    """
    if earlier := memory.answered(question):
        memory.remember_anchor(earlier.people, _facts(earlier.facts["value"], question, asker, now))
        return _shown(earlier.facts["value"], policy, fresh=False)
    seed = hmac.digest(secret, f"{len(memory.anchors)}/{question}".encode(), "sha256")
    spending = memory.exposure.spending(f"{asker.organisation}/{asker.requester}", now, policy, memory.size)
    anchor, tests = _nearby(people, policy, memory.anchors, spending, seed)
    if anchor:
        value, cost, worn, counted = anchor.facts["value"], 0.0, 0, people
    else:
        counted = people - spending.worn(answer_cost(0, policy))
        value, cost, worn = _fresh(len(counted), policy, seed), answer_cost(len(counted), policy), len(people - counted)
    facts = {"cost": cost, "tests": [list(apart) for apart in tests], "test_cost": test_cost(policy)}
    memory.remember_anchor(counted, _facts(value, question, asker, now) | facts)
    return _shown(value, policy, fresh=anchor is None, worn=worn)


def _facts(value: int | None, question: str, asker: Asker, now: datetime) -> dict:
    name = f"{asker.organisation}/{asker.requester}"
    return {"value": value, "at": now.isoformat(), "day": now.date().toordinal(), "question": question, "asker": name}


def _shown(value: int | None, policy: Policy, fresh: bool, worn: int = 0) -> FeasibilityAnswer:
    least = policy.threshold + policy.noise
    if value is None or value < least - policy.rounding:  # the policy may be stricter than when it was shown
        return FeasibilityAnswer(f"<{least}", None, True, fresh, worn)
    return FeasibilityAnswer(str(value), value, False, fresh, worn)


def _fresh(count: int, policy: Policy, seed: bytes) -> int | None:
    noisy = math.floor(count + perturbation(_coin(seed, "noise"), reach(count, policy)) + 0.5)
    return None if noisy < policy.threshold + policy.noise else round_to(noisy, policy.rounding)


def _nearby(
    people: BitMap, policy: Policy, anchors: list[Anchor], spending: Spending, seed: bytes
) -> tuple[Anchor | None, list[BitMap]]:
    """The anchor whose number is shown, if any, and for each coin that was thrown the people in one of its two sets."""
    tests: list[BitMap] = []
    cost, far = test_cost(policy), 3 * policy.snap_distance
    worn = spending.worn(cost)
    size = len(people - worn)
    for place in range(len(anchors) - 1, -1, -1):
        anchor = anchors[place]
        if abs(len(anchor.people) - anchor.people.intersection_cardinality(worn) - size) > far:
            continue
        apart = (people ^ anchor.people) - worn
        angle = math.pi / 2 * min(max(len(apart) / policy.snap_distance - 1, 0) / 2, 1)
        if len(apart) > far:
            continue
        if len(apart) <= policy.snap_distance:
            return anchor, tests
        tests.append(apart)
        spending.charge(apart, cost)
        if _coin(seed, f"near {place}") < math.cos(angle) ** 2:
            return anchor, tests
        worn = spending.worn(cost)
        size = len(people - worn)
    return None, tests


def _coin(seed: bytes, purpose: str) -> float:
    """Uniform on [0, 1), independent per purpose."""
    return int.from_bytes(hmac.digest(seed, purpose.encode(), "sha256")[:6], "big") / 2**48
