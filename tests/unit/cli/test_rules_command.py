"""`ansim rules` as people type it."""

import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem


def run(*words):
    return CliRunner().invoke(app, ["rules", *map(str, words)])


def test_the_rules_of_a_day_and_what_changed():
    assert "2020.9" in run("at", "2022-06-01").output
    changed = run("diff", "2022-06-01", "2026-01-01").output
    assert "- 2020.9" in changed
    assert "+ 2025.12" in changed
    assert "Nothing changed." in run("diff", "2026-01-01", "2026-01-02").output


def test_a_route_says_what_blocks_and_what_to_find_out(tmp_path):
    facts = tmp_path / "facts.toml"
    plain = "purpose = 'statistics'\nsites = 1\nspecial = []\n"
    plain += "".join(f"{name} = false\n" for name in ("consent", "human_subjects", "linkage", "genome", "images"))
    plain += "free_text = false\nnumbers = false\n"
    facts.write_text(plain)
    done = run("route", facts, "--on", "2026-03-10")
    assert (done.exit_code, "review: drb" in done.output) == (0, True)
    facts.write_text(plain.replace("statistics", "marketing"))
    assert run("route", facts, "--on", "2026-03-10").exit_code == 1
    facts.write_text("consent = true")
    assert run("route", facts, "--on", "2026-03-10").exit_code == 2


@pytest.mark.parametrize("text", ["consent = ", "magic = true", "consent = 'no'", "sites = true"])
def test_facts_that_are_wrong_are_named(tmp_path, text):
    facts = tmp_path / "facts.toml"
    facts.write_text(text)
    assert isinstance(run("route", facts).exception, Problem)
