"""A folder on a disk: what is not a plain file of its own is found and never followed; ACRO's word is only a word."""

import hashlib
import json
import os
from datetime import UTC, datetime

import pytest

from ansim.errors import Problem
from ansim.privacy.airlock import acro
from ansim.privacy.airlock.folder import check_folder
from ansim.privacy.disclosure.policy import Policy

HONEST = "age_band,sex,n\n30-39,F,40\n30-39,M,55\n"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "outputs"
    place.mkdir()
    (place / "table.csv").write_text(HONEST)
    return place


def rules(folder):
    return {
        report.name: {finding.rule for finding in report.findings} for report in check_folder(folder, Policy()).files
    }


def test_an_honest_folder_goes_to_people(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "notes.md").write_text("# 결과\n")
    report = check_folder(folder, Policy())
    assert [one.name for one in report.files] == ["deep/notes.md", "table.csv"]
    assert (report.verdict, rules(folder)) == ("human", {"deep/notes.md": set(), "table.csv": set()})


def test_what_is_no_plain_file_is_found_and_not_followed(folder):
    secret = folder.parent / "secret.csv"
    secret.write_text("person_id,n\n1,3\n")
    (folder / "soft.csv").symlink_to(secret)
    os.link(secret, folder / "hard.csv")
    (folder / "away").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.csv")
    (folder / "bits.csv").write_text(HONEST)
    (folder / "bits.csv").chmod(0o4700)
    (folder / ".hidden.csv").write_text(HONEST)
    (folder / "left\u202eright.csv").write_text(HONEST)
    found = rules(folder)
    assert found["soft.csv"] == {"symlink"}  # and nothing of what it leads to
    assert found["away"] == {"symlink"}
    assert {"hard-link", "small-cell"} <= found["hard.csv"]
    assert found["pipe.csv"] == {"special-file"}
    assert found["bits.csv"] == {"special-bits"}
    assert found[".hidden.csv"] == {"file-name"}
    assert found["left\u202eright.csv"] == {"file-name"}
    assert check_folder(folder, Policy()).verdict == "refuse"


def test_attributes_beside_the_content(folder):
    try:
        os.setxattr(folder / "table.csv", "user.note", b"900101-1234568")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    (finding,) = check_folder(folder, Policy()).files[0].findings
    assert (finding.rule, finding.place) == ("xattr", "user.note")


def test_a_file_of_a_terabyte_is_not_read(folder):
    with (folder / "sparse.csv").open("wb") as stream:
        stream.truncate(1 << 40)
    report = {one.name: one for one in check_folder(folder, Policy()).files}["sparse.csv"]
    assert (report.size, {one.rule for one in report.findings}) == (1 << 40, {"too-large"})


def test_no_folder_and_too_many_files(folder, monkeypatch):
    with pytest.raises(Problem):
        check_folder(folder / "table.csv", Policy())
    monkeypatch.setattr("ansim.privacy.airlock.folder.MOST_FILES", 2)
    for number in range(3):
        (folder / f"{number}.txt").write_text("x")
    assert check_folder(folder, Policy()).verdict == "refuse"


def finalised(folder, status="pass", content=HONEST, sums=True):
    """A folder as ACRO 0.4 leaves it."""
    (folder / "output_0_0.csv").write_text(content)
    record = {
        "uid": "output_0", "status": status, "type": "table", "properties": {"method": "crosstab"},
        "files": [{"name": "output_0_0.csv", "sdc": {"summary": {"suppressed": False}}}], "outcome": {},
        "command": "acro.crosstab(df.age, df.sex)", "summary": status, "timestamp": "2026-01-01T00:00:00",
        "comments": [], "exception": "",
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps({"version": "0.4.8", "results": {"output_0": record}}))
    if sums:
        (folder / "checksums").mkdir()
        digest = hashlib.sha256(content.encode()).hexdigest()
        (folder / "checksums" / "output_0_0.csv.txt").write_text(digest)


def notes(folder):
    return {claim.file: claim.note for claim in check_folder(folder, Policy()).claims}


def test_acro_is_a_claim_that_never_passes_a_file(folder):
    finalised(folder, content="age,n\n30,3\n40,60\n")
    report = check_folder(folder, Policy())
    assert report.verdict == "refuse"
    assert notes(folder) == {"output_0_0.csv": "laxer", "table.csv": "unclaimed"}
    own = {one.name: [finding.rule for finding in one.findings] for one in report.files if "acro-claim" in str(one)}
    assert own == {"checksums/output_0_0.csv.txt": ["acro-claim"], "results.json": ["acro-claim"]}


def test_a_file_changed_after_acro_looked_at_it(folder):
    finalised(folder)
    assert notes(folder)["output_0_0.csv"] == "agrees"
    (folder / "output_0_0.csv").write_text(HONEST + "40-49,F,60\n")
    assert notes(folder)["output_0_0.csv"] == "changed"
    (folder / "output_0_0.csv").unlink()
    assert notes(folder)["output_0_0.csv"] == "missing"


def test_the_folder_of_checksums_hides_nothing(folder):
    finalised(folder)
    (folder / "checksums" / "rows.csv.txt").write_text("person_id 7\n")
    found = rules(folder)
    assert "acro-claim" not in found["checksums/rows.csv.txt"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"results": {"a": {}}}', '{"results": [1]}', "[" * 50_000])
def test_a_results_file_of_another_form_is_a_file_like_any_other(folder, text):
    (folder / "results.json").write_text(text)
    report = check_folder(folder, Policy())
    assert report.claims == ()
    assert "acro-claim" not in str(report.files)


def test_our_report_in_acros_form_is_read_back(folder):
    (folder / "bad.csv").write_text("age,n\n30,3\n")
    report = check_folder(folder, Policy())
    document = acro.write(report.files, datetime(2026, 1, 1, tzinfo=UTC), "ansim")
    (folder / "results.json").write_text(json.dumps(document))
    again = check_folder(folder, Policy())
    assert {claim.file: (claim.claimed, claim.note) for claim in again.claims} == {
        "bad.csv": ("fail", "agrees"),
        "table.csv": ("review", "agrees"),
    }
