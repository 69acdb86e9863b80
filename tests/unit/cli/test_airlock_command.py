"""`ansim airlock` as people type it."""

import json

import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem


def run(*words):
    return CliRunner().invoke(app, ["airlock", "check", *map(str, words)])


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "outputs"
    place.mkdir()
    (place / "table.csv").write_text("age_band,n\n30-39,40\n40-49,15\n")
    return place


def test_nothing_found_is_zero_and_no_pass(folder):
    done = run(folder)
    assert done.exit_code == 0
    assert "no machine passes them" in " ".join(done.stdout.split())


def test_a_finding_names_file_cell_rule_and_remedy(folder):
    (folder / "small.csv").write_text("age_band,n\n30-39,4\n")
    done = run(folder, "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    (small,) = [file for file in report["files"] if file["name"] == "small.csv"]
    first = small["findings"][0]
    assert (report["verdict"], first["rule"], first["place"]) == ("refuse", "small-cell", "2:n")
    assert "Join categories" in first["message"]
    assert "small-cell" in run(folder).stdout


def test_the_policy_is_the_sites(folder, tmp_path):
    strict = tmp_path / "site.toml"
    strict.write_text("[disclosure]\nthreshold = 20\n")
    assert run(folder, "--policy", strict).exit_code == 1
    strict.write_text("treshold: 20\n")
    done = CliRunner().invoke(app, ["airlock", "check", str(folder), "--policy", str(strict)])
    assert isinstance(done.exception, Problem)


def test_a_report_in_acros_form(folder, tmp_path):
    target = tmp_path / "results.json"
    assert run(folder, "--acro", target).exit_code == 0
    (record,) = json.loads(target.read_text())["results"].values()
    assert (record["status"], record["files"][0]["name"]) == ("review", "table.csv")


def test_markup_in_a_name_is_only_a_name(folder):
    (folder / "[bold]x[red].csv").write_text("a,n\nx,3\n")
    assert "[bold]x[red].csv" in "".join(run(folder).stdout.split())


def test_the_safe_folder_holds_what_can_be_made_safe_and_says_so(folder, tmp_path):
    (folder / "deep").mkdir()
    (folder / "deep" / "small.csv").write_text("sex,n\nF,3\nM,40\nX,50\n")
    (folder / "rows.csv").write_text("person_id,n\n1,50\n")
    (folder / "link.csv").symlink_to("/etc/passwd")
    target = tmp_path / "safe"
    done = run(folder, "--safe", target)
    assert done.exit_code == 1
    assert "no safe version (identifying-column)" in done.stdout
    made = sorted(str(file.relative_to(target)) for file in target.rglob("*") if file.is_file())
    assert made == ["deep/small.csv", "safe-version.json", "table.csv"]
    assert "F,<10" in (target / "deep" / "small.csv").read_text()
    statement = json.loads((target / "safe-version.json").read_text())
    assert {file["name"]: file["safe"] for file in statement["files"]}["rows.csv"] is False
    assert isinstance(run(folder, "--safe", target).exception, Problem)  # never over something
