"""The hub's register and its mailboxes at a real hub: whose word stands where, and mail that nobody fetched.

Run by itself (test_back_rooms.py): `python hub_life.py FOLDER`.
"""

import sys
from datetime import timedelta
from pathlib import Path

import back_rooms

WORLD = back_rooms.World(Path(sys.argv[1]), "hub")
FIRST = {
    "kind": "agreement", "id": "agr-1", "version": 1, "title": {"ko": "연구", "en": "Study"}, "areas": ["respiratory"],
    "user": "company-x", "holders": ["hospital-a", "hospital-b"], "digest": "1" * 64, "purpose": "scientific research",
    "not_before": "2026-01-01", "not_after": "2026-12-31",
}  # fmt: skip
SECOND = {**FIRST, "version": 2, "digest": "2" * 64}


def entry() -> dict:
    from ansim.sites.store.models import Record

    return Record.objects.get(kind="register", key="agreement:agr-1").data


def looked_at(language: str, path: str = "/agreements/agr-1/") -> str:
    from django.test import Client

    answer = Client(headers={"accept-language": language, "host": "127.0.0.1"}).get(path)
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def register() -> None:
    """Each site's word stands beside the others'; where they differ is shown, until all say the same again."""
    for sender in ("hospital-a", "centre-1", "hospital-b"):
        back_rooms.deliver("register.note", FIRST, sender)
    assert entry()["differs"] == []
    assert "서로 다름" not in looked_at("ko", "/register/")
    back_rooms.deliver("register.note", SECOND, "centre-1")
    assert (entry()["version"], entry()["differs"]) == (1, ["centre-1"])  # nobody corrects another's word
    shown = looked_at("en")
    assert "Where the reports differ" in shown
    assert "1111111" in shown
    assert "2222222" in shown
    assert "보고 내용이 다른 부분" in looked_at("ko")
    assert "서로 다름" in looked_at("ko", "/register/")
    for sender in ("hospital-a", "hospital-b"):
        back_rooms.deliver("register.note", {**SECOND, "words": {}, "said_by": ["x"], "first": "hospital-b"}, sender)
    assert (entry()["version"], entry()["differs"]) == (2, [])
    assert entry()["said_by"] == ["centre-1", "hospital-a", "hospital-b"]  # the hub's own, not what a note says
    assert "Where the reports differ" not in looked_at("en")


def not_fetched(post) -> None:
    """Mail that waited beyond its time is let go, and who sent it is told; mail in time stays."""
    from ansim.sites import clock
    from ansim.sites.exchange import missing
    from ansim.sites.hub import mailbox
    from ansim.sites.store.models import Mail

    def lay(sender: str, jti: str) -> None:
        at = clock.iso(clock.now())
        Mail.objects.create(receiver="hospital-c", sender=sender, jti=jti, body="{}", at=at)

    lay("company-x", "a")
    lay("company-x", "b")
    lay("someone-gone", "c")
    clock.move(timedelta(days=16).total_seconds())
    lay("company-x", "d")
    mailbox._sweep()
    assert [mail.jti for mail in Mail.objects.filter(receiver="hospital-c")] == ["d"]
    facts = {"reason": "not-fetched", "receiver": "hospital-c", "count": 2}
    assert post.take(missing.TYP) == [("company-x", facts, False), ("someone-gone", {**facts, "count": 1}, False)]


FIELDS = {
    "events-TOTAL_FORMS": "1", "events-INITIAL_FORMS": "0", "rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0",
    "title": "New users", "before": "365", "after": "0", "entry_limit": "first", "combine": "all", "age_from": "18",
    "age_to": "80", "sex": "F", "end": "start", "end_days": "90", "period_from": "2015-01-01",
    "events-0-event": "drug_exposure", "events-0-concepts": "1118084, -1177480", "events-0-descendants": "on",
    "rules-0-need": "not", "rules-0-event": "condition_occurrence", "rules-0-concepts": "192671",
    "rules-0-from_days": "-365", "rules-0-to_days": "-1",
}  # fmt: skip


def groups() -> None:
    """A patient group from fields becomes the beginning of a question (its fields: test_group_page.py)."""
    from django.contrib.auth.models import Group, User
    from django.test import Client

    person = User.objects.create_user("group-maker", password="x", last_name="company-x")
    person.groups.add(Group.objects.get_or_create(name="researcher")[0])
    client = Client(headers={"accept-language": "en", "host": "127.0.0.1"})
    assert client.get("/feasibility/group/").status_code == 302  # to the sign-in
    client.force_login(person)
    assert b"events-0-event" in client.get("/feasibility/group/").content
    answer = client.post("/feasibility/group/", FIELDS | {"do": "use"})
    assert (answer.status_code, answer["location"]) == (302, "/feasibility/new/?group=1")
    begun = client.get("/feasibility/new/?group=1").content.decode()
    assert "drug_exposure" in begun
    assert "drug_exposure" not in client.get("/feasibility/new/").content.decode()


def main() -> None:
    from ansim.sites.keeper import client

    keeper = client.start(WORLD.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(WORLD.folder)
        post = back_rooms.Post()
        register()
        groups()
        not_fetched(post)
    finally:
        keeper.stdin.close()
        keeper.wait(5)


if __name__ == "__main__":
    main()
