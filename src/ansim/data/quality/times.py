"""Checks on values and dates: ranges, order, life, visits, periods; one scan a table for what looks at its own rows."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from ansim.data.cdm import quoted
from ansim.data.quality.asks import Ask, Count, Known, Step, by_table, column, counting, day, of
from ansim.data.quality.facts import Facts
from ansim.data.quality.table import Check

# A birth of which the month or the day is unknown is on its first day, or in June: DQD's two ways of saying it.
# Days are added to the month's first, so that a day which the month does not have is no error.
YEAR = "CAST(least(greatest(year_of_birth, 1000), 9999) AS VARCHAR)"
MONTH = "lpad(CAST(least(greatest(coalesce(month_of_birth, 1), 1), 12) AS VARCHAR), 2, '0')"
BORN = (
    "(SELECT person_id, gender_concept_id, year_of_birth, "
    f"coalesce(CAST(birth_datetime AS DATE), CAST(CAST({YEAR} || '-' || {MONTH} || '-01' AS DATE) + "
    "INTERVAL 1 DAY * (least(greatest(coalesce(day_of_birth, 1), 1), 31) - 1) AS DATE)) AS day, "
    f"coalesce(CAST(birth_datetime AS DATE), CAST({YEAR} || '-06-01' AS DATE)) AS june FROM person)"
)
WITH_PERSON = "{} t JOIN " + BORN + " AS p ON p.person_id = t.person_id"
WITH_DEATH = "{} t JOIN death d ON d.person_id = t.person_id"
WITH_VISIT = "{} t JOIN visit_occurrence v ON v.visit_occurrence_id = t.visit_occurrence_id"
DEAD_LONG = "> d.death_date + INTERVAL 60 DAY"


def ranges(facts: Facts, checks: Iterable[Check], now: datetime) -> Iterator[Step]:
    """Lowest and highest plausible values. A column whose extremes are inside has no row outside: no scan."""
    for table, some in by_table(of(checks, "plausibleValueLow", "plausibleValueHigh")).items():
        counts: list[Count] = []
        for check in some:
            among, low = facts.filled[table, check.field], check.type == "plausibleValueLow"
            limit = bound(check.argument, now)
            end = facts.extremes.get((table, check.field), (None, None))[0 if low else 1]
            if not among or (end is not None and _inside(end, limit, low)):
                yield Known(check, 0, among)
                continue
            dated = isinstance(limit, date)
            name = day(check.field) if dated else column(check.field)
            value = f"DATE '{limit}'" if dated else limit
            counts.append((check, f"{name} {'<' if low else '>'} {value}", among))
        yield from counting(table, f"{quoted(table)} t", counts)


def bound(argument: str, now: datetime) -> date | int | float:
    """A plausible limit as the check table writes it: a day, a number, "today+1" or "year+1"."""
    if argument == "today+1":
        return now.date() + timedelta(days=1)
    if argument == "year+1":
        return now.year + 1
    if "-" in argument[1:]:
        return date.fromisoformat(argument)
    return float(argument) if "." in argument else int(argument)


def _inside(end: Any, limit: date | int | float, low: bool) -> bool:
    if isinstance(end, datetime):
        end = end.date()
    if isinstance(end, str) or isinstance(end, date) != isinstance(limit, date):
        return False
    return end >= limit if low else end <= limit


def order(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Start before end: the same rows break both ways of saying it, which differ in what they count among."""
    some = [
        check
        for check in of(checks, "plausibleStartBeforeEnd", "plausibleTemporalAfter")
        if not check.argument.startswith("person.")
    ]
    for table, mine in by_table(some).items():
        counts: list[Count] = []
        for check in mine:
            other = check.argument.rpartition(".")[2]
            if check.type == "plausibleTemporalAfter":
                counts.append((check, f"{day(other)} > {day(check.field)}", facts.rows[table]))
            else:
                both = f"{column(check.field)} IS NOT NULL AND {column(other)} IS NOT NULL"
                counts.append((check, f"{day(check.field)} > {day(other)}", both))
        yield from counting(table, f"{quoted(table)} t", counts)


def births(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    some = [*of(checks, "plausibleAfterBirth")]
    some += [check for check in of(checks, "plausibleTemporalAfter") if check.argument.startswith("person.")]
    for table, mine in by_table(some).items():
        counts: list[Count] = []
        for check in mine:
            among = facts.rows[table]
            if check.type == "plausibleAfterBirth":
                among = facts.filled[table, check.field]
            if facts.empty(table, check.field):
                yield Known(check, 0, among)
            else:
                born = "p.day" if check.type == "plausibleAfterBirth" else "p.june"
                counts.append((check, f"{day(check.field)} < {born}", among))
        yield from counting(table, WITH_PERSON.format(quoted(table)), counts)


def deaths(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """Events long after death. Of rows with a date (before death), or of all rows of the dead (during life)."""
    some = of(checks, "plausibleBeforeDeath", "plausibleDuringLife")
    if facts.empty("death"):
        yield from (Known(check, 0, 0) for check in some)
        return
    for table, mine in by_table(some).items():
        late = [(check, f"{day(check.field)} {DEAD_LONG}") for check in mine]
        yield from counting(
            table,
            WITH_DEATH.format(quoted(table)),
            [(c, bad, f"{column(c.field)} IS NOT NULL") for c, bad in late if c.type == "plausibleBeforeDeath"],
        )
        once = [(check, bad) for check, bad in late if check.type == "plausibleDuringLife"]
        if once:
            yield _during_life(table, once)


def _during_life(table: str, late: list[tuple[Check, str]]) -> Ask:
    """A person with two deaths counts once in what is counted among, as often as it is late in what breaks."""
    parts = ", ".join(f"count(*) FILTER (WHERE {bad})" for _, bad in late)
    return Ask(
        table,
        f"SELECT (SELECT count(*) FROM {quoted(table)} t WHERE EXISTS (SELECT 1 FROM death d WHERE d.person_id = "
        f"t.person_id)), {parts} FROM {WITH_DEATH.format(quoted(table))}",
        lambda found: [Known(check, bad, found[0][0]) for (check, _), bad in zip(late, found[0][1:], strict=True)],
    )


def visits(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    for table, mine in by_table(of(checks, "withinVisitDates")).items():
        if facts.empty(table) or facts.empty("visit_occurrence"):
            yield from (Known(check, 0, 0) for check in mine)
            continue
        counts: list[Count] = [
            (
                check,
                f"{column(check.field)} < v.visit_start_date - INTERVAL 7 DAY OR {column(check.field)} > "
                "v.visit_end_date + INTERVAL 7 DAY",
                "TRUE",
            )
            for check in mine
        ]
        yield from counting(table, WITH_VISIT.format(quoted(table)), counts)


def people(facts: Facts, checks: Iterable[Check]) -> Iterator[Step]:
    """People without a row, without eras, with periods that touch."""
    everybody = facts.rows.get("person", 0)
    for check in of(checks, "measurePersonCompleteness"):
        if facts.empty(check.table) or not everybody:
            yield Known(check, everybody, everybody)
            continue

        def read(found: list[tuple], check: Check = check) -> list[Known]:
            return [Known(check, everybody - found[0][0], everybody)]

        yield Ask(
            check.table,
            f"SELECT count(*) FROM person p JOIN (SELECT DISTINCT person_id FROM {quoted(check.table)}) AS t "
            "ON t.person_id = p.person_id",
            read,
        )
    for check in of(checks, "measureConditionEraCompleteness"):
        yield from _eras(facts, check)
    for check in of(checks, "measureObservationPeriodOverlap"):
        yield _overlap(check)


def _eras(facts: Facts, check: Check) -> Iterator[Step]:
    if facts.empty("condition_occurrence"):
        yield Known(check, 0, 0)
        return
    yield Ask(
        check.table,
        "SELECT count(*), count(*) FILTER (WHERE e.person_id IS NULL) FROM (SELECT DISTINCT person_id FROM "
        "condition_occurrence WHERE condition_concept_id <> 0) c LEFT JOIN (SELECT DISTINCT person_id FROM "
        "condition_era) e ON e.person_id = c.person_id",
        lambda found: [Known(check, found[0][1], found[0][0])],
    )


def _overlap(check: Check) -> Ask:
    """A period that begins before, or on the day after, the latest end of the periods that began before it."""
    return Ask(
        check.table,
        "SELECT count(DISTINCT person_id), count(DISTINCT CASE WHEN observation_period_start_date <= so_far + "
        "INTERVAL 1 DAY THEN person_id END) FROM (SELECT person_id, observation_period_start_date, "
        "max(observation_period_end_date) OVER (PARTITION BY person_id ORDER BY observation_period_start_date, "
        "observation_period_end_date, observation_period_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) "
        "AS so_far FROM observation_period) AS periods",
        lambda found: [Known(check, found[0][1], found[0][0])],
    )
