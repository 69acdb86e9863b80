"""`ansim quality` writes what it found, and its exit status says whether every check ran."""

import json

import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.data.cdm import building_cdm

runner = CliRunner()


@pytest.fixture
def cdm(tmp_path):
    path = tmp_path / "cdm.duckdb"
    with building_cdm(path) as con:
        con.execute(
            "INSERT INTO person BY NAME SELECT i AS person_id, 8507 AS gender_concept_id, 2050 + i AS year_of_birth, "
            "0 AS race_concept_id, 0 AS ethnicity_concept_id FROM range(1, 101) t(i)"
        )
    return path


def test_results_are_shown_and_written(cdm, tmp_path):
    table = tmp_path / "site.toml"
    table.write_text('["field_isforeignkey_person_gender_concept_id"]\noff = true\n', encoding="utf-8")
    out = tmp_path / "results.json"
    done = runner.invoke(app, ["quality", str(cdm), "--dqd", str(out), "--site-table", str(table)])
    assert done.exit_code == 0, done.output
    assert "2,375 checks" in done.output
    rows = {row["checkId"]: row for row in json.loads(out.read_text("utf-8"))["CheckResults"]}
    births = rows["field_plausiblevaluehigh_person_year_of_birth"]
    assert (births["failed"], births["numDenominatorRows"]) == (1, 100)
    assert "field_isforeignkey_person_gender_concept_id" not in rows


def test_a_wrong_site_table_stops_before_anything_runs(cdm, tmp_path):
    table = tmp_path / "site.toml"
    for text in ('["field_cdmfield_person_person_id"]\nthreshold = 101\n', '["no_such_check"]\nthreshold = 1\n'):
        table.write_text(text, encoding="utf-8")
        done = runner.invoke(app, ["quality", str(cdm), "--site-table", str(table)])
        assert done.exit_code != 0


def test_a_check_that_cannot_run_is_no_success(cdm):
    import duckdb

    with duckdb.connect(str(cdm)) as con:
        con.execute("ALTER TABLE death DROP COLUMN death_date")
        con.execute(
            "INSERT INTO visit_occurrence (visit_occurrence_id, person_id, visit_start_date) "
            "VALUES (1, 1, '2020-01-01')"
        )
    done = runner.invoke(app, ["quality", str(cdm)])
    assert done.exit_code == 1
    assert "death.person_id.death_date is missing" in done.output.replace("\n", " ")
