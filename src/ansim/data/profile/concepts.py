"""What is recorded: each concept by people, records, year, age and sex, and how often common concepts come together.

Only concepts that enough people have are told of; that one exists at all would tell of them.
"""

from collections import defaultdict
from itertools import combinations
from typing import Any

from ansim.data.cdm import Event
from ansim.data.profile import sql
from ansim.data.profile.rules import Rule

TOGETHER = 15  # the commonest concepts of these kinds are looked at in pairs
IN_PAIRS = ("condition", "drug")
NOWHERE = -1  # stands for an unknown sex, so that only the sets of a grouping give NULL


def queries(events: list[Event], columns: dict[str, dict[str, str]]) -> dict[str, str]:
    found = {}
    for event in events:
        found[f"concepts: {event.kind}"] = _cube(event)
        found[f"concept years: {event.kind}"] = _by_year(event)
    for era in sql.ERAS.values():
        if era.table in columns:
            found[f"concepts: {era.kind}"] = (
                f"SELECT {era.concept}, COUNT(*), SUM(n) FROM (SELECT {era.concept}, person_id, COUNT(*) AS n "
                f"FROM {sql.known(era.table)} AND {era.concept} <> 0 GROUP BY 1, 2) AS own GROUP BY 1"
            )
    return found


def _cube(event: Event) -> str:
    """(concept, year of the person's last record, age band at the first, sex, people, records, ...): one grouping each.

    The rows with no year, age and sex are the concept's totals. Years of the last record and ages at the first part the
    concept's people: each person is in one cell.
    """
    value = sql.value(event)
    return f"""WITH {sql.PEOPLE}, own AS (
        SELECT {event.concept} AS concept, person_id, COUNT(*) AS records, COUNT({value}) AS filled,
          MIN({sql.year(event.start)}) AS first, MAX({sql.year(event.start)}) AS last
        FROM {event.table} WHERE {event.concept} <> 0 GROUP BY 1, 2),
      cell AS (
        SELECT concept, records, filled, COALESCE(last, {NOWHERE}) AS last, COALESCE(sex, {NOWHERE}) AS sex,
          COALESCE({sql.band("first - born")}, {NOWHERE}) AS band
        FROM own JOIN people USING (person_id)),
      counted AS (
        SELECT concept, last, band, sex, COUNT(*) AS n, SUM(records) AS records, SUM(filled) AS filled,
          COUNT(CASE WHEN filled > 0 THEN 1 END) AS valued, COUNT(CASE WHEN filled < records THEN 1 END) AS without
        FROM cell GROUP BY 1, 2, 3, 4)
      SELECT concept, last, band, sex, SUM(n), SUM(records), SUM(filled), SUM(valued), SUM(without)
      FROM counted GROUP BY GROUPING SETS ((concept), (concept, last), (concept, band, sex))"""


def _by_year(event: Event) -> str:
    return f"""SELECT concept, y, COUNT(*), SUM(n) FROM (
        SELECT {event.concept} AS concept, {sql.year(event.start)} AS y, person_id, COUNT(*) AS n
        FROM {sql.known(event.table)} AND {event.concept} <> 0 GROUP BY 1, 2, 3) AS own
      WHERE y IS NOT NULL GROUP BY 1, 2"""


def assemble(events: list[Event], answers: dict[str, list[tuple]], rule: Rule) -> dict[str, list[dict]]:
    """Names are put in later (`named`)."""
    told: dict[str, list[dict]] = {"variables": [], "concept_years": [], "concept_ages": [], "eras": []}
    for event in events:
        _of_event(event, answers, rule, told)
    for era in sql.ERAS:
        rows = answers.get(f"concepts: {era}", [])
        told["eras"] += [
            {"era": era, "concept_id": concept, **rule.row(people, int(records))}
            for concept, people, records in sorted(rows, key=lambda row: (-row[1], row[0]))
            if people >= rule.threshold
        ]
    return told


def _of_event(event: Event, answers: dict[str, list[tuple]], rule: Rule, told: dict[str, list[dict]]) -> None:
    totals: dict[int, tuple] = {}
    last: dict[int, dict[int, int]] = defaultdict(dict)
    ages: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    for concept, year, band, sex, people, *facts in answers[f"concepts: {event.kind}"]:
        if year is not None:
            last[concept][year] = people
        elif band is not None:
            ages[concept][band, sex] = people
        else:
            totals[concept] = (people, *facts)
    shown = sorted((c for c in totals if totals[c][0] >= rule.threshold), key=lambda c: (-totals[c][0], c))
    for concept in shown:
        people, records, filled, with_value, without = totals[concept]
        years = _without_unknown(last[concept])
        told["variables"].append(
            {
                "event": event.kind,
                "concept_id": concept,
                **rule.row(people, int(records)),
                "missing_percent": round(100 - 100 * int(filled) / int(records))
                if event.value and rule.apart(with_value, without)
                else None,
                "last_years": [[year, number] for year, number in sorted(rule.parts(years, people).items())],
            }
        )
        cells = {key: number for key, number in ages[concept].items() if key[0] != NOWHERE and key[1] in sql.SEXES}
        told["concept_ages"] += [
            {"event": event.kind, "concept_id": concept, "age_band": sql.band_text(band), "sex": sql.SEXES[sex],
             "people": number}
            for (band, sex), number in sorted(rule.parts(cells, people).items())
        ]  # fmt: skip
    told["concept_years"] += [
        {"event": event.kind, "concept_id": concept, "year": year, **rule.row(people, int(records))}
        for concept, year, people, records in sorted(answers[f"concept years: {event.kind}"])
        if people >= rule.threshold
    ]


def _without_unknown(cells: dict[int, int]) -> dict[int, int]:
    return {key: people for key, people in cells.items() if key != NOWHERE}


def pair_queries(events: list[Event], variables: list[dict]) -> dict[str, str]:
    """(set of the commonest concepts as bits, people with just these of them): nothing is joined with itself."""
    found = {}
    for event in events:
        top = _top(event.kind, variables)
        if event.kind not in IN_PAIRS or len(top) < 2:
            continue
        bits = " ".join(f"WHEN {concept} THEN {1 << place}" for place, concept in enumerate(top))
        found[f"pairs: {event.kind}"] = (
            f"SELECT those, COUNT(*) FROM (SELECT person_id, BIT_OR(CASE {event.concept} {bits} END) AS those "
            f"FROM {sql.known(event.table)} AND {event.concept} IN ({', '.join(map(str, top))}) "
            "GROUP BY person_id) AS own GROUP BY those"
        )
    return found


def _top(kind: str, variables: list[dict]) -> list[int]:
    return [one["concept_id"] for one in variables if one["event"] == kind][:TOGETHER]


def pairs(variables: list[dict], answers: dict[str, list[tuple]], people: int, rule: Rule) -> list[dict]:
    """People with both of two concepts, where all four fields of the 2 x 2 table are empty or of enough people."""
    found: list[dict[str, Any]] = []
    for kind in IN_PAIRS:
        if f"pairs: {kind}" not in answers:
            continue
        top, sets = _top(kind, variables), answers[f"pairs: {kind}"]
        bit = {concept: 1 << place for place, concept in enumerate(top)}
        own = {concept: sum(n for those, n in sets if those & bit[concept]) for concept in top}
        for a, b in combinations(top, 2):
            both = sum(n for those, n in sets if those & bit[a] and those & bit[b])
            if both and rule.apart(both, own[a] - both, own[b] - both, people - own[a] - own[b] + both):
                found.append({"event": kind, "first": a, "second": b, "people": rule.told(both)})
    return found
