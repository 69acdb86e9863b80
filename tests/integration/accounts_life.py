"""The accounts of a hospital: invited, delegated, trained, locked, reviewed, erased; run by test_people.py."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import api_life
import back_rooms
from second_factor_life import JSON, PASSWORD, Person

from ansim.governance.core import civil_day

WORLD = back_rooms.World(Path(sys.argv[1]), "hospital-a")


def admin(name: str = "admin-a") -> Person:
    person = Person(name)
    password = json.loads((WORLD.nation.folder / "sign-ins.json").read_text())["hospital-a"]["admin-a"]
    assert person.sign_in(password=password) == ""
    return person


def code_of(answer) -> str:
    return answer.json().get("code", "")


def invited(boss: Person) -> Person:
    """A code that is shown once opens the account once; roles that must stay apart are refused beforehand."""
    from django.contrib.auth.models import User

    asked = {"username": "signer-x", "name": "서명자", "organisation": "hospital-a"}
    before = api_life.kept()
    assert code_of(boss.post("/accounts/invite/", **asked, roles=["auditor", "chair"])) == "roles-not-apart"
    assert code_of(boss.post("/accounts/invite/", **{**asked, "username": "김"}, roles=["chair"])) == "bad-id"
    assert code_of(boss.post("/accounts/invite/", **asked, roles=["emperor"])) == "no-role"
    assert api_life.kept() == before
    assert not User.objects.filter(username="signer-x").exists()
    code = boss.post("/accounts/invite/", **asked, roles=["signatory"]).json()["code"]
    assert code_of(boss.post("/accounts/invite/", **asked, roles=["signatory"])) == "account-exists"
    guest = Person("signer-x")
    given = {"username": "signer-x", "password": PASSWORD}
    assert code_of(guest.post("/invited/", **given, code="wrong")) == "no-invitation"
    assert code_of(guest.post("/invited/", **{**given, "password": "short"}, code=code)) == "weak-password"
    assert guest.post("/invited/", **given, code=code).status_code == 200
    assert code_of(guest.post("/invited/", **given, code=code)) == "no-invitation"
    assert guest.sign_in() == ""
    held = b"".join(file.read_bytes() for file in WORLD.folder.glob("site.sqlite3*"))
    assert code.encode() not in held
    return guest


def delegated(guest: Person) -> None:
    """A signatory on leave: bounded in time, on the ledger, over when the giver's account closes."""
    from ansim.sites import clock, people
    from ansim.sites.store.models import Event

    people.add("deputy", "대행", PASSWORD, ["steward"])
    people.add("watcher", "감사", PASSWORD, ["auditor"])
    deputy = Person("deputy")
    assert deputy.sign_in() == ""
    sign = "/agreements/agr-none/sign/"
    assert code_of(deputy.post(sign)) == "not-allowed"
    today = civil_day(clock.now())
    leave = {"role": "signatory", "taker": "deputy", "until": (today + timedelta(days=10)).isoformat()}
    give = "/account/delegations/give/"
    assert code_of(guest.post(give, **{**leave, "until": (today + timedelta(days=60)).isoformat()})) == "bad-day"
    assert code_of(guest.post(give, **{**leave, "role": "chair"})) == "not-yours"
    assert code_of(guest.post(give, **{**leave, "taker": "watcher"})) == "roles-not-apart"
    assert code_of(guest.post(give, **{**leave, "taker": "nobody"})) == "no-account"
    assert guest.post(give, **leave).status_code == 200
    assert code_of(deputy.post(sign)) not in {"not-allowed", ""}  # allowed; there is no such agreement
    assert Event.objects.filter(type="role.delegated", actor="signer-x").count() == 1
    clock.move(timedelta(days=12).total_seconds())
    assert code_of(deputy.post(sign)) == "not-allowed"
    clock.move(0)
    assert guest.post("/account/delegations/end/", role="signatory", taker="deputy").status_code == 200
    assert code_of(deputy.post(sign)) == "not-allowed"


def trained(boss: Person, guest: Person) -> None:
    """Where a role needs a training, it is in force as long as the certificate is."""
    from ansim.sites import clock
    from ansim.sites.config import site

    site().options["training"] = ["signatory"]
    sign = "/agreements/agr-none/sign/"
    assert code_of(guest.post(sign)) == "not-allowed"
    today = civil_day(clock.now())
    path = "/accounts/signer-x/training/"
    assert code_of(boss.post(path, title="개인정보 교육", until=(today - timedelta(days=1)).isoformat())) == "past-day"
    until = (today + timedelta(days=100)).isoformat()
    assert boss.post(path, title="개인정보 교육", until=until).status_code == 200
    assert code_of(guest.post(sign)) not in {"not-allowed", ""}
    site().options["training"] = []


def reviewed(boss: Person) -> None:
    from ansim.sites import clock

    found = {each["username"]: each for each in boss.browser.get("/accounts/").json()["accounts"]}
    today = civil_day(clock.now()).isoformat()
    assert found["steward-a"]["due"] <= today  # never looked at
    assert found["signer-x"]["due"] > today
    assert code_of(boss.post("/accounts/admin-a/review/")) == "own-account"
    assert boss.post("/accounts/steward-a/review/").status_code == 200
    found = {each["username"]: each for each in boss.browser.get("/accounts/").json()["accounts"]}
    assert found["steward-a"]["due"] > today
    for language, word in (("ko", "계정 관리"), ("en", "Accounts")):
        for address in ("/accounts/", "/accounts/signer-x/", "/account/delegations/", "/account/"):
            page = boss.browser.get(address, headers={**JSON, "accept": "text/html", "accept-language": language})
            assert page.status_code == 200
            assert word in page.content.decode()


def closed(boss: Person, guest: Person) -> None:
    """Locked: out at once. Erased: no name anywhere in the database, the ledger whole."""
    from ansim.governance.ledger import verify
    from ansim.sites.exchange import trust
    from ansim.sites.store.models import Record

    assert code_of(guest.post("/accounts/steward-a/lock/", reason="x")) == "not-allowed"
    assert code_of(boss.post("/accounts/admin-a/lock/", reason="x")) == "own-account"
    assert boss.post("/accounts/signer-x/lock/", reason="left").status_code == 200
    assert guest.browser.get("/account/").status_code == 401
    assert guest.sign_in() != ""
    Record.objects.filter(kind="sign-in").delete()
    assert boss.post("/accounts/signer-x/unlock/").status_code == 200
    assert guest.sign_in() == ""
    assert boss.post("/accounts/signer-x/erase/").status_code == 200
    assert guest.browser.get("/account/").status_code == 401
    assert code_of(boss.post("/accounts/signer-x/unlock/")) == "erased"
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = b"".join(file.read_bytes() for file in WORLD.folder.glob("site.sqlite3*"))
    assert "서명자".encode() not in held
    assert "대행".encode() in held  # (control) another's name is found by the same reading
    assert b"signer-x" in held
    report = verify.verify([WORLD.folder], trust.document("directory")).sites[0]
    assert report.entries > 5
    assert not report.findings


def main() -> None:
    with api_life.site(WORLD):
        boss = admin()
        guest = invited(boss)
        delegated(guest)
        trained(boss, guest)
        reviewed(boss)
        closed(boss, guest)


if __name__ == "__main__":
    main()
