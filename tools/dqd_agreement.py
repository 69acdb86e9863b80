"""Writes docs/data/dqd-agreement.csv: DQD's verdict and counts on GiBleed beside ours, check by check.

    python tools/dqd_agreement.py [../shared]

Needs the founders' shared folder (oracles/dqd/gibleed.csv, data/gibleed); says so and stops without it.
"""

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ansim.data.cdm import create_tables
from ansim.data.quality import assess

NAMES = {"notApplicable": "not_applicable", "isError": "error", "failed": "fail"}
OUT = Path(__file__).parents[1] / "docs" / "data" / "dqd-agreement.csv"


def main(shared: Path) -> None:
    oracle = shared / "oracles" / "dqd" / "gibleed.csv"
    if not oracle.exists():
        sys.exit(f"{oracle} is not here; the committed table stays as it is.")
    with duckdb.connect() as con:
        create_tables(con)
        for file in sorted((shared / "data" / "gibleed").glob("*.parquet")):
            con.execute(f"INSERT INTO {file.stem} BY NAME SELECT * FROM '{file}'")
        mine = {one.id: one for one in assess(con, now=datetime(2026, 1, 15, tzinfo=UTC))}
    rows = []
    with oracle.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            one = mine[row["checkId"]]
            verdict = next((word for name, word in NAMES.items() if row[name] == "1"), "pass")
            theirs = [verdict, row["numViolatedRows"], row["numDenominatorRows"]]
            ours = [one.verdict, *("" if n is None else str(n) for n in (one.violated, one.denominator))]
            same = "yes" if theirs == ours or (theirs[0] == ours[0] == "not_applicable") else "no"
            rows.append([row["checkId"], *theirs, *ours, same])
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        head = ["check", "dqd", "dqd_violated", "dqd_of", "ansim", "ansim_violated", "ansim_of", "same"]
        writer.writerows([head, *rows])
    print(f"{len(rows)} checks, {sum(row[-1] == 'no' for row in rows)} differ")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared")
