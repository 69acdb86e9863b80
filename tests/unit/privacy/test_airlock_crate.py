"""A release as a Five Safes RO-Crate, and the record of its disclosure control."""

import hashlib
import io
import json
import zipfile

import pytest

from ansim.errors import Problem
from ansim.privacy.airlock import crate
from ansim.privacy.disclosure.policy import Policy

FILE = b"band,n\n30,50\n"
CRITERIA = {name: {"holds": True, "reason": "홍길동 확인"} for name in ("purpose-related", "safety-plan")}
OUTPUT = {
    "project": "agr-1", "files": [{"name": "t.csv", "sha256": hashlib.sha256(FILE).hexdigest(), "size": len(FILE)}],
    "views": {"checker1": {}, "checker2": {}}, "senior": "", "linked": True, "export_views": {"board1": CRITERIA},
    "export": CRITERIA, "findings": [{"file": "t.csv", "level": "note", "code": "machine-checked"}],
    "status": "released", "manifest": {"at": "2026-11-24T09:00:00+00:00"}, "author": "kim@company-x",
}  # fmt: skip
NOTES = {
    "reports": {"t.csv": {"route": "people"}},
    "findings": [{"file": "t.csv", "code": "unrounded", "place": "n", "message": "in n"}] * 2,
}


def document(**changes):
    facts = {
        "name": "out-1", "title": {"en": "Study"}, "output": OUTPUT, "centre": {"id": "centre-1", "name": "Centre"},
        "user": {"id": "company-x", "name": "X"}, "work": {"sha256": "a" * 64, "name": "Script"},
    }  # fmt: skip
    return crate.metadata(**{**facts, **changes})


def record():
    return crate.record(OUTPUT, NOTES, Policy().as_data(), "ansim 0.1.0")


def made():
    return crate.bag("out-1", document(), {"t.csv": FILE, crate.RECORD: json.dumps(record()).encode()})


def test_a_crate_holds_what_was_released_under_the_hash_of_each():
    with zipfile.ZipFile(io.BytesIO(made())) as archive:
        names = archive.namelist()
        assert {name.split("/")[0] for name in names} == {"out-1"}
        for listing in ("manifest-sha512.txt", "tagmanifest-sha512.txt"):
            for line in archive.read(f"out-1/{listing}").decode().splitlines():
                digest, _, name = line.partition("  ")
                assert hashlib.sha512(archive.read(f"out-1/{name}")).hexdigest() == digest
        assert archive.read("out-1/data/t.csv") == FILE
    assert made() == made()


def test_the_profile_is_named_and_each_check_is_an_action():
    graph = {entity["@id"]: entity for entity in document()["@graph"]}
    assert graph["./"]["conformsTo"] == {"@id": "https://w3id.org/5s-crate/0.4"}
    mentioned = [graph[each["@id"]]["@type"] for each in graph["./"]["mentions"]]
    assert mentioned == ["CreateAction", "AssessAction", "AssessAction", "AssessAction"]
    plain = document(output={**OUTPUT, "linked": False})
    assert sum(entity["@type"] == "AssessAction" for entity in plain["@graph"]) == 2


def test_nobody_is_named_and_no_cell_is_shown():
    text = json.dumps(document(), ensure_ascii=False) + json.dumps(record(), ensure_ascii=False)
    for secret in ("kim", "checker1", "board1", "홍길동", "in n"):
        assert secret not in text


def test_the_record_has_every_threshold_and_every_rule():
    found = record()
    assert found["policy"] == Policy().as_data()
    assert found["files"][0]["rules_found"] == {"unrounded": 2}
    assert found["files"][0]["people_known"] is False
    assert found["export_board"] == {"linked": True, "reviews": 1, "criteria": dict.fromkeys(CRITERIA, True)}


def broken(change):
    whole = json.loads(json.dumps(document()))
    change({entity["@id"]: entity for entity in whole["@graph"]})
    return whole


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph["./"].pop("conformsTo"),
        lambda graph: graph["./"].update(mainEntity={"@id": "#other"}),
        lambda graph: graph["./"].update(mentions=[]),
        lambda graph: graph["./"]["hasPart"].pop(),
        lambda graph: graph["#people-out-1"].update(actionStatus=crate.FAILED),
        lambda graph: graph["#query-out-1"].update(agent={"@id": "#machine"}),
        lambda graph: graph["#agr-1"].update({"@type": "Organization"}),
        lambda graph: graph["#machine"].update({"@id": "#gone"}),
        lambda graph: graph["ro-crate-metadata.json"].update(conformsTo={"@id": "https://w3id.org/ro/crate/1.1"}),
    ],
)
def test_what_lacks_a_part_of_the_profile_is_no_crate(change):
    assert crate.problems(document(), ["t.csv", crate.RECORD]) == []
    with pytest.raises(Problem):
        crate.bag("out-1", broken(change), {"t.csv": FILE, crate.RECORD: b"{}"})


def test_a_refused_file_makes_no_crate():
    refused = document(output={**OUTPUT, "findings": [{"level": "refuse"}]})
    assert crate.problems(refused, ["t.csv", crate.RECORD]) == ["every action is completed"]
