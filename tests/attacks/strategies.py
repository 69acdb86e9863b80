"""Strategies against feasibility counts: each asks, then says whether person 0 has the attribute (at even odds).

The attacker knows every member of every set but person 0, and chooses the sets. `Node` answers as a holder does, or
with one defence off: "plain" is the rule of the field (hide below the threshold, round), "forgetful" has the noise but
no memory, "tireless" wears nobody out, "sharp" snaps at one exact distance.
"""

import math
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from unittest import mock

import numpy as np
from pyroaring import BitMap

from ansim.privacy.disclosure import exposure, feasibility
from ansim.privacy.disclosure.feasibility import answer
from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import round_to

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = 30_000


_real_coin = feasibility._coin


def _sharp(seed, purpose):
    return 0.5 if purpose.startswith("near") else _real_coin(seed, purpose)


@dataclass
class Node:
    """One holder. `has`: whether person 0 has the attribute. off: the defence that is missing."""

    seed: int
    has: bool
    off: str = ""
    policy: Policy = field(default_factory=Policy)
    asked: int = 0

    def __post_init__(self):
        self.secret = b"node secret of seed %012d" % self.seed
        self.memory = self._fresh_memory()

    def ask(self, known, victim="has", who="mallory"):
        """What is shown for the known people, and person 0 if: "has" (the attribute), "lacks" (it), or never ("")."""
        self.asked += 1
        with_victim = {"has": self.has, "lacks": not self.has, "": False}[victim]
        people = BitMap(known) | (BitMap([0]) if with_victim else BitMap())
        if self.off == "plain":
            return "<10" if len(people) < 10 else str(round_to(len(people), 5))
        memory = self._fresh_memory() if self.off == "forgetful" else self.memory
        with ExitStack() as stack:
            if self.off == "tireless":
                stack.enter_context(mock.patch.object(exposure, "limit", return_value=math.inf))
            if self.off == "sharp":
                stack.enter_context(mock.patch.object(feasibility, "_coin", _sharp))
            told = answer(
                people, self.policy, memory, self.secret, NOW, question=f"q{self.asked}", asker=Asker(who, "x")
            )
        return told.shown

    def number(self, known, victim="has", who="mallory"):
        """The same as a number; what is too low counts as the middle of what it can be."""
        shown = self.ask(known, victim, who)
        return int(shown[1:]) / 2 if shown.startswith("<") else int(shown)

    def _fresh_memory(self):
        memory = Memory(ListStorage(), self.secret, self.policy)
        memory._codes = np.zeros(PEOPLE, np.uint32)  # as if everybody had been met before
        return memory


def known(place, size):
    """People of the attacker's own knowledge; different places have nobody in common."""
    return range(1 + place * 290, 1 + place * 290 + size)


@dataclass(frozen=True)
class Strategy:
    what: str
    questions: int
    off: str  # the positive control's missing defence
    bound: str  # the policy entry that bounds it
    play: Callable[[Node, random.Random], bool]

    def right(self, seeds, off=""):
        """How often, of these seeds, the attacker says rightly whether person 0 has the attribute."""
        hits = 0
        for seed in seeds:
            rng = random.Random(seed)
            node = Node(seed, rng.random() < 0.5, off)
            hits += self.play(node, rng) == node.has
            assert node.asked <= self.questions
        return hits

    def most(self, policy):
        return getattr(policy, self.bound) / 100


def interval(hits, tries):
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, hits / tries
    middle = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    half = z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries)) / (1 + z * z / tries)
    return middle - half, middle + half


def _differ(node, rng):
    """All known people, then the same widened to the victim: does the number move? Else a coin."""
    base = known(0, 12 + 5 * rng.randrange(40))  # 12, 17, 22, …: one more person rounds up
    return True if node.ask(base, "") != node.ask(base) else rng.random() < 0.5


def _edge_of_rounding(node, rng):
    base = known(0, 12 + 5 * rng.randrange(40))
    return node.ask(base, "") != node.ask(base)


def _threshold(node, rng):
    """Nine known people and perhaps the victim: does "too few" turn into a number?"""
    return not node.ask(known(0, 9)).startswith("<")


def _tracker(node, rng):
    """Tracker (Denning, Denning and Schwartz 1979): a group too small to ask for, from three large ones: those outside
    it (T), T with it, and all others; |T or group| + |rest| - |T and rest| is the size of the group."""
    t, rest = [*known(0, 152)], [*known(1, 150)]
    return node.number(t, "has") + node.number(rest, "") - node.number([*t, *rest], "") > 2.5


def _bands(node, rng):
    """Age bands that overlap: each of nine bands of ten years holds the victim if she has the attribute."""
    people = [*range(1, 401)]
    total = 0.0
    for step in range(9):
        band = people[step * 20 : step * 20 + 202]
        total += node.number(band) - 202
    return total / 9 > 0.5


def _average(questions, *, both=False, names=1):
    def play(node, rng):
        total = 0.0
        for place in range(questions):
            side = "lacks" if both and place % 2 else "has"
            seen = node.number(known(place, 202), side, f"mallory{place % names}") - 202.5
            total += -seen if side == "lacks" else seen
        return total > 0

    return play


def _rephrased(node, rng):
    """One question in 150 wordings, by anybody: the mean of 150 noises, if each wording drew its own."""
    seen = [node.number(known(0, 202), "has", f"mallory{place}") for place in range(150)]
    return sum(seen) / 150 > 202.5


def _steer(node, rng):
    """Twenty times just before the middle of the zone where answers snap: a new number speaks for the victim."""
    moved = 0
    for place in range(20):
        first = node.ask(known(place, 200), "")
        moved += first != node.ask(known(place, 220))
    return moved > 8


def _between(node, rng):
    """Sets between two earlier numbers, where one person more makes the one nearer than the other."""
    first, tries = 0, 0
    for place in range(10):
        one, two = node.ask(known(place, 100), ""), node.ask(known(place, 131), "")
        if one != two:
            tries += 1
            first += node.ask(known(place, 111)) == one
    return first > tries * 0.5


def _likelihood(node, rng):
    """Adaptive: sizes chosen so that rounding splits the noise best, judged by the exact likelihood of each answer."""
    score = 0.0
    for place in range(13):
        size = 200 + rng.randrange(5)
        shown = node.number(known(place, size))
        score += math.log(_chance(shown, size + 1)) - math.log(_chance(shown, size))
    return score > 0


def _chance(shown, count):
    share = [(1 + x + math.sin(math.pi * x) / math.pi) / 2 if abs(x) < 1 else float(x > 0) for x in
             ((shown - 3 + 0.5 - count) / 15, (shown + 2 + 0.5 - count) / 15)]  # fmt: skip
    return max(share[1] - share[0], 1e-4)


def random_strategy(seed):
    """A strategy drawn at random: up to 40 questions about sets that grow, shrink, repeat and move on, in which the
    victim stands if she has the attribute, if she lacks it, or never; asked under up to four names."""
    rng = random.Random(seed)
    names, questions = rng.choice((1, 1, 2, 4)), []
    place, size = 0, rng.randrange(5, 280)
    for _ in range(rng.randrange(4, 41)):
        move = rng.random()
        if move < 0.4:
            place, size = place + 1, rng.randrange(5, 280)
        elif move < 0.8:
            size = min(max(size + rng.randrange(-32, 33), 1), 280)
        side = rng.choices(("has", "lacks", ""), (5, 3, 2))[0]
        questions.append((known(place, size), side, f"mallory{rng.randrange(names)}"))
    return questions


def learned(questions, train, test, off=""):
    """Right guesses of a logistic regression about what a node shows for these questions, trained on other nodes. It
    sees each number, and whether each is the one before."""
    from sklearn.linear_model import LogisticRegression

    def play(seed):
        node = Node(seed, bool(seed % 2), off)
        seen = [node.number(*question) - len(question[0]) for question in questions]
        return [*seen, *(float(a == b) for a, b in pairwise(seen))]

    model = LogisticRegression(C=0.05, max_iter=2000)
    train_x = np.array([play(seed) for seed in train])
    scale = train_x.std(axis=0) + 1e-9
    model.fit(train_x / scale, [seed % 2 for seed in train])
    guesses = model.predict(np.array([play(seed) for seed in test]) / scale)
    return int(sum(guess == seed % 2 for guess, seed in zip(guesses, test, strict=True)))


STRATEGIES = (
    Strategy("pair of questions that differ by one person", 2, "plain", "guess_requester", _differ),
    Strategy("one person at the edge of rounding", 2, "plain", "guess_requester", _edge_of_rounding),
    Strategy("the word for too few as an oracle", 1, "plain", "guess_requester", _threshold),
    Strategy("tracker", 3, "plain", "guess_requester", _tracker),
    Strategy("nine overlapping age bands", 9, "plain", "guess_requester", _bands),
    Strategy("victim in 10 unrelated sets, averaged", 10, "plain", "guess_requester", _average(10)),
    Strategy("victim in 70 unrelated sets, averaged", 70, "tireless", "guess_requester", _average(70)),
    Strategy("in and out of 70 unrelated sets, averaged", 70, "tireless", "guess_requester", _average(70, both=True)),
    Strategy("two colluding researchers, 70 sets", 70, "tireless", "guess_everybody", _average(70, names=2)),
    Strategy("thirty invented names, 90 sets", 90, "tireless", "guess_everybody", _average(90, both=True, names=30)),
    Strategy("one question in 150 wordings", 150, "forgetful", "guess_everybody", _rephrased),
    Strategy("steering to the edge of snapping", 40, "sharp", "guess_requester", _steer),
    Strategy("sets between two earlier numbers", 30, "sharp", "guess_requester", _between),
    Strategy("likelihood of 13 answers, sizes chosen", 13, "plain", "guess_requester", _likelihood),
)
