"""Who is in the CDM and for how long: sex, birth, age, observation periods, visits for each person."""

from typing import Any

from ansim.data.cdm import Event
from ansim.data.profile import sql
from ansim.data.profile.rules import Rule, trimmed

VISIT_BANDS = ((1, "1"), (2, "2"), (3, "3-4"), (5, "5-9"), (10, "10-19"), (20, "20-49"), (50, "50+"))
STAY_BANDS = ((0, "0"), (1, "1"), (2, "2-3"), (4, "4-7"), (8, "8-14"), (15, "15-30"), (31, "31+"))
OF_PERSON = ("gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id")


def queries(columns: dict[str, dict[str, str]], events: list[Event]) -> dict[str, str]:
    found = {"population: people": "SELECT COUNT(DISTINCT person_id) FROM person"}
    for column in OF_PERSON:
        if column in columns["person"]:
            found[f"population: {column}"] = (
                f"SELECT {column}, COUNT(*) FROM (SELECT person_id, MIN({column}) AS {column} FROM person "
                f"WHERE person_id IS NOT NULL GROUP BY person_id) AS p GROUP BY {column}"
            )
    if events:
        found |= _of_events(events)
    if "observation_period" in columns:
        found |= _observation()
    if "visit_occurrence" in columns:
        found |= _visits()
    return found


def _of_events(events: list[Event]) -> dict[str, str]:
    """Years as bits of numbers: one group a person and table, where a union of person-years has one a year."""
    masks = ", ".join(f"BIT_OR({sql.year_bit('y', span)}) AS y{span}" for span in range(len(sql.YEAR_SPANS)))
    own = " UNION ALL ".join(
        f"SELECT person_id, MAX(y) AS y, {masks} FROM ("
        f"SELECT person_id, {sql.year(event.start)} AS y FROM {event.table}) AS e GROUP BY person_id"
        for event in events
    )
    merged = ", ".join(f"BIT_OR(y{span}) AS y{span}" for span in range(len(sql.YEAR_SPANS)))
    bits = ", ".join(
        f"SUM((y{span} >> {place}) & 1)" for span, years in enumerate(sql.YEAR_SPANS) for place in range(len(years))
    )
    outside = " UNION ".join(
        f"SELECT person_id, {sql.year(event.start)} AS y FROM {event.table} "
        f"WHERE {event.start} < DATE '{sql.YEARS[0]}-01-01' OR {event.start} > DATE '{sql.YEARS[-1]}-12-31'"
        for event in events
    )
    return {
        "population: age, sex and years": f"""WITH {sql.PEOPLE}, seen AS (
            SELECT person_id, MAX(y) AS y, {merged} FROM ({own}) AS e GROUP BY person_id HAVING MAX(y) IS NOT NULL)
            SELECT {sql.band("y - born")} AS band, sex, COUNT(*), {bits}
            FROM people JOIN seen USING (person_id) GROUP BY 1, 2""",
        "population: other years": f"SELECT y, COUNT(*) FROM ({outside}) AS e "
        "WHERE person_id IN (SELECT person_id FROM person) GROUP BY y",
    }


def _observation() -> dict[str, str]:
    """Months by difference arrays: +1 where a person's observation begins, -1 after it ends, a running sum in between.

    Periods of one person that meet or overlap are counted once: each adds only the months after all earlier ones.
    """
    start, end = "observation_period_start_date", "observation_period_end_date"
    first, last = sql.month(start), sql.month(end)
    rows = f"SELECT person_id, {start}, {end} FROM {sql.known('observation_period')} AND {start} <= {end}"
    whole_first = f"{first} + CASE WHEN EXTRACT(DAY FROM {start}) = 1 THEN 0 ELSE 1 END"
    whole_last = f"{last} - CASE WHEN EXTRACT(DAY FROM {end} + INTERVAL 1 DAY) = 1 THEN 0 ELSE 1 END"
    ranked = f"SELECT *, ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY {start}, {end}) AS place FROM ({rows}) AS p"
    return {
        "observation: months": _steps(rows, first, last),
        "observation: whole months": _steps(rows, whole_first, whole_last),
        "observation: starts": f"SELECT {first}, COUNT(DISTINCT person_id) FROM ({rows}) AS p GROUP BY 1",
        "observation: ends": f"SELECT {last}, COUNT(DISTINCT person_id) FROM ({rows}) AS p GROUP BY 1",
        "observation: periods": f"SELECT n, COUNT(*) FROM (SELECT person_id, COUNT(*) AS n FROM ({rows}) AS p "
        "GROUP BY person_id) AS q GROUP BY n",
        "observation: first": f"""WITH {sql.PEOPLE}
            SELECT {sql.year(start)} - born AS age, sex, COUNT(*)
            FROM ({ranked}) AS q JOIN people USING (person_id) WHERE place = 1 GROUP BY 1, 2""",
        "observation: length": f"""SELECT CAST(FLOOR(date_diff('day', {start}, {end}) / 30.0) AS INT), COUNT(*)
            FROM ({ranked}) AS q WHERE place = 1 GROUP BY 1""",
    }


def _steps(rows: str, first: str, last: str) -> str:
    return f"""WITH spans AS (
          SELECT person_id, {first} AS s, {last} AS e FROM ({rows}) AS p WHERE {first} <= {last}),
        after AS (
          SELECT s, e, MAX(e) OVER (
            PARTITION BY person_id ORDER BY s, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS seen FROM spans),
        own AS (SELECT CASE WHEN seen >= s THEN seen + 1 ELSE s END AS s, e FROM after WHERE seen IS NULL OR e > seen),
        steps AS (SELECT s AS m, 1 AS step FROM own UNION ALL SELECT e + 1, -1 FROM own)
        SELECT m, SUM(step) FROM steps GROUP BY m ORDER BY m"""


def _visits() -> dict[str, str]:
    start, end = "visit_start_date", "visit_end_date"
    rows = f"SELECT * FROM {sql.known('visit_occurrence')}"
    return {
        "visits: each": f"SELECT {_banded('n', VISIT_BANDS)}, COUNT(*) FROM (SELECT person_id, COUNT(*) AS n "
        f"FROM ({rows}) AS v GROUP BY person_id) AS w GROUP BY 1",
        "visits: stay": f"""SELECT visit_concept_id, days, COUNT(*), SUM(n) FROM (
            SELECT visit_concept_id, {_banded(f"date_diff('day', {start}, {end})", STAY_BANDS)} AS days, person_id,
              COUNT(*) AS n
            FROM ({rows}) AS v WHERE {end} >= {start} GROUP BY 1, 2, 3) AS w GROUP BY 1, 2""",
    }


def _banded(number: str, bands: tuple[tuple[int, str], ...]) -> str:
    """The lower end of the band that a number falls into."""
    cases = " ".join(f"WHEN {number} >= {low} THEN {low}" for low, _ in reversed(bands))
    return f"CASE {cases} END"


def assemble(answers: dict[str, list[tuple]], rule: Rule) -> dict[str, Any]:
    people = answers["population: people"][0][0]
    years = _years(_people_of_years(answers), rule)
    shown = [row["year"] for row in years if row["people"] is not None]
    return {
        "people": rule.told(people),
        "coverage": {"from": f"{shown[0]:04d}-01-01", "to": f"{shown[-1]:04d}-12-31"} if shown else None,
        "people_by_year": years,
        "people_by_age_sex": _age_and_sex(answers, rule),
        "sexes": _parts(answers, "population: gender_concept_id", "concept_id", people, rule),
        "races": _parts(answers, "population: race_concept_id", "concept_id", people, rule),
        "ethnicities": _parts(answers, "population: ethnicity_concept_id", "concept_id", people, rule),
        "birth_years": _parts(answers, "population: year_of_birth", "year", people, rule),
        "observation": _observed(answers, rule, people) if "observation: months" in answers else {},
        "visits": _visited(answers, rule, people) if "visits: each" in answers else {},
    }


def _people_of_years(answers: dict[str, list[tuple]]) -> dict[int, int]:
    """{year: people with a record}, from the groups of age and sex and from the years that have no bit."""
    columns = zip(*(row[3:] for row in answers.get("population: age, sex and years", [])), strict=True)
    counted = {year: sum(column) for year, column in zip(sql.YEARS, columns, strict=False)}
    return {year: n for year, n in counted.items() if n} | dict(answers.get("population: other years", []))


def _years(counted: dict[int, int], rule: Rule) -> list[dict]:
    """People with a record, by year; a person counts in each year, so years do not add up to a whole."""
    span = range(min(counted), max(counted) + 1) if counted else ()
    return trimmed({"year": year, "people": rule.told(counted.get(year, 0))} for year in span)


def _age_and_sex(answers: dict[str, list[tuple]], rule: Rule) -> list[dict]:
    """Bands by sex. Sexes are told by themselves too, so each sex is a whole of its own, with those of unknown age."""
    counted = {(band, sex): people for band, sex, people, *_ in answers.get("population: age, sex and years", [])}
    wholes = dict(answers.get("population: gender_concept_id", []))
    bands = range(0, sql.OLDEST_BAND + 1, sql.BAND)
    told: dict[tuple[int, str], int] = {}
    for concept, sex in sql.SEXES.items():
        cells = {(band, sex): counted.get((band, concept), 0) for band in bands}
        told |= rule.parts(cells, wholes.get(concept, 0))
    return [
        {"age_band": sql.band_text(band), "sex": sex, "people": told.get((band, sex))}
        for band in bands
        for sex in sql.SEXES.values()
    ]


def _parts(answers: dict[str, list[tuple]], query: str, name: str, people: int, rule: Rule) -> list[dict]:
    cells = {key: count for key, count in answers.get(query, []) if key is not None}
    return [{name: key, "people": told} for key, told in sorted(rule.parts(cells, people).items())]


def _observed(answers: dict[str, list[tuple]], rule: Rule, people: int) -> dict[str, list[dict]]:
    ages: dict[tuple[int, int], int] = {}
    for age, sex, count in answers["observation: first"]:
        if age is not None and age >= 0 and sex is not None:
            key = (min(age, sql.OLDEST_BAND), sex)
            ages[key] = ages.get(key, 0) + count
    wholes = dict(answers["population: gender_concept_id"])
    told: dict[tuple[int, int], int] = {}
    for concept in {sex for _, sex in ages}:
        told |= rule.parts({key: count for key, count in ages.items() if key[1] == concept}, wholes.get(concept, 0))
    return {
        "months": _running(answers["observation: months"], rule),
        "whole_months": _running(answers["observation: whole months"], rule),
        "starts": _months(answers["observation: starts"], rule),
        "ends": _months(answers["observation: ends"], rule),
        "periods": _parts(answers, "observation: periods", "periods", people, rule),
        "length_30_days": _parts(answers, "observation: length", "length", people, rule),
        "first_age": [{"age": age, "sex": sex, "people": count} for (age, sex), count in sorted(told.items())],
    }


def _running(steps: list[tuple], rule: Rule) -> list[dict]:
    """Months with enough people, from the steps between them."""
    found, level, ordered = [], 0, sorted((int(month), int(step)) for month, step in steps)
    for place, (month, step) in enumerate(ordered):
        level += step
        until = ordered[place + 1][0] if place + 1 < len(ordered) else month
        if (told := rule.told(level)) is not None:
            found += [{"month": sql.month_text(each), "people": told} for each in range(month, until)]
    return found


def _months(rows: list[tuple], rule: Rule) -> list[dict]:
    told = ((sql.month_text(month), rule.told(people)) for month, people in sorted(rows))
    return [{"month": month, "people": people} for month, people in told if people is not None]


def _visited(answers: dict[str, list[tuple]], rule: Rule, people: int) -> dict[str, list[dict]]:
    number, stay = dict(VISIT_BANDS), dict(STAY_BANDS)
    each = _parts(answers, "visits: each", "visits", people, rule)
    stays = [
        {"concept_id": concept, "days": stay[days], **rule.row(who, int(records))}
        for concept, days, who, records in sorted(answers["visits: stay"], key=str)
        if concept and days is not None and who >= rule.threshold
    ]
    return {"each": [{**row, "visits": number[row["visits"]]} for row in each], "stays": stays}
