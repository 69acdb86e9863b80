"""The plan of an extract, `plan/1`: what happens to every column, as data that people can review and compare.

Default-deny (L2): a table or column that the plan does not name is not in the extract. The plan is compiled from the
query (only its cohort, its events, its concepts and its period) and from the columns that the site's CDM has; it then
stands alone, so that the reviewers sign its digest and the run follows nothing else.

Of a query/2 only the events of its variables leave. What its definition chose people by stays here: the extract's
table `cohort` says who entered when, and the frame is made from that (decision 0040). It also says until when people
were observed, where a variable asks for it: observation periods themselves stay.

plan/1: {"ansim", "query": digest, "data_version", "period": {"from", "to"}, "shift_days", "policy": {"k",
"max_suppressed_permille", "age_widths": [years, 0 for one class], "age_top"}, "age_bounds": {"min", "max"},
"tables": {table: {"event", "select", "date", "concept", "columns": {column: {"action", …}}}},
"derived": {table: {"columns": …}}, "chosen_by" (query/2 only): {"concepts", "descendants_of"},
"missing": [events of which the CDM has no table: to the query, none happened],
"special": {"blocked": […], "incomplete": […]}, "overrides": […]}.

Actions: keep; drop; pseudonymise (token of the key process); shift (by the person's days); serial (a new number);
generalise (birth becomes the age on the entry date); bucket and top-code (ages, by the policy's widths and top).
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansim import documents
from ansim.errors import N_, Problem

KIND = "plan/1"
WIDER = "query/2"
POLICY = {"k": 5, "max_suppressed_permille": 50, "age_top": 90}
WIDTHS = (1, 5, 10, 20, 40, 0)


@dataclass(frozen=True)
class EventTable:
    """An OMOP CDM 5.4 event table: its primary key, concept, dates, and the columns that a variable may need."""

    table: str
    key: str | None
    concept: str
    start: str
    end: str | None = None
    payload: tuple[str, ...] = ()


_VALUE = ("value_as_number", "value_as_concept_id", "unit_concept_id")
EVENTS = {
    "condition": EventTable(
        "condition_occurrence", "condition_occurrence_id", "condition_concept_id",
        "condition_start_date", "condition_end_date",
    ),
    "drug": EventTable(
        "drug_exposure", "drug_exposure_id", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date",
        ("quantity", "days_supply"),
    ),
    "measurement": EventTable(
        "measurement", "measurement_id", "measurement_concept_id", "measurement_date", None, _VALUE
    ),
    "procedure": EventTable(
        "procedure_occurrence", "procedure_occurrence_id", "procedure_concept_id", "procedure_date",
        "procedure_end_date",
    ),
    "observation": EventTable(
        "observation", "observation_id", "observation_concept_id", "observation_date", None, _VALUE
    ),
    "visit": EventTable(
        "visit_occurrence", "visit_occurrence_id", "visit_concept_id", "visit_start_date", "visit_end_date"
    ),
    "device": EventTable(
        "device_exposure", "device_exposure_id", "device_concept_id", "device_exposure_start_date",
        "device_exposure_end_date",
    ),
    "death": EventTable("death", None, "cause_concept_id", "death_date"),
}  # fmt: skip
# A birth leaves as the shifted entry date less the age on it: research on the extract finds the same ages and age
# bands as on the whole data, and no more than the (generalised) age can be read from it.
PERSON = {
    "person_id": {"action": "pseudonymise"},
    "gender_concept_id": {"action": "keep"},
    "year_of_birth": {"action": "generalise"},
    "month_of_birth": {"action": "generalise"},
    "day_of_birth": {"action": "generalise"},
}
COHORT = {
    "person_id": {"action": "pseudonymise"},
    "start_date": {"action": "shift"},
    "end_date": {"action": "shift"},
    "age": {"action": "bucket", "top-code": True},
}
OBSERVED = {"observed_until": {"action": "shift"}}  # where a variable asks how long people were observed
VOCABULARY = {
    "concept": ("concept_id", "concept_name", "domain_id", "vocabulary_id", "standard_concept", "concept_code"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
}


def wider(query: Mapping) -> bool:
    """Whether a whole definition says who is in it (query/2); refuses what is no query."""
    if query.get("ansim") == WIDER:
        return True
    documents.kind(query, "query/1")
    return False


def chosen_by(query: Mapping) -> dict[str, list[int]]:
    """{"concepts", "descendants_of"}: what the definition of a query/2 names in its concept sets, used or not.

    Nothing of it leaves, but who is in the cohort was chosen by it, and that may tell of a special category. Concepts
    left out of a set do not count; of a query/1 there are none, since all that it looks at is in its scope.
    """
    members = [
        {"id": member} if isinstance(member, int) else member
        for each in (query["cohort"].get("sets") or () if wider(query) else ())
        for member in each["concepts"]
    ]
    listed = [member for member in members if not member.get("excluded")]
    return {
        "concepts": sorted({member["id"] for member in listed if not member.get("descendants")}),
        "descendants_of": sorted({member["id"] for member in listed if member.get("descendants")}),
    }


def observed(query: Mapping) -> bool:
    """Whether a variable asks how long people were observed."""
    return any(variable.get("until") == "observation" for variable in query.get("variables") or ())


def scope(query: Mapping) -> dict[str, dict]:
    """The events that leave for a query: {event: {"all": bool, "concepts": [id], "descendants_of": [id]}}.

    An empty concept list means every event of the kind, as in the query; a missing one is a KeyError. Refuses a query
    of another kind, and events that no extract can carry yet (cost: it has no person and no date of its own).
    """
    cohort, parts = query["cohort"], []
    if not wider(query):
        parts += [cohort["entry"], *(cohort.get("require") or ()), *(cohort.get("exclude") or ())]
    variables = [variable for variable in query.get("variables") or () if variable.get("event")]
    parts += [part for variable in variables for part in (variable, *(variable.get("censor") or ()))]
    found: dict[str, dict] = {}
    for part in parts:
        event = part["event"]
        if event not in EVENTS:
            raise Problem(
                "event-not-extractable",
                N_("Events of kind {event} cannot be extracted."),
                where=event,
                remedy=N_("Take the variable out of the query, or ask for it as a federated answer."),
                event=event,
            )
        here = found.setdefault(event, {"all": False, "concepts": set(), "descendants_of": set()})
        concepts = part["concepts"]
        here["all"] |= not concepts
        here["descendants_of" if part.get("descendants") else "concepts"].update(concepts)
    return {
        event: {"all": True, "concepts": [], "descendants_of": []}
        if here["all"]
        else {"all": False} | {name: sorted(here[name]) for name in ("concepts", "descendants_of")}
        for event, here in sorted(found.items())
    }


def compile(
    query: Mapping,
    tables: Mapping[str, Iterable[str]],
    *,
    data_version: str,
    policy: Mapping | None = None,
    shift_days: int = 180,
    special: Mapping | None = None,
    overrides: Iterable[Mapping] = (),
) -> dict:
    """The plan/1 for a query over a CDM with these tables ({table: columns}, small letters).

    policy overrides `POLICY` ("k", "max_suppressed_permille", "age_top", "age_widths"). special is the finding of
    `special.find`, for the reviewers to see (the run looks again by itself). overrides are documents
    {"category", "reason", "protection_plan", "approver", "expires": date}, checked when the plan is run.
    """
    selected = scope(query)
    bounds = {} if wider(query) else query["cohort"].get("age") or {}
    plan: dict[str, Any] = {
        "ansim": KIND,
        "query": documents.digest(query),
        "data_version": data_version,
        "period": {name: str(query["period"][name]) for name in ("from", "to")},
        "shift_days": shift_days,
        "policy": POLICY | {"age_widths": age_widths(query)} | dict(policy or {}),
        "age_bounds": {"min": bounds.get("min"), "max": bounds.get("max")},
        "tables": {"person": {"event": None, "columns": _actions(tables, "person", PERSON, ("person_id",))}},
        "derived": {"cohort": {"columns": COHORT | (OBSERVED if observed(query) else {})}},
        **({"chosen_by": chosen_by(query)} if wider(query) else {}),
        "missing": [],
        "special": dict(special or {"blocked": [], "incomplete": []}),
        "overrides": [dict(override) for override in overrides],
    }
    for event, select in selected.items():
        source = EVENTS[event]
        needed = ("person_id", source.concept, source.start)
        if not set(needed) <= set(tables.get(source.table, ())):
            plan["missing"].append(event)
            continue
        plan["tables"][source.table] = {
            "event": event,
            "select": select,
            "concept": source.concept,
            "date": source.start,
            "columns": _actions(tables, source.table, _event_actions(source), needed),
        }
    for table, columns in VOCABULARY.items():
        if table in tables:
            keep = {column: {"action": "keep"} for column in columns}
            plan["tables"][table] = {"event": None, "columns": _actions(tables, table, keep, columns[:1])}
    documents.canonical(plan)
    return plan


def age_widths(query: Mapping) -> list[int]:
    """The ladder of age classes in years, finest first; 0 is one class for all.

    Where the query only asks for age bands, the finest step is the widest that still divides every band: no more
    detail leaves than was asked for.
    """
    variables = query.get("variables") or ()
    bands = [variable["width"] for variable in variables if variable["kind"] == "age_band"]
    exact = any(variable["kind"] == "age" for variable in variables)
    steps = {width for width in WIDTHS if width} | set(bands)
    finest = 1 if exact or not bands else max(step for step in steps if all(band % step == 0 for band in bands))
    return [*sorted(step for step in steps if step >= finest), 0]


def _event_actions(source: EventTable) -> dict[str, dict]:
    actions: dict[str, dict] = {"person_id": {"action": "pseudonymise"}, source.concept: {"action": "keep"}}
    if source.key:
        actions[source.key] = {"action": "serial"}
    actions |= {date: {"action": "shift"} for date in (source.start, source.end) if date}
    return actions | {column: {"action": "keep"} for column in source.payload}


def _typed(column: str) -> str:
    """The type that a kept column leaves with: numbers stay numbers, so that no text can pass in their place."""
    if column in ("value_as_number", "quantity"):
        return "DOUBLE"
    if column in ("domain_id", "vocabulary_id"):  # texts by their CDM definition
        return "VARCHAR"
    return "BIGINT" if column.endswith("_id") or column == "days_supply" else "VARCHAR"


def _actions(tables: Mapping[str, Iterable[str]], table: str, kept: Mapping, needed: Iterable[str]) -> dict:
    """An action for every column that the CDM's table has: those not wanted are dropped, and say so."""
    present = list(tables.get(table, ()))
    missing = [column for column in needed if column not in present]
    if missing:
        raise Problem(
            "table-missing",
            N_("The data have no {columns} in table {table}, which the query needs."),
            where=table,
            remedy=N_("Load the table, or take its variables out of the query."),
            columns=", ".join(missing),
            table=table,
        )
    chosen = {column: dict(kept.get(column, {"action": "drop"})) for column in sorted(present)}
    keeps = {column: {"type": _typed(column)} for column, rule in chosen.items() if rule["action"] == "keep"}
    return {column: rule | keeps.get(column, {}) for column, rule in chosen.items()}


def digest(plan: Mapping) -> str:
    """The plan's name, which the adequacy reviewers sign."""
    return documents.digest(documents.kind(plan, KIND))


def output_columns(plan: Mapping) -> dict[str, list[str]]:
    """{table: columns} that an extract by this plan has: exactly these and no others."""
    everything = {**plan["tables"], **plan["derived"]}
    return {
        table: sorted(column for column, rule in spec["columns"].items() if rule["action"] != "drop")
        for table, spec in everything.items()
    }


def extract_query(query: Mapping, plan: Mapping) -> dict:
    """The query as it runs on the extract: its period widened by the date shift on both sides.

    The extract holds only events of the true period, but their dates are shifted, so the old borders would cut some
    off. Everything else of the query is unchanged; it is then asked of the people in the table `cohort`.
    """
    days = dt.timedelta(days=plan["shift_days"])
    first, last = (dt.date.fromisoformat(str(query["period"][name])) for name in ("from", "to"))
    return {**query, "period": {"from": (first - days).isoformat(), "to": (last + days).isoformat()}}
