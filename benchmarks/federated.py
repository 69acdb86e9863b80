"""Federated rounds over real sites: how long a round takes, with everything durable, signed and on the ledgers.

usage: benchmarks/federated.py [rounds] [people] [nodes]     each alone, or all three without an argument

rounds: two and ten holders, k-means over small data, from one question to the next as the centre's own record has them.
people: a logistic regression over three sites of 100,000 people each with ten covariates (masked sums).
nodes: forty holders; how long a run takes beyond its slowest node, and with one in four killed mid-way (a job that
says that a part will do is answered once those are started again: nothing is lost).
Peers: published and measured figures stand in docs; Flower 1.41 deployed took 6.1-13.1 s a round, NVFLARE 2.9 2.5 s.
"""

import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sites_running import FLAGS, Sites

RESULTS = Path(__file__).parent / "results" / "federated.json"
CLUSTERS = {
    "ansim": "analysis/1", "kind": "kmeans", "variables": ["heat", "pulse"], "clusters": 4,
    "start": [[-30, -20], [0, 5], [10, 15], [40, 50]],
}  # fmt: skip
MODEL = {
    "ansim": "model/1", "kind": "logistic", "outcome": "ill",
    "terms": [{"variable": "age", "scale": [50, 10]}, {"variable": "sex", "levels": ["F", "M"]},
              *({"variable": name} for name in FLAGS)],
}  # fmt: skip


def durations(data: dict) -> list[float]:
    """Milliseconds from each question of the centre to the next; the first, which admits and prepares, apart."""
    asked = [datetime.fromisoformat(each["asked"]) for each in data["rounds"]]
    asked.append(datetime.fromisoformat(data["rounds"][-1]["answered"]))
    return [(later - earlier).total_seconds() * 1000 for earlier, later in itertools.pairwise(asked)]


def rounds(folder: Path, nodes: int, repeats: int = 5) -> dict:
    sites = Sites(folder / f"rounds-{nodes}", nodes, 400)
    sites.start()
    try:
        sites.run("kmeans", CLUSTERS)  # warm
        before, later, first = sites.cpu(), [], []
        for _ in range(repeats):
            data = sites.run("kmeans", CLUSTERS)
            if data["status"] != "checking":
                raise RuntimeError(data["message"])
            each = durations(data)
            first.append(each[0])
            later += each[1:]
        after = sites.cpu()
    finally:
        sites.stop()
    count = len(later) + len(first)
    return {
        "nodes": nodes,
        "masked": data["masked"],
        "rounds": len(later),
        "first round, ms (median)": round(statistics.median(first)),
        "round, ms (median)": round(statistics.median(later), 1),
        "round, ms (fastest)": round(min(later), 1),
        "round, ms (p95)": round(statistics.quantiles(later, n=20)[-1], 1),
        "CPU ms a round, all sites": {
            kind: round((after[kind] - before[kind]) / count * 1000, 1) for kind in after
        },
    }  # fmt: skip


def people(folder: Path, each: int = 100_000) -> dict:
    sites = Sites(folder / "people", 3, each)
    sites.start()
    try:
        sites.run("logistic", MODEL, 300)  # warm
        started = time.monotonic()
        data = sites.run("logistic", MODEL, 300)
        whole = time.monotonic() - started
    finally:
        sites.stop()
    each_round = durations(data)
    return {
        "people": 3 * each,
        "covariates": 10,
        "rounds": len(each_round),
        "from the question to the result in the output check, s": round(whole, 2),
        "first round (admission, cohort, frame), s": round(each_round[0] / 1000, 2),
        "later rounds, ms": [round(one) for one in each_round[1:]],
    }


def nodes(folder: Path, count: int = 40) -> dict:
    sites = Sites(folder / "nodes", count, 200, witness_seconds=60.0)
    sites.start()
    try:
        sites.run("kmeans", CLUSTERS, 600)
        data = sites.run("kmeans", CLUSTERS, 600)
        calm = durations(data)
        run = sites.ask("kmeans", CLUSTERS)
        killed = sites.holders[::4]
        for holder in killed:
            sites.running.kill(holder)
        time.sleep(2)
        sites.running.start(only=killed)
        until = time.monotonic() + 600
        while (data := sites.record(run)).get("status") in (None, "running", "finishing"):
            if time.monotonic() > until:
                raise TimeoutError(str(data))
            time.sleep(0.2)
    finally:
        sites.stop()
    return {
        "nodes": count,
        "round, ms (median)": round(statistics.median(calm[1:]), 1),
        "killed and started again": len(killed),
        "run after the kill ended": data["status"],
    }


def main(wanted: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ansim-bench-"))
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    load = os.getloadavg()[0]
    if "rounds" in wanted:
        found["rounds"] = [rounds(folder, count) for count in (2, 10)]
    if "people" in wanted:
        found["people"] = people(folder)
    if "nodes" in wanted:
        found["nodes"] = nodes(folder)
    found["machine"] = {
        "cores": os.cpu_count(), "python": platform.python_version(), "at": datetime.now(UTC).isoformat(),
        "load before": load, "load after": os.getloadavg()[0],
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:] or ["rounds", "people", "nodes"])
