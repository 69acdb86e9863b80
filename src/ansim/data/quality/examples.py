"""Rows that break a check, for the steward to look at: inside the hospital only, never published.

Each condition is written for one row, apart from the counting in the other modules; a test counts both ways.
"""

from datetime import datetime

from ansim.data.cdm import quoted, tables
from ansim.data.engine import Engine
from ansim.data.quality.asks import column, day
from ansim.data.quality.run import Result
from ansim.data.quality.table import Check
from ansim.data.quality.times import BORN, DEAD_LONG, bound

PERSON = f"JOIN {BORN} AS p ON p.person_id = t.person_id"
CONCEPT = "JOIN concept k ON k.concept_id = {}"


def rows_of(check: Check, now: datetime) -> tuple[str, str] | None:
    """(joins, condition) of the rows (alias t) that break a check; None where a check is not about single rows."""
    name, table = column(check.field), quoted(check.table)
    other = check.argument.rpartition(".")[2]
    concept = CONCEPT.format(name)
    if check.type in {"isRequired", "measureValueCompleteness"}:
        return "", f"{name} IS NULL"
    if check.type == "isPrimaryKey":
        key = quoted(check.field)
        return "", f"{name} IN (SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1)"
    if check.type == "isForeignKey":
        target, _, key = check.argument.partition(".")
        return "", (
            f"{name} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {quoted(target)} r WHERE {column(key, 'r')} = {name})"
        )
    if check.type == "fkDomain":
        return concept, f"k.concept_id <> 0 AND k.domain_id <> '{check.argument}'"
    if check.type == "fkClass":
        return concept, f"k.concept_id <> 0 AND k.concept_class_id <> '{check.argument}'"
    if check.type == "isStandardValidConcept":
        return concept, "k.concept_id <> 0 AND (k.standard_concept IS NULL OR k.standard_concept <> 'S' OR " + (
            "k.invalid_reason IS NOT NULL)"
        )
    if check.type in {"standardConceptRecordCompleteness", "sourceConceptRecordCompleteness"}:
        silent = f" OR ({name} IS NULL AND {column(check.argument)} IS NOT NULL)" if check.argument else ""
        return "", f"({name} = 0{silent})"
    if check.type == "sourceValueCompleteness":
        return "", f"{column(check.argument)} = 0"
    if check.type in {"plausibleValueLow", "plausibleValueHigh"}:
        sign, limit = "<" if check.type == "plausibleValueLow" else ">", bound(check.argument, now)
        dated = not isinstance(limit, int | float)
        return "", f"{day(check.field)} {sign} DATE '{limit}'" if dated else f"{name} {sign} {limit}"
    if check.type == "plausibleStartBeforeEnd":
        return "", f"{day(check.field)} > {day(other)}"
    if check.type == "plausibleTemporalAfter":
        if check.argument.startswith("person."):
            return PERSON, f"{day(check.field)} < p.june"
        return "", f"{day(other)} > {day(check.field)}"
    if check.type == "plausibleAfterBirth":
        return PERSON, f"{day(check.field)} < p.day"
    if check.type in {"plausibleBeforeDeath", "plausibleDuringLife"}:
        return "JOIN death d ON d.person_id = t.person_id", f"{day(check.field)} {DEAD_LONG}"
    if check.type == "withinVisitDates":
        return "JOIN visit_occurrence v ON v.visit_occurrence_id = t.visit_occurrence_id", (
            f"({name} < v.visit_start_date - INTERVAL 7 DAY OR {name} > v.visit_end_date + INTERVAL 7 DAY)"
        )
    if check.type == "plausibleGender":
        return "JOIN person p ON p.person_id = t.person_id", (
            f"{name} = {check.concepts[0]} AND p.gender_concept_id <> {check.argument}"
        )
    if check.type == "plausibleUnitConceptIds":
        units = ", ".join([*check.argument.split("|"), "0"])
        return "", f"{name} = {check.concepts[0]} AND t.unit_concept_id NOT IN ({units})"
    return None


def examples(engine: Engine, result: Result, *, now: datetime, limit: int = 5) -> list[dict]:
    """Up to `limit` rows that break the check, by their key: {key: …, person_id: …, field: value}, as text.

    [] for a check that is not about single rows (a missing table, people without rows, groups of concepts).
    """
    check = result.check
    found = rows_of(check, now)
    if found is None:
        return []
    joins, condition = found
    known = tables()[check.table]
    other = check.argument.rpartition(".")[2]
    wanted = [known.key, "person_id", check.field, other]
    there = engine.columns()[check.table]
    names = list(dict.fromkeys(name for name in wanted if name and name in there))
    chosen = ", ".join(column(name) for name in names)
    rows = engine.rows(
        f"SELECT {chosen} FROM {quoted(check.table)} t {joins} WHERE {condition} ORDER BY {column(names[0])} "
        f"LIMIT {int(limit)}"
    )
    return [
        {name: None if value is None else str(value) for name, value in zip(names, row, strict=True)} for row in rows
    ]
