"""What kind of text a file is: its encoding, separator, quoting and header. Broken files are told, not guessed at."""

import codecs
import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

from ansim.errors import N_, Problem

SAMPLE = 1 << 20
BLOCK = 1 << 22


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    quote: str  # '"', or "" where a quotation mark is a letter like any other (Athena's files)
    header: tuple[str, ...]


def sample(path: Path) -> bytes:
    """The first bytes of the file, unpacked when it is gzip."""
    with open(path, "rb") as raw:
        magic = raw.read(2)
    try:
        with gzip.open(path, "rb") if magic == b"\x1f\x8b" else open(path, "rb") as file:
            return file.read(SAMPLE)
    except (EOFError, OSError, zlib.error) as error:
        raise broken(path.name, str(error)) from error


def broken(name: str, detail: str) -> Problem:
    return Problem(
        "unreadable",
        N_("The file is broken or cut off: {detail}"),
        where=name,
        remedy=N_("Fetch or export it again. Nothing of this load was published."),
        detail=detail,
    )


def encoding(data: bytes, name: str) -> str:
    """utf-8, utf-16 or cp949 (which EUC-KR is a part of) by the sample. A rare bad byte in UTF-8 stays UTF-8: its line
    is refused when it is read."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        decoder.decode(data)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    text = codecs.getincrementaldecoder("cp949")("replace").decode(data)
    wrong, hangul = text.count("\ufffd"), sum("가" <= letter <= "힣" for letter in text)
    utf8 = codecs.getincrementaldecoder("utf-8")("replace").decode(data)
    if hangul > 20 * wrong and utf8.count("\ufffd") > wrong:
        return "cp949"
    return "utf-8"


def as_utf8(path: Path, kind: str, place: Path) -> Path:
    """The file in UTF-8, written block by block into the folder `place`; a letter that is none becomes U+FFFD."""
    target = place / (path.name.removesuffix(".gz") + ".utf8")
    decoder = codecs.getincrementaldecoder(kind)("replace")
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else open(path, "rb") as source, open(target, "wb") as out:
            while block := source.read(BLOCK):
                out.write(decoder.decode(block).encode())
            out.write(decoder.decode(b"", True).encode())
    except (EOFError, OSError, zlib.error) as error:
        raise broken(path.name, str(error)) from error
    return target


def dialect(data: bytes, name: str) -> Dialect:
    """Separator, quoting and header by the first lines. Raises Problem when there is no header."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.splitlines()
    first = lines[0] if lines else ""
    if not first.strip():
        raise Problem("empty-file", N_("The file is empty: not even a header."), where=name)
    delimiter = max(",\t;|", key=first.count)
    # A field that begins with a quotation mark and never ends with one is a letter, as in Athena's files.
    fields = [field for line in lines[1:2000] for field in line.split(delimiter)]
    opened = [field for field in fields if field.startswith('"')]
    closed = [field for field in opened if len(field) > 1 and field.endswith('"')]
    plain = (delimiter == "\t" and len(opened) > len(closed)) or (delimiter == "\t" and '"' in text and not closed)
    header = next(csv.reader(io.StringIO(first), delimiter=delimiter, quotechar='"'))
    return Dialect(delimiter, "" if plain else '"', tuple(name.strip() for name in header))
