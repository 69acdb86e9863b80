"""The holder's CDM as the back rooms use it: one file, read-only, named by its SHA-256."""

from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from ansim.data.cdm.files import file_digest, open_cdm
from ansim.research.cohort import compile as compiler
from ansim.research.cohort.query import Query
from ansim.sites.config import site


def path() -> Path:
    return site().path(site().options.get("cdm", "cdm.duckdb"))


def identities() -> Path:
    """The identity register, apart from the CDM: only the linkage reads it."""
    return site().path(site().options.get("identity", "identity.duckdb"))


def version() -> str:
    """SHA-256 of the CDM file; hashed again only when its size or time of change differ."""
    facts = path().stat()
    return _version(path(), facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4)
def _version(file: Path, size: int, changed: int) -> str:
    return file_digest(file)


def connect() -> duckdb.DuckDBPyConnection:
    """For queries only: no other file within reach."""
    return open_cdm(path(), threads=2)


def cohort(query: Query) -> pa.Table:
    """person_id, start_date, end_date: one row a person."""
    with connect() as con:
        return compiler.cohort(con, query)


def frame(query: Query) -> pa.Table:
    with connect() as con:
        return compiler.frame(con, query)
