"""Counts for feasibility questions: near-equal sets of people show the same number.

The rule. Every answered set is an *anchor* with the number that was shown for it.
1. A question nearer than `snap_distance` to an anchor (people in exactly one of the two sets) shows that anchor's
   number and becomes an anchor with it. If anchors with different numbers compete, a keyed coin, weighted by how much
   nearer the one is, decides.
2. From there to three times that distance a keyed coin decides, ever less likely, whether it snaps.
3. Else it is fresh: true count plus noise, uniform on -noise … +noise, then rounded. Noise and coins are drawn from an
   HMAC over the whole set under the node's secret, so equal sets always draw alike and repeating averages nothing out
   (the cell-key idea: Fraser and Wooton 2005, "A proposed method for confidentialising tabular output").
4. A fresh count is a number only if count + noise reaches threshold + noise. So no number is ever shown for fewer
   people than the threshold, and one person more or less changes the chance of a number by 1 in 2 noise + 1. What is
   below reads "<15" (threshold 10, noise 5). There is no refusal that depends on the data.

What an attacker learns who knows all people of a set but one. Asking with and without that person: nothing, both show
one number. A single fresh question: at most 1 in 2 noise + 1. Steering to the edge of snapping with d known people: at
most about 1 in 2 snap_distance a try, and the tried neighbourhood is spent, because the try itself is now an anchor.
Residual risk, said plainly. Fresh questions about the same person over unrelated sets of known people add up, as they
do for any noise: with noise 5 an attacker who knows all others is right in about 73 % of cases after 10 such questions
and 96 % after 50 (guessing: 50 %); 40 tries at the edge of snapping give 64 % (tests/attacks). Only the budget and a
larger `noise` bound this. A chain of small steps drags one number along, so answers at its end may be off by the length
of the chain (harm to use, not to people). That a number is an older one shows that somebody asked something similar
before (a fact about questions, not about people). Anchors are shared by all askers, otherwise two colluding ones would
compare two independent noises. Feasibility answers are not compared with released tables.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pyroaring import BitMap

from ansim.privacy.disclosure.memory import Anchor, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import round_to


@dataclass(frozen=True)
class FeasibilityAnswer:
    """shown: what the requester reads ("125" or "<15"); value: the same as a number, None when low; low: too few for a
    number; fresh: for the steward only, whether no earlier answer was near."""

    shown: str
    value: int | None
    low: bool
    fresh: bool


def answer(people: BitMap, policy: Policy, memory: Memory, secret: bytes, now: datetime) -> FeasibilityAnswer:
    """The number to show for a set of people (codes of `memory.codes`); remembers the set. Deterministic in the secret,
    the set and the anchors so far. secret: of this node, used for nothing else."""
    seed = _seed(people, secret)
    near = _near(people, memory.anchors, 3 * policy.snap_distance)
    same = next((anchor for distance, anchor in near if distance == 0), None)
    if same:
        return _shown(same.facts["value"], policy, fresh=False)
    anchor = _choose(near, policy.snap_distance, seed)
    value = anchor.facts["value"] if anchor else _fresh(len(people), policy, seed)
    memory.remember_anchor(people, {"value": value, "at": now.isoformat()})
    return _shown(value, policy, fresh=anchor is None)


def _shown(value: int | None, policy: Policy, fresh: bool) -> FeasibilityAnswer:
    text = str(value) if value is not None else f"<{policy.threshold + policy.noise}"
    return FeasibilityAnswer(text, value, value is None, fresh)


def _fresh(count: int, policy: Policy, seed: bytes) -> int | None:
    noisy = count + int(_coin(seed, "noise") * (2 * policy.noise + 1)) - policy.noise
    return None if noisy < policy.threshold + policy.noise else round_to(noisy, policy.rounding)


def _near(people: BitMap, anchors: list[Anchor], within: int) -> list[tuple[int, Anchor]]:
    """(distance, anchor) nearest first, older before younger; cardinalities rule most anchors out."""
    size = len(people)
    candidates = [anchor for anchor in anchors if abs(len(anchor.people) - size) < within]
    distances = [(people.symmetric_difference_cardinality(anchor.people), anchor) for anchor in candidates]
    return sorted((pair for pair in distances if pair[0] < within), key=lambda pair: pair[0])


def _choose(near: list[tuple[int, Anchor]], snap: int, seed: bytes) -> Anchor | None:
    if not near:
        return None
    distance, nearest = near[0]
    if distance >= snap and _coin(seed, "snap") >= (3 * snap - distance) / (2 * snap):
        return None
    rival = next((pair for pair in near if pair[1].facts["value"] != nearest.facts["value"]), None)
    if rival:
        lead = rival[0] - distance
        if _coin(seed, "rival") >= min(1.0, 0.5 + lead / snap):
            return rival[1]
    return nearest


def _seed(people: BitMap, secret: bytes) -> bytes:
    """Equal sets give equal seeds, however they were built (the serialised form of a bitmap depends on that)."""
    members = np.asarray(people.to_array(), "<u4").tobytes()
    return hmac.digest(secret, hashlib.sha256(members).digest(), "sha256")


def _coin(seed: bytes, purpose: str) -> float:
    """Uniform on [0, 1), independent per purpose."""
    return int.from_bytes(hmac.digest(seed, purpose.encode(), "sha256")[:6], "big") / 2**48
