"""Cohorts: ours beside the SQL of OHDSI's Circe (as duckcdm writes it), on the same DuckDB file, in one run.

    python benchmarks/cohort.py CDM.duckdb --peer PEER/bin/python [--only 01,02] [--threads 2]

The peer stands in a virtual environment of its own: `python -m venv PEER && PEER/bin/pip install duckcdm==0.4.7`.
Without it only our figures are printed. Each definition of `benchmarks/cohorts` is run by both, in turn, and their rows
are compared. Seconds by the clock and CPU seconds (of all threads): on a busy machine only the second say something.
Ours include the look-up of the concept sets, the compilation and the rows in Arrow tables; the peer's SQL is made
beforehand and writes its rows into a table in memory. At the end all definitions at once.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import duckdb

from ansim.data.engine import DuckDB, generate
from ansim.research.cohort.definition import circe_write, reading, run
from ansim.research.cohort.definition.compile import Plan
from ansim.research.cohort.definition.sets import look_up, share

HERE = Path(__file__).parent
PEER = """
import json, sys
from duckcdm.circe import build_cohort_query
from duckcdm.sqlrender import render, translate
names = dict(cdm_schema="cdm.main", vocabulary_schema="cdm.main", target_table="result.cohort", cohort_id=1)
made = {key: translate(render(build_cohort_query(json.dumps(given), **names)), "duckdb")
        for key, given in json.load(sys.stdin).items()}
json.dump(made, sys.stdout)
"""


def clocks() -> tuple[float, float]:
    used = os.times()
    return time.perf_counter(), used.user + used.system


def timed(work) -> tuple[object, float, float]:
    wall, cpu = clocks()
    found = work()
    wall_after, cpu_after = clocks()
    return found, wall_after - wall, cpu_after - cpu


def peer_sql(python: str | None, definitions: dict) -> dict[str, str]:
    if python is None or not Path(python).exists():
        print("No peer: give --peer the Python of an environment with duckcdm==0.4.7.")
        return {}
    given = json.dumps({name: circe_write.write(each) for name, each in definitions.items()})
    made = subprocess.run([python, "-c", PEER], input=given, capture_output=True, text=True, check=True)
    return json.loads(made.stdout)


def peer(cdm: str, sql: str, threads: int) -> tuple[float, float, list]:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{cdm}' AS cdm (READ_ONLY); SET threads = {threads}; ATTACH ':memory:' AS result")
        con.execute("CREATE TABLE result.cohort (cohort_definition_id INT, subject_id BIGINT, "
                    "cohort_start_date DATE, cohort_end_date DATE)")  # fmt: skip
        _, wall, cpu = timed(lambda: con.execute(sql))
        columns = "subject_id::BIGINT, cohort_start_date::DATE, cohort_end_date::DATE"
        return wall, cpu, con.execute(f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM result.cohort").fetchall()


def ours(cdm: str, definitions: list, threads: int) -> tuple[float, float, float, list]:
    """Seconds, CPU seconds, seconds of the compilation alone, and the fingerprint of each cohort's rows."""
    engine = DuckDB(cdm, threads=threads)
    try:
        tables, wall, cpu = timed(lambda: run.cohorts(engine, definitions))
        shared = share(definitions)
        look_up(engine, shared)
        columns = engine.columns()

        def compile_all() -> None:
            for place in range(len(definitions)):
                generate(run.statement(Plan(columns, shared.members), shared, [place]), "duckdb")

        _, compiling, _ = timed(compile_all)
    finally:
        engine.close()
    prints = []
    with duckdb.connect() as con:
        for rows in tables:
            con.register("found", rows)
            text = "SELECT count(*), sum(hash(person_id::BIGINT, start_date, end_date)::HUGEINT) FROM found"
            prints.append(con.execute(text).fetchall())
    return wall, cpu, compiling, prints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cdm")
    parser.add_argument("--peer")
    parser.add_argument("--only", default="", help="the first digits of definitions, with commas")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    chosen = tuple(filter(None, given.only.split(",")))
    paths = [p for p in sorted((HERE / "cohorts").glob("*.yaml")) if not chosen or p.stem.startswith(chosen)]
    definitions = {path.stem: reading.read(path.read_bytes()) for path in paths}
    sql = peer_sql(given.peer, definitions)
    figures = {}
    print(
        f"{'definition':34} {'rows':>10} {'peer s':>8} {'ours s':>8} {'peer cpu':>9} {'ours cpu':>9} {'times':>6} equal"
    )
    for name, definition in definitions.items():
        wall, cpu, compiling, (print_of,) = ours(given.cdm, [definition], given.threads)
        figure = {"rows": print_of[0][0], "ours": wall, "ours_cpu": cpu, "compile_ms": compiling * 1000}
        if name in sql:
            peer_wall, peer_cpu, peer_print = peer(given.cdm, sql[name], given.threads)
            figure |= {"peer": peer_wall, "peer_cpu": peer_cpu, "equal": peer_print == print_of}
        figures[name] = figure
        theirs, theirs_cpu = figure.get("peer", 0.0), figure.get("peer_cpu", 0.0)
        seconds = f"{theirs:8.2f} {wall:8.2f} {theirs_cpu:9.2f} {cpu:9.2f} {theirs_cpu / cpu:6.1f}"
        print(f"{name:34} {figure['rows']:>10,} {seconds} {figure.get('equal', '')}", flush=True)
    wall, cpu, _, _ = ours(given.cdm, list(definitions.values()), given.threads)
    summary = {"together": wall, "together_cpu": cpu, "compile_ms_most": max(f["compile_ms"] for f in figures.values())}
    if sql:
        for key in ("", "_cpu"):
            logs = [math.log(each[f"peer{key}"] / each[f"ours{key}"]) for each in figures.values()]
            summary[f"times{key}"] = math.exp(sum(logs) / len(logs))
            summary[f"together_times{key}"] = sum(f[f"peer{key}"] for f in figures.values()) / summary[f"together{key}"]
        summary["all_equal"] = all(each["equal"] for each in figures.values())
    for key, value in summary.items():
        print(f"{key}: {value:.2f}" if isinstance(value, float) else f"{key}: {value}")
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "duckdb": version("duckdb")}
    result = {"cdm": Path(given.cdm).name, "machine": machine, "summary": summary, "definitions": figures}
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "cohort.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
