"""Oversight at a real portal: stage days, areas, refusals and use from what sites reported; the register's comments.

Run by test_governance_rooms.py with a folder.
"""

import csv
import io
import json
import sys
from datetime import timedelta
from pathlib import Path

import back_rooms
from back_rooms import World, deliver
from seen import client, look

HERE = World(Path(sys.argv[1]), "hub")
SUMMARY = {"ko": "부비동염 환자의 항생제 사용을 살펴봅니다.", "en": "We look at antibiotics in people with sinusitis."}
NOTE = {
    "kind": "agreement", "id": "agr-1", "version": 1, "title": {"ko": "연구", "en": "Study"}, "areas": ["sinusitis"],
    "user": "company-x", "holders": ["hospital-a", "hospital-b"], "digest": "1" * 64, "purpose": "scientific research",
    "not_before": "2026-01-01", "not_after": "2026-12-31", "summary": SUMMARY,
}  # fmt: skip


STEPS = [
    ("asked", "contact desk"),
    ("replied", "applicant"),
    ("received", "contact desk"),
    ("board", "board secretary"),
]


def reported(case: str, holder: str, status: str, waiting_on: str, version: int) -> None:
    news = {"id": case, "status": status, "waiting_on": waiting_on, "since": "", "due": "", "version": version}
    deliver("review.status", news, holder)


def story() -> None:
    from ansim.sites.serve import prepare

    prepare(HERE.folder)
    from ansim.sites import clock, people

    people.add("rep", "환자대표", "a-long-password-1", ["representative"])
    people.add("ministry", "복지부", "a-long-password-2", ["ministry"])
    back_rooms.Post()
    dashboard = client("ministry")
    empty = json.loads(dashboard.get("/oversight/", headers={"accept": "application/json"}).content)
    assert empty["stages"] == []

    for number in range(3):
        opened = {"id": f"req-{number}", "title": NOTE["title"], "areas": ["sinusitis"], "person": "kim"}
        deliver("request.opened", {**opened, "holders": ["hospital-a", "hospital-b"]}, "company-x")
    for step, (status, office) in enumerate(
        [
            ("asked", "contact desk"),
            ("replied", "applicant"),
            ("received", "contact desk"),
            ("board", "board secretary"),
        ]
    ):
        for number in range(3):
            reported(f"req-{number}", "hospital-a", status, office, step)
        clock.move(timedelta(days=7 * (step + 1)).total_seconds())
    reported("req-0", "hospital-b", "unwilling", "", 1)
    reported("req-1", "hospital-a", "rejected", "", 9)

    found = json.loads(dashboard.get("/oversight/", headers={"accept": "application/json"}).content)
    stages = {(site, stage): rest for site, stage, *rest in found["stages"]}
    assert stages["hospital-a", "asked"][0] == 3
    assert 3 <= stages["hospital-a", "asked"][1] <= 5  # a week, less holidays
    assert stages["hospital-b", "asked"][0] == 1  # the two that wait are not counted as finished
    assert stages["hospital-a", "board"][0] == 1
    assert found["areas"] == [["sinusitis", 3, 0]]
    assert found["refusals"] == [["hospital-a", "rejected", 1], ["hospital-b", "unwilling", 1]]
    assert dict(found["waiting"])["board secretary"] == 2

    for sender in ("hospital-a", "hospital-b"):
        deliver("register.note", NOTE, sender)
    deliver("register.note", {"kind": "release", "id": "rel-1", "agreement": "agr-1", "files": []}, "centre-1")
    rows = list(csv.reader(io.StringIO(dashboard.get("/oversight/use.csv").content.decode("utf-8-sig"))))
    assert rows == [["site", "agreements", "releases"], ["hospital-a", "1", "1"], ["hospital-b", "1", "1"]]
    assert dashboard.get("/oversight/people.csv").status_code == 404
    people.add("kim", "김", "a-long-password-3", ["researcher"])
    assert client("kim").get("/oversight/").status_code == 403

    said = client("rep").post("/agreements/agr-1/comment/", {"text": "결과를 <b>쉬운 말</b>로 알려 주세요."})
    assert said.status_code == 302
    assert client("kim").post("/agreements/agr-1/comment/", {"text": "x"}).status_code == 403
    assert client("rep").post("/agreements/agr-9/comment/", {"text": "x"}).status_code == 400
    shown = client("kim", "ko").get("/agreements/agr-1/").content.decode()
    assert SUMMARY["ko"] in shown
    assert "&lt;b&gt;쉬운 말" in shown
    look(
        [
            ("hub-oversight", "ministry", "/oversight/"),
            ("hub-agreement-comments", "rep", "/agreements/agr-1/"),
        ]
    )


def main() -> None:
    from ansim.sites.keeper import client as keeper_client

    keeper = keeper_client.start(HERE.folder)
    try:
        story()
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
