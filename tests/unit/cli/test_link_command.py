"""`ansim link` on generated people: the pairs are right, and each role's folder holds only what that role may see."""

import csv
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.errors import Problem

sys.path.insert(0, str(Path(__file__).parents[1] / "privacy"))
import linkage_world as world


def files(folder, people=200, noise=0.0):
    left, right, truth = world.registers(people, 0.5, noise)
    for name, rows in (("hospital", left), ("insurer", right)):
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as stream:
            out = csv.DictWriter(stream, ["person_id", "name", "birth_date", "sex", "phone", "resident_number"])
            out.writeheader()
            out.writerows(rows)
    return left, right, {(str(one), str(other)) for one, other in truth}


def run(folder, *more):
    words = ["link", str(folder / "hospital.csv"), str(folder / "insurer.csv"), "--output", str(folder / "pairs.csv")]
    return CliRunner().invoke(app, [*words, "--column", "id=person_id", *map(str, more)])


def pairs(folder):
    with open(folder / "pairs.csv", encoding="utf-8") as stream:
        return {(row["left_id"], row["right_id"]) for row in csv.DictReader(stream)}


@pytest.mark.parametrize("mode", [(), ("--compatibility",)])
def test_the_pairs_are_those_of_the_truth(tmp_path, mode):
    _, _, truth = files(tmp_path)
    done = run(tmp_path, *mode)
    assert done.exit_code == 0, done.output
    assert pairs(tmp_path) == truth


def test_each_role_sees_its_own(tmp_path):
    left, _, _ = files(tmp_path, people=60)
    assert run(tmp_path, "--seen", tmp_path / "roles").exit_code == 0
    seen = {role.name: "".join(file.read_text() for file in role.iterdir()) for role in (tmp_path / "roles").iterdir()}
    assert seen.keys() == {"hospital", "insurer", "key-agency", "linker"}
    for row in left:
        assert row["name"] in seen["hospital"]  # control: the reading finds what is there
        for item in ("name", "phone"):
            assert row[item] not in seen["key-agency"] + seen["linker"]
    assert all(row["resident_number"] not in text for row in left for text in seen.values())
    assert '"keys"' in seen["key-agency"]
    assert '"keys"' not in seen["linker"]


def test_wrong_input_is_named(tmp_path):
    files(tmp_path, people=20)
    (tmp_path / "roles").mkdir()
    for more in (("--seen", tmp_path / "roles"), ("--column", "name"), ("--column", "name=성명")):
        assert isinstance(run(tmp_path, *more).exception, Problem), more
    words = ["link", str(tmp_path / "hospital.csv"), "--output", str(tmp_path / "pairs.csv")]
    assert isinstance(CliRunner().invoke(app, words).exception, Problem)
    assert not (tmp_path / "pairs.csv").exists()


def test_fuzzy_encodings_find_whom_no_token_matched(tmp_path):
    """Five percent of noise in each item; false pairs stay rare with and without."""
    _, _, truth = files(tmp_path, people=1500, noise=0.05)
    assert run(tmp_path, "--compatibility").exit_code == 0
    by_tokens = pairs(tmp_path)
    assert run(tmp_path, "--compatibility", "--near").exit_code == 0
    both = pairs(tmp_path)
    assert by_tokens < both
    assert 2 * len(both & truth) / (len(both) + len(truth)) >= 0.98
    assert len(both - truth) <= 0.005 * len(both)
