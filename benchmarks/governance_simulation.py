"""From request to release over many hospitals: working days with and without parallel review, pre-screen and reminders.

A model of staff delays, not a measurement: every number that goes in stands in the table that comes out, and each is an
assumption unless its row says otherwise. What the model is for is the comparison under the same delays.

    python benchmarks/governance_simulation.py [--runs 4000] [--seed 20261201] > docs/governance/simulation.md
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Z90 = 1.2815515655446004  # the 90th percentile of the normal distribution


@dataclass(frozen=True)
class Delay:
    """Working days that an office takes once it has the case: log-normal by its median and 90th percentile."""

    name: str
    median: float
    p90: float

    def draw(self, chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        sigma = np.log(self.p90 / self.median) / Z90
        return chance.lognormal(np.log(self.median), sigma, shape)


# Per hospital, in the order of the journey; the same in every world.
OFFICES = (
    Delay("hospital's first reply", 4, 12),
    Delay("receipt and screening by the privacy officer", 5, 12),
    Delay("review board, until its letter", 12, 25),
    Delay("IRB, in parallel with the board", 10, 22),
    Delay("preparing and adequacy review of the extract", 10, 25),
)
MEND = Delay("applicant mends a returned application", 6, 15)
WRITE = Delay("applicant writes the application", 10, 20)
NEGOTIATE = Delay("negotiating the agreement, once", 10, 25)
SIGN = Delay("one party signs the paper", 1, 4)
ANALYSE = Delay("analysis", 20, 40)
CHECK = Delay("output check by two people", 3, 8)
EXPORT = Delay("export review of linked data", 5, 12)
EVERY = (WRITE, *OFFICES, MEND, NEGOTIATE, SIGN, ANALYSE, CHECK, EXPORT)


@dataclass(frozen=True)
class World:
    """at_once: hospitals that the applicant can serve at the same time, each with forms of its own (None: all).
    returned: share of applications that come back incomplete, each time. forgotten: share of steps that lie until
    somebody asks; after: days until somebody does. dropped: share of hospitals that take no part."""

    name: str
    at_once: int | None = 4
    returned: float = 0.40
    forgotten: float = 0.20
    after: float = 15.0
    dropped: float = 0.25


WITHOUT = World("without the platform")
PARALLEL = replace(WITHOUT, name="+ parallel review (one application to all)", at_once=None)
SCREENED = replace(PARALLEL, name="+ pre-screen", returned=0.10)
REMINDED = replace(SCREENED, name="+ reminders and escalation (the platform)", after=6.0)
WORLDS = (WITHOUT, PARALLEL, SCREENED, REMINDED)


def step(delay: Delay, world: World, chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """One office's days, with those that lay forgotten."""
    lies = chance.random(shape) < world.forgotten
    return delay.draw(chance, shape) + lies * chance.exponential(world.after, shape)


def reviews(world: World, hospitals: int, runs: int, chance: np.random.Generator) -> np.ndarray:
    """(runs, hospitals): days from the request to the board's and IRB's approval at each hospital, mending included."""
    shape = (runs, hospitals)
    reply = step(OFFICES[0], world, chance, shape)
    rounds = 1 + (chance.random((3, *shape)) < world.returned).cumprod(axis=0).sum(axis=0)  # at most three returns
    days = reply + WRITE.draw(chance, (runs, 1))
    for number in range(4):
        screened = step(OFFICES[1], world, chance, shape)
        days += (rounds > number) * screened + (rounds > number + 1) * MEND.draw(chance, shape)
    board, irb = (step(OFFICES[place], world, chance, shape) for place in (2, 3))
    return days + np.maximum(board, irb)


def queued(days: np.ndarray, at_once: int | None) -> np.ndarray:
    """(runs,): when the last hospital is through, if no more than `at_once` are served together, one after another."""
    if at_once is None or at_once >= days.shape[1]:
        return days.max(axis=1)
    busy = np.zeros((days.shape[0], at_once))
    rows = np.arange(days.shape[0])
    for column in range(days.shape[1]):
        free = busy.argmin(axis=1)
        busy[rows, free] += days[:, column]
    return busy.max(axis=1)


def study(world: World, hospitals: int, runs: int, seed: int) -> np.ndarray:
    """(runs,): working days from the request to the first released result."""
    chance = np.random.default_rng(seed)
    days = reviews(world, hospitals, runs, chance)
    takes_part = chance.random(days.shape) >= world.dropped
    takes_part[:, 0] = True
    approved = queued(np.where(takes_part, days, 0.0), world.at_once)
    parties = takes_part.sum(axis=1) + 1
    signatures = step(SIGN, world, chance, (runs, hospitals + 1))  # the paper goes round: one after another
    signed = np.where(np.arange(hospitals + 1) < parties[:, None], signatures, 0.0).sum(axis=1)
    prepared = np.where(takes_part, step(OFFICES[4], world, chance, days.shape), 0.0).max(axis=1)
    after = [step(delay, world, chance, (runs,)) for delay in (NEGOTIATE, CHECK, EXPORT)]
    return approved + signed + prepared + sum(after) + ANALYSE.draw(chance, (runs,))


def row(world: World, hospitals: int, runs: int, seed: int, base: float) -> tuple[str, float]:
    days = study(world, hospitals, runs, seed)
    median, p90 = np.median(days), np.quantile(days, 0.9)
    share = f"{median / base:.2f}" if base else "1.00"
    return f"| {world.name} | {median:.0f} | {p90:.0f} | {share} |", float(median)


def table(hospitals: int, runs: int, seed: int) -> list[str]:
    lines = [
        f"## {hospitals} hospital{'s' if hospitals > 1 else ''}",
        "",
        "| world | median | p90 | median against the first |",
        "| --- | ---: | ---: | ---: |",
    ]
    base = 0.0
    for world in WORLDS:
        text, median = row(world, hospitals, runs, seed, base)
        base = base or median
        lines.append(text)
    return [*lines, ""]


def sensitivity(runs: int, seed: int) -> list[str]:
    """How the ratio moves when one assumption is halved or doubled in both worlds alike."""
    changes: dict[str, Callable[[World, float], World]] = {
        "share of forgotten steps": lambda world, by: replace(world, forgotten=min(world.forgotten * by, 0.9)),
        "share returned incomplete": lambda world, by: replace(world, returned=min(world.returned * by, 0.9)),
        "hospitals served at once, without": lambda world, by: replace(
            world, at_once=world.at_once and max(1, round(world.at_once * by))
        ),
    }
    lines = [
        "## If an assumption is wrong",
        "",
        "Ratio of the medians, platform against without, at 40 hospitals.",
        "",
        "| assumption | halved | as stated | doubled |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, change in changes.items():
        ratios = []
        for by in (0.5, 1.0, 2.0):
            medians = [np.median(study(change(world, by), 40, runs, seed)) for world in (REMINDED, WITHOUT)]
            ratios.append(f"{medians[0] / medians[1]:.2f}")
        lines.append(f"| {name} | {' | '.join(ratios)} |")
    return lines


def page(runs: int, seed: int) -> str:
    lines = [
        "# From request to release: a simulation",
        "",
        "Written by `benchmarks/governance_simulation.py`; do not edit. **A model, not a measurement**: no hospital",
        "was timed. It compares four worlds under the same staff delays. Days are working days from the request to the",
        f"first release of a linked study, which waits for the slowest hospital that takes part. {runs:,} runs, seed",
        f"{seed}. For scale: 310 days on average are reported for pseudonymised or linked public data in Korea, six",
        "months and more for the hospital route (both from secondary sources); 186 working days are some nine months.",
        "",
        *(line for hospitals in (40, 4, 1) for line in table(hospitals, runs, seed)),
        "The paper of the agreement goes from party to party (decision 0004): with 30 of 40 hospitals taking part, the",
        "signatures alone are the longest stage that the platform does not shorten. Parallel signing would.",
        "",
        "## Assumptions",
        "",
        "Log-normal by median and 90th percentile, the same in every world; drawn for each hospital by itself.",
        "",
        "| delay | median | p90 |",
        "| --- | ---: | ---: |",
        *(f"| {delay.name} | {delay.median:g} | {delay.p90:g} |" for delay in EVERY),
        "",
        "| what differs | " + " | ".join(world.name for world in WORLDS) + " |",
        "| --- |" + " ---: |" * len(WORLDS),
        "| hospitals served at once | " + " | ".join(str(world.at_once or "all") for world in WORLDS) + " |",
        "| applications returned incomplete, each time | " + " | ".join(f"{w.returned:.0%}" for w in WORLDS) + " |",
        "| steps that lie forgotten | " + " | ".join(f"{w.forgotten:.0%}" for w in WORLDS) + " |",
        "| ... days until somebody asks, mean | " + " | ".join(f"{w.after:g}" for w in WORLDS) + " |",
        "| hospitals that take no part | " + " | ".join(f"{w.dropped:.0%}" for w in WORLDS) + " |",
        "",
        *sensitivity(runs, seed),
    ]
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=4000)
    asked.add_argument("--seed", type=int, default=20261201)
    given = asked.parse_args()
    print(page(given.runs, given.seed))


if __name__ == "__main__":
    main()
