"""An output request of 100 files through the whole check of a folder, and through the making of safe versions.

    .venv/bin/python benchmarks/airlock.py [--files 100] [--rows 200]

Processor seconds of one process and seconds by the clock; the clock means something on a quiet machine only.
Writes benchmarks/results/airlock.json.
"""

import argparse
import json
import os
import platform
import random
import struct
import tempfile
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

from ansim.privacy.airlock.folder import check_folder
from ansim.privacy.airlock.safe import make_safe
from ansim.privacy.disclosure.policy import Policy

RESULT = Path(__file__).parent / "results" / "airlock.json"
WORDS = "고혈압 환자 위험 비 연령 여성 남성 study group risk ratio model follow up age sex treatment".split()  # noqa: SIM905


def table(rng: random.Random, rows: int) -> str:
    lines = [f"code {n},{rng.choice('FM')},{5 * rng.randrange(3, 400)},{rng.random():.3f}" for n in range(rows)]
    return "\n".join(["diagnosis,sex,n,estimate", *lines]) + "\n"


def small_table(rng: random.Random) -> str:
    lines = [f"{age}-{age + 9},{sex},{rng.randrange(3, 400)}" for age in range(20, 90, 10) for sex in "FM"]
    return "\n".join(["age_band,sex,n", *lines]) + "\n"


def picture(rng: random.Random, width: int = 800, height: int = 600) -> bytes:
    rows = b"".join(b"\0" + bytes(rng.choices((0, 80, 255), k=width)) for _ in range(height))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def request(folder: Path, files: int, rows: int) -> int:
    """A mixed request: tables, a few small ones, reports, drawings, pictures, notebooks. Gives its bytes."""
    rng, image = random.Random(7), picture(random.Random(7))  # noqa: S311 (made-up data)
    for number in range(files):
        kind = number % 10
        name = (
            folder
            / f"{('table', 'small', 'report', 'figure', 'picture', 'model', 'notebook')[min(kind, 6)]}-{number:02}"
        )
        if kind in (0, 7, 8, 9):
            name.with_suffix(".csv").write_text(table(rng, rows))
        elif kind == 1:
            name.with_suffix(".csv").write_text(small_table(rng))
        elif kind == 2:
            name.with_suffix(".md").write_text(" ".join(rng.choices(WORDS, k=1500)), "utf-8")
        elif kind == 3:
            path = " ".join(f"L {rng.random() * 600:.6f} {rng.random() * 400:.6f}" for _ in range(2000))
            name.with_suffix(".svg").write_text(
                f'<svg xmlns="http://www.w3.org/2000/svg"><path d="M 0 0 {path}"/></svg>'
            )
        elif kind == 4:
            name.with_suffix(".png").write_bytes(image)
        elif kind == 5:
            terms = {f"term {n}": round(rng.random(), 4) for n in range(200)}
            name.with_suffix(".json").write_text(json.dumps({"model": "logistic", "terms": terms}))
        else:
            cell = {"cell_type": "code", "source": ["print(1)\n"] * 50, "metadata": {}, "outputs": []}
            name.with_suffix(".ipynb").write_text(json.dumps({"cells": [cell] * 30, "metadata": {}}))
    return sum(file.stat().st_size for file in folder.iterdir())


def timed(work) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return round(time.perf_counter() - clock, 3), round(time.process_time() - processor, 3)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--files", type=int, default=100)
    words.add_argument("--rows", type=int, default=200)
    given = words.parse_args()
    policy = Policy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = request(folder, given.files, given.rows)
        files = [(file.name, file.read_bytes()) for file in sorted(folder.iterdir())]
        check_folder(folder, policy)  # regular expressions and readers are loaded once a process
        runs = [timed(lambda: check_folder(folder, policy)) for _ in range(3)]
        safe = timed(lambda: [make_safe(one, body, policy) for one, body in files])
    result = {
        "what": "check of an output request",
        "files": given.files,
        "bytes": size,
        "check_processor_s": min(processor for _, processor in runs),
        "check_clock_s": min(clock for clock, _ in runs),
        "wanted_s": 2.0,
        "safe_processor_s": safe[1],
        "safe_clock_s": safe[0],
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
