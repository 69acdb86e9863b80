"""The holder's CDM as the back rooms use it: one file, read-only, named by its version; and who is left out of it."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ansim.data.cdm import quoted, tables
from ansim.data.cdm import versions as store
from ansim.data.cdm.files import file_digest, open_cdm
from ansim.privacy.disclosure.policy import Policy
from ansim.research.cohort import compile as compiler
from ansim.research.cohort.query import Query
from ansim.sites.config import site
from ansim.sites.holder import patients


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


def named() -> dict[str, Any]:
    """How answers name the data that they were made from: {"number", "sha256"}; number is None when no load made it."""
    used = store.in_use(path())
    return {"number": used.number if used else None, "sha256": version()}


def edition(project: str) -> str:
    """64 hexadecimal digits that change when the data do, or what patients' lists say about the project."""
    said = patients.stamp(project)
    return hashlib.sha256(f"{version()}:{said}".encode()).hexdigest() if said else version()


def connect(project: str | None = None) -> duckdb.DuckDBPyConnection:
    """For queries only: no other file within reach. project: with the people left out whom the lists leave out of it
    ("" for no particular project); None is the data as they are, for looking after them."""
    con = open_cdm(path(), threads=2)
    if project is not None and (out := patients.people_out(con, project)):
        con.execute("CREATE TEMP TABLE left_out AS SELECT unnest(?::BIGINT[]) AS person_id", [out])
        here = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        for table in tables().values():
            if table.personal and table.name in here:
                name = quoted(table.name)
                con.execute(
                    f"CREATE TEMP VIEW {name} AS FROM cdm.{name} "
                    "WHERE person_id IS NULL OR person_id NOT IN (FROM left_out)"
                )
    return con


def cohort(query: Query, project: str) -> pa.Table:
    """person_id, start_date, end_date: one row a person, without those whom the lists leave out of the project."""
    with connect() as con:
        return compiler.cohort(con, query, patients.people_out(con, project))


def frame(query: Query, project: str) -> pa.Table:
    with connect() as con:
        return compiler.frame(con, query, patients.people_out(con, project))


def left_out(query: Query, project: str) -> str:
    """How many people of the cohort the lists leave out, as it may be shown: "0", "<10", or rounded."""
    with connect() as con:
        out = patients.people_out(con, project)
        if not out:
            return "0"
        everybody = compiler.cohort(con, query).num_rows
        return shown(everybody - compiler.cohort(con, query, out).num_rows)


def shown(people: int) -> str:
    policy = Policy.from_data(site().policy)
    if 0 < people < policy.threshold:
        return f"<{policy.threshold}"
    return str(round(people / policy.rounding) * policy.rounding)
