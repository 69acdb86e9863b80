"""Quality: every check of DQD 2.8 on a CDM, in wall time and peak memory, beside what DQD's own SQL costs there.

On a machine that others use too, compare the processor seconds and the ratio of the two sides, not the wall time.

    python benchmarks/quality.py CDM.duckdb … [--memory 8GB]

Peer. No Python package runs DQD's checks on DuckDB today; the side of the peer is measured as its own SQL for the four
families that cost it most (datatypes, keys, references, sexes), one query a check, as its templates say, in this
process and on these data; the published whole-run figures stand in docs/data/quality.md.
Each CDM is opened read-only in a process of its own. Writes results/quality.json.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "quality.json"
FAMILIES = ("cdmDatatype", "isPrimaryKey", "isForeignKey", "plausibleGender")


def run(cdm: str, memory: str, side: str) -> dict:
    """One side on one CDM, in this process."""
    from ansim.data.engine import DuckDB
    from ansim.data.quality import all_checks, assess, checks

    engine = DuckDB(cdm, memory=memory, threads=2)
    rows = engine.rows("SELECT sum(estimated_size) FROM duckdb_tables()")[0][0]
    started = time.perf_counter()
    if side == "ours":
        results = assess(engine, now=datetime.now(UTC))
        told = {verdict: sum(one.verdict == verdict for one in results) for verdict in ("pass", "fail", "error")}
        told["checks"] = len(results)
    elif side == "ours, same families":
        told = {"checks": len(assess(engine, now=datetime.now(UTC), chosen=_families(checks()))), "violated": 0}
    else:
        columns = engine.columns()
        chosen = [one for one in _families(all_checks()) if one.field in columns.get(one.table, {})]
        told = {"checks": len(chosen), "violated": sum(_peer(engine, one) for one in chosen)}
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return {
        "side": side,
        "cdm": Path(cdm).name,
        "rows": rows,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(peak),
        **told,
    }


def _families(some) -> list:
    return [one for one in some if one.type in FAMILIES]


def _peer(engine, check) -> int:
    """One check as DQD asks it: two counts in one query, over the whole table."""
    table, field = check.table, f't."{check.field}"'
    if check.type == "cdmDatatype":
        broken = f"WHERE NOT regexp_matches(CAST({field} AS VARCHAR), '^-?[0-9]+$') AND {field} IS NOT NULL"
    elif check.type == "isPrimaryKey":
        key = f'"{check.field}"'
        broken = f"WHERE {field} IN (SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1)"
    elif check.type == "isForeignKey":
        target, _, key = check.argument.partition(".")
        broken = f"LEFT JOIN {target} r ON {field} = r.{key} WHERE r.{key} IS NULL AND {field} IS NOT NULL"
    else:
        broken = (
            f"JOIN person p ON t.person_id = p.person_id WHERE {field} = {check.concepts[0]} "
            f"AND p.gender_concept_id <> {check.argument}"
        )
    among = f"WHERE {field} = {check.concepts[0]}" if check.concepts else ""
    query = f"SELECT (SELECT count(*) FROM {table} t {broken}), (SELECT count(*) FROM {table} t {among})"
    return engine.rows(query)[0][0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cdm", nargs="+")
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--side", default="")
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args()
    if given.side:
        print(json.dumps(run(given.cdm[0], given.memory, given.side)))
        return
    sides = ["ours"] if given.no_peer else ["ours", "ours, same families", "DQD's SQL, same families"]
    found = []
    for cdm in given.cdm:
        for side in sides:
            command = [sys.executable, __file__, cdm, "--memory", given.memory, "--side", side]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout))
            one = found[-1]
            print(
                f"{one['cdm']:22} {side:26} {one['checks']:5} checks {one['seconds']:8.2f} s wall "
                f"{one['cpu_seconds']:8.2f} s of processor {one['peak_mb']:6} MB"
            )
    made = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "machine": platform.machine(), "python": platform.python_version(), "load": os.getloadavg(), "runs": found,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(made, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
