"""The reference engine: what a query means, in plain Python, slow and obvious. Tests compare the compiler with it.

It takes the data as {table: [row, …]} with rows as {column: value} and shares no code with the compiler but the query.
"""

from datetime import date, timedelta
from math import fsum, isfinite
from typing import Any

from ansim.research.cohort.definition import reference
from ansim.research.cohort.definition.domains import DOMAINS
from ansim.research.cohort.definition.model import Definition
from ansim.research.cohort.query import Cohort, Criterion, Events, Query, Variable, Window

Data = dict[str, list[dict[str, Any]]]

PLACES = {  # event: (table, concept, start, end, value)
    "condition": ("condition_occurrence", "condition_concept_id", "condition_start_date", "condition_end_date", ""),
    "drug": ("drug_exposure", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date", ""),
    "measurement": ("measurement", "measurement_concept_id", "measurement_date", "", "value_as_number"),
    "procedure": ("procedure_occurrence", "procedure_concept_id", "procedure_date", "procedure_end_date", ""),
    "observation": ("observation", "observation_concept_id", "observation_date", "", "value_as_number"),
    "visit": ("visit_occurrence", "visit_concept_id", "visit_start_date", "visit_end_date", ""),
    "device": ("device_exposure", "device_concept_id", "device_exposure_start_date", "device_exposure_end_date", ""),
    "death": ("death", "cause_concept_id", "death_date", "", ""),
}
PAID_FOR = {  # cost_domain_id: (event, identifier)
    "Visit": ("visit", "visit_occurrence_id"),
    "Drug": ("drug", "drug_exposure_id"),
    "Procedure": ("procedure", "procedure_occurrence_id"),
    "Condition": ("condition", "condition_occurrence_id"),
    "Measurement": ("measurement", "measurement_id"),
    "Observation": ("observation", "observation_id"),
    "Device": ("device", "device_exposure_id"),
}


def cohort(data: Data, query: Query, leave_out: tuple = ()) -> list[dict]:
    """The cohort's rows, ordered by person_id: person_id, start_date, end_date."""
    rows = []
    for person in sorted(data["person"], key=lambda row: row["person_id"]):
        if person["person_id"] not in leave_out:
            entry = _entry(data, query, person)
            if entry:
                row = {"person_id": person["person_id"], "start_date": entry[0], "end_date": entry[1]}
                if any(variable.until == "observation" for variable in query.variables):
                    row["observed_until"] = _observed_until(data, query, person, entry[0])
                rows.append(row)
    return rows


def frame(data: Data, query: Query, leave_out: tuple = ()) -> list[dict]:
    """The frame's rows, ordered by person_id: person_id and the variables."""
    people = {person["person_id"]: person for person in data["person"]}
    rows = []
    for row in cohort(data, query, leave_out):
        person, entry = people[row["person_id"]], row["start_date"]
        values = {variable.name: _value(data, query, variable, person, entry) for variable in query.variables}
        for variable in query.variables:
            if variable.kind in ("follow_up", "reached"):
                values[variable.name] = _followed(data, query, variable, person, row)
        rows.append({"person_id": row["person_id"]} | values)
    return rows


def _entry(data: Data, query: Query, person: dict) -> tuple[date, date] | None:
    if isinstance(query.cohort, Definition):
        return _defined(data, query, query.cohort, person)
    cohort = query.cohort
    events = _events(data, query, cohort.entry, person)
    days = sorted({start for start, _, _ in events})
    if cohort.entry.which == "first":
        days = days[:1]
    for day in days:
        if _fits(data, query, cohort, person, day):
            ends = [end for start, end, _ in events if start == day]
            return day, max(day, min(max(ends), query.period.last))
    return None


def _defined(data: Data, query: Query, definition: Definition, person: dict) -> tuple[date, date] | None:
    """The person's first period; rows of events that start outside the query's period do not exist."""
    period = query.period
    seen = dict(data)
    for domain in DOMAINS:
        seen[domain.table] = [
            row for row in data.get(domain.table, []) if period.first <= row[domain.start] <= period.last
        ]
    observed = data.get("observation_period", [])  # still what observation is
    rows = reference.cohort(seen | {"observed": observed}, definition)
    found = [(start, min(end, period.last)) for owner, start, end in rows if owner == person["person_id"]]
    return found[0] if found else None


def _fits(data: Data, query: Query, cohort: Cohort, person: dict, day: date) -> bool:
    age = _age(person, day)
    if cohort.age.min is not None and (age is None or age < cohort.age.min):
        return False
    if cohort.age.max is not None and (age is None or age > cohort.age.max):
        return False
    if cohort.sex is not None and _sex(person) not in cohort.sex:
        return False
    if not all(_holds(data, query, criterion, person, day) for criterion in cohort.require):
        return False
    return not any(_holds(data, query, criterion, person, day) for criterion in cohort.exclude)


def _holds(data: Data, query: Query, criterion: Criterion, person: dict, day: date) -> bool:
    found = [event for event in _events(data, query, criterion, person) if _inside(criterion.window, day, event[0])]
    return len(found) >= criterion.at_least


def _inside(window: Window, entry: date, day: date) -> bool:
    days = (day - entry).days
    if window.from_days is not None and days < window.from_days:
        return False
    return window.to_days is None or days <= window.to_days


def _value(data: Data, query: Query, variable: Variable, person: dict, entry: date) -> Any:
    age, width = _age(person, entry), variable.width or 1
    if variable.kind == "sex":
        return _sex(person)
    if variable.kind == "age":
        return age
    if variable.kind == "age_band":
        if age is None:
            return None
        low = age - age % width
        return f"{low}-{low + width - 1}"
    assert variable.events is not None
    assert variable.window is not None
    events = [e for e in _events(data, query, variable.events, person) if _inside(variable.window, entry, e[0])]
    if variable.kind == "flag":
        return bool(events)
    if variable.kind == "count":
        return len(events)
    if variable.kind in ("days", "follow_up", "reached"):
        return min(((start - entry).days for start, _, _ in events), default=None)
    numbers = sorted((start, value) for start, _, value in events if value is not None)
    values = [value for _, value in numbers]
    if not values:
        return None
    return {
        "first": values[0],
        "last": values[-1],
        "min": min(values),
        "max": max(values),
        "mean": fsum(values) / len(values),
        "sum": fsum(values),
    }[str(variable.pick)]


def _observed_until(data: Data, query: Query, person: dict, entry: date) -> date | None:
    names = ("observation_period_start_date", "observation_period_end_date")
    periods = [
        (row[names[0]], row[names[1]])
        for row in data.get("observation_period", [])
        if row["person_id"] == person["person_id"] and None not in (row[names[0]], row[names[1]])
    ]
    ends = [end for start, end in periods if start <= entry <= end]
    return min(max(ends), query.period.last) if ends else None


def _followed(data: Data, query: Query, variable: Variable, person: dict, row: dict) -> Any:
    """Days to the end of follow-up, or whether the event ended it."""
    entry = row["start_date"]
    end = row["end_date"] if variable.until == "cohort" else row["observed_until"]
    if end is None:
        return None
    last = (end - entry).days
    if variable.at_most is not None:
        last = min(last, variable.at_most)
    for events in variable.censor or ():
        days = [(start - entry).days for start, _, _ in _events(data, query, events, person)]
        last = min([last, *(day for day in days if day >= 0)])
    event = _value(data, query, variable, person, entry)
    reached = event is not None and event <= last
    if variable.kind == "reached":
        return reached
    return event if reached else last


def _events(data: Data, query: Query, events: Events, person: dict) -> list[tuple[date, date, float | None]]:
    concepts = set(events.concepts)
    if events.descendants:
        for row in data.get("concept_ancestor", []):
            if row["ancestor_concept_id"] in events.concepts:
                concepts.add(row["descendant_concept_id"])
    rows = _costs(data) if events.event == "cost" else _rows(data, events.event)
    return [
        (start, end or start, _number(value))
        for person_id, concept, start, end, value in rows
        if person_id == person["person_id"]
        and start is not None
        and query.period.first <= start <= query.period.last
        and (not events.concepts or concept in concepts)
    ]


def _rows(data: Data, event: str) -> list[tuple]:
    table, concept, start, end, value = PLACES[event]
    return [(row["person_id"], row[concept], row[start], row.get(end), row.get(value)) for row in data.get(table, [])]


def _costs(data: Data) -> list[tuple]:
    rows = []
    for cost in data.get("cost", []):
        if cost["cost_domain_id"] in PAID_FOR:
            event, key = PAID_FOR[cost["cost_domain_id"]]
            table, _, start, _, _ = PLACES[event]
            for row in data.get(table, []):
                if row[key] == cost["cost_event_id"]:
                    rows.append((row["person_id"], cost["cost_type_concept_id"], row[start], None, cost["total_paid"]))
    return rows


def _number(value: Any) -> float | None:
    return value if value is not None and isfinite(value) and abs(value) <= 1e300 else None


def _sex(person: dict) -> str | None:
    return {8532: "F", 8507: "M"}.get(person["gender_concept_id"])


def _birth(person: dict) -> date | None:
    if person.get("birth_datetime"):
        return person["birth_datetime"]
    year, month, day = (person.get(f"{part}_of_birth") for part in ("year", "month", "day"))
    if year is None or not 1000 <= year <= 9999:
        return None
    if month is None or not 1 <= month <= 12:
        return date(year, 7, 1)
    first = date(year, month, 1)
    exact = first + timedelta(days=day - 1) if day is not None and 1 <= day <= 31 else None
    return exact if exact and exact.month == month else date(year, month, 15)


def _age(person: dict, on: date) -> int | None:
    birth = _birth(person)
    if birth is None or on < birth:
        return None
    before_birthday = (on.month, on.day) < (birth.month, birth.day)
    return on.year - birth.year - before_birthday
