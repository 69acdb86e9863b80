"""OMOP CDM 5.4 in DuckDB: its tables as data, and the life of its file."""

from ansim.data.cdm.files import building_cdm, create_tables, file_digest, open_cdm, publish
from ansim.data.cdm.schema import EVENTS, VERSION, VERSION_CONCEPT, Column, Event, Table, literal, quoted, tables

__all__ = [
    "EVENTS",
    "VERSION",
    "VERSION_CONCEPT",
    "Column",
    "Event",
    "Table",
    "building_cdm",
    "create_tables",
    "file_digest",
    "literal",
    "open_cdm",
    "publish",
    "quoted",
    "tables",
]
