"""What a load reads: files, folders, archives, Excel sheets, databases; found, unpacked, named and fingerprinted.

Archives, sheets and PostgreSQL tables are written out as plain files into a work folder first (PostgreSQL in one
repeatable-read transaction, so that all tables are of one moment). A file that is cut off or broken stops the load.
"""

import csv
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ansim.data.cdm import file_digest, tables
from ansim.data.ingest.fhir_read import is_fhir
from ansim.data.ingest.mapping import Mapping
from ansim.data.ingest.omop import is_tabular, table_named
from ansim.data.ingest.sniff import broken
from ansim.errors import N_, Problem

EXCEL = (".xlsx", ".xls", ".xlsb", ".ods")
DATABASE = (".duckdb", ".db")
BLOCK = 1 << 22


@dataclass(frozen=True)
class Found:
    """One thing to read. kind: "text", "parquet", "fhir" or "duckdb"; name: as the account calls it."""

    name: str
    path: Path
    kind: str
    digest: str

    @property
    def table(self) -> str:
        """The table of the CDM that its name says, or its own name in lower case."""
        base = table_named(self.name.rsplit("/", 1)[-1])
        return base if base in tables() else base.rsplit(".", 1)[-1]  # a database's tables have a schema before them


def find(
    sources: Iterable[str | Path], work: Path, mapping: Mapping | None
) -> tuple[list[Found], list[tuple[str, str]]]:
    """Everything to read, in the order of the names, and what is passed over with why. work: an empty folder.

    A source is a file, a folder (with its subfolders) or a PostgreSQL address. Raises Problem when one is not there,
    is broken, or two have one name.
    """
    found: list[Found] = []
    passed: list[tuple[str, str]] = []
    for place, source in enumerate(sources):
        room = work / str(place)
        room.mkdir(parents=True)
        if str(source).startswith(("postgresql://", "postgres://")):
            found += _postgres(str(source), room, mapping)
            continue
        path = Path(source)
        if not path.exists():
            raise Problem("no-source", N_("There is no such file or folder."), where=str(source))
        paths = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for each in paths:
            name = each.relative_to(path).as_posix() if path.is_dir() else each.name
            if any(part.startswith(".") for part in Path(name).parts):
                continue
            kept = _found(each, name, room)
            found += kept
            if not kept:
                passed.append((name, "no kind of file that is read"))
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Problem(
            "two-sources",
            N_("Two sources have one name: {names}."),
            remedy=N_("Give the folder above them, or rename one."),
            names=", ".join(twice[:3]),
        )
    return sorted(found, key=lambda each: each.name), passed


def _found(path: Path, name: str, room: Path) -> list[Found]:
    lower = name.lower()
    if lower.endswith(".zip"):
        return [each for inner, at in _unzip(path, name, room) for each in _found(at, inner, room)]
    if lower.endswith(EXCEL):
        return [Found(inner, at, "text", file_digest(at)) for inner, at in _sheets(path, name, room)]
    if lower.endswith(".parquet"):
        return [Found(name, path, "parquet", file_digest(path))]
    if lower.endswith(DATABASE):
        return [Found(name, path, "duckdb", file_digest(path))]
    if is_tabular(path):
        return [Found(name, path, "text", file_digest(path))]
    if is_fhir(path):
        return [Found(name, path, "fhir", file_digest(path))]
    return []


def _unzip(path: Path, name: str, room: Path) -> Iterator[tuple[str, Path]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for place, member in enumerate(archive.infolist()):
                if member.is_dir() or member.filename.startswith("__MACOSX"):
                    continue
                # Numbered, so that no name inside an archive decides where a file is written.
                target = room / f"zip{place}" / Path(member.filename).name
                target.parent.mkdir(exist_ok=True)
                with archive.open(member) as inside, open(target, "wb") as out:
                    while block := inside.read(BLOCK):
                        out.write(block)
                yield f"{name}/{member.filename}", target
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise broken(name, str(error)) from error


def _sheets(path: Path, name: str, room: Path) -> Iterator[tuple[str, Path]]:
    """Each sheet as a CSV file named after it, the first row being its header."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        for place, sheet in enumerate(book.sheet_names):
            rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
            if not rows:
                continue
            target = room / f"sheet{place}" / f"{sheet.replace('/', '-')}.csv"
            target.parent.mkdir(exist_ok=True)
            with open(target, "w", encoding="utf-8", newline="") as out:
                csv.writer(out).writerows([[_cell(value) for value in row] for row in rows])
            yield f"{name}/{sheet}.csv", target
    except (CalamineError, OSError, zipfile.BadZipFile) as error:
        raise broken(name, str(error)) from error


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)


def _postgres(address: str, room: Path, mapping: Mapping | None) -> list[Found]:
    """The tables that are the CDM's or that a rule reads, as CSV files."""
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise Problem(
            "no-psycopg",
            N_("PostgreSQL cannot be read without psycopg."),
            remedy=N_("Install the extra: pip install 'ansim[postgres]'."),
        ) from error
    found = []
    try:
        with psycopg.connect(address) as con:
            con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            con.read_only = True
            names = con.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN "
                "('pg_catalog', 'information_schema') ORDER BY 1, 2"
            ).fetchall()
            for schema, table in names:
                if table.lower() not in tables() and not taken_by(mapping, table):
                    continue
                target = room / f"{table.lower()}.csv"
                query = sql.SQL("COPY {} TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')").format(
                    sql.Identifier(schema, table)
                )
                with con.cursor().copy(query) as rows, open(target, "wb") as out:
                    for block in rows:
                        out.write(block)
                found.append(
                    Found(f"{schema}.{table.lower()}".removeprefix("public."), target, "text", file_digest(target))
                )
    except psycopg.Error as error:
        # The address may hold a password: it is not repeated.
        raise Problem(
            "no-postgres",
            N_("PostgreSQL refused: {detail}"),
            where="postgresql",
            detail=str(error).splitlines()[0],
        ) from error
    return found


def taken_by(mapping: Mapping | None, name: str) -> bool:
    """Whether a rule of the mapping reads a file or table of this name."""
    return mapping is not None and mapping.source == "table" and any(named(rule.source, name) for rule in mapping.rules)


def named(pattern: str, name: str) -> bool:
    """Whether a rule's `from` means this file or table: by its name, with or without its endings, in any case."""
    base = name.rsplit("/", 1)[-1].lower()
    plain = table_named(base)
    return any(
        fnmatch(each, pattern.lower()) for each in (base, base.removesuffix(".gz"), plain, plain.rsplit(".", 1)[-1])
    )


Progress = Callable[[str, float], None]  # what is being done, and the share that is done
