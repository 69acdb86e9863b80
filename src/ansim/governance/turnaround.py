"""How long each stage takes at each site, from the states that sites reported: median and p90 in working days.

A stage lasts from the report of a state to the report of the next one of the same site and case. The last state of a
case is still running: it is counted as waiting, never as a finished stage, so that a slow desk cannot look quick.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ansim.governance.calendars import working_days
from ansim.governance.review import WAITING

# What a state of a review means as a stage; states that wait for nobody are no stage.
STAGES = tuple(status for status, waits in WAITING.items() if waits)


@dataclass(frozen=True)
class Moved:
    """A site's report that a case is now in a state. at: ISO time."""

    case: str
    site: str
    status: str
    at: str


@dataclass(frozen=True)
class Spell:
    """One finished stage."""

    case: str
    site: str
    stage: str
    days: int


@dataclass(frozen=True)
class Days:
    """Of a set of finished stages: how many, the median and the 90th percentile, in working days."""

    count: int
    median: float
    p90: float


def spells(moves: Iterable[Moved], days_off: Iterable[str] = ()) -> list[Spell]:
    """The finished stages. moves: in the order in which they were recorded."""
    last: dict[tuple[str, str], Moved] = {}
    done: list[tuple[Moved, str]] = []
    for move in moves:
        before = last.get((move.case, move.site))
        if before is not None and before.status == move.status:
            continue  # told again: the stage goes on
        if before is not None and before.status in STAGES:
            done.append((before, move.at))
        last[move.case, move.site] = move
    days = working_days([before.at for before, _ in done], [end for _, end in done], days_off)
    return [Spell(one.case, one.site, one.status, int(n)) for (one, _), n in zip(done, days, strict=True)]


def summary(found: Iterable[Spell], by: str = "stage") -> dict[str, Days]:
    """The spells by stage or by site: {name: Days}."""
    groups: dict[str, list[int]] = defaultdict(list)
    for spell in found:
        groups[getattr(spell, by)].append(spell.days)
    return {name: days_of(values) for name, values in sorted(groups.items())}


def days_of(values: list[int]) -> Days:
    """Median and 90th percentile by the nearest rank above (no value that nobody waited)."""
    ordered = np.sort(np.asarray(values))
    return Days(
        len(values),
        float(np.median(ordered)),
        float(np.quantile(ordered, 0.9, method="higher")),
    )
