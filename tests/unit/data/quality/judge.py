"""Lays what was found beside what was planted, kind by kind. The only place that knows both vocabularies."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

import hospital
from defects import DEFECTS, Defect

from ansim.data.engine import DuckDB
from ansim.data.quality import FAIL, assess
from ansim.data.quality.change import elsewhere, gaps, since
from ansim.data.quality.findings import Finding
from ansim.data.quality.oddities import oddities
from ansim.data.quality.portrait import portrait, shared

NOW = datetime(2023, 6, 1, tzinfo=UTC)
ASPECTS = {  # of DQD's types of checks
    "cdmTable": "absent", "cdmField": "absent", "cdmDatatype": "type", "isRequired": "missing",
    "isPrimaryKey": "duplicate", "isForeignKey": "orphan", "fkDomain": "wrong-domain", "fkClass": "wrong-class",
    "isStandardValidConcept": "not-standard", "standardConceptRecordCompleteness": "unmapped",
    "sourceConceptRecordCompleteness": "unmapped", "sourceValueCompleteness": "unmapped-sources",
    "measurePersonCompleteness": "no-rows", "measureConditionEraCompleteness": "no-era",
    "measureObservationPeriodOverlap": "overlap", "plausibleValueLow": "range", "plausibleValueHigh": "range",
    "plausibleStartBeforeEnd": "order", "plausibleAfterBirth": "before-birth", "plausibleBeforeDeath": "after-death",
    "withinVisitDates": "outside-visit", "plausibleGender": "wrong-sex", "plausibleGenderUseDescendants": "wrong-sex",
    "plausibleUnitConceptIds": "wrong-unit",
}  # fmt: skip
OTHERS = {"reversed-range": "order"}  # of findings whose kind has another name than the planted aspect


@dataclass(frozen=True)
class Seen:
    aspect: str
    table: str
    field: str
    subject: str = ""


def look(con, before, others) -> set[Seen]:
    """Everything that is said about a hospital: broken checks and findings."""
    engine = DuckDB(con)
    seen = {
        Seen(ASPECTS[one.check.type], one.check.table, _field(one), ",".join(map(str, one.check.concepts)))
        for one in assess(engine, now=NOW)
        if one.verdict == FAIL and one.check.type in ASPECTS
    }
    now = portrait(engine)
    found: list[Finding] = [*since(now, before), *gaps(now), *elsewhere(now, others), *oddities(engine)]
    return seen | {Seen(OTHERS.get(one.kind, one.kind), one.table, one.field, one.subject) for one in found}


def _field(one) -> str:
    """Where the check looks: the checks of units are named after the measurement's concept."""
    return "unit_concept_id" if one.check.type == "plausibleUnitConceptIds" else one.check.field


def tells_of(seen: Seen, defect: Defect) -> bool:
    """Whether it names the defect: its aspect and place, and where it names a concept, one that was touched."""
    same = (seen.aspect, seen.table, seen.field) == defect.place
    return same and (not seen.subject.isdigit() or seen.subject in defect.plant)


@dataclass
class Tally:
    planted: int = 0
    found: int = 0
    clean: int = 0
    alarms: int = 0


def network(people: int = 3000) -> list[dict]:
    """What two other, larger hospitals share."""
    others = (hospital.hospital(90_000 + number, people=people) for number in (1, 2))
    return [shared(portrait(DuckDB(con)), threshold=5, base=1) for con in others]


def rounds(numbers: range) -> Iterator[tuple[set[int], set[Seen]]]:
    """In each round another hospital with half of the defects, at random, in it: (planted, what was said)."""
    others = network()
    for number in numbers:
        draw = random.Random(number)
        with hospital.hospital(number) as con, hospital.earlier(con) as old:
            before = portrait(DuckDB(old))
            planted = [place for place in range(len(DEFECTS)) if draw.random() < 0.5]
            for place in sorted(planted, key=lambda place: _LATE.get(DEFECTS[place].aspect, 0)):
                DEFECTS[place].put_into(con, seed=number * 1000 + place)
            yield set(planted), look(con, before, others)


_LATE = {"twins": 1, "copies": 2, "type": 3, "absent": 4}  # what repeats rows comes after what changes them


def tally(numbers: range) -> list[Tally]:
    tallies = [Tally() for _ in DEFECTS]
    for planted, seen in rounds(numbers):
        count(tallies, planted, seen)
    return tallies


def count(tallies: list[Tally], planted: set[int], seen: set[Seen]) -> None:
    """Add one round. Where a defect is implied by another, telling of it is neither right nor wrong."""
    implied = {place for one in planted for place in DEFECTS[one].implies}
    for place, defect in enumerate(DEFECTS):
        told = any(tells_of(one, defect) for one in seen)
        if place in planted:
            tallies[place].planted += 1
            tallies[place].found += told
        elif defect.place not in implied:
            tallies[place].clean += 1
            tallies[place].alarms += told


def interval(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson, JASA 1927;22:209)."""
    if not of:
        return 0.0, 1.0
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
