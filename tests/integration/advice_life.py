"""The expert desk at a real portal: a hospital's question, conflict checks, an answer, what became of it, guidance.

Run by test_governance_rooms.py with a folder.
"""

import json
import sys
from pathlib import Path

import back_rooms
from back_rooms import World, deliver, refused
from seen import client, look

HERE = World(Path(sys.argv[1]), "hub")
QUESTION = {
    "id": "adv-0123456789ab", "case": "req-1", "applicant": "company-x", "rule": "G2", "expertise": "de-identification",
    "about": {"object": "pseudonymisation plan", "name": "plan-1"}, "question": "일련번호를 그대로 두어도 됩니까?",
}  # fmt: skip
AT = f"/advice/{QUESTION['id']}/"


def story() -> None:
    from ansim.sites.serve import prepare

    prepare(HERE.folder)
    from ansim.sites import people

    for name, org in (("lee", "한국대학교"), ("insider", "Company X"), ("novice", "한국대학교")):
        people.add(name, name, f"a-long-password-{name}", ["adviser"], org)
    post = back_rooms.Post()
    desk = client("coordinator")
    for name, fields in (("lee", ["de-identification"]), ("insider", ["de-identification"]), ("novice", ["law"])):
        assert desk.post("/advice/advisers/", {"adviser": name, "fields": fields}).status_code == 302, name

    refused("bad-question", deliver, "advice.ask", QUESTION, "company-x")
    refused("bad-question", deliver, "advice.ask", {**QUESTION, "id": "../x"}, "hospital-a")
    deliver("advice.ask", QUESTION, "hospital-a")
    assert client("lee").get(AT).status_code == 400  # not assigned: the question is not shown
    shown = desk.get(AT).content.decode()
    assert shown.count("/assign/") == 1  # one of three may advise
    for wrong in ("insider", "novice", "coordinator"):
        assert desk.post(f"{AT}assign/", {"adviser": wrong}, headers={"accept": "application/json"}).status_code == 400
    assert desk.post(f"{AT}assign/", {"adviser": "lee"}).status_code == 302
    look([("hub-advice-assigned", "lee", AT)])
    lee = client("lee")
    assert lee.post(f"{AT}declare/", {"conflict": "no"}).status_code == 302
    assert lee.post(f"{AT}answer/", {"text": "아닙니다.", "change": "키를 쓴 HMAC"}).status_code == 302
    [(to, told, sealed)] = post.take("advice.given")
    assert (to, sealed, told["answer"]["change"]) == ("hospital-a", True, "키를 쓴 HMAC")

    settled = {"id": QUESTION["id"], "taken": False, "reason": "이미 했습니다"}
    refused("not-yours", deliver, "advice.settled", settled, "hospital-b")
    deliver("advice.settled", settled, "hospital-a")
    words = {"title_ko": "일련번호", "title_en": "Serials", "text_ko": "키를 쓴 해시", "text_en": "Use a keyed hash"}
    leak = {**words, "text_en": "as company-x asked"}
    assert desk.post(f"{AT}publish/", leak, headers={"accept": "application/json"}).status_code == 400
    assert desk.post(f"{AT}publish/", words).status_code == 302
    public = json.loads(desk.get("/guidance/", headers={"accept": "application/json"}).content)["guidance"]
    assert [each["title"]["en"] for each in public] == ["Serials"]
    assert "company-x" not in json.dumps(public)
    look([("hub-advice-settled", "coordinator", AT), ("hub-advice", "coordinator", "/advice/"),
          ("hub-guidance", "coordinator", "/guidance/")])  # fmt: skip


def main() -> None:
    from ansim.sites.keeper import client as keeper_client

    keeper = keeper_client.start(HERE.folder)
    try:
        story()
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
