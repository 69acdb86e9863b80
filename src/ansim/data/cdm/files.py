"""A CDM is one DuckDB file: written apart, published in one rename, then only read.

A reader therefore sees the old version or the new one and never half of one, and the SHA-256 of the file names the
data version that a quality report, a dataset description or an extract speaks of.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ansim.data.cdm.schema import literal, quoted, tables
from ansim.errors import N_, Problem


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create every table of OMOP CDM 5.4, empty, in the connection's current database."""
    for table in tables().values():
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
        con.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")


@contextmanager
def building_cdm(path: Path, *, threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to an empty CDM; publish it as `path` when the block ends well, leave nothing when it fails.

    Only this connection may read other files (it has to load them). An earlier file at `path` is replaced in one step.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.building")
    _remove(part)
    con = duckdb.connect(str(part), config={"threads": threads} if threads else {})
    try:
        create_tables(con)
        yield con
        con.execute("CHECKPOINT")
        con.close()
        publish(part, path)
    finally:
        con.close()
        _remove(part)


def publish(part: Path, path: Path) -> None:
    """Make a finished file appear at `path` at once and lastingly: fsync, rename, fsync of the folder."""
    _fsync(part)
    os.replace(part, path)
    _fsync(path.parent)


def open_cdm(path: Path, *, threads: int | None = None, memory: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open a published CDM for queries: read-only, no other file or network within reach, settings locked.

    memory is a DuckDB size such as "1GB". Raises Problem when there is no such file or it is not a CDM.
    """
    path = Path(path)
    if not path.is_file():
        raise Problem(
            "no-cdm",
            N_("There is no CDM file here."),
            where=str(path),
            remedy=N_("Load the data first, or mend the path in site.toml."),
        )
    # An engine of its own for each opening, so that one caller's limits and locked settings never meet another's.
    # What does not fit in memory spills beside the CDM, never into whatever folder the process was started in.
    spill = path.with_name(f".{path.name}.spill")
    con = duckdb.connect(config={"autoinstall_known_extensions": "false", "temp_directory": str(spill)})
    try:
        con.execute(f"ATTACH {literal(str(path))} AS cdm (READ_ONLY); USE cdm")
        if threads:
            con.execute(f"SET threads = {int(threads)}")
        if memory:
            con.execute(f"SET memory_limit = {literal(memory)}")
        con.execute("SET enable_external_access = false; SET lock_configuration = true")
        con.execute("SELECT person_id, year_of_birth, gender_concept_id FROM person LIMIT 0")
    except duckdb.Error as error:
        con.close()
        raise Problem(
            "not-a-cdm",
            N_("The file is not a CDM that this version can read: {detail}"),
            where=str(path),
            detail=str(error).splitlines()[0],
        ) from error
    return con


def file_digest(path: Path) -> str:
    """SHA-256 of the file, 64 hexadecimal digits: the name of a data version."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    for leftover in (part, part.with_name(part.name + ".wal")):
        leftover.unlink(missing_ok=True)
