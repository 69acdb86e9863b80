"""What no table of thresholds by field can see: people and rows that are there twice, identifiers, placeholders."""

from collections.abc import Callable, Iterator

from ansim.data.cdm import EVENTS, quoted, tables
from ansim.data.engine import Engine
from ansim.data.quality.findings import Finding

# A share of the rows above which it is told; a few are found in every source.
COPIES, OUTSIDE, REVERSED, FIRST_OF_YEAR, FAR = 0.01, 0.01, 0.005, 0.03, 0.01
LEAST = 3  # rows with a number, address or telephone; visits before two people can be told to be one
NAMES = 0.5  # of the different values of a field
DIGITS = r"(^|[^0-9])({})([^0-9]|$)"
PATTERNS = {
    "resident number": DIGITS.format(r"[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[- ]?[1-8][0-9]{6}"),
    "telephone": DIGITS.format(r"01[016789][- .]?[0-9]{3,4}[- .]?[0-9]{4}"),
    "e-mail": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
}
# The commonest family names cover some four people in five; a field of names shows itself by its values' shape.
FAMILY = "[김이박최정강조윤장임한오서신권황안송류홍전고문손양배백허유남심노하곽성차주우구]"
NAME = rf"^({FAMILY}|남궁|황보|제갈|선우)[가-힣]{{1,2}}$"
SAME = {  # what makes a row of a table what it is, but for its key
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "condition_end_date",
                             "condition_source_value", "visit_occurrence_id"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date", "quantity",
                      "days_supply", "drug_source_value", "visit_occurrence_id"),
    "measurement": ("measurement_concept_id", "measurement_date", "measurement_datetime", "value_as_number",
                    "value_as_concept_id", "value_source_value", "measurement_source_value", "visit_occurrence_id"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "procedure_datetime", "procedure_source_value",
                             "visit_occurrence_id"),
    "observation": ("observation_concept_id", "observation_date", "observation_datetime", "value_as_string",
                    "value_as_number", "observation_source_value", "visit_occurrence_id"),
}  # fmt: skip


def oddities(engine: Engine, *, progress: Callable[[str, float], None] = lambda table, done: None) -> Iterator[Finding]:
    columns = engine.columns()
    looks = (_twins, _copies, _identifiers, _births, _repeated, _periods, _reversed)
    for place, look in enumerate(looks):
        progress(look.__name__.strip("_"), place / len(looks))
        yield from look(engine, columns)


def _there(columns: dict[str, dict[str, str]], table: str, *fields: str) -> bool:
    return set(fields) <= columns.get(table, {}).keys()


def _twins(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Two numbers with one birth date, one sex, and visits on the same days (their number, sum, first and last day)."""
    if not _there(columns, "person", "birth_datetime", "gender_concept_id", "year_of_birth"):
        return
    days = "date_diff('day', DATE '1900-01-01', CAST(v.visit_start_date AS DATE))"
    found = engine.rows(
        "SELECT coalesce(sum(people), 0), (SELECT count(*) FROM person) FROM (SELECT count(*) AS people FROM (SELECT "
        "p.person_id, p.year_of_birth, p.month_of_birth, p.day_of_birth, p.gender_concept_id, count(*) AS n, "
        f"sum({days}) AS total, min({days}) AS first_day, max({days}) AS last_day, sum({days} * {days}) AS squares "
        "FROM person p JOIN visit_occurrence v ON v.person_id = p.person_id GROUP BY 1, 2, 3, 4, 5 "
        f"HAVING count(*) >= {LEAST}) AS each_one GROUP BY year_of_birth, month_of_birth, day_of_birth, "
        "gender_concept_id, n, total, first_day, last_day, squares HAVING count(*) > 1) AS same"
    )[0]
    if found[0]:
        yield Finding("twins", "person", "", "", found[0], found[1])


def _copies(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for table, fields in SAME.items():
        if not _there(columns, table, "person_id", *fields):
            continue
        by = ", ".join(quoted(name) for name in ("person_id", *fields))
        copies, rows = engine.rows(
            "SELECT coalesce(sum(n - 1), 0), coalesce(sum(n), 0) FROM "
            f"(SELECT count(*) AS n FROM {table} GROUP BY {by}) AS same"
        )[0]
        if copies > COPIES * rows:
            yield Finding("copies", table, "", "", copies, rows)


def _identifiers(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for table in tables().values():
        if table.group == "vocabulary" or table.name not in columns:
            continue
        texts = [name for name in table.names if columns[table.name].get(name) == "varchar"]
        if not texts:
            continue
        parts = []
        for name in texts:
            field = quoted(name)
            parts += [f"count(*) FILTER (WHERE regexp_matches({field}, '{pattern}'))" for pattern in PATTERNS.values()]
            parts.append(f"count(DISTINCT CASE WHEN regexp_matches({field}, '{NAME}') THEN {field} END)")
            parts += [f"count(DISTINCT {field})", f"count({field})"]
        values = iter(engine.rows(f"SELECT {', '.join(parts)} FROM {quoted(table.name)}")[0])
        for name in texts:
            counted = {pattern: next(values) for pattern in PATTERNS}
            names, different, filled = next(values), next(values), next(values)
            for pattern, n in counted.items():
                if n >= LEAST:
                    yield Finding("identifier", table.name, name, pattern, n, filled)
            if names >= LEAST and names > NAMES * different:
                yield Finding("identifier", table.name, name, "name", names, different)


def _births(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    if not _there(columns, "person", "month_of_birth", "day_of_birth"):
        return
    first, people = engine.rows(
        "SELECT count(*) FILTER (WHERE month_of_birth = 1 AND day_of_birth = 1), count(*) FROM person "
        "WHERE month_of_birth IS NOT NULL AND day_of_birth IS NOT NULL"
    )[0]
    if first > max(FIRST_OF_YEAR * people, LEAST):
        yield Finding("placeholder", "person", "birth_datetime", "01-01", first, people)


def _repeated(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """A value that a hundredth of a measurement's rows have, ten times beyond its middle half's spread."""
    if not _there(columns, "measurement", "value_as_number", "unit_concept_id"):
        return
    of = "measurement_concept_id, coalesce(unit_concept_id, 0)"
    rows = engine.rows(
        f"SELECT {of}, value_as_number, count(*) FROM measurement WHERE value_as_number IS NOT NULL GROUP BY 1, 2, 3 "
        "ORDER BY 1, 2, 3"
    )
    groups: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for concept, unit, value, n in rows:
        groups.setdefault((concept, unit), []).append((float(value), n))
    for (concept, _), values in groups.items():
        total = sum(n for _, n in values)
        low, high = _quantile(values, total / 4), _quantile(values, 3 * total / 4)
        for value, n in values:
            if n > max(FAR * total, LEAST) and not low - 10 * (high - low) <= value <= high + 10 * (high - low):
                yield Finding("placeholder", "measurement", "value_as_number", str(concept), n, total)


def _quantile(values: list[tuple[float, int]], rank: float) -> float:
    seen = 0
    for value, n in values:
        seen += n
        if seen >= rank:
            return value
    return values[-1][0]


def _periods(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Before the first or after the last day of all periods of the person; gaps between periods are not looked at."""
    if not _there(columns, "observation_period", "person_id"):
        return
    for event in EVENTS.values():
        if not _there(columns, event.table, "person_id", event.start) or event.kind == "death":
            continue
        day = f"CAST(t.{quoted(event.start)} AS DATE)"
        outside, rows = engine.rows(
            f"SELECT count(*) FILTER (WHERE {day} < o.first_day OR {day} > o.last_day), count(*) FROM {event.table} t "
            "JOIN (SELECT person_id, min(observation_period_start_date) AS first_day, max(observation_period_end_date) "
            "AS last_day FROM observation_period GROUP BY person_id) AS o ON o.person_id = t.person_id"
        )[0]
        if outside > max(OUTSIDE * rows, LEAST):
            yield Finding("outside-period", event.table, event.start, "", outside, rows)


def _reversed(engine: Engine, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    if not _there(columns, "measurement", "range_low", "range_high"):
        return
    wrong, rows = engine.rows(
        "SELECT count(*) FILTER (WHERE range_low > range_high), count(*) FROM measurement "
        "WHERE range_low IS NOT NULL AND range_high IS NOT NULL"
    )[0]
    if wrong > max(REVERSED * rows, LEAST):
        yield Finding("reversed-range", "measurement", "range_low", "", wrong, rows)
