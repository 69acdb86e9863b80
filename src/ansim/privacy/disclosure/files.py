"""Automatic checks of an output file of which the people are unknown.

The verdict is `refuse` or `human`, never a pass: a file does not carry the people behind its numbers, so the best
that a machine can say is that it found nothing to refuse. A table that should be machine-checked is submitted as a
table/1 specification instead. Hostile, truncated and wrongly encoded files give findings, never exceptions.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ansim.errors import N_
from ansim.privacy.disclosure.files_active import check_html, check_pdf, check_svg
from ansim.privacy.disclosure.files_carriers import check_carriers, check_name
from ansim.privacy.disclosure.files_findings import MOST_FINDINGS, FileFinding
from ansim.privacy.disclosure.files_packed import check_notebook, check_packed, is_model, model, pickled
from ansim.privacy.disclosure.files_png import check_png
from ansim.privacy.disclosure.files_tables import check_table, read_delimited
from ansim.privacy.disclosure.files_text import check_text
from ansim.privacy.disclosure.policy import Policy

ALLOWED = ("csv", "tsv", "json", "txt", "md", "png", "svg", "html", "pdf", "ipynb")
SPECIFICATION = "table/1"
_BINARY = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x7fELF", "executable"), (b"MZ", "executable"), (b"#!", "script"),
    (b"\xca\xfe\xba\xbe", "executable"), (b"\x00asm", "executable"), (b"PAR1", "parquet"), (b"ARROW1", "arrow"),
    (b"\x93NUMPY", "numpy"), (b"\x89HDF", "hdf5"), (b"SQLite format 3", "sqlite"), (b"\xd0\xcf\x11\xe0", "office"),
    (b"GIF8", "gif"), (b"\xff\xd8\xff", "jpeg"), (b"RDX", "r-data"), (b"\x80\x02", "pickle"), (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"), (b"\x80\x05", "pickle"),
)  # fmt: skip

_PATH = re.compile(r"""\s(?:d|points|transform)=(?:"[^"]*"|'[^']*')""")  # numbers that draw; each looks like anything


@dataclass(frozen=True)
class FileReport:
    """verdict: "refuse" if any finding refuses, else "human"."""

    name: str
    kind: str
    size: int
    findings: tuple[FileFinding, ...]
    digest: str = ""  # SHA-256 of the content, where it was read from a disk

    @property
    def verdict(self) -> str:
        return "refuse" if any(finding.refuses for finding in self.findings) else "human"

    def as_data(self) -> dict[str, Any]:
        findings = [finding.as_data() for finding in self.findings]
        return {"name": self.name, "kind": self.kind, "size": self.size, "verdict": self.verdict, "findings": findings}


def check_file(name: str, content: bytes, policy: Policy) -> FileReport:
    """Check one output file. name: path inside the outputs; its extension must agree with the content."""
    kind = PurePosixPath(name).suffix.lstrip(".").lower()
    return FileReport(name, kind, len(content), tuple(_capped(_findings(name, kind, content, policy))))


def sniff(content: bytes) -> str:
    """Kind by content: a known binary kind, "text", or "unknown"."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[8:12] == b"DUCK":
        return "duckdb"
    if content[257:262] == b"ustar":
        return "tar"
    if b"\0" in content:
        return "unknown"
    return "text"


def _findings(name: str, kind: str, content: bytes, policy: Policy) -> Iterator[FileFinding]:
    yield from check_text(name)  # an identifier can stand in the name, too
    yield from check_name(name)
    found = sniff(content)
    if kind not in ALLOWED:
        yield from check_packed(found, kind, content)
        yield _refused(
            "file-type",
            N_("Files of type {kind} do not leave."),
            N_("Use one of: {allowed}."),
            kind=kind or "?",
            allowed=", ".join(ALLOWED),
        )
        return
    if not content:
        yield _refused("empty", N_("The file is empty."), N_("Leave it out."))
        return
    if len(content) > policy.max_file_bytes:
        yield _refused(
            "too-large",
            N_("The file has {size} bytes; at most {most} leave."),
            N_("Release a summary or a smaller picture."),
            size=len(content),
            most=policy.max_file_bytes,
        )
        return
    if found == "text" and pickled(content):
        found = "pickle"
    if found != (kind if kind in _BINARY else "text"):
        yield from check_packed(found, "", content)
        yield _refused(
            "content-differs",
            N_("The name says {kind}, the content is {found}."),
            N_("Write the file in the form that its name says."),
            kind=kind,
            found=found,
        )
        return
    if kind in _BINARY:
        yield from check_png(content) if kind == "png" else check_pdf(content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield _refused(
            "encoding",
            N_("Byte {byte} is not UTF-8 text."),
            N_("Save the file as UTF-8."),
            where=f"byte {error.start}",
            byte=error.start,
        )
        return
    yield from _text_findings(kind, text, policy)


def _text_findings(kind: str, text: str, policy: Policy) -> Iterator[FileFinding]:
    yield from check_text(_PATH.sub(_empty, text) if kind == "svg" else text)
    yield from check_carriers(text)
    if kind == "csv" or kind == "tsv":
        yield from _delimited(text, "," if kind == "csv" else "\t", policy)
    elif kind == "json":
        yield from _json(text, policy)
    elif kind == "svg":
        yield from check_svg(text)
    elif kind == "ipynb":
        yield from check_notebook(text)
    else:
        if kind == "html" or re.search(r"<[a-zA-Z!/]", text):
            yield from check_html(text)
        yield from _tables_in_text(text, policy)


def _empty(found: re.Match[str]) -> str:
    """Nothing but the line breaks, so that what follows stays on its line."""
    return "\n" * found[0].count("\n")


def _delimited(text: str, separator: str, policy: Policy) -> Iterator[FileFinding]:
    try:
        rows = read_delimited(text, separator)
    except csv.Error as error:
        yield _refused(
            "malformed",
            N_("The table cannot be read: {detail}."),
            N_("Write it with a standard library."),
            detail=str(error),
        )
        return
    yield from check_table(rows, policy)
    if any(re.match(r"^\s*[=+@-]\s*[A-Za-z(@]", cell) for row in rows for cell in row):
        yield _refused(
            "formula", N_("A cell starts like a spreadsheet formula."), N_("Put a letter or quotation mark before it.")
        )


def _json(text: str, policy: Policy) -> Iterator[FileFinding]:
    """Lists of equal objects are tables; other numbers are judged by the name of their field."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        yield _refused("malformed", N_("This is not JSON that can be read."), N_("Write it with a standard library."))
        return
    if isinstance(document, dict) and document.get("ansim") == SPECIFICATION:
        yield FileFinding(
            "table-specification",
            "",
            N_("This is a specification of a table: a machine can check it in a centre only, where the people are."),
            N_("Submit it there together with its table."),
            refuses=False,
        )
        return
    if is_model(document):
        yield model()
    queue: list[tuple[str, Any]] = [("$", document)]
    while queue:
        path, value = queue.pop()
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            names = list(dict.fromkeys(name for one in value for name in one))
            rows = [names] + [[_flat(one.get(name)) for name in names] for one in value]
            yield from check_table(rows, policy, where=f"{path} ")
            queue += [
                (f"{path}[{place}].{name}", inner)
                for place, one in enumerate(value)
                for name, inner in one.items()
                if isinstance(inner, list | dict)
            ]
        elif isinstance(value, list):
            queue += [(f"{path}[{place}]", inner) for place, inner in enumerate(value)]
        elif isinstance(value, dict):
            names = list(value)
            yield from check_table([names, [_flat(value[name]) for name in names]], policy, where=f"{path} ")
            queue += [(f"{path}.{name}", inner) for name, inner in value.items() if isinstance(inner, list | dict)]


def _flat(value: Any) -> str:
    return "" if value is None or isinstance(value, list | dict) else str(value)


def _tables_in_text(text: str, policy: Policy) -> Iterator[FileFinding]:
    """Tables drawn with | in Markdown, or with tabs in plain text."""
    for separator in ("|", "\t"):
        rows = [line.strip().strip("|").split(separator) for line in text.split("\n") if line.count(separator) > 0]
        rows = [row for row in rows if not all(re.fullmatch(r"\s*:?-*:?\s*", cell) for cell in row)]
        if len(rows) > 1:
            yield from check_table(rows, policy)


def _capped(findings: Iterable[FileFinding]) -> Iterator[FileFinding]:
    seen: Counter[str] = Counter()
    refusing: set[str] = set()
    for finding in findings:
        seen[finding.rule] += 1
        late = finding.refuses and finding.rule not in refusing  # never lose a refusal behind remarks
        if seen[finding.rule] <= MOST_FINDINGS or late:
            refusing |= {finding.rule} if finding.refuses else set()
            yield finding


def _refused(rule: str, text: str, remedy: str, where: str = "", **facts: Any) -> FileFinding:
    return FileFinding(rule, where, text, remedy, facts)
