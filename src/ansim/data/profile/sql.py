"""Pieces of the profile's queries, in DuckDB's dialect as every engine understands it (docs/data/engines.md)."""

from ansim.data.cdm import EVENTS, Event

BAND = 10  # years of an age band
OLDEST_BAND = 90  # people of this age and older are one band
SEXES = {8507: "M", 8532: "F"}
ERAS = {
    "condition_era": Event(
        "condition_era", "condition_era", "condition_concept_id", "condition_era_start_date", "condition_era_end_date"
    ),
    "drug_era": Event("drug_era", "drug_era", "drug_concept_id", "drug_era_start_date", "drug_era_end_date"),
}
UNITS = {"measurement": "unit_concept_id", "observation": "unit_concept_id"}
# Years that have a bit each, in numbers that every engine takes for whole (62 bits of a BIGINT).
YEAR_SPANS = (range(1920, 1982), range(1982, 2044))
YEARS = [year for span in YEAR_SPANS for year in span]
LARGEST = 1e12  # values beyond it (and NaN) are no measurements

# A person may stand in the table twice, and rows may name a person that is not there: nobody's rows count nowhere.
PEOPLE = """people AS (
  SELECT person_id, MIN(year_of_birth) AS born, MIN(gender_concept_id) AS sex FROM person
  WHERE person_id IS NOT NULL GROUP BY person_id)"""


def known(table: str) -> str:
    return f"{table} WHERE person_id IN (SELECT person_id FROM person)"


def year(date: str) -> str:
    return f"CAST(EXTRACT(YEAR FROM {date}) AS INT)"


def year_bit(year: str, span: int) -> str:
    """The bit of a year within a span of YEAR_SPANS; no bit for other years."""
    years = YEAR_SPANS[span]
    bit = f"CAST(1 AS BIGINT) << ({year} - {years[0]})"
    return f"CASE WHEN {year} BETWEEN {years[0]} AND {years[-1]} THEN {bit} ELSE 0 END"


def month(date: str) -> str:
    """Months since year 0: 2020-01 is 24240."""
    return f"({year(date)} * 12 + CAST(EXTRACT(MONTH FROM {date}) AS INT) - 1)"


def month_text(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def band(age: str) -> str:
    return (
        f"CASE WHEN ({age}) < 0 THEN NULL WHEN ({age}) >= {OLDEST_BAND} THEN {OLDEST_BAND} "
        f"ELSE CAST(FLOOR(({age}) / {BAND}.0) AS INT) * {BAND} END"
    )


def band_text(low: int) -> str:
    return f"{OLDEST_BAND}+" if low >= OLDEST_BAND else f"{low}-{low + BAND - 1}"


def value(event: Event) -> str:
    return (
        f"CASE WHEN {event.value} BETWEEN -{LARGEST:.0f} AND {LARGEST:.0f} THEN CAST({event.value} AS DOUBLE) END"
        if event.value
        else "CAST(NULL AS DOUBLE)"
    )


def each_event(columns: dict[str, dict[str, str]]) -> list[Event]:
    """The kinds of events that this CDM has a table for."""
    return [event for event in EVENTS.values() if event.table in columns]
