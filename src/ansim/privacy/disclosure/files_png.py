"""PNG pictures, chunk by chunk ([PNG] W3C Recommendation, third edition): what is not needed to draw them."""

import re
import struct
import zlib
from collections.abc import Iterator

from ansim.errors import N_
from ansim.privacy.disclosure.files_findings import FileFinding, damaged, hidden, trailing

# Known chunks with the most bytes that each may have ([PNG] 11.2, 11.3).
_KNOWN = {
    b"IHDR": 13, b"PLTE": 768, b"IDAT": 1 << 31, b"IEND": 0, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1,
    b"pHYs": 9, b"sBIT": 4, b"bKGD": 6,
}  # fmt: skip
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_MOST_TEXT = 200  # bytes
_PLOTTER = re.compile(rb"Software\0Matplotlib version\d\.\d{1,2}\.\d{1,2}, https://matplotlib\.org/")  # no room in it
_MOST_PIXELS = 50_000_000
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type: samples a pixel


def check_png(content: bytes) -> Iterator[FileFinding]:
    """Text, private, oversized and trailing data, damaged chunks, pixels that are not drawn."""
    place, ended, texts, pixels, header = 8, False, 0, [], b""
    while place + 12 <= len(content) and not ended:
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        check = content[place + 8 + length : place + 12 + length]
        if len(check) < 4 or struct.unpack(">I", check)[0] != zlib.crc32(kind + body):
            yield damaged("PNG")
            return
        if kind == b"tEXt" and _PLOTTER.fullmatch(body):
            pass
        elif kind in _TEXT:
            texts += length
            name = f"{kind.decode()}: {body[:30].partition(bytes(1))[0].decode('latin-1')}"
            yield hidden(name, refuses=texts > _MOST_TEXT)
        elif length > _KNOWN.get(kind, -1):
            yield _other(kind)
        elif kind == b"IDAT":
            pixels.append(body)
        elif kind == b"IHDR":
            header = body
        place, ended = place + 12 + length, kind == b"IEND"
    if not ended or len(header) != 13:
        yield damaged("PNG")
        return
    if place < len(content):
        yield trailing("PNG", len(content) - place)
    yield from _pixels(header, b"".join(pixels))


def _pixels(header: bytes, packed: bytes) -> Iterator[FileFinding]:
    width, height, depth, colour, _method, _filter, interlace = struct.unpack(">IIBBBBB", header)
    if width * height > _MOST_PIXELS:
        yield FileFinding(
            "picture-bomb",
            f"{width} × {height}",
            N_("The picture has {pixels} pixels."),
            N_("Save it smaller."),
            {"pixels": width * height},
        )
        return
    bits = width * _SAMPLES.get(colour, 1) * depth
    wanted = height * (1 + (bits + 7) // 8)
    stream = zlib.decompressobj()
    try:
        size = len(stream.decompress(packed, wanted + 1))
    except zlib.error:
        yield damaged("PNG")
        return
    more = len(stream.unused_data) + len(stream.unconsumed_tail) + (size > wanted)
    if more and not interlace:  # an interlaced picture has other rows; its size is not judged
        yield trailing("PNG", more)


def _other(kind: bytes) -> FileFinding:
    what = kind.decode("latin-1")
    return FileFinding(
        "embedded-data",
        what,
        N_("The picture carries a block of other data ({what})."),
        N_("Save the picture without metadata."),
        {"what": what},
    )
