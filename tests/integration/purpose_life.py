"""Conditions of use at a real hospital: set, signed into the catalogue, and matched with a request that names its
purpose; run by test_governance_rooms.py with a folder."""

import json
import sys
from pathlib import Path

import back_rooms
from back_rooms import REQUEST, World, deliver, refused, work, world
from seen import client, look

from ansim.data.cdm.files import building_cdm

HERE = World(Path(sys.argv[1]), "hospital-a")
USE = {"investigation": "DCR", "clinical_care": False, "ethics_approval": True, "commercial": True}
ASKED = {
    "id": REQUEST, "applicant": {"org": "company-x", "person": "kim"}, "title": {"ko": "부비동염", "en": "Sinusitis"},
    "areas": ["sinusitis"], "purpose": "scientific research", "text": "?", "query": world.query(), "use": USE,
}  # fmt: skip


def data() -> None:
    with building_cdm(HERE.folder / "cdm.duckdb") as con:
        con.execute(
            "INSERT INTO person (person_id, gender_concept_id, year_of_birth, race_concept_id, ethnicity_concept_id) "
            "SELECT i, 8507, 1960 + i % 30, 0, 0 FROM range(300) t(i)"
        )


def conditions(post) -> None:
    """Wrong ones are refused field by field; right ones are signed into the description that is out already."""
    from ansim.sites.holder import conditions, datasets

    refused("no-permission", conditions.put, {"permission": "IRB"}, "steward-a")
    refused("missing", conditions.put, {"permission": "DS"}, "steward-a")
    refused("unknown-term", conditions.put, {"permission": "HMB", "modifiers": [{"term": "XX"}]}, "steward-a")
    refused("missing", conditions.put, ["HMB"], "steward-a")
    datasets.publish("steward-a")
    work()
    [(_, first, _)] = post.take("dataset.publish")
    described = first["description"]["document"]
    assert described["access"]["conditions"] == conditions.DEFAULT
    form = {"permission": "DS", "areas": ["respiratory"], "simple": ["IRB", "NCU"], "GS": "kr, jp", "TS": "2027-12-31"}
    answer = client("steward-a").post("/datasets/conditions/change/", form, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.content
    [(_, second, _)] = post.take("dataset.publish")
    changed = second["description"]["document"]
    assert changed["access"]["conditions"]["modifiers"][2] == {"term": "GS", "countries": ["KR", "JP"]}
    assert changed["access"]["duo"] == ["DUO:0000007", "DUO:0000021", "DUO:0000046", "DUO:0000022", "DUO:0000025"]
    assert {**changed, "access": 0, "issued": 0} == {**described, "access": 0, "issued": 0}  # nothing else changed
    assert client("officer-a").post("/datasets/conditions/set/", {}).status_code == 403
    filled = client("steward-a").get("/datasets/conditions/change/").content.decode()
    assert 'value="KR, JP"' in filled


def request(post) -> None:
    """The verdict names every condition; what the request does not say is asked; a commercial use is denied."""
    bad = {**ASKED, "use": {"investigation": "??"}}
    refused("not-allowed", deliver, "request.ask", bad, "company-x")
    deliver("request.ask", ASKED, "company-x")
    answer = client("officer-a").get(f"/reviews/{REQUEST}/", headers={"accept": "application/json"})
    fit = json.loads(answer.content)["fit"]
    said = {reason["term"]: (reason["verdict"], reason["unknown"]) for reason in fit["reasons"]}
    assert fit["verdict"] == "deny"
    assert said == {
        "DS": ("approve", []),
        "IRB": ("approve", []),
        "NCU": ("deny", []),
        "GS": ("abstain", ["countries"]),
        "TS": ("abstain", ["to"]),
    }
    shown = client("officer-a", "ko").get(f"/reviews/{REQUEST}/").content.decode()
    assert "목적과 이용 조건" in shown, shown[:3000]
    assert "맞지 않음" in shown


def advised(post) -> None:
    """A question to the expert desk, its answer, and what the owner made of it: shown at the case."""
    from ansim.sites.holder import advice

    form = {"object": "variables", "name": "v1", "rule": "G2", "expertise": "law", "question": "Is this needed?"}
    officer = client("officer-a")
    wrong = officer.post(f"/reviews/{REQUEST}/advice/", {**form, "rule": "G99"}, headers={"accept": "application/json"})
    assert wrong.status_code == 400
    assert not post.take("advice.ask")
    assert officer.post(f"/reviews/{REQUEST}/advice/", form).status_code == 302
    [(to, asked, _)] = post.take("advice.ask")
    assert (to, asked["applicant"], asked["rule"]) == ("hub", "company-x", "G2")
    given = {"id": asked["id"], "case": REQUEST, "answer": {"by": "lee", "text": "No.", "change": "Drop it"}}
    refused("not-the-hub", deliver, "advice.given", given, "company-x")
    deliver("advice.given", given, "hub")
    at = f"/reviews/{REQUEST}/advice/{asked['id']}/"
    assert officer.post(at, {"taken": "no"}, headers={"accept": "application/json"}).status_code == 400
    assert client("secretary-a").post(at, {"taken": "yes"}).status_code == 403
    assert officer.post(at, {"taken": "no", "reason": "It is needed"}).status_code == 302
    assert post.take("advice.settled")[0][1] == {"id": asked["id"], "taken": False, "reason": "It is needed"}
    assert advice.of(REQUEST)[0]["status"] == "declined"
    shown = officer.get(f"/reviews/{REQUEST}/").content.decode()
    assert "Drop it" in shown
    assert "It is needed" in shown


def main() -> None:
    data()
    from ansim.sites.keeper import client as keeper_client

    keeper = keeper_client.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        post = back_rooms.Post()
        conditions(post)
        request(post)
        advised(post)
        look(
            [
                ("holder-conditions", "steward-a", "/datasets/conditions/"),
                ("holder-conditions-change", "steward-a", "/datasets/conditions/change/"),
                ("holder-review-purpose", "officer-a", f"/reviews/{REQUEST}/"),
            ]
        )
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
