"""Running the checks, and what their counts mean."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import numpy as np

from ansim.data.engine import DuckDB, Engine
from ansim.data.engine.protocol import was_stopped
from ansim.data.quality import codes, structure, times
from ansim.data.quality.asks import Ask, Known, Step
from ansim.data.quality.facts import Facts, look
from ansim.data.quality.table import Check, CheckType, by_id, checks, types

PASS, FAIL, NOT_APPLICABLE, ERROR = "pass", "fail", "not_applicable", "error"
NEEDS_PERSON = {"plausibleAfterBirth", "plausibleGender", "plausibleGenderUseDescendants", "measurePersonCompleteness"}
NEEDS_DEATH = {"plausibleBeforeDeath", "plausibleDuringLife"}
NEEDS_CONCEPT = {"fkDomain", "fkClass", "isStandardValidConcept"}
OWN_FIELD = {"sourceValueCompleteness", "standardConceptRecordCompleteness", "sourceConceptRecordCompleteness",
             "plausibleStartBeforeEnd"}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One check's result. violated, denominator: rows, None where it could not be looked at. reason: for a person, why
    it is not applicable or failed to run."""

    check: Check
    violated: int | None
    denominator: int | None
    verdict: str
    reason: str = ""

    @property
    def id(self) -> str:
        return self.check.id

    @property
    def type(self) -> CheckType:
        return types()[self.check.type]

    def as_data(self) -> dict:
        """For keeping: the check by its id, with the threshold and note that were in force."""
        kept = {"check": self.id, "threshold": self.check.threshold, "note": self.check.note}
        return kept | {name: getattr(self, name) for name in ("violated", "denominator", "verdict", "reason")}

    @classmethod
    def from_data(cls, kept: dict) -> "Result":
        check = replace(by_id()[kept["check"]], threshold=kept["threshold"], note=kept["note"])
        return cls(check, kept["violated"], kept["denominator"], kept["verdict"], kept["reason"])

    @property
    def share(self) -> float:
        """Rows that break the check, as a share of those looked at (0 to 1)."""
        return (self.violated or 0) / self.denominator if self.denominator else 0.0


def assess(
    source: Engine | duckdb.DuckDBPyConnection,
    *,
    now: datetime,
    chosen: Iterable[Check] | None = None,
    progress: Callable[[str, float], None] = lambda table, done: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """Run checks on a CDM, all of them on the clinical tables unless some are chosen.

    now: what "in the future" means. progress: the table that is read and the share that is done. Raises
    Problem("stopped") when stopped says so.
    """
    engine = DuckDB(source) if isinstance(source, duckdb.DuckDBPyConnection) else source
    some = tuple(chosen) if chosen is not None else checks()
    progress("", 0.0)
    facts = look(engine, some)
    found: dict[Check, Known] = {}
    possible = list(_possible(facts, some, found))
    steps = [*structure.shape(facts, possible), *codes.mapping(facts, possible)]
    _run(engine, steps, found, progress, stopped, (0.1, 0.4))
    steps = [
        *codes.unmapped(facts, possible), *codes.source_codes(facts, possible), *codes.sexes(facts, possible),
        *codes.units(facts, possible), *structure.references(facts, possible), *times.ranges(facts, possible, now),
        *times.order(facts, possible), *times.births(facts, possible), *times.deaths(facts, possible),
        *times.visits(facts, possible), *times.people(facts, possible), *structure.keys(facts, possible),
    ]  # fmt: skip
    _run(engine, steps, found, progress, stopped, (0.4, 1.0))
    progress("", 1.0)
    return [_judged(facts, check, found.get(check)) for check in some]


def _run(
    engine: Engine,
    steps: list[Step],
    found: dict[Check, Known],
    progress: Callable[[str, float], None],
    stopped: Callable[[], bool],
    span: tuple[float, float],
) -> None:
    for step in steps:
        if isinstance(step, Known):
            found[step.check] = step
    asks = [step for step in steps if isinstance(step, Ask)]
    for place, ask in enumerate(asks):
        if stopped():
            raise was_stopped()
        progress(ask.about, span[0] + (span[1] - span[0]) * place / len(asks))
        rows = [(_array(engine, ask.query),)] if ask.column else engine.rows(ask.query)
        for known in ask.read(rows):
            found[known.check] = known


def _array(engine: Engine, query: str) -> np.ndarray:
    return engine.table(query).column(0).drop_null().to_numpy()


def _possible(facts: Facts, some: Iterable[Check], found: dict[Check, Known]) -> Iterator[Check]:
    """The checks whose tables and fields are all there and that have rows; the others are answered at once."""
    for check in some:
        if check.type in {"cdmTable", "cdmField"}:
            yield check
        elif facts.has(check.table, *([check.field] if check.field else [])):
            missing = [needed for needed in _needs(check) if not facts.has(*needed)]
            if missing:
                found[check] = Known(check, 0, 0, ".".join(missing[0]))
            else:
                yield check


def _needs(check: Check) -> Iterator[tuple[str, ...]]:
    own, other = check.table, check.argument.partition(".")
    if check.type in NEEDS_PERSON or other[0] == "person":
        yield "person", "person_id", "birth_datetime", "year_of_birth", "month_of_birth", "day_of_birth"
    if check.type in NEEDS_DEATH:
        yield "death", "person_id", "death_date"
    if check.type in NEEDS_CONCEPT or check.argument == "concept.concept_id":
        yield "concept", "concept_id", "domain_id", "concept_class_id", "standard_concept", "invalid_reason"
    if check.type == "withinVisitDates":
        yield "visit_occurrence", "visit_occurrence_id", "visit_start_date", "visit_end_date"
        yield own, "visit_occurrence_id"
    if check.type == "measureConditionEraCompleteness":
        yield "condition_occurrence", "person_id", "condition_concept_id"
    if check.type in OWN_FIELD and check.argument:
        yield own, check.argument
    if check.type == "plausibleTemporalAfter" and other[0] == own:
        yield own, other[2]
    if check.type == "plausibleUnitConceptIds":
        yield own, "unit_concept_id"
    if check.type in NEEDS_PERSON | NEEDS_DEATH:
        yield own, "person_id"


def _judged(facts: Facts, check: Check, known: Known | None) -> Result:
    """DQD's rules: nothing to look at is "not applicable"; no threshold, or 0, means that no row may break it."""
    if known is None:
        return Result(check, None, None, NOT_APPLICABLE, _nothing(facts, check))
    if known.problem:
        return Result(check, None, None, ERROR, known.problem)
    nothing = _nothing(facts, check, known)
    if nothing:
        return Result(check, known.violated, known.denominator, NOT_APPLICABLE, nothing)
    share = 100 * known.violated / known.denominator if known.denominator else 0.0
    broken = known.violated > 0 if not check.threshold else share > check.threshold
    return Result(check, known.violated, known.denominator, FAIL if broken else PASS)


def _nothing(facts: Facts, check: Check, known: Known | None = None) -> str:
    """Why there was nothing to look at, or ""."""
    table, field = check.table.upper(), check.field.upper()
    if check.type == "cdmTable":
        return ""
    if not facts.has(check.table):
        return f"Table {table} does not exist."
    if check.type in {"cdmField", "measurePersonCompleteness"}:
        return ""
    if check.field and not facts.has(check.table, check.field):
        return f"Field {table}.{field} does not exist."
    if check.type == "measureConditionEraCompleteness":
        return "Table CONDITION_OCCURRENCE is empty." if facts.empty("condition_occurrence") else ""
    if facts.empty(check.table):
        return f"Table {table} is empty."
    if check.type == "measureValueCompleteness":
        return ""
    if check.field and facts.empty(check.table, check.field):
        return f"Field {table}.{field} is not populated."
    if check.concepts and known and not known.denominator:
        return f"{field}={','.join(map(str, check.concepts))} is missing from the {table} table."
    return ""
