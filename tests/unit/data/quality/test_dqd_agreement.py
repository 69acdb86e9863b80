"""The verdicts of OHDSI's DataQualityDashboard 2.8.4 on GiBleed, check by check; what differs is listed."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ansim.data.cdm import create_tables
from ansim.data.engine import DuckDB
from ansim.data.quality import assess
from ansim.data.quality.dqd import as_dqd, read_dqd, source_of
from ansim.errors import Problem

SHARED = Path(__file__).parents[5] / "shared"
ORACLE = SHARED / "oracles" / "dqd" / "gibleed.csv"
NOW = datetime(2026, 1, 15, tzinfo=UTC)
# docs/data/quality.md says why.
NEGATIVE_IS_NO_NUMBER = {"field_cdmdatatype_drug_era_gap_days"}
NO_COHORT_TABLES = {"cohort", "cohort_definition"}


@pytest.fixture(scope="module")
def gibleed():
    if not ORACLE.exists():
        pytest.skip("needs ../shared/oracles/dqd and ../shared/data/gibleed")
    with duckdb.connect() as con:
        create_tables(con)
        for file in (SHARED / "data" / "gibleed").glob("*.parquet"):
            con.execute(f"INSERT INTO {file.stem} BY NAME SELECT * FROM '{file}'")
        yield con


def told(row: dict) -> tuple:
    verdict = next((name for name in ("notApplicable", "isError", "failed") if row[name] == "1"), "passed")
    return verdict, row["numViolatedRows"], row["numDenominatorRows"]


def test_every_verdict_and_count_is_the_oracles_but_for_those_listed(gibleed):
    mine = {one.id: one for one in assess(gibleed, now=NOW)}
    names = {"not_applicable": "notApplicable", "error": "isError", "fail": "failed", "pass": "passed"}
    differ = set()
    with ORACLE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        one = mine[row["checkId"]]
        counts = ["" if n is None else str(n) for n in (one.violated, one.denominator)]
        assert float(row["thresholdValue"] or -1) == (-1 if one.check.threshold is None else one.check.threshold)
        if (names[one.verdict], *counts) != told(row):
            differ.add(row["checkId"])
    of_cohorts = {one.id for one in mine.values() if one.check.table in NO_COHORT_TABLES}
    assert len(rows) == 2374
    assert differ - of_cohorts == NEGATIVE_IS_NO_NUMBER
    assert mine.keys() - {row["checkId"] for row in rows} == {
        "field_cdmfield_note_nlp_offset", "field_measurevaluecompleteness_note_nlp_offset"
    }  # fmt: skip


def test_results_are_written_and_read_as_dqd_json(gibleed, tmp_path):
    results = assess(gibleed, now=NOW)
    whole = as_dqd(results, started=NOW, ended=NOW, source=source_of(DuckDB(gibleed)))
    path = tmp_path / "results.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    again = {one.id: one for one in read_dqd(path)}
    assert {id: (one.verdict, one.violated, one.denominator) for id, one in again.items()} == {
        one.id: (one.verdict, one.violated, one.denominator) for one in results
    }
    assert whole["Overview"]["countTotal"] == len(whole["CheckResults"]) == len(results)
    assert whole["Overview"]["countOverallFailed"] == sum(row["failed"] for row in whole["CheckResults"])
    assert whole["Metadata"][0]["cdmSourceName"]
    worst = next(
        row for row in whole["CheckResults"] if row["checkId"] == "field_isforeignkey_observation_period_person_id"
    )
    assert (worst["failed"], worst["numViolatedRows"], worst["pctViolatedRows"]) == (1, 2649, 0.495789)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(Problem, match="DataQualityDashboard"):
        read_dqd(path)
