"""`ansim cohort`: run, explain and convert as a person types them."""

import csv
import json
from datetime import date

import duckdb
import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem

DEFINITION = """\
ansim: cohort/1
title: Sinusitis treated
sets:
- {name: sinusitis, concepts: [1]}
- {name: antibiotic, concepts: [2]}
entry: {events: [{condition_occurrence: {concepts: sinusitis}}]}
rules:
- name: Antibiotic within a week
  where: {all: [{at_least: 1, of: {drug_exposure: {concepts: antibiotic}}, window: {from: 0, to: 7}}]}
end: {after: start, days: 10}
"""


@pytest.fixture
def cdm(tmp_path):
    path = tmp_path / "cdm.duckdb"
    con = duckdb.connect(str(path))
    con.execute(
        "CREATE TABLE person AS SELECT unnest([1, 2]) AS person_id, 1990 AS year_of_birth, 8507 AS gender_concept_id"
    )
    con.execute("CREATE TABLE concept AS SELECT unnest([1, 2]) AS concept_id, NULL::VARCHAR AS invalid_reason")
    con.execute(
        "CREATE TABLE observation_period AS SELECT unnest([1, 2]) AS person_id, DATE '2020-01-01' AS "
        "observation_period_start_date, DATE '2020-12-31' AS observation_period_end_date"
    )
    con.execute(
        "CREATE TABLE condition_occurrence AS SELECT * FROM (VALUES (1, 1, 1, DATE '2020-03-01'), "
        "(2, 2, 1, DATE '2020-03-01'), (3, 2, 1, DATE '2020-12-28')) "
        "t(condition_occurrence_id, person_id, condition_concept_id, condition_start_date)"
    )
    con.execute(
        "CREATE TABLE drug_exposure AS SELECT * FROM (VALUES (1, 1, 2, DATE '2020-03-08'), "
        "(2, 2, 2, DATE '2020-03-09'), (3, 2, 2, DATE '2020-12-29')) "
        "t(drug_exposure_id, person_id, drug_concept_id, drug_exposure_start_date)"
    )
    con.close()
    return path


def ansim(*arguments):
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)])


def table(path):
    return list(csv.reader(path.read_text().splitlines()))


def test_run_writes_the_rows_and_the_attrition(cdm, tmp_path):
    (tmp_path / "treated.yaml").write_text(DEFINITION)
    made = ansim("convert", tmp_path / "treated.yaml", "--to", "circe", "--output", tmp_path / "other.json")
    assert made.exit_code == 0
    result = ansim(
        "run", tmp_path / "treated.yaml", tmp_path / "other.json", "--cdm", cdm, "--output", tmp_path / "rows.csv",
        "--attrition", tmp_path / "flow",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = table(tmp_path / "rows.csv")
    assert rows[0] == ["definition", "person_id", "start_date", "end_date"]
    assert rows[1:3] == [["treated", "1", "2020-03-01", "2020-03-11"], ["treated", "2", "2020-12-28", "2020-12-31"]]
    assert [row[1:] for row in rows[3:]] == [row[1:] for row in rows[1:3]]
    steps = table(tmp_path / "flow" / "treated.csv")
    assert steps[1:] == [["entry", "", "3", "2"], ["rules[0]", "Antibiotic within a week", "2", "2"]]
    figure = (tmp_path / "flow" / "treated.svg").read_text()
    assert "Antibiotic within a week" in figure
    assert "Left out: 0 people (1 events)" in figure
    assert date.fromisoformat(rows[1][2])


def test_a_wrong_definition_leaves_no_file(cdm, tmp_path):
    (tmp_path / "wrong.yaml").write_text(DEFINITION.replace("drug_exposure", "medicine"))
    result = ansim("run", tmp_path / "wrong.yaml", "--cdm", cdm, "--output", tmp_path / "rows.csv")
    assert isinstance(result.exception, Problem)
    assert "wrong.yaml: rules[0].where.all[0].of.medicine" in str(result.exception)
    assert not list(tmp_path.glob("rows*"))


def test_explain_and_convert(tmp_path):
    (tmp_path / "treated.yaml").write_text(DEFINITION)
    assert "Rule 1: Antibiotic within a week" in ansim("explain", tmp_path / "treated.yaml").output
    assert "규칙 1" in ansim("explain", tmp_path / "treated.yaml", "--language", "ko").output
    written = ansim("convert", tmp_path / "treated.yaml", "--to", "circe").output
    assert json.loads(written)["EndStrategy"] == {"DateOffset": {"DateField": "StartDate", "Offset": 10}}
    (tmp_path / "circe.json").write_text(written)
    assert "antibiotic" in ansim("convert", tmp_path / "circe.json", "--to", "yaml").output
    assert ansim("convert", tmp_path / "circe.json", "--to", "word").exit_code == 2
