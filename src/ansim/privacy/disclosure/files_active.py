"""Drawings and pages: hidden scripts in SVG and HTML, active and embedded things in PDF."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.parsers import expat  # DTDs and entities are refused before and while parsing

from ansim.errors import N_
from ansim.privacy.disclosure.files_carriers import check_marks
from ansim.privacy.disclosure.files_findings import FileFinding, active, damaged, hidden, trailing

_ACTIVE_TAGS = {
    "script", "foreignobject", "iframe", "object", "embed", "link", "base", "form", "handler", "listener", "frame",
    "applet", "portal", "set", "animate",
}  # fmt: skip
_LINKS = {"href", "src", "srcset", "action", "formaction", "background", "poster", "data", "ping"}
_PDF_ACTIVE = ("JavaScript", "JS", "Launch", "EmbeddedFile", "EmbeddedFiles", "OpenAction", "AA", "RichMedia",
               "Encrypt", "SubmitForm", "ImportData", "XFA", "GoToR", "URI")  # fmt: skip
_INFLATED = 32 * 1024 * 1024  # bytes of a PDF's streams that are looked through


def check_svg(text: str) -> Iterator[FileFinding]:
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        text = re.sub(r'<!DOCTYPE svg PUBLIC "[^"<>]*"\s+"http://www\.w3\.org/[^"<>]*">', "", text, count=1)
        if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            yield active("document type or entity")
            return
    found: list[FileFinding] = []
    roots: list[str] = []
    marks: Counter[tuple[str, str]] = Counter()

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2].lower()
        roots.append(name)
        found.extend(_element(name, attributes.items()))
        if shape := _shape(name, attributes):
            marks[name, shape] += 1
        if name == "metadata":
            found.append(hidden("metadata"))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.ProcessingInstructionHandler = lambda target, data: found.append(active(f"<?{target}"))
    parser.CommentHandler = lambda data: found.append(hidden("comment"))
    parser.CharacterDataHandler = lambda data: found.extend(_style(data))
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, ValueError):
        yield damaged("SVG")
    if roots[:1] != ["svg"]:
        yield damaged("SVG")
    yield from found
    yield from check_marks((name, count) for (name, _shape), count in marks.items())


def _shape(name: str, attributes: dict[str, str]) -> str:
    """What makes two elements equal marks at two places; empty for all that is no mark."""
    if name in ("circle", "ellipse"):
        return attributes.get("r", "") + "|" + attributes.get("rx", "")
    if name == "use" and "x" in attributes and "y" in attributes:
        return next((value for key, value in attributes.items() if key.endswith("href")), "")
    if name == "path" and "transform" in attributes and len(attributes.get("d", "")) < 400:
        return attributes.get("d", "")
    return ""


def check_html(text: str) -> Iterator[FileFinding]:
    found: list[FileFinding] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(_element(tag.rpartition(":")[2], [(name, value or "") for name, value in attrs]))
            if tag == "meta" and any(name == "http-equiv" for name, _ in attrs):
                found.append(active("<meta http-equiv>"))

        def handle_data(self, data: str) -> None:
            found.extend(_style(data))

        def handle_comment(self, data: str) -> None:
            found.append(hidden("comment"))

    try:
        reader = Reader()
        reader.feed(text)
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        yield damaged("HTML")
    yield from found


def check_pdf(content: bytes) -> Iterator[FileFinding]:
    """Names of active or embedding features, in clear, hex-escaped or inside compressed streams. Pages are not read:
    a PDF is always for people."""
    if b"%%EOF" not in content[-2048:]:
        yield damaged("PDF")
    tail = len(content) - (content.rfind(b"%%EOF") + 5)
    if tail > 16:
        yield trailing("PDF", tail)
    seen = set()
    for part in (content, *_inflated(content)):
        plain = re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), part)
        seen |= {name for name in _PDF_ACTIVE if re.search(rb"/" + name.encode() + rb"(?![A-Za-z0-9])", plain)}
    yield from (active(f"/{name}") for name in sorted(seen))


def _inflated(content: bytes) -> Iterator[bytes]:
    left = _INFLATED
    for match in re.finditer(rb"stream\r?\n", content):
        if left <= 0:
            return
        try:
            part = zlib.decompressobj().decompress(content[match.end() :], left)
        except zlib.error:
            continue
        left -= len(part)
        yield part


def _element(name: str, attributes) -> Iterator[FileFinding]:
    if name in _ACTIVE_TAGS:
        yield active(f"<{name}>")
    for key, value in attributes:
        key, value = key.rpartition(":")[2].lower(), re.sub(r"[\s\x00-\x1f]", "", value).lower()
        if key.startswith("on"):
            yield active(f"{key}=")
        elif value.startswith("data:") or (key in _LINKS and "data:" in value):
            yield FileFinding(
                "embedded-data",
                f"<{name} {key}>",
                N_("The file carries embedded data ({what})."),
                N_("Save pictures as separate PNG files."),
                {"what": f"{name} {key}"},
            )
        elif key in _LINKS and value and not value.startswith("#"):
            yield active(f"<{name} {key}=…>")
        elif key == "style":
            yield from _style(value)


def _style(text: str) -> Iterator[FileFinding]:
    if re.search(r"@import|url\s*\(\s*['\"]?\s*(?!['\"#\s])|expression\s*\(|javascript:", text, re.IGNORECASE):
        yield active("url(…)")
