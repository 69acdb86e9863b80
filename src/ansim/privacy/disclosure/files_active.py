"""Pictures and pages: hidden scripts in SVG and HTML, hidden data in PNG and PDF."""

import re
import struct
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from xml.parsers import expat  # DTDs and entities are refused before and while parsing

from ansim.errors import N_
from ansim.privacy.disclosure.files_findings import FileFinding

_ACTIVE_TAGS = {
    "script", "foreignobject", "iframe", "object", "embed", "link", "base", "form", "handler", "listener", "frame",
    "applet", "portal", "set", "animate",
}  # fmt: skip
_LINKS = {"href", "src", "srcset", "action", "formaction", "background", "poster", "data", "ping"}
_PNG_KNOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD"}
_PNG_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_PDF_ACTIVE = ("JavaScript", "JS", "Launch", "EmbeddedFile", "EmbeddedFiles", "OpenAction", "AA", "RichMedia",
               "Encrypt", "SubmitForm", "ImportData", "XFA", "GoToR", "URI")  # fmt: skip
_INFLATED = 32 * 1024 * 1024  # bytes of a PDF's streams that are looked through


def check_svg(text: str) -> Iterator[FileFinding]:
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        text = re.sub(r'<!DOCTYPE svg PUBLIC "[^"<>]*"\s+"http://www\.w3\.org/[^"<>]*">', "", text, count=1)
        if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            yield _active("document type or entity")
            return
    found: list[FileFinding] = []
    roots: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2].lower()
        roots.append(name)
        found.extend(_element(name, attributes.items()))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.ProcessingInstructionHandler = lambda target, data: found.append(_active(f"<?{target}"))
    parser.CommentHandler = lambda data: found.append(_hidden("comment"))
    parser.CharacterDataHandler = lambda data: found.extend(_style(data))
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, ValueError):
        yield _damaged("SVG")
    if roots[:1] != ["svg"]:
        yield _damaged("SVG")
    yield from found


def check_html(text: str) -> Iterator[FileFinding]:
    found: list[FileFinding] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(_element(tag.rpartition(":")[2], [(name, value or "") for name, value in attrs]))
            if tag == "meta" and any(name == "http-equiv" for name, _ in attrs):
                found.append(_active("<meta http-equiv>"))

        def handle_data(self, data: str) -> None:
            found.extend(_style(data))

        def handle_comment(self, data: str) -> None:
            found.append(_hidden("comment"))

    try:
        reader = Reader()
        reader.feed(text)
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        yield _damaged("HTML")
    yield from found


def check_png(content: bytes) -> Iterator[FileFinding]:
    """Chunk by chunk ([PNG] W3C Recommendation, third edition): text, private and trailing data, damaged chunks."""
    place, ended = 8, False
    while place + 12 <= len(content) and not ended:
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        check = content[place + 8 + length : place + 12 + length]
        if len(check) < 4 or struct.unpack(">I", check)[0] != zlib.crc32(kind + body):
            yield _damaged("PNG")
            return
        if kind in _PNG_TEXT:
            yield _hidden(f"{kind.decode()}: {body[:30].partition(bytes(1))[0].decode('latin-1')}")
        elif kind not in _PNG_KNOWN:
            yield FileFinding(
                "embedded-data",
                kind.decode("latin-1"),
                N_("The picture carries a block of other data ({what})."),
                N_("Save the picture without metadata."),
                {"what": kind.decode("latin-1")},
            )
        place, ended = place + 12 + length, kind == b"IEND"
    if not ended:
        yield _damaged("PNG")
    elif place < len(content):
        yield FileFinding(
            "trailing-data",
            f"byte {place}",
            N_("{bytes} bytes follow the end of the picture."),
            N_("Save the picture again."),
            {"bytes": len(content) - place},
        )


def check_pdf(content: bytes) -> Iterator[FileFinding]:
    """Names of active or embedding features, in clear, hex-escaped or inside compressed streams. Pages are not read:
    a PDF is always for people."""
    if b"%%EOF" not in content[-2048:]:
        yield _damaged("PDF")
    seen = set()
    for part in (content, *_inflated(content)):
        plain = re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), part)
        seen |= {name for name in _PDF_ACTIVE if re.search(rb"/" + name.encode() + rb"(?![A-Za-z0-9])", plain)}
    yield from (_active(f"/{name}") for name in sorted(seen))


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
        yield _active(f"<{name}>")
    for key, value in attributes:
        key, value = key.rpartition(":")[2].lower(), re.sub(r"[\s\x00-\x1f]", "", value).lower()
        if key.startswith("on"):
            yield _active(f"{key}=")
        elif value.startswith("data:") or (key in _LINKS and "data:" in value):
            yield FileFinding(
                "embedded-data",
                f"<{name} {key}>",
                N_("The file carries embedded data ({what})."),
                N_("Save pictures as separate PNG files."),
                {"what": f"{name} {key}"},
            )
        elif key in _LINKS and value and not value.startswith("#"):
            yield _active(f"<{name} {key}=…>")
        elif key == "style":
            yield from _style(value)


def _style(text: str) -> Iterator[FileFinding]:
    if re.search(r"@import|url\s*\(\s*['\"]?\s*(?!['\"#\s])|expression\s*\(|javascript:", text, re.IGNORECASE):
        yield _active("url(…)")


def _active(what: str) -> FileFinding:
    return FileFinding(
        "active-content",
        what,
        N_("The file holds something that can act or load ({what})."),
        N_("Save it as a plain picture or text."),
        {"what": what},
    )


def _hidden(what: str) -> FileFinding:
    return FileFinding(
        "hidden-text",
        what,
        N_("The file holds text that is not seen ({what})."),
        N_("Save it without metadata and comments, or let a checker read it."),
        {"what": what},
        refuses=False,
    )


def _damaged(kind: str) -> FileFinding:
    return FileFinding(
        "damaged", "", N_("The file is not a whole {kind} file."), N_("Write the file again."), {"kind": kind}
    )
