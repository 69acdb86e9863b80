"""`ansim profile` and `ansim catalogue describe` on a small CDM, as a person runs them."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree  # our own drawings

import pytest
from pyarrow import parquet
from rdflib import Graph
from rdflib.namespace import DCAT, RDF
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.data.cdm import building_cdm


@pytest.fixture(scope="module")
def cdm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cdm") / "hospital_a.duckdb"
    with building_cdm(path) as con:
        con.execute(
            "INSERT INTO person (person_id, gender_concept_id, year_of_birth, race_concept_id, ethnicity_concept_id) "
            "SELECT i, if(i % 2 = 0, 8507, 8532), 1950 + i % 30, 0, 0 FROM range(1, 101) t(i)"
        )
        con.execute(
            "INSERT INTO observation_period SELECT i, i, DATE '2010-01-01', DATE '2012-06-30', 32817 "
            "FROM range(1, 101) t(i)"
        )
        con.execute(
            "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, "
            "condition_start_date, condition_type_concept_id) "
            "SELECT i, i, 40481087, DATE '2011-02-01', 32817 FROM range(1, 41) t(i)"
        )
    return path


def run(*words: object):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_profile_as_files(cdm, tmp_path):
    run("profile", cdm, "--output", tmp_path / "p", "--achilles", "--language", "en")
    told = json.loads((tmp_path / "p/profile.json").read_text("utf-8"))
    assert (told["people"], told["variables"][0]["people"]) == (100, 40)
    assert parquet.read_table(tmp_path / "p/variables.parquet").to_pylist() == told["variables"]
    page = (tmp_path / "p/index.html").read_text("utf-8")
    assert "Most people have a record in 2011" in page
    assert "<script" not in page
    ElementTree.parse(tmp_path / "p/people_by_year.svg")  # noqa: S314
    with (tmp_path / "p/achilles_results.csv").open(encoding="utf-8") as file:
        rows = {(row["analysis_id"], row["stratum_1"]): int(row["count_value"]) for row in csv.DictReader(file)}
    assert rows["1", ""] == 100
    assert rows["400", "40481087"] == rows["401", "40481087"] == rows["420", "201102"] == 40
    assert rows["110", "201206"] == rows["117", "201001"] == rows["113", "1"] == 100
    assert ("117", "201207") not in rows
    assert not list((tmp_path / "p").glob(".*"))  # nothing half-written


def test_events_outside_observation_are_not_given_as_achilles_results(cdm, tmp_path):
    import shutil

    import duckdb

    shutil.copy(cdm, tmp_path / "late.duckdb")
    con = duckdb.connect(str(tmp_path / "late.duckdb"))
    con.execute("UPDATE condition_occurrence SET condition_start_date = DATE '2019-01-01' WHERE person_id = 1")
    con.close()
    run("profile", tmp_path / "late.duckdb", "--output", tmp_path / "p", "--achilles", "--no-figures")
    with (tmp_path / "p/achilles_results.csv").open(encoding="utf-8") as file:
        assert {"1", "117"} <= (found := {row["analysis_id"] for row in csv.DictReader(file)})
    assert not found & {"400", "401", "420"}


def test_a_description_as_turtle_and_as_a_page(cdm, tmp_path):
    run("catalogue", "describe", cdm, "--format", "ttl", "--output", tmp_path / "a.ttl", "--holder", "Hospital A")
    graph = Graph().parse(tmp_path / "a.ttl")
    assert len(list(graph.subjects(RDF.type, DCAT.Dataset))) == 1
    page = run("catalogue", "describe", cdm, "--format", "html")
    assert "Hospital A" in page
    assert page.count("<h1>") == 1


def test_a_missing_file_is_said(tmp_path):
    done = CliRunner().invoke(app, ["profile", str(tmp_path / "no.duckdb"), "--output", str(tmp_path / "p")])
    assert done.exit_code != 0
    assert not (tmp_path / "p").exists()
