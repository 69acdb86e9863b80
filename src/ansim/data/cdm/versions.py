"""Versions of a dataset: each load makes a new one, numbered, never changed afterwards; the newest is in use.

Beside `cdm.duckdb` stands the folder `cdm.versions` with one folder a version (0001, 0002, …): the CDM file, the trace
(`account` in ansim.data.ingest) and `load.json`, what was loaded from what. `cdm.duckdb` itself is a hard link to the
version in use, so that every reader goes on reading one plain file. A version appears by one rename and comes into use
by another: a crash before the first leaves nothing but a folder that the next load clears away; between the two, the
next load puts the newer version into use.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ansim.data.cdm.files import _fsync, file_digest
from ansim.data.cdm.schema import literal, quoted, tables
from ansim.errors import N_, Problem

CDM, TRACE, ACCOUNT = "cdm.duckdb", "trace.duckdb", "load.json"
PRUNED = "pruned"  # an empty file: the version's rows were deleted by policy; what is known of it stays
USED = "used"  # an empty file: the version has been in use (a version without it was made just before a crash)


@dataclass(frozen=True)
class Version:
    """One version on disk. facts: what load.json says (see ansim.data.ingest.load)."""

    number: int
    folder: Path
    facts: dict[str, Any]

    @property
    def cdm(self) -> Path:
        return self.folder / CDM

    @property
    def trace(self) -> Path:
        return self.folder / TRACE

    @property
    def digest(self) -> str:
        """SHA-256 of the CDM file."""
        return self.facts["digest"]

    @property
    def kept(self) -> bool:
        """Whether its rows are still here (see prune)."""
        return not (self.folder / PRUNED).exists()


def folder_of(path: Path) -> Path:
    return path.with_suffix(".versions")


def versions(path: Path) -> list[Version]:
    """All versions of the dataset at `path`, oldest first."""
    found = []
    for folder in sorted(folder_of(Path(path)).glob("[0-9][0-9][0-9][0-9]*")):
        facts = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
        found.append(Version(int(folder.name), folder, facts))
    return sorted(found, key=lambda version: version.number)


def in_use(path: Path) -> Version | None:
    """The version that `path` is; None when the file is none of them (or is not there)."""
    path = Path(path)
    if not path.is_file():
        return None
    for version in reversed(versions(path)):
        if version.cdm.is_file() and os.path.samefile(version.cdm, path):
            return version
    return None


def version(path: Path, number: int) -> Version:
    """Raises Problem when there is no such version, or its rows were pruned."""
    for each in versions(path):
        if each.number == number:
            if not each.kept:
                raise Problem(
                    "version-pruned",
                    N_("The rows of version {number} were deleted; its account is kept."),
                    where=str(path),
                    remedy=N_("Choose one whose rows are kept."),
                    number=number,
                )
            return each
    raise Problem(
        "no-version",
        N_("There is no version {number}."),
        where=str(path),
        remedy=N_("See `ansim load versions {path}`."),
        number=number,
        path=path,
    )


def prune(path: Path, *, keep: int) -> list[Version]:
    """Delete the rows and the trace of all versions but the `keep` newest and the one in use; gives those deleted.

    The number, the digest and the account of a version stay, since answers name it: only its rows are gone, and with
    them the way to put it into use, to compare it, or to trace a row of it. Raises Problem for keep below 1, and when a
    load is under way.
    """
    path = Path(path)
    if keep < 1:
        raise Problem("keep-one", N_("At least one version has to be kept."), where=str(path))
    with _alone(path):
        used = in_use(path)
        held = [each for each in versions(path) if each.kept]
        gone = [each for each in held[:-keep] if used is None or each.number != used.number]
        for each in gone:
            # The mark comes first: after a crash between the two, the version counts as gone and the rest is deleted
            # by the next call, which looks at marked folders too.
            (each.folder / PRUNED).touch()
        for each in versions(path):
            if not each.kept:
                for name in (CDM, TRACE):
                    (each.folder / name).unlink(missing_ok=True)
                _fsync(each.folder)
    return gone


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One at a time over loads and prunings. Raises Problem when another is under way."""
    home = folder_of(path)
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem(
                "load-under-way",
                N_("Another load into this dataset is under way."),
                where=str(path),
                remedy=N_("Wait for it to end, or stop it."),
            ) from error
        yield


@contextmanager
def new_version(path: Path) -> Iterator[Path]:
    """A folder to build the next version in. One load at a time; what an earlier crash left is cleared away first.

    Raises Problem when another load is under way. The folder is deleted at the end unless `publish_version` took it.
    """
    path = Path(path)
    home = folder_of(path)
    with _alone(path):
        for left in home.glob(".building*"):
            shutil.rmtree(left)
        newest = next(reversed(versions(path)), None)
        if newest and newest.kept and not (newest.folder / USED).exists():
            use(path, newest)  # a crash came between the two renames
        if path.exists() and in_use(path) is None:
            raise Problem(
                "not-a-dataset",
                N_("There is a file here that no load made; it is not replaced."),
                where=str(path),
                remedy=N_("Choose another name, or move the file away."),
            )
        building = home / ".building"
        building.mkdir()
        try:
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)


def publish_version(path: Path, building: Path, facts: dict[str, Any]) -> Version:
    """Give the finished folder its number and put its CDM into use. facts: what was loaded, as JSON."""
    path = Path(path)
    number = max((each.number for each in versions(path)), default=0) + 1
    facts = {"version": number, "digest": file_digest(building / CDM), **facts}
    (building / ACCOUNT).write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    for name in (CDM, TRACE, ACCOUNT):
        if (building / name).exists():
            _fsync(building / name)
            os.chmod(building / name, 0o444)
    folder = folder_of(path) / f"{number:04d}"
    os.rename(building, folder)
    _fsync(folder.parent)
    made = Version(number, folder, facts)
    use(path, made)
    return made


def use(path: Path, chosen: Version) -> None:
    """Put a version into use, in one step. An older one may be chosen: that is how a bad load is taken back."""
    link = path.with_name(f".{path.name}.link")
    link.unlink(missing_ok=True)
    os.link(chosen.cdm, link)
    os.replace(link, path)
    _fsync(path.parent)
    (chosen.folder / USED).touch()


def table_digests(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Rows and content of every table that has any: a sum over row hashes, whatever the order of the rows."""
    found = {}
    for table in tables().values():
        names = ", ".join(quoted(column.name) for column in table.columns)
        rows, content = con.execute(f"SELECT count(*), sum(hash({names})) FROM {quoted(table.name)}").fetchall()[0]
        if rows:
            found[table.name] = {"rows": rows, "content": f"{int(content) % 2**64:016x}"}
    return found


@dataclass(frozen=True)
class TableChange:
    table: str
    before: int  # rows
    after: int
    added: int  # keys that are new, or rows where the table has no key
    removed: int
    changed: int  # rows of one key that are no longer the same


def compare(old: Version, new: Version) -> list[TableChange]:
    """What changed from one version to the other, by table; tables without change are left out."""
    con = duckdb.connect()
    try:
        con.execute(f"ATTACH {literal(str(old.cdm))} AS a (READ_ONLY); ATTACH {literal(str(new.cdm))} AS b (READ_ONLY)")
        same_engine = old.facts.get("engine") == new.facts.get("engine")
        left, right = old.facts.get("tables", {}), new.facts.get("tables", {})
        return [
            change
            for name in tables()
            if not (same_engine and left.get(name) == right.get(name))
            for change in [_compare_table(con, name)]
            if change.added or change.removed or change.changed
        ]
    finally:
        con.close()


def _compare_table(con: duckdb.DuckDBPyConnection, name: str) -> TableChange:
    table, here = tables()[name], quoted(name)
    before, after = (con.execute(f"SELECT count(*) FROM {side}.{here}").fetchall()[0][0] for side in "ab")
    if table.key is None:
        added = f"SELECT count(*) FROM (FROM b.{here} EXCEPT ALL FROM a.{here})"
        removed = f"SELECT count(*) FROM (FROM a.{here} EXCEPT ALL FROM b.{here})"
        counts = [con.execute(query).fetchall()[0][0] for query in (added, removed)]
        return TableChange(name, before, after, counts[0], counts[1], 0)
    key = quoted(table.key)
    names = ", ".join(quoted(column.name) for column in table.columns)
    added, removed, changed = con.execute(
        f"SELECT count(*) FILTER (x.k IS NULL), count(*) FILTER (y.k IS NULL), count(*) FILTER (x.h <> y.h) FROM "
        f"(SELECT {key} AS k, hash({names}) AS h FROM a.{here}) x FULL JOIN "
        f"(SELECT {key} AS k, hash({names}) AS h FROM b.{here}) y ON x.k = y.k"
    ).fetchall()[0]
    return TableChange(name, before, after, added, removed, changed)
