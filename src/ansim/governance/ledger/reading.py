"""The files that `ansim-verify` reads: site folders, exported ledgers and the directory of public keys.

Standard library only, and read-only. A folder holds `site.sqlite3`, or `ledger.jsonl` where a site's database is a
server (`export` writes it). Rows come as dictionaries with the column names of the tables.
"""

import base64
import json
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from ansim.governance.ledger.entry import canonical

DATABASE, EXPORT, SETTINGS = "site.sqlite3", "ledger.jsonl", "site.toml"
TABLES = {
    "ledger_event": ("seq", "stream", "version", "type", "at", "actor", "data", "salt", "leaf"),
    "ledger_checkpoint": ("size", "root", "note"),
    "ledger_cosignature": ("size", "witness", "line"),
    "ledger_witnessed": ("origin", "size", "root", "note"),
}
Row = dict


@dataclass(frozen=True)
class Key:
    """A site's Ed25519 public key (32 bytes): when it was or is its signature key, and whether it was revoked."""

    raw: bytes
    first: datetime | None = None
    last: datetime | None = None
    revoked: bool = False

    def holds_at(self, moment: datetime) -> bool:
        return (self.first is None or self.first <= moment) and self.holds_after(moment)

    def holds_after(self, moment: datetime) -> bool:
        """Whether something of this moment can have been signed with it, then or later."""
        return self.last is None or moment < self.last


Keys = dict[str, list[Key]]  # site id -> its keys, current and former


class Unreadable(Exception):
    """A file that is not there or not in its form."""


def export(rows: Iterable[tuple[str, Mapping]], path: Path) -> int:
    """Write (table, row) pairs as `ledger.jsonl`, events in order of seq; how many were written.

    A row has the columns of TABLES; `data` may be a JSON value or its text, `salt` bytes or hexadecimal digits.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for table, row in rows:
            found = {name: row[name] for name in TABLES[table]}
            if found.get("data") is not None and not isinstance(found["data"], str):
                found["data"] = canonical(found["data"]).decode()
            if isinstance(found.get("salt"), bytes | memoryview):
                found["salt"] = bytes(found["salt"]).hex()
            file.write(json.dumps({"table": table, **found}, ensure_ascii=False) + "\n")
            count += 1
    return count


class Folder:
    """One site's folder as the verifier sees it."""

    def __init__(self, path: Path):
        self.path = path

    def holds_ledger(self) -> bool:
        return (self.path / DATABASE).is_file() or (self.path / EXPORT).is_file()

    def named(self) -> str | None:
        """The site's id by its own settings, if it has any."""
        try:
            settings = tomllib.loads((self.path / SETTINGS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        inner = settings.get("site")
        name = settings.get("id") or (inner.get("id") if isinstance(inner, dict) else None)
        return name if isinstance(name, str) else None

    def rows(self, table: str) -> Iterator[Row]:
        """The table's rows in order (of seq, size); Unreadable when the file is missing or broken."""
        if (self.path / DATABASE).is_file():
            yield from self._from_database(table)
        elif (self.path / EXPORT).is_file():
            yield from self._from_export(table)
        else:
            raise Unreadable(f"{self.path} holds neither {DATABASE} nor {EXPORT}")

    def _from_database(self, table: str) -> Iterator[Row]:
        columns = TABLES[table]
        order = "origin, size" if table == "ledger_witnessed" else columns[0]
        query = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}"
        try:
            with closing(_open(self.path / DATABASE)) as database:
                for values in database.execute(query):
                    yield dict(zip(columns, values, strict=True))
        except sqlite3.Error as error:
            raise Unreadable(f"{self.path / DATABASE}: {error}") from error

    def _from_export(self, table: str) -> Iterator[Row]:
        with (self.path / EXPORT).open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                    if row.pop("table") == table:
                        yield {name: row[name] for name in TABLES[table]}
                except (ValueError, KeyError, AttributeError) as error:
                    raise Unreadable(f"{self.path / EXPORT}, line {number}: not a ledger row") from error


def _open(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path.resolve()))}"
    try:
        database = sqlite3.connect(f"{address}?mode=ro", uri=True)
        database.execute("SELECT 1 FROM sqlite_master")
        return database
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists():
            raise  # without the log that belongs to it, the file may be half a database
        return sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)  # a copy on a medium without writing


def read_directory(path: Path) -> Keys:
    """Each site's Ed25519 signature keys from a directory file.

    Form: {"sites": [{"id", "kind", "keys": [{"kid", "use": "sig", "jwk": {"kty": "OKP", "crv": "Ed25519", "x"},
    "not_before", "not_after"}]}], "revoked": [kid]}. A directory keeps a site's former keys, with their ends.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from error
    return directory_keys(document)


def directory_keys(document: Mapping) -> Keys:
    """As read_directory, from the document itself."""
    try:
        revoked = set(document.get("revoked", ()))
        return {
            site["id"]: [
                Key(_raw(key["jwk"]), _moment(key, "not_before"), _moment(key, "not_after"), key.get("kid") in revoked)
                for key in site["keys"]
                if key["use"] == "sig" and _is_ed25519(key["jwk"])
            ]
            for site in document["sites"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"the directory is not in its form: {error!r}") from error


def _moment(key: Mapping, name: str) -> datetime | None:
    return datetime.fromisoformat(key[name]) if key.get(name) else None


def _is_ed25519(jwk: Mapping) -> bool:
    return jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"


def _raw(jwk: Mapping) -> bytes:
    text = jwk["x"]
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(value) != 32:
        raise ValueError("an Ed25519 key has 32 bytes")
    return value
