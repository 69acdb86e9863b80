"""The safe version of an output file: what is too small hidden, further cells hidden, counts rounded, carriers gone.

Stated as what it is: made from the file alone. The people behind its numbers are not known, rows may stand for people
or for anything else, and other files may show the totals that this one leaves out; so it goes to the same two people
as any other file. Every safe version is checked like a file that somebody submitted, and is none if it is refused.
"""

import csv
import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.airlock.safe_tables import Change, safe_table
from ansim.privacy.deid import texts
from ansim.privacy.disclosure.files import check_file
from ansim.privacy.disclosure.files_findings import FileFinding
from ansim.privacy.disclosure.files_tables import read_delimited
from ansim.privacy.disclosure.policy import Policy

_PNG_DRAWN = (b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"sRGB", b"IEND")
STATEMENT = N_(
    "Made by machine from the file alone: the people behind it are not known, and totals shown elsewhere were not seen."
)


@dataclass(frozen=True)
class Safe:
    """content: None where there is no safe version, with the findings that forbid it. changes: what was done."""

    name: str
    content: bytes | None
    changes: tuple[Change, ...]
    left: tuple[FileFinding, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    def as_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "safe": self.content is not None,
            "changes": [change.as_data() for change in self.changes],
            "left": [finding.as_data() for finding in self.left],
            "statement": STATEMENT,
        }


def make_safe(name: str, content: bytes, policy: Policy) -> Safe:
    """A version of the file that no rule refuses, or none. A file in which nothing was wrong stays byte for byte."""
    found = check_file(name, content, policy)
    if not found.findings:
        return Safe(name, content, ())
    kind = PurePosixPath(name).suffix.lstrip(".").lower()
    body: bytes = content
    changes: list[Change] = []
    try:
        if kind in _MAKERS:
            body, changes = _MAKERS[kind](content, policy)
    except (Problem, ValueError, KeyError, TypeError, RecursionError, csv.Error, struct.error, zlib.error):
        pass  # not to be mended by machine: judged as it is
    left = tuple(finding for finding in check_file(name, body, policy).findings if finding.refuses)
    return Safe(name, None if left else body, tuple(changes) if body != content else (), left)


def _table(content: bytes, policy: Policy, separator: str) -> tuple[bytes, list[Change]]:
    rows = read_delimited(content.decode("utf-8-sig"), separator)
    table, changes = safe_table(rows, policy)
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(table)
    return out.getvalue().encode(), changes


def _json(content: bytes, policy: Policy) -> tuple[bytes, list[Change]]:
    """A list of flat objects is a table; other documents stay as they are."""
    document = json.loads(content)
    if not (isinstance(document, list) and document and all(isinstance(one, dict) for one in document)):
        return content, []
    names = list(dict.fromkeys(name for one in document for name in one))
    if any(isinstance(value, list | dict) for one in document for value in one.values()):
        return content, []
    rows = [names, *[["" if one.get(name) is None else str(one[name]) for name in names] for one in document]]
    table, changes = safe_table(rows, policy)
    made = [dict(zip(table[0], row, strict=True)) for row in table[1:]]
    return json.dumps(made, ensure_ascii=False, indent=1).encode(), changes


def _text(content: bytes, policy: Policy) -> tuple[bytes, list[Change]]:
    """Identifiers replaced by their kind; blanks at ends of lines and characters that are not seen removed."""
    text = content.decode("utf-8-sig")
    plain, found = texts.redact(text)
    plain = "".join(one for one in plain if one in "\t\n" or one.isprintable())
    plain = re.sub(r"[ \t]+(?=\n|$)", "", plain)
    changes = [Change("redacted", N_("{count} identifiers are replaced by their kind."), len(found))] if found else []
    if len(plain) != len(texts.redact(text)[0]):
        changes.append(Change("unseen", N_("Characters that are not seen are removed."), 1))
    return plain.encode(), changes


def _notebook(content: bytes, policy: Policy) -> tuple[bytes, list[Change]]:
    """Code and text of the cells; what they showed, attachments and metadata go."""
    document = json.loads(content)
    count = sum(bool(cell.get("outputs") or cell.get("attachments")) for cell in document["cells"])
    cells = [{"cell_type": cell["cell_type"], "metadata": {}, "source": cell["source"]} for cell in document["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    kept = {name: document.get("metadata", {}).get(name) for name in ("kernelspec", "language_info")}
    metadata = {
        name: {"name": value["name"]} for name, value in kept.items() if isinstance(value, dict) and value.get("name")
    }
    made = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    text = N_("Outputs, attachments and metadata of {count} cells are cleared.")
    return json.dumps(made, ensure_ascii=False, indent=1).encode(), [Change("cleared", text, count)]


def _png(content: bytes, policy: Policy) -> tuple[bytes, list[Change]]:
    """The chunks that draw the picture, packed anew; text, private chunks and what follows the end go."""
    out, pixels, place, gone, header = [content[:8]], [], 8, 0, b""
    while place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IHDR":
            header = body
        if kind == b"IDAT":
            pixels.append(body)
        elif kind in _PNG_DRAWN:
            if kind == b"IEND":
                out.append(_chunk(b"IDAT", zlib.compress(_rows(header, b"".join(pixels)), 6)))
            out.append(_chunk(kind, body))
        else:
            gone += 1
        if kind == b"IEND":
            break
    gone += place < len(content)
    return b"".join(out), [Change("metadata", N_("{count} blocks that do not draw the picture are removed."), gone)]


def _rows(header: bytes, packed: bytes) -> bytes:
    """The pixel rows and no more; an interlaced picture keeps what it has."""
    width, height, depth, colour, _method, _filter, interlace = struct.unpack(">IIBBBBB", header)
    wanted = height * (1 + (width * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth + 7) // 8)
    return zlib.decompressobj().decompress(packed, 0 if interlace else wanted)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


_MAKERS: dict[str, Callable[[bytes, Policy], tuple[bytes, list[Change]]]] = {
    "csv": lambda content, policy: _table(content, policy, ","),
    "tsv": lambda content, policy: _table(content, policy, "\t"),
    "json": _json,
    "txt": _text,
    "md": _text,
    "ipynb": _notebook,
    "png": _png,
}


def as_findings(safe: Safe) -> list[FileFinding]:
    """What a checker reads beside a safe version."""
    made = [
        FileFinding(f"safe-{one.rule}", "", one.text, "", {"count": one.count}, refuses=False) for one in safe.changes
    ]
    return [*made, FileFinding("safe-version", "", STATEMENT, "", refuses=False)] if made else []
