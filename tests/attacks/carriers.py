"""Carriers: ways to take bytes out of a closed room inside files that look like results.

Each writes a payload into files of a folder and reads it back, so that a test can show that it works before it asks
whether it is found. No list of words, template or threshold is shared with the detectors.
"""

# ruff: noqa: E501 (a carrier and its reader read best side by side)

import base64
import json
import os
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SIZES = (8, 64, 512)  # bytes; 8 hold one resident registration number, 512 some rows of a table
WORDS = [
    "the",
    "study",
    "group",
    "showed",
    "lower",
    "risk",
    "after",
    "treatment",
    "in",
    "most",
    "age",
    "bands",
    "while",
    "results",
    "for",
    "older",
    "women",
    "remained",
    "uncertain",
    "and",
    "further",
    "work",
    "should",
    "look",
    "at",
    "dose",
    "timing",
    "and",
    "other",
    "causes",
    "of",
    "death",
    "in",
    "these",
    "patients",
    "over",
    "years",
]


@dataclass(frozen=True)
class Carrier:
    """write(folder, payload, rng) and read(folder) -> payload. crosses: whether a release would carry it at all."""

    name: str
    write: Callable[[Path, bytes, random.Random], None]
    read: Callable[[Path], bytes]
    crosses: bool = True


CARRIERS: list[Carrier] = []


def carrier(name: str, read: Callable[[Path], bytes], crosses: bool = True):
    def keep(write):
        CARRIERS.append(Carrier(name, write, read, crosses))
        return write

    return keep


def bits(payload: bytes) -> list[int]:
    return [byte >> place & 1 for byte in payload for place in range(8)]


def unbits(found: list[int]) -> bytes:
    whole = [found[start : start + 8] for start in range(0, len(found) - 7, 8)]
    return bytes(sum(bit << place for place, bit in enumerate(eight)) for eight in whole)


def prose(rng: random.Random, words: int) -> list[str]:
    return [rng.choice(WORDS) for _ in range(words)]


def text_of(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")


# --- encoded in texts ---------------------------------------------------------------------------------------------


@carrier("base64 in the output of a notebook's cell",
         lambda f: base64.b64decode(json.loads(text_of(f, "a.ipynb"))["cells"][0]["outputs"][0]["data"]["image/png"]))  # fmt: skip
def notebook_output(folder, payload, rng):
    output = {"output_type": "display_data", "data": {"image/png": base64.b64encode(payload).decode()}, "metadata": {}}
    _notebook(folder, {"cell_type": "code", "source": ["plot()"], "metadata": {}, "outputs": [output]})


@carrier("base64 in a comment of a notebook",
         lambda f: base64.b64decode(json.loads(text_of(f, "a.ipynb"))["cells"][0]["source"][0][2:]))  # fmt: skip
def notebook_source(folder, payload, rng):
    source = "# " + base64.b64encode(payload).decode()
    _notebook(folder, {"cell_type": "code", "source": [source], "metadata": {}, "outputs": []})


def _notebook(folder, cell):
    (folder / "a.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))


@carrier("base64 in a report", lambda f: base64.b64decode(text_of(f, "report.md").split("\n")[2]))
def report(folder, payload, rng):
    body = f"# Results\n\n{base64.b64encode(payload).decode()}\n\n{' '.join(prose(rng, 60))}.\n"
    (folder / "report.md").write_text(body)


@carrier("hexadecimal in a JSON field", lambda f: bytes.fromhex(json.loads(text_of(f, "model.json"))["run"]))
def hexadecimal(folder, payload, rng):
    document = {"coefficients": {"age": 0.12, "sex": -0.4}, "run": payload.hex()}
    (folder / "model.json").write_text(json.dumps(document))


@carrier("base32 in words of 12 letters", lambda f: _short(text_of(f, "log.txt")))
def short_words(folder, payload, rng):
    code = base64.b32encode(payload).decode().rstrip("=").lower()
    (folder / "log.txt").write_text(" ".join(code[n : n + 12] for n in range(0, len(code), 12)) + "\n")


def _short(text):
    code = text.replace(" ", "").strip().upper()
    return base64.b32decode(code + "=" * (-len(code) % 8))


@carrier("zero-width characters in a report",
         lambda f: unbits([one == "\u200c" for one in text_of(f, "r.md") if one in "\u200b\u200c"]))  # fmt: skip
def zero_width(folder, payload, rng):
    marks = "".join("\u200c" if bit else "\u200b" for bit in bits(payload))
    (folder / "r.md").write_text("# Results\n" + marks + " ".join(prose(rng, 60)) + "\n", "utf-8")


@carrier("blanks at the ends of lines",
         lambda f: unbits([line.endswith("  ") for line in text_of(f, "r.txt").split("\n")[:-1]]))  # fmt: skip
def blanks(folder, payload, rng):
    lines = [" ".join(prose(rng, 5)) + ("  " if bit else " ") for bit in bits(payload)]
    (folder / "r.txt").write_text("\n".join(lines) + "\n")


@carrier("letters of another alphabet that look alike",
         lambda f: unbits(["\u0435" in word for word in text_of(f, "r.txt").split()]))  # fmt: skip
def alike(folder, payload, rng):
    usable = [word for word in WORDS if "e" in word]
    words = [rng.choice(usable).replace("e", "\u0435" if bit else "e", 1) for bit in bits(payload)]
    (folder / "r.txt").write_text(" ".join(words) + "\n", "utf-8")


@carrier("capital first letters of words",
         lambda f: unbits([word[0].isupper() for word in text_of(f, "r.txt").split()]))  # fmt: skip
def capitals(folder, payload, rng):
    words = [
        word.capitalize() if bit else word
        for bit, word in zip(bits(payload), prose(rng, 8 * len(payload)), strict=True)
    ]
    (folder / "r.txt").write_text(" ".join(words) + "\n")


# --- tables -------------------------------------------------------------------------------------------------------


def _counts(rng):
    return 5 * rng.randrange(4, 200)


@carrier("values in the names of columns",
         lambda f: bytes(int(name.rpartition("_")[2]) for name in text_of(f, "t.csv").split("\n")[0].split(",")))  # fmt: skip
def column_names(folder, payload, rng):
    header = ",".join(f"lab_{number}_{byte:03}" for number, byte in enumerate(payload))
    (folder / "t.csv").write_text(header + "\n" + ",".join(str(_counts(rng)) for _ in payload) + "\n")


@carrier("a column of tokens",
         lambda f: bytes.fromhex("".join(line.split(",")[0] for line in text_of(f, "t.csv").split("\n")[1:-1])))  # fmt: skip
def tokens(folder, payload, rng):
    parts = [payload[n : n + 8].hex() for n in range(0, len(payload), 8)]
    (folder / "t.csv").write_text("row,n\n" + "".join(f"{part},{_counts(rng)}\n" for part in parts))


@carrier("the last digits of long decimals",
         lambda f: bytes(int(line.split(",")[1][-3:]) for line in text_of(f, "m.csv").split("\n")[1:-1]))  # fmt: skip
def long_decimals(folder, payload, rng):
    lines = [f"term {n},{rng.random():.9f}{byte:03},500\n" for n, byte in enumerate(payload)]
    (folder / "m.csv").write_text("term,beta,n\n" + "".join(lines))


@carrier("the fourth digit of estimates",
         lambda f: unbits([int(line.split(",")[1][-1]) % 2 for line in text_of(f, "m.csv").split("\n")[1:-1]]))  # fmt: skip
def fourth_digit(folder, payload, rng):
    lines = [f"term {n},{rng.randrange(100, 999) / 1000:.3f}{2 * rng.randrange(5) + bit},500\n"
             for n, bit in enumerate(bits(payload))]  # fmt: skip
    (folder / "m.csv").write_text("term,beta,n\n" + "".join(lines))


@carrier("whether a rounded count is odd",
         lambda f: unbits([int(line.split(",")[1]) // 5 % 2 for line in text_of(f, "t.csv").split("\n")[1:-1]]))  # fmt: skip
def rounded(folder, payload, rng):
    lines = [f"code {n},{10 * rng.randrange(2, 90) + 5 * bit}\n" for n, bit in enumerate(bits(payload))]
    (folder / "t.csv").write_text("diagnosis,n\n" + "".join(lines))


@carrier(
    "the order of rows",
    lambda f: _order([int(line.split(",")[0][1:]) for line in text_of(f, "t.csv").split("\n")[1:-1]]),
)
def order(folder, payload, rng):
    value, places = int.from_bytes(b"\1" + payload), []
    while value:
        places.append(value % (len(places) + 1))
        value //= len(places)
    rows: list[int] = []
    for number, place in enumerate(places):
        rows.insert(place, number)
    (folder / "t.csv").write_text("code,n\n" + "".join(f"c{row},{_counts(rng)}\n" for row in rows))


def _order(rows):
    value = 0
    for number in range(len(rows) - 1, -1, -1):
        value = value * (number + 1) + [one for one in rows if one <= number].index(number)
    whole = value.to_bytes((value.bit_length() + 7) // 8)
    return whole[1:]


# --- names, times and attributes --------------------------------------------------------------------------------------


@carrier("the names of files", lambda f: _names(f))
def file_names(folder, payload, rng):
    for number in range(0, len(payload), 16):
        code = base64.urlsafe_b64encode(payload[number : number + 16]).decode().rstrip("=")
        (folder / f"{number:04}{code}.csv").write_text("sex,n\nF,50\n")


def _names(folder):
    codes = [file.stem[4:] for file in sorted(folder.iterdir())]
    return b"".join(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)) for code in codes)


@carrier("numbers in the names of files", lambda f: bytes(int(file.stem[-3:]) for file in sorted(f.iterdir())))
def numbered(folder, payload, rng):
    for number, byte in enumerate(payload):
        (folder / f"figure-{number:03}-{byte:03}.csv").write_text("sex,n\nF,50\n")


@carrier(
    "the times of files",
    lambda f: b"".join(int(file.stat().st_mtime).to_bytes(4)[1:] for file in sorted(f.iterdir())),
    False,
)
def times(folder, payload, rng):
    padded = payload + bytes(-len(payload) % 3)
    for number in range(0, len(padded), 3):
        file = folder / f"t{number:04}.csv"
        file.write_text("sex,n\nF,50\n")
        when = int.from_bytes(b"\x69" + padded[number : number + 3])
        os.utime(file, (when, when))


@carrier("extended attributes", lambda f: os.getxattr(f / "t.csv", "user.note"), False)
def attributes(folder, payload, rng):
    (folder / "t.csv").write_text("sex,n\nF,50\n")
    os.setxattr(folder / "t.csv", "user.note", payload)


# --- packed ---------------------------------------------------------------------------------------------------------------


@carrier("the comment of a zip", lambda f: zipfile.ZipFile(f / "t.zip").comment)
def zip_comment(folder, payload, rng):
    with zipfile.ZipFile(folder / "t.zip", "w") as archive:
        archive.writestr("t.csv", "sex,n\nF,50\n")
        archive.comment = payload


@carrier("a pickle called a table", lambda f: pickle.loads((f / "t.csv").read_bytes()))  # noqa: S301 (our own)
def pickled(folder, payload, rng):
    (folder / "t.csv").write_bytes(pickle.dumps(payload))


@carrier("a stream in a PDF that no page shows",
         lambda f: zlib.decompress((f / "r.pdf").read_bytes().split(b"stream\n")[1].split(b"\nendstream")[0]))  # fmt: skip
def pdf_stream(folder, payload, rng):
    body = b"9 0 obj\n<< /Length 9 >>\nstream\n" + zlib.compress(payload) + b"\nendstream\nendobj\n"
    (folder / "r.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + body + b"%%EOF\n")


# --- pictures -------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def picture(pixels: bytes, width: int, *extra: bytes, after: bytes = b"", end: bytes = b"") -> bytes:
    height = len(pixels) // width
    rows = b"".join(b"\0" + pixels[n * width : (n + 1) * width] for n in range(height))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows) + after)
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + data + chunk(b"IEND", b"") + end


def bars(rng: random.Random, width: int = 64) -> bytes:
    heights = [rng.randrange(10, 60) for _ in range(width // 8)]
    return bytes(40 if 64 - row <= heights[column // 8] else 255 for row in range(64) for column in range(width))


@carrier("a text block in a PNG", lambda f: (f / "p.png").read_bytes().split(b"Comment\0")[1].split(b"~end~")[0])
def png_text(folder, payload, rng):
    (folder / "p.png").write_bytes(picture(bars(rng), 64, chunk(b"tEXt", b"Comment\0" + payload + b"~end~")))


@carrier("a private block in a PNG", lambda f: (f / "p.png").read_bytes().split(b"anSm")[1].split(b"~end~")[0])
def png_private(folder, payload, rng):
    (folder / "p.png").write_bytes(picture(bars(rng), 64, chunk(b"anSm", payload + b"~end~")))


@carrier("bytes after the end of a PNG", lambda f: (f / "p.png").read_bytes().rpartition(b"~rows~")[2])
def png_end(folder, payload, rng):
    (folder / "p.png").write_bytes(picture(bars(rng), 64, end=b"~rows~" + payload))


@carrier("bytes after the pixels of a PNG", lambda f: (f / "p.png").read_bytes().split(b"~rows~")[1].split(b"~end~")[0])
def png_after(folder, payload, rng):
    (folder / "p.png").write_bytes(picture(bars(rng), 64, after=b"~rows~" + payload + b"~end~"))


@carrier("the lowest bit of pixels", lambda f: _lowest((f / "p.png").read_bytes()))
def png_pixels(folder, payload, rng):
    pixels = bytearray(bars(rng))
    found = bits(struct.pack(">H", len(payload)) + payload)
    pixels += bytes(64 * (-(-max(0, len(found) - len(pixels)) // 64)))
    for place, bit in enumerate(found):
        pixels[place] = pixels[place] & 254 | bit
    (folder / "p.png").write_bytes(picture(bytes(pixels), 64))


def _lowest(content):
    place = content.index(b"IDAT") + 4
    rows = zlib.decompressobj().decompress(content[place:])
    pixels = b"".join(rows[n + 1 : n + 65] for n in range(0, len(rows), 65))
    found = unbits([pixel & 1 for pixel in pixels])
    return found[2 : 2 + struct.unpack(">H", found[:2])[0]]


def drawing(body: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400">{body}</svg>'


def _values(text: str, before: str) -> bytes:
    return bytes(int(part.split('"')[0]) for part in text.split(before)[1:])


@carrier("points of single people in an SVG", lambda f: _values(text_of(f, "p.svg"), 'cy="'))
def points(folder, payload, rng):
    (folder / "p.svg").write_text(
        drawing("".join(f'<circle cx="{n}" cy="{byte}" r="2"/>' for n, byte in enumerate(payload)))
    )


@carrier("a comment in an SVG",
         lambda f: base64.b16decode(text_of(f, "p.svg").split("<!--")[1].split("-->")[0]))  # fmt: skip
def svg_comment(folder, payload, rng):
    (folder / "p.svg").write_text(drawing(f"<!--{base64.b16encode(payload).decode()}-->"))


@carrier("the last digits of coordinates",
         lambda f: bytes(int(part.split(" ")[0][-3:]) for part in text_of(f, "p.svg").split("L ")[1:]))  # fmt: skip
def coordinates(folder, payload, rng):
    path = " ".join(f"L {rng.randrange(600)}.{rng.randrange(999):03}{byte:03} {n}" for n, byte in enumerate(payload))
    (folder / "p.svg").write_text(drawing(f'<path d="M 0 0 {path}"/>'))


@carrier(
    "the colours of bars",
    lambda f: bytes.fromhex("".join(part[:2] for part in text_of(f, "p.svg").split('fill="#2f6f')[1:])),
)
def colours(folder, payload, rng):
    rects = [f'<rect x="{n}" y="3" width="1" height="{rng.randrange(90)}" fill="#2f6f{byte:02x}"/>'
             for n, byte in enumerate(payload)]  # fmt: skip
    (folder / "p.svg").write_text(drawing("".join(rects)))


# --- honest outputs ------------------------------------------------------------------------------------------------------


def honest(rng: random.Random) -> dict[str, str | bytes]:
    """{name: content} of one honest release: what researchers ask for, made by hand, with varying sizes."""
    bands = [f"{low}-{low + 9}" for low in range(30, 30 + 10 * rng.randrange(3, 7), 10)]
    table = "age_band,sex,n\n" + "".join(f"{band},{sex},{_counts(rng)}\n" for band in bands for sex in "FM")
    model = "term,estimate,low,high,p,n\n" + "".join(
        f"{term},{rng.uniform(0.5, 2):.3f},{rng.uniform(0.2, 0.9):.3f},{rng.uniform(2, 3):.3f},{rng.random():.3f},1200\n"
        for term in rng.sample(WORDS, 6)
    )
    curve, at_risk, survival = ["time,survival,n_at_risk"], 1000, 1.0
    for month in range(0, 60, 6):
        curve.append(f"{month},{survival:.3f},{at_risk}")
        survival, at_risk = survival * rng.uniform(0.9, 1), at_risk - 5 * rng.randrange(2, 12)
    text = f"# Results\n\n{' '.join(prose(rng, 120))}.\n\n| band | n |\n|---|---:|\n| {bands[0]} | {_counts(rng)} |\n"
    rects = "".join(
        f'<rect x="{9 * n}" y="0" width="8" height="{rng.randrange(300)}.{rng.randrange(99)}"/>' for n in range(40)
    )
    cell = {
        "cell_type": "code",
        "source": ["import pandas as pd\n", "table.to_csv('t.csv')"],
        "metadata": {},
        "outputs": [],
    }
    return {
        "table.csv": table,
        "model.csv": model,
        "curve.csv": "\n".join(curve) + "\n",
        "report.md": text,
        "korean.md": "# 결과\n\n고혈압 환자에서 위험이 낮았습니다. 연령대별 인원은 표를 보세요.\n",
        "bars.svg": drawing(rects),
        "bars.png": picture(bars(rng), 64),
        "model.json": json.dumps({"model": "logistic", "terms": {"age": round(rng.random(), 4)}, "people": 1250}),
        "code.ipynb": json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}),
        "page.html": f"<h1>Results</h1><p>{' '.join(prose(rng, 40))}.</p><table><tr><td>F</td><td>50</td></tr></table>",
        "unrounded.csv": "age_band,n,mean\n"
        + "".join(f"{b},{rng.randrange(20, 900)},{rng.random() * 9}\n" for b in bands),
    }


def plotted(rng: random.Random) -> dict[str, bytes]:
    """Figures as matplotlib writes them: a histogram, and lines with error bars, as PNG and SVG."""
    import io

    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    made = {}
    for kind in ("png", "svg"):
        figure, (left, right) = plt.subplots(1, 2, figsize=(6, 3))
        left.bar(range(8), [rng.randrange(20, 90) for _ in range(8)])
        right.errorbar(range(6), [rng.random() for _ in range(6)], yerr=0.1)
        left.set_title("People by age")
        out = io.BytesIO()
        figure.savefig(out, format=kind)
        plt.close(figure)
        made[f"figure.{kind}"] = out.getvalue()
    return made
