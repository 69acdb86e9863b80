"""Where each kind of event stands in the OMOP CDM 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54.html).

A site may hold only some tables, and an extract only some columns: a table counts as available when it has the
columns that its events need. The columns of a loader's error (`column0`, …) therefore never count as a table.
"""

from dataclasses import dataclass

import duckdb

Tables = dict[str, dict[str, str]]
"""Table name to {column name: DuckDB type}, all in small letters."""


@dataclass(frozen=True)
class Source:
    """A table of events of people: its columns for the event's concept, first and last day, and number."""

    table: str
    concept: str
    start: str
    end: str | None = None
    value: str | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        return ("person_id", self.concept, self.start)


SOURCES = {
    "condition": Source("condition_occurrence", "condition_concept_id", "condition_start_date", "condition_end_date"),
    "drug": Source("drug_exposure", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date"),
    "measurement": Source("measurement", "measurement_concept_id", "measurement_date", None, "value_as_number"),
    "procedure": Source("procedure_occurrence", "procedure_concept_id", "procedure_date", "procedure_end_date"),
    "observation": Source("observation", "observation_concept_id", "observation_date", None, "value_as_number"),
    "visit": Source("visit_occurrence", "visit_concept_id", "visit_start_date", "visit_end_date"),
    "device": Source("device_exposure", "device_concept_id", "device_exposure_start_date", "device_exposure_end_date"),
    "death": Source("death", "cause_concept_id", "death_date"),
}

# A cost has no person and no date: it is an event on the first day of what it paid for, named by the table
# (`cost_domain_id`) and the row (`cost_event_id`). Its concept is the cost type; its number is `total_paid`.
COST_DOMAINS = {
    "Visit": ("visit", "visit_occurrence_id"),
    "Drug": ("drug", "drug_exposure_id"),
    "Procedure": ("procedure", "procedure_occurrence_id"),
    "Condition": ("condition", "condition_occurrence_id"),
    "Measurement": ("measurement", "measurement_id"),
    "Observation": ("observation", "observation_id"),
    "Device": ("device", "device_exposure_id"),
}
COST_NEEDED = ("cost_event_id", "cost_domain_id", "cost_type_concept_id", "total_paid")


def available_tables(con: duckdb.DuckDBPyConnection) -> Tables:
    """The tables and views of the connection's current schema with their columns and types."""
    rows = con.execute(
        "SELECT lower(table_name), lower(column_name), data_type FROM information_schema.columns "
        "WHERE table_catalog = current_database() AND table_schema = current_schema() "
        "ORDER BY table_name, ordinal_position"
    ).fetchall()
    tables: Tables = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


def has(tables: Tables, event: str) -> bool:
    """Whether the tables hold what events of this kind need (for a cost: also the table that it points to)."""
    if event == "cost":
        return set(COST_NEEDED) <= set(tables.get("cost", ())) and bool(cost_targets(tables))
    source = SOURCES[event]
    return set(source.needed) <= set(tables.get(source.table, ()))


def cost_targets(tables: Tables) -> list[str]:
    """The cost domains whose event table is there with its identifier."""
    return [
        domain
        for domain, (event, key) in COST_DOMAINS.items()
        if has(tables, event) and key in tables[SOURCES[event].table]
    ]


def has_ancestors(tables: Tables) -> bool:
    return {"ancestor_concept_id", "descendant_concept_id"} <= set(tables.get("concept_ancestor", ()))


def full() -> Tables:
    """The tables and columns of OMOP CDM 5.4 that queries can touch, for compiling without a database."""
    tables: Tables = {
        "person": dict.fromkeys(
            ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"), ""
        ),
        "concept_ancestor": dict.fromkeys(("ancestor_concept_id", "descendant_concept_id"), ""),
        "cost": dict.fromkeys(COST_NEEDED, ""),
    }
    for source in SOURCES.values():
        tables[source.table] = {name: "" for name in (*source.needed, source.end, source.value) if name}
    for event, key in COST_DOMAINS.values():
        tables[SOURCES[event].table][key] = ""
    return tables
