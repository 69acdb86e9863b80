"""`ansim disclosure check` as people type it."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.data.cdm.files import building_cdm
from ansim.errors import Problem

COLD = 40481087


@pytest.fixture(scope="module")
def cdm(tmp_path_factory):
    """300 people with a cold; women are every third; the first five were born long before."""
    path = tmp_path_factory.mktemp("cdm") / "cdm.duckdb"
    with building_cdm(path) as con:
        con.execute(
            "INSERT INTO person (person_id, gender_concept_id, year_of_birth, month_of_birth, day_of_birth, "
            "race_concept_id, ethnicity_concept_id) SELECT i, CASE WHEN i % 3 = 0 THEN 8532 ELSE 8507 END, "
            "CASE WHEN i < 5 THEN 1925 ELSE 1950 + (i % 2) * 20 END, 1, 1, 0, 0 FROM range(300) t(i)"
        )
        con.execute(
            "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, "
            f"condition_start_date, condition_type_concept_id) SELECT i, i, {COLD}, DATE '2015-03-01', 0 "
            "FROM range(300) t(i)"
        )
    return path


def spec(**changes):
    query = {
        "ansim": "query/1",
        "title": {"ko": "감기", "en": "Cold"},
        "cohort": {"entry": {"event": "condition", "concepts": [COLD], "which": "first"}},
        "variables": [{"name": "sex", "kind": "sex"}, {"name": "band", "kind": "age_band", "width": 10}],
        "period": {"from": "2000-01-01", "to": "2020-12-31"},
    }
    table = {"ansim": "table/1", "rows": ["sex"], "columns": [], "measure": {"kind": "count"}}
    return {"query": query, "tables": [table]} | changes


def run(tmp_path, cdm, content, *words):
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True))
    return CliRunner().invoke(app, ["disclosure", "check", str(file), "--cdm", str(cdm), *map(str, words)])


def test_a_safe_table_is_written_and_exits_with_0(tmp_path, cdm):
    done = run(tmp_path, cdm, spec(), "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "table-1.csv").read_text() == "sex,n\nF,100\nM,200\n*,300\n"


def test_what_is_hidden_is_said_and_exits_with_1(tmp_path, cdm):
    table = {"ansim": "table/1", "rows": ["band"], "columns": ["sex"], "measure": {"kind": "count"}}
    done = run(tmp_path, cdm, spec(tables=[table]), "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    oldest = [cell for cell in told["tables"][0]["cells"] if cell["key"][0] == "90-99"]
    assert {cell["n"] for cell in oldest} == {None}
    assert "small-cell" in {rule for cell in oldest for rule in cell["rules"]}
    shown = run(tmp_path, cdm, spec(tables=[table]))
    assert "at least 10" in " ".join(shown.output.split())
    loose = spec(tables=[{**table, "columns": []}], policy={"threshold": 2, "class_percent": 100})
    assert run(tmp_path, cdm, loose).exit_code == 0


def test_a_model_is_judged_by_the_guard(tmp_path, cdm):
    model = {"ansim": "model/1", "kind": "logistic", "outcome": "old", "terms": [{"variable": "age"}]}
    content = spec(models=[model], tables=[])
    born = {
        "name": "old",
        "kind": "flag",
        "event": "condition",
        "concepts": [1],
        "window": {"from_days": 0, "to_days": 0},
    }
    content["query"] = {**content["query"], "variables": [{"name": "age", "kind": "age"}, born]}
    done = run(tmp_path, cdm, content)
    assert "logistic: may" in done.output


@pytest.mark.parametrize("content", [{}, {"tables": []}, ["no"], {"query": {}, "tabels": []}])
def test_a_wrong_specification_is_a_problem(tmp_path, cdm, content):
    done = run(tmp_path, cdm, content)
    assert done.exit_code == 1
    assert isinstance(done.exception, Problem)
