"""How fast and in how much memory `ansim load` loads: OMOP CSV rows a second, FHIR resources a second, one big file.

    python benchmarks/load.py CDM.duckdb [--people 20000] [--folder FOLDER]

CDM.duckdb is any OMOP CDM 5.4 in a DuckDB file, best a large one; it is only read. Its tables of people, eras among
them, are written out as CSV, and those of the first people as FHIR NDJSON; then both are loaded, each in a process of
its own, whose peak memory is measured.
The figures are wall time and processor time: on a busy machine the second tells what an idle one could do (rows a
processor second, times the cores). No peer does the same work: the nearest (DuckDB's own COPY of the same CSV files
into typed tables, without refusals, keys, trace or versions) stands beside as the floor.
"""

import argparse
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

from ansim.data.cdm import literal, quoted, tables
from ansim.data.ingest.fhir_write import write_fhir

RESULT = Path(__file__).parent / "results" / "load.json"
MEMORY = "2500MB"  # DuckDB's own limit; the process may take some more
CORES = 2
CLINICAL = (
    "person",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "measurement",
    "observation",
    "observation_period",
    "condition_era",
    "drug_era",
)
FHIR = ("person", "visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement")
VOCABULARY = ("concept", "concept_relationship", "vocabulary", "domain")


def cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def write_csv(cdm: Path, folder: Path) -> tuple[int, int]:
    """(rows, bytes) of the clinical tables as CSV."""
    folder.mkdir(parents=True)
    con = duckdb.connect(str(cdm), read_only=True)
    rows = 0
    for name in CLINICAL:
        con.execute(f"COPY {quoted(name)} TO {literal(str(folder / f'{name}.csv'))} (HEADER)")
        rows += con.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()[0][0]
    con.close()
    return rows, sum(path.stat().st_size for path in folder.iterdir())


def write_resources(cdm: Path, people: int, folder: Path, work: Path) -> tuple[int, int, Path]:
    """(resources, bytes) of the first people as FHIR, and a CDM with the vocabulary to map them by.

    Repeated keys of the source get numbers of their own: a FHIR id that stands twice would be refused.
    """
    some, vocabulary = work / "some.duckdb", work / "vocabulary.duckdb"
    for path, personal in ((some, True), (vocabulary, False)):
        con = duckdb.connect(str(path))
        con.execute(f"ATTACH {literal(str(cdm))} AS whole (READ_ONLY)")
        for table in tables().values():
            columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
            con.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")
            if table.group == "vocabulary" or (personal and table.name in FHIR):
                key = table.key if personal and table.personal and table.key != "person_id" else None
                first = f"WHERE person_id IN (SELECT person_id FROM whole.person ORDER BY 1 LIMIT {people})"
                replace = f" REPLACE (row_number() OVER () AS {quoted(key)})" if key else ""
                con.execute(
                    f"INSERT INTO {quoted(table.name)} BY NAME SELECT *{replace} FROM whole.{quoted(table.name)} "
                    f"{first if table.personal else ''}"
                )
        con.close()
    con = duckdb.connect(str(some), read_only=True)
    counts = write_fhir(con, folder)
    con.close()
    return sum(counts.values()), sum(path.stat().st_size for path in folder.iterdir()), vocabulary


LOAD = """
import json, resource, sys, time
from pathlib import Path
from ansim.data.ingest.load import Options, load
source, into, memory, threads, vocabulary = sys.argv[1:6]
options = Options("2026-01-01T00:00:00+00:00", memory=memory, threads=int(threads), refuse_above=1.0,
                  vocabulary=Path(vocabulary) if vocabulary else None)
began, steps = time.perf_counter(), []
def progress(text):
    steps.append((text, round(time.perf_counter() - began, 2)))
result = load([source], Path(into), options, progress=progress)
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
report = result.report
print(json.dumps({"seconds": round(wall, 2), "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
    "peak_mb": round(used.ru_maxrss / 1024), "rows_in": report["rows_in"], "loaded": report["loaded"],
    "refused": report["refused"], "steps": steps}))
"""


def loaded(source: Path, into: Path, vocabulary: Path | None = None) -> dict:
    into.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", LOAD, str(source), str(into), MEMORY, str(CORES), str(vocabulary or "")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def floor(source: Path, cdm: Path, into: Path) -> dict:
    """DuckDB's own COPY of the same files into tables of the same types."""
    con = duckdb.connect(str(into), config={"threads": CORES, "memory_limit": MEMORY})
    con.execute(f"ATTACH {literal(str(cdm))} AS whole (READ_ONLY)")
    for name in CLINICAL:
        con.execute(f"CREATE TABLE {quoted(name)} AS FROM whole.{quoted(name)} LIMIT 0")
    began, before = time.perf_counter(), cpu(resource.RUSAGE_SELF)
    for name in CLINICAL:
        con.execute(f"COPY {quoted(name)} FROM {literal(str(source / f'{name}.csv'))} (HEADER)")
    con.execute("CHECKPOINT")
    found = {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(cpu(resource.RUSAGE_SELF) - before, 2),
    }
    con.close()
    return found


def rates(found: dict, rows: int, size: int) -> dict:
    return {
        **found,
        "rows": rows,
        "bytes": size,
        "per_second": round(rows / found["seconds"]),
        "per_processor_second": round(rows / found["processor_seconds"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cdm", type=Path)
    parser.add_argument("--people", type=int, default=20_000, help="people to write as FHIR")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    given = parser.parse_args()
    work = given.folder or Path(tempfile.mkdtemp(prefix="ansim-load-bench-"))
    try:
        rows, size = write_csv(given.cdm, work / "csv")
        omop = rates(loaded(work / "csv", work / "omop" / "cdm.duckdb"), rows, size)
        again = loaded(work / "csv", work / "omop" / "cdm.duckdb")
        copy = rates(floor(work / "csv", given.cdm, work / "floor.duckdb"), rows, size)
        shutil.rmtree(work / "csv")
        count, size, vocabulary = write_resources(given.cdm, given.people, work / "fhir", work)
        fhir = rates(loaded(work / "fhir", work / "c" / "cdm.duckdb", vocabulary), count, size)
    finally:
        if given.folder is None:
            shutil.rmtree(work)
    result = {
        "machine": {
            "cores_used": CORES,
            "processor": platform.processor() or platform.machine(),
            "load": os.getloadavg(),
        },
        "versions": {"python": platform.python_version(), "duckdb": duckdb.__version__},
        "omop_csv": omop,
        "omop_csv_again_unchanged": again["seconds"],
        "duckdb_copy_alone": copy,
        "fhir_ndjson": fhir,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name in ("omop_csv", "duckdb_copy_alone", "fhir_ndjson"):
        told = result[name]
        print(
            f"{name:20} {told['rows']:>12,} rows {told['bytes'] / 1e6:>9,.0f} MB {told['seconds']:>8} s "
            f"{told['per_second']:>10,}/s {told['per_processor_second']:>10,}/processor s "
            f"{told.get('peak_mb', ''):>6} MB"
        )
    print(f"the same CSV again, unchanged: {again['seconds']} s; load of the machine: {os.getloadavg()}")


if __name__ == "__main__":
    main()
