"""Which hospitals to ask, at a real portal: counts, descriptions, conditions and past answers make one proposal.

Run by test_governance_rooms.py with a folder.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import back_rooms
from back_rooms import World, deliver, world
from seen import client, look

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "data"))
import catalogue_world

HERE = World(Path(sys.argv[1]), "hub")
COUNTS = {"hospital-a": "400", "hospital-b": "300", "hospital-c": "<10", "public-body": "250"}
CONDITIONS = {
    "hospital-a": {"permission": "HMB", "modifiers": []},
    "hospital-b": {"permission": "HMB", "modifiers": [{"term": "NCU"}]},
    "hospital-c": {"permission": "GRU", "modifiers": []},
    "public-body": {"permission": "HMB", "modifiers": []},
}


def published(holder: str, model: dict) -> dict:
    """A signed description with conditions; the wanted concepts are listed everywhere but at the public body."""
    from ansim.sites.exchange import signed

    row = model["variables"][0]
    wanted = [] if holder == "public-body" else [{**row, "event": "condition", "concept_id": world.SINUSITIS}]
    one = {
        **model,
        "id": f"{holder}-omop",
        "holder": {"id": holder, "name": model["holder"]["name"]},
        "variables": wanted + model["variables"],
        "access": {"duo": [], "areas": [], "conditions": CONDITIONS[holder]},
    }
    store = HERE.store(holder)
    return {"description": signed.sign_document(one, store.keys["site"]["kid"], store.private("site").private_key.sign)}


def main() -> None:
    from ansim.sites.keeper import client as keeper_client

    keeper = keeper_client.start(HERE.folder)
    try:
        story()
    finally:
        keeper.stdin.close()
        keeper.wait(5)


def story() -> None:
    from ansim.sites.serve import prepare

    prepare(HERE.folder)
    from ansim.sites import clock
    from ansim.sites.hub import feasibility, turnaround

    back_rooms.Post()
    model = catalogue_world.descriptions()[0]
    for holder in COUNTS:
        deliver("dataset.publish", published(holder, model), holder)

    # Hospital A answers a first request after four working days at most; the others have answered none.
    opened = {"id": "req-1", "title": {"ko": "가", "en": "a"}, "areas": ["sinusitis"], "holders": ["hospital-a"]}
    deliver("request.opened", {**opened, "person": "kim"}, "company-x")
    clock.move(timedelta(days=7).total_seconds())
    moved = {"id": "req-1", "status": "replied", "waiting_on": "applicant", "since": "", "due": "", "version": 1}
    deliver("review.status", moved, "hospital-a")
    assert set(turnaround.first_answers()) == {"hospital-a"}
    assert 3 <= turnaround.first_answers()["hospital-a"] <= 5

    query = {**world.query(), "variables": []}
    key = feasibility.ask(query=query, purpose="x", person="researcher", organisation="company-x")
    for holder, shown in COUNTS.items():
        deliver("feasibility.answer", {"id": key, "status": "answered", "shown": shown}, holder)

    def proposed(**needs: object) -> dict:
        asked = {"areas": "sinusitis", "investigation": "DCR", "clinical_care": "no", "ancestry": "no", **needs}
        page = client("coordinator").get(f"/feasibility/{key}/match/", asked, headers={"accept": "application/json"})
        assert page.status_code == 200, page.content
        return json.loads(page.content)

    alone = proposed(wanted=350, commercial="yes")
    assert (alone["chosen"], alone["enough"]) == (["hospital-a"], True)
    assert alone["reasons"] == {
        "hospital-a": "chosen",
        "hospital-b": "purpose",  # its conditions rule commercial use out
        "hospital-c": "no-count",
        "public-body": "variables",
    }
    assert proposed(wanted=350, commercial="no")["chosen"] == ["hospital-a"]
    assert proposed(wanted=600, commercial="no")["chosen"] == ["hospital-a", "hospital-b"]
    assert proposed(wanted=350, commercial="yes", least=0)["reasons"]["public-body"] == "not-needed"
    scarce = proposed(wanted=5000, commercial="no", least=0)
    assert (scarce["enough"], scarce["total"]) == (False, 950)
    assert "chosen" not in proposed(wanted="many")  # the form says what is wrong instead
    needs = "?wanted=600&areas=sinusitis&investigation=DCR&commercial=no&clinical_care=no&ancestry=no"
    assert "제안" in client("coordinator", "ko").get(f"/feasibility/{key}/match/{needs}").content.decode()
    look(
        [
            ("hub-match-empty", "coordinator", f"/feasibility/{key}/match/"),
            ("hub-match", "coordinator", f"/feasibility/{key}/match/{needs}"),
            ("hub-dataset-conditions", "coordinator", "/catalogue/hospital-b-omop/"),
        ]
    )


main()
