"""Files that should come into a closed room: scripts, lists of codes, packages. Scanned before a second person looks.

What comes in could bring identities (a list of names to join with), code that a package hides, or more than it shows.
Nothing is unpacked to disk, imported or run.
"""

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from ansim.errors import N_
from ansim.privacy.disclosure.files import sniff
from ansim.privacy.disclosure.files_carriers import check_carriers, check_name
from ansim.privacy.disclosure.files_findings import FileFinding
from ansim.privacy.disclosure.files_packed import pickled
from ansim.privacy.disclosure.files_text import check_text

CODE = ("py", "r", "sql", "ipynb", "toml", "yaml", "yml")
DATA = ("csv", "tsv", "json")
TEXT = ("txt", "md")
ALLOWED = (*CODE, *DATA, *TEXT, "whl")
MOST_BYTES = 50 * 1024 * 1024
_MOST_ENTRIES, _MOST_UNPACKED = 20_000, 500 * 1024 * 1024
_NATIVE = (".so", ".pyd", ".dll", ".dylib", ".exe", ".o", ".a")


def check_incoming(name: str, content: bytes) -> list[FileFinding]:
    """What forbids a file to come in (refuses), and what a second person should look at."""
    kind = PurePosixPath(name).suffix.lstrip(".").lower()
    return list(_findings(name, kind, content))


def _findings(name: str, kind: str, content: bytes) -> Iterator[FileFinding]:
    yield from check_name(name)
    yield from check_text(name)
    if kind not in ALLOWED:
        allowed = ", ".join(ALLOWED)
        text = N_("Files of type {kind} do not come in.")
        yield FileFinding(
            "file-type", "", text, N_("Use one of: {allowed}."), {"kind": kind or "?", "allowed": allowed}
        )
        return
    if not content or len(content) > MOST_BYTES:
        text = N_("The file is empty, or larger than {most} bytes.")
        yield FileFinding("size", "", text, N_("Bring what is needed only."), {"most": MOST_BYTES})
        return
    if kind == "whl":
        yield from _wheel(content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield FileFinding(
            "encoding", f"byte {error.start}", N_("This is not UTF-8 text."), N_("Save the file as UTF-8.")
        )
        return
    if sniff(content) not in ("text", "script") or pickled(content):
        yield FileFinding("content-differs", "", N_("The content is not what the name says."), N_("Bring plain text."))
        return
    yield from check_text(text)
    yield from check_carriers(text)
    if kind in DATA:
        yield FileFinding(
            "outside-data",
            "",
            N_("Data from outside could be joined with the people in the room."),
            N_("Let the second person compare them with the agreement."),
            refuses=False,
        )


def _wheel(content: bytes) -> Iterator[FileFinding]:
    """A binary distribution ([PEP 427]): every file has the hash that RECORD says, and no file stands outside it."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > _MOST_ENTRIES or unpacked > _MOST_UNPACKED:
            text = N_("Unpacked it would have {bytes} bytes or more.")
            yield FileFinding("archive-bomb", "", text, N_("Bring a smaller package."), {"bytes": unpacked})
            return
        yield from _entries(archive, entries)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, RuntimeError, NotImplementedError, csv.Error):
        yield FileFinding("damaged", "", N_("This is no whole package."), N_("Download it again."))


def _entries(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[FileFinding]:
    names = [entry.filename for entry in entries if not entry.is_dir()]
    records = [name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1]
    odd = [name for name in names if name.startswith("/") or ".." in name.split("/") or "\\" in name]
    linked = [entry.filename for entry in entries if entry.external_attr >> 28 == 0o12]
    if len(records) != 1 or odd or linked or len(set(names)) != len(names):
        where = (odd or linked or ["RECORD"])[0][:80]
        yield FileFinding("not-a-package", where, N_("This is not a well-formed package."), N_("Download it again."))
        return
    listed = {row[0]: row[1] for row in csv.reader(io.StringIO(archive.read(records[0]).decode())) if len(row) == 3}
    signed = (records[0], f"{records[0]}.jws", f"{records[0]}.p7s")
    for name in names:
        if name not in signed and _record(archive.read(name)) != listed.get(name):
            text = N_("{name} is not the file that the package's own list names.")
            yield FileFinding("package-changed", name[:80], text, N_("Download it again."), {"name": name[:80]})
    native = [name for name in names if name.lower().endswith(_NATIVE) or ".so." in name]
    if native:
        text, remedy = N_("{count} compiled files cannot be read."), N_("Prefer a package in plain Python.")
        yield FileFinding("compiled-code", native[0][:80], text, remedy, {"count": len(native)}, refuses=False)
    yield FileFinding(
        "package",
        records[0].split(".dist-info")[0],
        N_("A package brings code of others into the room."),
        N_("Compare its hash with the one that its index publishes."),
        refuses=False,
    )


def _record(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
