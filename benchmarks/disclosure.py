"""How long a node's memory takes: 50 new cells against stored cells over a million people.

    .venv/bin/python benchmarks/disclosure.py [--people 1000000] [--stored 10000] [--density 0.01]

Side by side with the plain way: the symmetric difference of each new with each stored cell (Roaring bitmaps too),
which finds pairs only. No other tool was found that compares with earlier releases.
Writes benchmarks/results/disclosure.json.
"""

import argparse
import json
import os
import platform
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory, Record
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.table import Cell, Table, TableSpec

RESULT = Path(__file__).parent / "results" / "disclosure.json"
CELLS = 50  # of each table


def cells(rng: np.random.Generator, people: int, density: float) -> list[BitMap]:
    """A table's disjoint cells; sizes vary log-normally around the median density."""
    sizes = (people * density * rng.lognormal(0, 0.5, CELLS)).astype(int)
    chosen = rng.permutation(people)[: sizes.sum()].astype(np.uint32)
    return [BitMap(part) for part in np.split(chosen, np.cumsum(sizes)[:-1]) if len(part)]


def stored(rng: np.random.Generator, people: int, count: int, density: float) -> ListStorage:
    storage = ListStorage()
    names = np.sort(rng.choice(np.iinfo(np.int64).max, people, replace=False).astype("<u8"))
    storage.append(Record("people", {"count": people}, names.tobytes()))
    for release in range(count // CELLS):
        bodies = [one.serialize() for one in cells(rng, people, density)]
        facts = {"at": f"release {release}", "requester": "r", "organisation": "o"}
        facts["cells"] = [[[place], len(body)] for place, body in enumerate(bodies)]
        storage.append(Record("release", facts, b"".join(bodies)))
    return storage


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=10_000)
    parser.add_argument("--density", type=float, default=0.01)
    given = parser.parse_args()
    rng = np.random.default_rng(7)
    storage = stored(rng, given.people, given.stored, given.density)
    size = sum(len(record.body) for record in storage.records) / 1e6
    start = time.perf_counter()
    memory = Memory(storage, b"a secret of the benchmark", Policy())
    opened = time.perf_counter() - start
    people = cells(rng, given.people, given.density)
    table = Table(
        TableSpec(("band",), ()),
        (tuple(range(len(people))),),
        {(place,): Cell((place,), one) for place, one in enumerate(people)},
    )
    start, used = time.perf_counter(), time.process_time()
    found = memory.check(table, set(table.cells), Asker("r", "o"))
    checked, used = time.perf_counter() - start, time.process_time() - used
    peak = memory_mb()
    start = time.perf_counter()
    old = [cell for release in memory.releases for family in release.families for cell in family.cells]
    near = sum(0 < one.symmetric_difference_cardinality(other) < 10 for one in people for other in old)
    plain = time.perf_counter() - start
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "pyroaring": version("pyroaring"),
        "people": given.people,
        "new_cells": len(people),
        "stored_cells": len(old),
        "median_density": round(float(np.median([len(one) for one in old])) / given.people, 4),
        "stored_mb": round(size),
        "open_s": round(opened, 2),
        "check_s": round(checked, 2),
        "check_cpu_s": round(used, 2),
        "load": round(os.getloadavg()[0], 1),
        "peak_mb": round(peak),
        "plain_pairs_s": round(plain, 2),
        "findings": len(found),
        "near_pairs": near,
    }
    print("\n".join(f"{name:16} {value}" for name, value in told.items()))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
