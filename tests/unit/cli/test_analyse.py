"""`ansim analyse` on files: the pooled result, clear errors, and exit codes."""

import json

import duckdb
import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.research.analysis.examples import example
from ansim.research.cohort.compile import frame
from ansim.research.cohort.query import parse

run = CliRunner()
QUERY = {
    "ansim": "query/1",
    "title": {"ko": "시험", "en": "Trial"},
    "cohort": {"entry": {"event": "condition", "concepts": [1], "which": "first"}},
    "variables": [
        {"name": "sex", "kind": "sex"},
        {"name": "age", "kind": "age"},
        {"name": "ill", "kind": "flag", "event": "condition", "concepts": [2]},
        {"name": "drug", "kind": "flag", "event": "condition", "concepts": [3]},
        {"name": "visits", "kind": "count", "event": "condition", "concepts": [4]},
    ],
    "period": {"from": "2000-01-01", "to": "2019-12-31"},
}


def cdm(file, people, seed):
    with duckdb.connect(str(file)) as con:
        con.execute(
            f"""CREATE TABLE person AS SELECT i AS person_id, CASE WHEN i % 2 = 0 THEN 8507 ELSE 8532 END AS
            gender_concept_id, 1930 + i % 60 AS year_of_birth, 1 AS month_of_birth, 1 AS day_of_birth
            FROM range({people}) t(i);
            CREATE TABLE condition_occurrence AS SELECT row_number() OVER () AS condition_occurrence_id,
            i AS person_id, c AS condition_concept_id, DATE '2010-01-01' AS condition_start_date,
            DATE '2010-01-01' AS condition_end_date FROM range({people}) t(i), range(1, 5) u(c)
            WHERE c = 1 OR hash(i * 10 + c + {seed}) % 10 < 4"""
        )


@pytest.fixture
def place(tmp_path):
    cdm(tmp_path / "a.duckdb", 200, 1000)
    cdm(tmp_path / "b.duckdb", 150, 7000)
    (tmp_path / "query.json").write_text(json.dumps(QUERY))
    return tmp_path


def analyse(place, method, spec=None, *more):
    wanted = ["analyse", method, "--query", str(place / "query.json")]
    wanted += ["--cdm", str(place / "a.duckdb"), "--cdm", str(place / "b.duckdb"), *more]
    if spec is not None:
        (place / "spec.json").write_text(json.dumps(spec))
        wanted += ["--spec", str(place / "spec.json")]
    return run.invoke(app, wanted)


@pytest.mark.parametrize("method", ["logistic", "ttest", "crosstab", "table"])
def test_two_files_give_the_pooled_result(place, method):
    spec = example(method, QUERY)
    answer = analyse(place, method, spec, "--output", str(place / "result.json"))
    assert answer.exit_code == 0, answer.output
    frames = []
    for name in ("a", "b"):
        with duckdb.connect(str(place / f"{name}.duckdb"), read_only=True) as con:
            frames.append(frame(con, parse(QUERY)))
    expected = methods.run(method, frames, spec)
    assert json.loads((place / "result.json").read_text()) == json.loads(json.dumps(expected))
    assert expected["people"] == 350


def test_without_a_specification_one_that_fits_is_printed(place):
    answer = analyse(place, "cox")
    assert answer.exit_code == 0
    methods.start("cox", json.loads(answer.stdout))


def test_methods_are_listed():
    answer = run.invoke(app, ["analyse", "list"])
    assert answer.exit_code == 0
    assert {line.split()[0] for line in answer.stdout.splitlines()} == methods.METHODS.keys()


def test_mistakes_name_their_place(place):
    for method, spec, code in (
        ("nothing", {}, "no-method"),
        ("ttest", example("describe", QUERY), "specification"),
        ("describe", {"ansim": "analysis/1", "kind": "describe", "variables": ["weight"]}, "no-variable"),
    ):
        answer = analyse(place, method, spec)
        assert isinstance(answer.exception, Problem)
        assert answer.exception.code == code
    (place / "a.duckdb").write_bytes(b"no database")
    answer = analyse(place, "describe", example("describe", QUERY))
    assert answer.exit_code == 1
    assert str(place / "a.duckdb") in str(answer.exception)


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_example_is_a_specification(method):
    query = json.loads(json.dumps(QUERY))
    query["variables"].append(
        {"name": "heat", "kind": "value", "event": "measurement", "concepts": [4], "pick": "last"}
    )
    assert methods.start(method, example(method, query))["round"] == 0
