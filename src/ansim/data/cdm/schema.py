"""Tables and columns of the OMOP Common Data Model 5.4, as data.

Source: the OHDSI CommonDataModel 5.4 specification (https://ohdsi.github.io/CommonDataModel/cdm54.html), kept beside
this module as `omop_cdm_5_4.csv`. Three departures, all of storage only: integers are BIGINT, so that large sources
keep their own numbers; NUMERIC is DOUBLE; no constraint is enforced by the file, because real sources break them and
`ansim.data.quality` has to see and report that.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

VERSION = "5.4"
VERSION_CONCEPT = 756265  # "OMOP CDM Version 5.4.0", for cdm_source.cdm_version_concept_id


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # a DuckDB type: BIGINT, DOUBLE, DATE, TIMESTAMP or VARCHAR
    required: bool
    key: bool
    references: str  # the table whose key this column names, or ""


@dataclass(frozen=True)
class Table:
    name: str
    group: str  # clinical, health_system, cost, derived, metadata, vocabulary or results
    columns: tuple[Column, ...]

    @property
    def key(self) -> str | None:
        """The column that identifies a row; None where the specification names none."""
        return next((column.name for column in self.columns if column.key), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def personal(self) -> bool:
        """Whether its rows are about one person each."""
        return "person_id" in self.names

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Event:
    """Where the events of one kind (architecture.md, query/1) stand in the CDM."""

    kind: str
    table: str
    concept: str
    start: str
    end: str | None
    value: str | None = None


EVENTS = {
    event.kind: event
    for event in (
        Event(
            "condition", "condition_occurrence", "condition_concept_id", "condition_start_date", "condition_end_date"
        ),
        Event("drug", "drug_exposure", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date"),
        Event("measurement", "measurement", "measurement_concept_id", "measurement_date", None, "value_as_number"),
        Event("procedure", "procedure_occurrence", "procedure_concept_id", "procedure_date", "procedure_end_date"),
        Event("observation", "observation", "observation_concept_id", "observation_date", None, "value_as_number"),
        Event("visit", "visit_occurrence", "visit_concept_id", "visit_start_date", "visit_end_date"),
        Event(
            "device", "device_exposure", "device_concept_id", "device_exposure_start_date", "device_exposure_end_date"
        ),
        Event("death", "death", "cause_concept_id", "death_date", None),
    )
}


@cache
def tables() -> dict[str, Table]:
    """Every table of the CDM by its name, in the order of the specification."""
    found: dict[str, list[Column]] = {}
    groups: dict[str, str] = {}
    text = files(__package__).joinpath("omop_cdm_5_4.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        groups[row["table"]] = row["group"]
        found.setdefault(row["table"], []).append(
            Column(row["column"], row["type"], row["required"] == "yes", row["key"] == "yes", row["references"])
        )
    return {name: Table(name, groups[name], tuple(columns)) for name, columns in found.items()}


def quoted(name: str) -> str:
    """An identifier for SQL ("offset" is a column of note_nlp)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string for SQL where a parameter is not allowed (table functions, COPY)."""
    return "'" + text.replace("'", "''") + "'"
