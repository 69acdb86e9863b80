"""What is in a CDM, in numbers that may be published: no count below the holder's threshold, everything rounded.

Rules: a number of people below `threshold` is None (suppressed), and so is everything told about them; other numbers
are rounded to `base`, each by itself, never to below the threshold. So a total next to its parts need not be their sum,
and the difference gives nothing exact (a base below 3 would leave some numbers to one count alone, and is refused).
Where parts and their whole are both told (people by age band and sex), the hidden parts cover `threshold` people
together, or one more part is hidden. A variable that fewer than `threshold` people have is left out: that it exists at
all would tell of them. A range runs from the k-th smallest of the people's own smallest values to the k-th largest of
their largest, k = max(threshold, 1 % of people), in few digits: each end rests on k people.
"""

from collections.abc import Callable

import duckdb

from ansim.data.cdm import EVENTS, Event, quoted, tables
from ansim.errors import N_, Problem

BAND = 10  # years of an age band
OLDEST_BAND = 90  # people of this age and older are one band
SEXES = {8507: "M", 8532: "F"}
SMALLEST_BASE = 3  # then at least two counts are told as the same number, also next to the threshold
SIGNIFICANT = 3  # digits of a range's end


def profile(
    con: duckdb.DuckDBPyConnection,
    *,
    threshold: int,
    base: int,
    progress: Callable[[str], None] = lambda text: None,
) -> dict:
    """The profile of an open CDM as a plain JSON object without floats (ranges are decimal text).

    {"ansim": "profile/1", threshold, base, people, coverage: {from, to} | None, tables: [{table, people, records}],
    variables: [{event, concept_id, name, people, records, missing_percent, low, high}],
    people_by_year: [{year, people}], people_by_age_sex: [{age_band, sex, people}]}; None means suppressed or not known.
    Age is completed years at the end of the year of the person's last record. Raises Problem for a threshold below 2
    or a base below 3.
    """
    if threshold < 2 or base < SMALLEST_BASE:
        raise Problem(
            "bad-threshold",
            N_("The threshold must be at least 2 and the rounding base at least {base}."),
            where="policy",
            base=SMALLEST_BASE,
        )
    rule = (threshold, base)
    people = con.execute("SELECT count(DISTINCT person_id) FROM person").fetchall()[0][0]
    # Rows of nobody (a person id that no person has) are no one's records and count nowhere.
    con.execute(
        "CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT person_id FROM person WHERE person_id IS NOT NULL"
    )
    years = _people_by_year(con, rule)
    shown = [row["year"] for row in years if row["people"] is not None]
    variables: list[dict] = []
    for event in EVENTS.values():
        progress(event.kind)
        variables += _variables(con, event, rule)
    result = {
        "ansim": "profile/1",
        "threshold": threshold,
        "base": base,
        "people": protected(people, *rule),
        "coverage": {"from": f"{shown[0]}-01-01", "to": f"{shown[-1]}-12-31"} if shown else None,
        "tables": _tables(con, rule),
        "variables": variables,
        "people_by_year": years,
        "people_by_age_sex": _people_by_age_sex(con, rule),
    }
    con.execute("DROP TABLE known")
    return result


def protected(count: int, threshold: int, base: int) -> int | None:
    """None below the threshold, else the nearest multiple of base, but no multiple below the threshold."""
    if count < threshold:
        return None
    return max((2 * count + base) // (2 * base), -(-threshold // base)) * base


def _tables(con: duckdb.DuckDBPyConnection, rule: tuple[int, int]) -> list[dict]:
    found = []
    for table in tables().values():
        if table.personal:
            people, records = con.execute(
                f"SELECT count(DISTINCT person_id), count(*) FROM {quoted(table.name)} "
                "SEMI JOIN known USING (person_id)"
            ).fetchall()[0]
            if people:
                told = protected(people, *rule)
                found.append({"table": table.name, "people": told, "records": told and protected(records, *rule)})
    return found


def _variables(con: duckdb.DuckDBPyConnection, event: Event, rule: tuple[int, int]) -> list[dict]:
    """One entry a concept that enough people have, the commonest first."""
    threshold = rule[0]
    value = event.value or "NULL::DOUBLE"
    rows = con.execute(
        f"""
        WITH own AS (  -- one row a person and concept
          SELECT {event.concept} AS concept_id, person_id, count(*) AS records, count({value}) AS filled,
                 min({value}) AS smallest, max({value}) AS largest
          FROM {event.table} SEMI JOIN known USING (person_id) WHERE {event.concept} <> 0 GROUP BY ALL),
        whole AS (
          SELECT concept_id, count(*) AS people, sum(records) AS records, sum(filled) AS filled,
                 count(*) FILTER (filled > 0) AS with_value, count(*) FILTER (filled < records) AS without,
                 greatest({threshold}, ceil(count(*) FILTER (filled > 0) / 100))::INT AS k
          FROM own GROUP BY concept_id HAVING count(*) >= {threshold}),
        ranked AS (
          SELECT concept_id, smallest, largest,
                 row_number() OVER (PARTITION BY concept_id ORDER BY smallest) AS up,
                 row_number() OVER (PARTITION BY concept_id ORDER BY largest DESC) AS down
          FROM own WHERE filled > 0),
        ends AS (
          SELECT concept_id, max(smallest) FILTER (up = k) AS low, max(largest) FILTER (down = k) AS high
          FROM ranked JOIN whole USING (concept_id) GROUP BY concept_id)
        SELECT w.concept_id, c.concept_name, w.people, w.records, w.filled, w.with_value, w.without, low, high
        FROM whole w LEFT JOIN ends USING (concept_id) LEFT JOIN concept c ON c.concept_id = w.concept_id
        ORDER BY w.people DESC, w.concept_id"""
    ).fetchall()
    found = []
    for concept, name, people, records, filled, with_value, without, low, high in rows:
        told = all(side == 0 or side >= threshold for side in (with_value, without))
        ranged = with_value >= 2 * threshold and low is not None and high is not None and low <= high
        found.append(
            {
                "event": event.kind,
                "concept_id": concept,
                "name": name or str(concept),
                "people": protected(people, *rule),
                "records": protected(int(records), *rule),
                "missing_percent": round(100 - 100 * int(filled) / int(records)) if event.value and told else None,
                "low": _decimal(low) if ranged else None,
                "high": _decimal(high) if ranged else None,
            }
        )
    return found


def _people_by_year(con: duckdb.DuckDBPyConnection, rule: tuple[int, int]) -> list[dict]:
    """People with a record, by year; a person counts in each year, so years do not add up to a whole."""
    events = " UNION ".join(
        f"SELECT person_id, year({event.start}) AS year FROM {event.table}" for event in EVENTS.values()
    )
    rows = con.execute(
        f"SELECT year, count(DISTINCT person_id) FROM ({events}) SEMI JOIN known USING (person_id) "
        "WHERE year IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    told = [{"year": year, "people": protected(people, *rule)} for year, people in rows]
    while told and told[0]["people"] is None:  # first and last years are not told before enough people are there
        told.pop(0)
    while told and told[-1]["people"] is None:
        told.pop()
    return told


def _people_by_age_sex(con: duckdb.DuckDBPyConnection, rule: tuple[int, int]) -> list[dict]:
    last = " UNION ALL ".join(
        f"SELECT person_id, year({event.start}) AS year FROM {event.table}" for event in EVENTS.values()
    )
    counted = {
        (band, sex): people
        for band, sex, people in con.execute(
            f"""WITH last AS (SELECT person_id, max(year) AS year FROM ({last}) GROUP BY 1)
            SELECT least((year - year_of_birth) // {BAND} * {BAND}, {OLDEST_BAND}) AS band, gender_concept_id,
                   count(DISTINCT person_id)
            FROM person JOIN last USING (person_id)
            WHERE year >= year_of_birth AND gender_concept_id IN ({", ".join(map(str, SEXES))}) GROUP BY 1, 2"""
        ).fetchall()
    }
    cells = {(band, sex): counted.get((band, sex), 0) for band in range(0, OLDEST_BAND + 1, BAND) for sex in SEXES}
    hidden = hide_together(cells, rule[0])
    return [
        {
            "age_band": f"{band}+" if band == OLDEST_BAND else f"{band}-{band + BAND - 1}",
            "sex": SEXES[sex],
            "people": None if (band, sex) in hidden else protected(people, *rule),
        }
        for (band, sex), people in cells.items()
    ]


def hide_together(cells: dict, threshold: int) -> set:
    """Which parts of a whole to hide: those below the threshold, and the smallest others until the hidden are enough.

    Without the second step a whole less its visible parts would tell a hidden count.
    """
    hidden = {key for key, people in cells.items() if people < threshold}
    for key in sorted(set(cells) - hidden, key=lambda key: (cells[key], str(key))):
        if not 0 < sum(cells[member] for member in hidden) < threshold:
            break
        hidden.add(key)
    return hidden


def _decimal(value: float) -> str:
    """Decimal text with few digits: an exact extreme is a fact about one person."""
    text = f"{value:.{SIGNIFICANT}g}"
    return format(float(text), "f").rstrip("0").rstrip(".") if "e" in text or "." in text else text
