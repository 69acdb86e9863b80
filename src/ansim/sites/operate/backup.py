"""Backups of a site's folder, while it runs: `ansim backup`, `verify-backup`, `restore`.

    FOLDER/key.sealed            the store's key and the site's passphrase, sealed to the escrow key (escrow.py)
    FOLDER/pieces/…              pieces of files, each once (chunks.py)
    FOLDER/snapshots/<time>      what the site's files were then, sealed with the store's key

The database is copied as it stands at one moment (SQLite's online backup; pg_dump); every other file is written whole
or renamed into place by the sites, and is read again when it changed meanwhile. The store's key lies in the site's key
folder, so backups run unattended; reading a backup without the site needs the people in escrow.
"""

import json
import os
import secrets
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.sites.config import Site
from ansim.sites.keeper.keystore import write_private
from ansim.sites.operate import escrow
from ansim.sites.operate.chunks import Store

DATABASE, DUMP = "site.sqlite3", "site.pgdump"
KEY = "backup.key"
LEFT_OUT = {"site.sqlite3-wal", "site.sqlite3-shm", "site.lock", "keeper.lock", "keeper.sock"}
TRIES = 5


def make(here: Site, target: Path, passphrase: bytes, now: datetime) -> dict[str, Any]:
    """Add a snapshot of the site to a backup; gives {"name", "files", "bytes", "added"}.

    passphrase: of the site's keys; it goes into the sealed key, so that the people in escrow can run the site anew.
    """
    if target.resolve().is_relative_to(here.folder):
        raise Problem("bad-target", N_("A backup does not lie in the folder that it is of."), where=str(target))
    store = Store(target, _key(here, target, passphrase))
    files = {}
    with tempfile.TemporaryDirectory(dir=here.folder, prefix=".backup-") as place:
        copy = _database(here, Path(place))
        ledger = _head(here, copy)
        files[copy.name] = _entry(store, copy)
        for path in _files(here.folder):
            if (kept := _steady(store, here.folder / path)) is not None:
                files[str(path)] = kept
    snapshot = {"ansim": "backup/1", "site": here.id, "at": now.isoformat(), "ledger": ledger, "files": files}
    name = now.strftime("%Y%m%dT%H%M%S.%fZ")
    (target / "snapshots").mkdir(parents=True, exist_ok=True)
    write_private(target / "snapshots" / name, store.seal(canonical(snapshot), _label(name)))
    return {
        "name": name,
        "files": len(files),
        "bytes": sum(each["size"] for each in files.values()),
        "added": store.added,
    }


def _key(here: Site, target: Path, passphrase: bytes) -> bytes:
    """The store's key, made at the first backup. What is sealed to the people is written anew if need be."""
    own, sealed = here.path("keys", KEY), target / "key.sealed"
    if not own.exists():
        escrow.seal(here.path("keys"), b"")  # refuse before anything is made
        write_private(own, secrets.token_hex(32).encode())
    key = own.read_text("utf-8").strip()
    if not sealed.exists():
        if (target / "snapshots").exists():
            raise Problem("no-key", N_("{file} is missing, so nobody could open it."), file=str(sealed))
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"site": here.id, "key": key, "passphrase": passphrase.decode()}
        write_private(sealed, escrow.seal(here.path("keys"), canonical(content)).encode())
    return bytes.fromhex(key)


def unseal(source: Path, shares: list[str]) -> dict[str, str]:
    """{"site", "key", "passphrase"} of a backup, with the shares of enough people."""
    try:
        return json.loads(escrow.open_sealed((source / "key.sealed").read_text("utf-8"), shares))
    except FileNotFoundError:
        raise Problem("no-backup", N_("There is no backup in {folder}."), folder=str(source)) from None


def _label(name: str) -> bytes:
    return f"snapshot {name}".encode()


def snapshots(source: Path) -> list[str]:
    """The names of a backup's snapshots, oldest first."""
    return sorted(file.name for file in (source / "snapshots").glob("[0-9]*"))


def read(source: Path, key: bytes, name: str = "") -> tuple[Store, dict[str, Any]]:
    """A snapshot, the newest unless named."""
    held = snapshots(source)
    if not held or (name and name not in held):
        raise Problem("no-snapshot", N_("There is no such snapshot in {folder}."), folder=str(source))
    name, store = name or held[-1], Store(source, key)
    return store, json.loads(store.open((source / "snapshots" / name).read_bytes(), _label(name)))


def verify(source: Path, key: bytes, name: str = "") -> dict[str, Any]:
    """Read a whole snapshot, every piece of it; its facts. Raises Problem at the first piece that is not right."""
    store, snapshot = read(source, key, name)
    for path, about in snapshot["files"].items():
        size = sum(len(piece) for piece in store.read(about["pieces"]))
        if size != about["size"]:
            raise Problem("changed-piece", N_("{name} in the backup was changed."), name=path)
    with tempfile.TemporaryDirectory() as place:
        if DATABASE in snapshot["files"]:
            copy = Path(place) / DATABASE
            _lay(store, snapshot["files"][DATABASE], copy)
            with closing(sqlite3.connect(copy)) as database:
                said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if said != "ok":
                raise Problem("bad-database", N_("The database in the backup is damaged: {said}."), said=said)
    return {name: snapshot[name] for name in ("site", "at", "ledger")} | {"files": len(snapshot["files"])}


def restore(source: Path, key: bytes, folder: Path, name: str = "") -> dict[str, Any]:
    """Lay a snapshot into a new folder; the site in it answers nothing until the others agree (restored.py)."""
    if folder.exists() and any(folder.iterdir()):
        raise Problem("folder-not-empty", N_("{folder} is not empty."), folder=str(folder))
    store, snapshot = read(source, key, name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    facts = {"at": snapshot["at"], "ledger": snapshot["ledger"], "site": snapshot["site"]}
    write_private(folder / "restored.json", json.dumps(facts).encode())  # first: a cut-off restore never serves
    for path, about in snapshot["files"].items():
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts:
            raise Problem("bad-path", N_("{name} leads out of the folder."), name=path)
        _lay(store, about, folder / relative)
    return facts


def _lay(store: Store, about: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, about["mode"] & 0o777)
    with os.fdopen(descriptor, "wb") as out:
        for piece in store.read(about["pieces"]):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())


def _files(folder: Path) -> Iterator[Path]:
    """The site's files, but for the database and what is only of the running process."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".backup-"))
        for name in sorted(files):
            path = (Path(root) / name).relative_to(folder)
            regular = stat.S_ISREG((folder / path).lstat().st_mode) if (folder / path).exists() else False
            if regular and str(path) not in {DATABASE, *LEFT_OUT}:
                yield path


def _steady(store: Store, file: Path) -> dict[str, Any] | None:
    """The entry of a file that did not change while it was read; None if it is gone (sent, swept)."""
    for _ in range(TRIES):
        try:
            before = file.stat()
            entry = _entry(store, file)
            after = file.stat()
        except FileNotFoundError:
            return None
        if (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino):
            return entry
    raise Problem("file-changes", N_("{file} changes all the time."), file=str(file))


def _entry(store: Store, file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        pieces = store.keep(stream)
        about = os.fstat(stream.fileno())
    return {"size": about.st_size, "mode": stat.S_IMODE(about.st_mode), "pieces": pieces}


def _database(here: Site, place: Path) -> Path:
    if here.database:
        command = [shutil.which("pg_dump") or "pg_dump", "--format=custom", "--compress=0", "--file", str(place / DUMP)]
        done = subprocess.run([*command, "--dbname", here.database], capture_output=True, check=False)
        if done.returncode:  # what pg_dump says may quote the address with its password
            raise Problem("no-dump", N_("pg_dump failed with {number}."), number=done.returncode)
        return place / DUMP
    copy = place / DATABASE
    address = f"file:{quote(str(here.path(DATABASE)))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copy)) as out:
        source.backup(out)
    copy.chmod(0o600)
    return copy


def _head(here: Site, copy: Path) -> dict[str, Any]:
    """The ledger's size in the copy (of PostgreSQL it is not asked: the others are, at the restore)."""
    if here.database:
        return {}
    with closing(sqlite3.connect(copy)) as database:
        row = database.execute("SELECT size FROM store_ledgerhead WHERE id = 1").fetchone()
    return {"size": row[0] if row else 0}
