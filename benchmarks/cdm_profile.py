"""The profile beside duckcdm's Achilles, in one run.

    python benchmarks/cdm_profile.py CDM.duckdb [--alone]

The peer lives in an environment of its own, named by ANSIM_PEER_PYTHON:
    python -m venv peer && peer/bin/pip install duckcdm==0.4.7 duckdb==2.0.0
It runs on a copy of the CDM, since it writes its results into it. --alone skips it (at 1 million people it was stopped
after 400 s and 16 GB). CPU seconds stand beside the wall clock: on a shared machine they are the steadier figure.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from ansim.data.engine import DuckDB
from ansim.data.profile import profile

MEMORY = "7GB"
RESULTS = Path(__file__).parent / "results" / "profile.json"
PEER = """
import sys, time, duckdb
from duckcdm.achilles import run_achilles
con = duckdb.connect(sys.argv[1])
con.execute("SET memory_limit = '7GB'; SET enable_progress_bar = false")
con.execute("CREATE SCHEMA IF NOT EXISTS results")
started = time.perf_counter()
failed = run_achilles(con, cdm_schema="main", results_schema="results", cdm_version="5.4", log=lambda text: None)
print("seconds", time.perf_counter() - started, "failed", len(failed or []))
"""


def cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ours(cdm: Path) -> dict:
    engine = DuckDB(cdm, memory=MEMORY)
    people = engine.rows("SELECT COUNT(*) FROM person")[0][0]
    started, before = time.perf_counter(), cpu(resource.RUSAGE_SELF)
    told = profile(engine, threshold=10, base=5)
    return {
        "people": people,
        "s": round(time.perf_counter() - started, 2),
        "cpu s": round(cpu(resource.RUSAGE_SELF) - before, 2),
        "MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "variables": len(told["variables"]),
    }


def peer(cdm: Path) -> dict | None:
    python = os.environ.get("ANSIM_PEER_PYTHON")
    if not python:
        print("duckcdm is skipped: see this file's head for how to install it.", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(cdm, folder))
        started, before = time.perf_counter(), cpu(resource.RUSAGE_CHILDREN)
        done = subprocess.run([python, "-c", PEER, str(copy)], capture_output=True, text=True)
        wall = time.perf_counter() - started
    if done.returncode:
        print(f"duckcdm failed: {done.stderr[-500:]}", file=sys.stderr)
        return None
    words = done.stdout.splitlines()[-1].split()
    return {
        "s": round(float(words[words.index("seconds") + 1]), 2),
        "with its start s": round(wall, 2),
        "cpu s": round(cpu(resource.RUSAGE_CHILDREN) - before, 2),
        "MB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "failed analyses": int(words[words.index("failed") + 1]),
    }


def main(cdm: Path, alone: bool) -> dict:
    found: dict = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, DuckDB {duckdb.__version__}"}
    found["ansim"] = ours(cdm)
    found["duckcdm 0.4.7"] = theirs = None if alone else peer(cdm)
    if theirs:
        found["times faster"] = round(theirs["s"] / found["ansim"]["s"], 1)
        found["times less CPU"] = round(theirs["cpu s"] / found["ansim"]["cpu s"], 1)
    return found


if __name__ == "__main__":
    given = Path(sys.argv[1])
    result = main(given, "--alone" in sys.argv)
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    held[given.stem] = result
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(held, indent=1) + "\n")
    print(json.dumps(result, indent=1))
