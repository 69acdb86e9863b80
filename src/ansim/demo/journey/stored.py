"""Everything that a site has stored, to find out whether something is among it.

Reads every file of the folder: as bytes, and what SQLite, DuckDB, Parquet, gzip and tar hold, cell by cell and file by
file. A text is looked for in the forms in which programs write it down: plain, escaped as JSON, base64, and hex.
"""

import base64
import contextlib
import gzip
import io
import json
import re
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ansim.sites.exchange import bulk

NONCE = 12
SQLITE, PARQUET, GZIP, ZIP = b"SQLite format 3\0", b"PAR1", b"\x1f\x8b", b"PK\x03\x04"


def unsealed(space: Path, key: bytes, into: Path) -> Path:
    """A centre's workspace with its own key, as the centre itself can read it: each sealed file in clear, and in
    `into`/room what is prepared and read (sites/centre/vault.py). Files that are not sealed are not copied."""
    box = ChaCha20Poly1305(key)
    for file in (each for each in space.rglob("*") if each.is_file()):
        body, target = file.read_bytes(), into / file.relative_to(space)
        with contextlib.suppress(InvalidTag, ValueError):
            clear = box.decrypt(body[:NONCE], body[NONCE:], file.name.encode())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(clear)
    told = json.loads((into / "room.sealed").read_bytes())
    bulk.decrypt(space / "room" / told["blob"], told["key"], into / "room.tar")
    with tarfile.open(into / "room.tar") as archive:
        archive.extractall(into / "room", filter="data")
    return into / "room"


def everything(folder: Path, leave_out: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """(place, content) of all that the folder holds. leave_out: names directly in it that are not looked at."""
    skipped = set(leave_out)
    for file in sorted(folder.rglob("*")):
        place = str(file.relative_to(folder))
        if not file.is_file() or file.is_symlink() or place.split("/")[0] in skipped:
            continue
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # a temporary file that is gone
            continue
        yield place, content
        yield from _inside(place, file, content)


def _inside(place: str, file: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(SQLITE):
        yield place + " (rows)", _sqlite(file)
    elif content.startswith(PARQUET):
        yield place + " (rows)", _parquet(file)
    elif content[8:12] == b"DUCK":
        yield place + " (rows)", _duckdb(file)
    else:
        yield from _unpacked(place, content)


def _unpacked(place: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return
        yield place + " (unzipped)", content
    if content[257:262] == b"ustar":
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for member in tar:
                    stream = tar.extractfile(member)
                    if stream:
                        inner = stream.read()
                        yield f"{place}!{member.name}", inner
                        if inner.startswith(PARQUET):
                            yield f"{place}!{member.name} (rows)", _parquet_bytes(inner)
        except tarfile.TarError:
            return


def _sqlite(file: Path) -> bytes:
    """All cells of all tables, also of the write-ahead log; read from a copy, so that nothing waits for us."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.sqlite3")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        parts = []
        with sqlite3.connect(copy) as con:
            con.text_factory = bytes
            tables = [row[0].decode() for row in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in con.execute(f'SELECT * FROM "{table}"'):
                    parts += [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
        source.close()
        target.close()
        con.close()
    return b"\n".join(parts)


def _parquet(file: Path) -> bytes:
    with duckdb.connect() as con:
        return _rows(con, "SELECT * FROM read_parquet(?)", [str(file)])


def _parquet_bytes(content: bytes) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        return _parquet(Path(file.name))


def _duckdb(file: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.duckdb")
        shutil.copyfile(file, copy)
        with duckdb.connect(str(copy), read_only=True) as con:
            tables = con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            return b"\n".join(_rows(con, f'SELECT * FROM "{schema}"."{table}"', []) for schema, table in tables)


def _rows(con: duckdb.DuckDBPyConnection, sql: str, values: list) -> bytes:
    return "\n".join("\t".join(str(cell) for cell in row) for row in con.execute(sql, values).fetchall()).encode()


def forms_of(text: str) -> list[bytes]:
    """How a text may stand in a file: UTF-8, JSON escapes, UTF-16, base64 (at each of three offsets), hex."""
    plain = text.encode()
    forms = {plain, json.dumps(text)[1:-1].encode(), text.encode("utf-16-le"), plain.hex().encode()}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + plain)
        inner = encoded[4 if offset else 0 :].rstrip(b"=")
        inner = inner[: len(inner) - (2 if (offset + len(plain)) % 3 else 0)]
        if len(inner) > 8:
            forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return sorted(forms)


def found(folder: Path, texts: Iterable[str], leave_out: Iterable[str] = ()) -> dict[str, list[str]]:
    """{text: places} of those texts that the folder holds anywhere; empty if none."""
    forms = {text: forms_of(text) for text in texts}
    places: dict[str, list[str]] = {}
    for place, content in everything(folder, leave_out):
        for text, variants in forms.items():
            if any(variant in content for variant in variants):
                places.setdefault(text, []).append(place)
    return places


WORD = re.compile(rb"[0-9A-Za-z_.\-\x80-\xff]+")
ESCAPED = re.compile(rb"(?:\\u[0-9a-f]{4}|[0-9A-Za-z_.-])+")
ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{64,}={0,2}")


def found_many(folder: Path, texts: Iterable[str], leave_out: Iterable[str] = ()) -> dict[str, list[str]]:
    """As `found`, for thousands of texts: looks for whole words (letters, digits, and - _ .), also inside base64."""
    wanted = {text.encode(): text for text in texts}
    wanted |= {json.dumps(text)[1:-1].encode(): text for text in wanted.values()}
    places: dict[str, list[str]] = {}
    for place, content in everything(folder, leave_out):
        for hit in wanted.keys() & _words(content):
            places.setdefault(wanted[hit], []).append(place)
    return places


def _words(content: bytes) -> set[bytes]:
    """The words of a content, also those that are escaped as JSON does or stand in base64."""
    words = set(WORD.findall(content)) | set(WORD.findall(_decoded(content)))
    return words | set(ESCAPED.findall(content)) if b"\\u" in content else words


def _decoded(content: bytes) -> bytes:
    """What runs of base64 (either alphabet) in the content say; the same run is read once."""
    parts = []
    for run in set(ENCODED.findall(content)):
        plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        parts.append(base64.b64decode(plain[: len(plain) // 4 * 4]))
    return b"\n".join(parts)
