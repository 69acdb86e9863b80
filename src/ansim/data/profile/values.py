"""Measured values by concept and unit: how many people, how much is missing, the usual range and its distribution.

A range runs from the k-th smallest of the people's own smallest values to the k-th largest of their largest,
k = max(threshold, 1 % of people), in few digits: each end rests on k people. The distribution puts each person once
into equal steps of that range, by the mean of the own values; those outside are in the first and last step.
"""

from ansim.data.cdm import Event
from ansim.data.profile import sql
from ansim.data.profile.rules import Rule, decimal

STEPS = 12
NUDGE = 0.000001  # of a step: engines add decimals in different orders, so the last bits of a mean differ


def _own(event: Event) -> str:
    return f"""own AS (
        SELECT {event.concept} AS concept, COALESCE({sql.UNITS[event.kind]}, 0) AS unit, person_id, COUNT(*) AS records,
          COUNT(v) AS filled, MIN(v) AS smallest, MAX(v) AS largest
        FROM (SELECT *, {sql.value(event)} AS v FROM {sql.known(event.table)} AND {event.concept} <> 0) AS e
        GROUP BY 1, 2, 3)"""


def queries(events: list[Event], threshold: int) -> dict[str, str]:
    found = {}
    for event in events:
        if event.kind in sql.UNITS:
            found[f"values: {event.kind}"] = _totals_and_ends(event, threshold)
    return found


def _totals_and_ends(event: Event, threshold: int) -> str:
    """The k-th smallest and largest by counting: equal values are one row, then a running sum."""
    return f"""WITH {_own(event)},
      whole AS (
        SELECT concept, unit, COUNT(*) AS people, SUM(records) AS records, SUM(filled) AS filled,
          COUNT(CASE WHEN filled > 0 THEN 1 END) AS valued, COUNT(CASE WHEN filled < records THEN 1 END) AS without,
          GREATEST({threshold}, CEIL(COUNT(CASE WHEN filled > 0 THEN 1 END) / 100.0)) AS k
        FROM own GROUP BY 1, 2 HAVING COUNT(*) >= {threshold}),
      low AS ({_end("smallest", "ASC", "MIN")}),
      high AS ({_end("largest", "DESC", "MAX")})
      SELECT w.concept, w.unit, people, records, filled, valued, without, l.reached, h.reached
      FROM whole AS w LEFT JOIN low AS l ON l.concept = w.concept AND l.unit = w.unit
      LEFT JOIN high AS h ON h.concept = w.concept AND h.unit = w.unit"""


def _end(side: str, order: str, pick: str) -> str:
    return f"""SELECT r.concept, r.unit, {pick}(r.v) AS reached FROM (
          SELECT concept, unit, v, SUM(n) OVER (PARTITION BY concept, unit ORDER BY v {order}) AS so_far FROM (
            SELECT concept, unit, {side} AS v, COUNT(*) AS n FROM own WHERE filled > 0 GROUP BY 1, 2, 3) AS d) AS r
        JOIN whole AS w ON w.concept = r.concept AND w.unit = r.unit WHERE so_far >= k GROUP BY r.concept, r.unit"""


def ranged(answers: dict[str, list[tuple]], rule: Rule) -> dict[str, list[dict]]:
    """By kind of event, the commonest first; low and high are numbers here, or None where they may not be told."""
    found: dict[str, list[dict]] = {}
    for kind in sql.UNITS:
        found[kind] = [
            {
                "event": kind, "concept_id": concept, "unit_concept_id": unit,
                "_people": people, "_having": having, "low": low, "high": high,
                **rule.row(people, int(records)),
                "missing_percent": round(100 - 100 * int(filled) / int(records))
                if rule.apart(having, without) else None,
            }
            for concept, unit, people, records, filled, having, without, low, high in answers.get(f"values: {kind}", [])
        ]  # fmt: skip
        for one in found[kind]:
            low, high = one["low"], one["high"]
            if one["_having"] < 2 * rule.threshold or low is None or high is None or low > high:
                one["low"] = one["high"] = None
            else:
                one["low"], one["high"] = float(decimal(low)), float(decimal(high))
        found[kind].sort(key=lambda one: (-one["_people"], one["concept_id"], one["unit_concept_id"]))
    return found


def step_queries(events: list[Event], found: dict[str, list[dict]]) -> dict[str, str]:
    wanted = {}
    for event in events:
        rows = [one for one in found.get(event.kind, []) if one["low"] is not None and one["low"] < one["high"]]
        if rows:
            listed = ", ".join(
                f"({one['concept_id']}, {one['unit_concept_id']}, CAST({one['low']!r} AS DOUBLE), "
                f"CAST({(one['high'] - one['low']) / STEPS!r} AS DOUBLE))"
                for one in rows
            )
            step = f"CAST(FLOOR((mean - r.low) / r.width + {NUDGE}) AS INT)"
            wanted[f"steps: {event.kind}"] = f"""WITH means AS (
                SELECT {event.concept} AS concept, COALESCE({sql.UNITS[event.kind]}, 0) AS unit, person_id,
                  AVG({sql.value(event)}) AS mean
                FROM {sql.known(event.table)} AND {event.value} IS NOT NULL GROUP BY 1, 2, 3)
              SELECT m.concept, m.unit,
                CASE WHEN {step} < 0 THEN 0 WHEN {step} >= {STEPS} THEN {STEPS - 1} ELSE {step} END, COUNT(*)
              FROM means AS m JOIN (VALUES {listed}) AS r (concept, unit, low, width)
                ON r.concept = m.concept AND r.unit = m.unit
              WHERE mean IS NOT NULL GROUP BY 1, 2, 3"""
    return wanted


def assemble(found: dict[str, list[dict]], answers: dict[str, list[tuple]], rule: Rule) -> list[dict]:
    """[{event, concept_id, unit_concept_id, people, records, missing_percent, low, high, steps: [people | None]}]."""
    counted: dict[tuple, dict[int, int]] = {}
    for kind in sql.UNITS:
        for concept, unit, step, people in answers.get(f"steps: {kind}", []):
            counted.setdefault((kind, concept, unit), {})[step] = people
    told = []
    for one in (one for rows in found.values() for one in rows):
        cells = counted.get((one["event"], one["concept_id"], one["unit_concept_id"]), {})
        parts = rule.parts({step: cells.get(step, 0) for step in range(STEPS)}, one["_people"]) if cells else {}
        shown = {name: value for name, value in one.items() if not name.startswith("_")}
        for end in ("low", "high"):
            shown[end] = None if one[end] is None else decimal(one[end])
        told.append({**shown, "steps": [parts.get(step) for step in range(STEPS)] if parts else []})
    return told
