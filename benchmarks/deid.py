"""Protection of extracts, side by side with peers in one run: k, k + l + t, optimal generalisation, pseudonyms, texts.

    python benchmarks/deid.py [--peers VENV] [--cdm FILE.duckdb] [--quick]

VENV: a virtual environment of its own with the peer: `python -m venv VENV && VENV/bin/pip install pycanon pyarrow`;
what is not there is skipped and said. FILE: an OMOP CDM for the extract. Times are processor seconds (all threads),
the least of three, so that they say something on a machine that others use too; the extract is also timed by the clock.
Writes benchmarks/results/deid.json.
"""

import argparse
import hashlib
import hmac
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ansim.privacy.deid import classes, hierarchy, keys, lattice, plan, risk, run, texts

HERE = Path(__file__).parent
QUASI = ["sex", "age", "region", "job", "month"]
COARSE = ["sex", "age_band", "region"]

PEER = """
import sys, time, json, pandas as pd
what, file = sys.argv[1], sys.argv[2]
data = pd.read_parquet(file)
from pycanon import anonymity
quasi, coarse = sys.argv[3].split(","), sys.argv[4].split(",")
started = time.process_time()
if what == "k":
    found = [int(anonymity.k_anonymity(data, quasi))]
else:
    found = [int(anonymity.k_anonymity(data, coarse)), int(anonymity.l_diversity(data, coarse, ["illness"])),
             float(anonymity.t_closeness(data, coarse, ["illness"]))]
print(json.dumps([time.process_time() - started, found]))
"""


def best(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """(least processor seconds, result) of some runs."""
    least, found = float("inf"), None
    for _ in range(times):
        started = time.process_time()
        found = work()
        least = min(least, time.process_time() - started)
    return least, found


def people(n: int) -> pa.Table:
    """Drawn people with five quasi-identifiers and an illness."""
    rng = np.random.default_rng(1)
    age = rng.integers(0, 95, n)
    return pa.table(
        {
            "sex": rng.choice(["F", "M"], n),
            "age": age,
            "age_band": age // 10,
            "region": rng.choice([f"r{i:02}" for i in range(17)], n),
            "job": rng.integers(0, 30, n),
            "month": rng.integers(1, 13, n),
            "illness": rng.choice([f"d{i}" for i in range(12)], n),
        }
    )


def risks(rows: int, peers: Path | None) -> dict[str, Any]:
    data, con = people(rows), duckdb.connect()
    con.register("given", data)
    con.execute("CREATE TABLE t AS SELECT * FROM given")
    k_seconds, k = best(lambda: risk.report(con, "t", QUASI))
    all_seconds, all_ = best(lambda: risk.report(con, "t", COARSE, ["illness"]))
    found: dict[str, Any] = {
        "rows": rows,
        "k: seconds": k_seconds,
        "k": k["k"],
        "k + l + t: seconds": all_seconds,
        "k + l + t": [all_["k"], all_["l"]["illness"], all_["t"]["illness"]],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/t.parquet"
        con.execute(f"COPY t TO '{file}'")
        for what, own in (("k", k_seconds), ("k + l + t", all_seconds)):
            other = peer(peers, what, file)
            if other:
                found |= {f"pycanon {what}: seconds": other[0], f"pycanon {what}": other[1]}
                found[f"{what}: times faster"] = other[0] / own
    return found


def peer(venv: Path | None, what: str, file: str) -> list | None:
    if venv is None:
        return None
    done = subprocess.run(
        [str(venv / "bin" / "python"), "-W", "ignore", "-c", PEER, what, file, ",".join(QUASI), ",".join(COARSE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"pycanon could not run: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def adult(n: int) -> tuple[dict[str, pa.Array], dict[str, list[dict]]]:
    """A generated table of the shape of the Adult census problem: nine attributes, a lattice of 12,960 nodes.

    The census file itself comes in no package that installs, so nothing here is comparable with figures on it.
    """
    rng = np.random.default_rng(1)

    def falling(m: int, a: float) -> np.ndarray:
        weights = 1 / np.arange(1, m + 1) ** a
        return rng.choice(m, n, p=weights / weights.sum())

    def grouped(m: int, *sizes: int) -> list[dict]:
        return [{"map": {str(v): f"g{v * s // m}" for v in range(m)}} for s in sizes] + [{"all": True}]

    columns = {
        "sex": rng.choice(2, n, p=[0.67, 0.33]),
        "age": np.clip((rng.gamma(5, 8, n) + 17).astype(int), 17, 90),
        "race": falling(5, 2.5),
        "marital": falling(7, 1.2),
        "education": falling(16, 1.2),
        "country": falling(41, 2.6),
        "workclass": falling(8, 1.8),
        "occupation": falling(14, 0.5),
        "salary": rng.choice(2, n, p=[0.76, 0.24]),
    }
    steps = {
        "sex": [{"all": True}],
        "age": [{"width": 5}, {"width": 10}, {"width": 20}, {"all": True}],
        "race": [{"all": True}],
        "marital": grouped(7, 3),
        "education": grouped(16, 8, 4),
        "country": grouped(41, 5),
        "workclass": grouped(8, 3),
        "occupation": grouped(14, 5),
        "salary": [{"all": True}],
    }
    return {name: pa.array(column) for name, column in columns.items()}, steps


def generalisation(rows: int, share: float, *, prove: bool) -> dict[str, Any]:
    data, steps = adult(rows)
    limit = int(rows * share)
    con = duckdb.connect()

    def whole() -> tuple:
        columns = [classes.encode(column) for column in data.values()]
        levels = [hierarchy.levels(c, steps[name], con=con) for name, c in zip(data, columns, strict=True)]
        return columns, levels, lattice.search(columns, levels, k=5, limit=limit)

    seconds, (columns, levels, found) = best(whole)
    searching, _ = best(lambda: lattice.search(columns, levels, k=5, limit=limit))
    return {
        "rows": rows,
        "suppression": share,
        "seconds, reading and hierarchies included": seconds,
        "search: seconds": searching,
        "nodes": found.nodes,
        "checked": found.checked,
        "loss": found.loss,
        "suppressed": found.suppressed,
        "proof holds": lattice.verify(columns, levels, found, k=5, limit=limit) if prove else None,
    }


def pseudonyms(ids: int) -> dict[str, Any]:
    secret = os.urandom(32)
    key = keys.derive(secret, "pseudonym")
    numbers = [f"{8001011234560 + 7 * n}" for n in range(ids)]
    loop, expected = best(lambda: [hmac.new(key, i.encode(), hashlib.sha256).hexdigest()[:32] for i in numbers])
    own, found = best(lambda: keys.pseudonyms(secret, numbers))
    assert found == expected
    messages = [i.encode() for i in numbers]
    bare, _ = best(lambda: keys.macs(key, messages))
    return {
        "ids": ids,
        "hmac loop, ids a second": ids / loop,
        "ours, ids a second": ids / own,
        "times a loop": loop / own,
        "HMAC alone, times a loop": loop / bare,
    }


def reading(documents: int) -> dict[str, Any]:
    sys.path.insert(0, str(HERE.parent / "tests" / "unit" / "privacy"))
    import notes_world

    rng = random.Random(2)  # noqa: S311 (drawn notes, no secret)
    notes = [notes_world.note(rng)[0] for _ in range(documents)]
    forms, _ = best(lambda: [texts.find(note, with_names=False) for note in notes])
    everything, _ = best(lambda: [texts.find(note) for note in notes])
    return {
        "documents": documents,
        "characters each": sum(map(len, notes)) / documents,
        "forms and labels, documents a second, one process": documents / forms,
        "with names": documents / everything,
    }


def extracting(cdm: Path) -> dict[str, Any]:
    """A whole extract: every event table of a CDM, everybody who has a condition, gate included."""
    events = ("condition", "drug", "measurement", "procedure", "observation", "visit", "device", "death")
    query = {
        "ansim": "query/1",
        "title": {"ko": "전체", "en": "All"},
        "cohort": {"entry": {"event": "condition", "concepts": [], "descendants": False, "which": "first"}},
        "variables": [
            {"name": "sex", "kind": "sex"},
            {"name": "age_band", "kind": "age_band", "width": 10},
            *({"name": f"n_{event}", "kind": "count", "event": event, "concepts": []} for event in events),
        ],
        "period": {"from": "1900-01-01", "to": "2030-12-31"},
    }
    with duckdb.connect(str(cdm), read_only=True) as con:
        made = plan.compile(
            query, run.cdm_tables(con), data_version="benchmark", policy={"max_suppressed_permille": 200}
        )
    cohort = """(SELECT person_id, min(condition_start_date) AS start_date, min(condition_start_date) + 30 AS end_date
        FROM condition_occurrence GROUP BY person_id)"""
    secret = os.urandom(32)
    nothing = {"source": "", "none": {"title": {}, "icd": [], "snomed": [], "concepts": [], "complete": True}}
    with tempfile.TemporaryDirectory() as folder:
        started, processor = time.perf_counter(), time.process_time()
        manifest = run.extract(
            cdm, query, made, cohort, lambda ids: keys.pseudonyms(secret, ids),
            lambda ids: keys.date_shifts(secret, ids), Path(folder) / "out", codes=nothing,
        )  # fmt: skip
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
    rows = sum(facts["rows"] for facts in manifest["tables"].values())
    return {
        "people": manifest["people"],
        "tables": len(manifest["tables"]),
        "rows": rows,
        "seconds": seconds,
        "rows a second": rows / seconds,
        "processor seconds": processor,
        "rows a processor second": rows / processor,
        "greatest memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--cdm", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    given = parser.parse_args()
    rows = 100_000 if given.quick else 1_000_000
    if given.peers is None:
        print("No --peers: pycanon is skipped (python -m venv VENV && VENV/bin/pip install pycanon).")
    found: dict[str, Any] = {
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "duckdb": duckdb.__version__,
        "numpy": np.__version__,
        "load": os.getloadavg(),
    }
    if given.cdm:  # first, so that its memory is its own
        found["extract"] = extracting(given.cdm)
    found["risk"] = risks(rows, given.peers)
    found["generalisation"] = [
        generalisation(30_000, 0.0, prove=True),
        generalisation(30_000, 0.04, prove=True),
        generalisation(rows, 0.04, prove=False),
    ]
    found["pseudonyms"] = pseudonyms(rows // 2)
    found["texts"] = reading(2000)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "deid.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
