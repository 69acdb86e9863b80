"""Running a hub: is it ready, what Prometheus reads, what its operators see, and whom it tells of trouble.

Run by itself (test_operations.py): `python operations_life.py FOLDER`.
"""

import re
import sys
import time
from datetime import timedelta
from pathlib import Path

import back_rooms

WORLD = back_rooms.World(Path(sys.argv[1]), "hub")
TOLD = "operator@hub.example"


def strangers(client) -> None:
    """A request under a name that is not the site's is refused as such; it does not break the site."""
    assert client.get("/metrics").status_code == 400
    assert client.get("/no-such-page/", headers={"host": "evil.example"}).status_code == 400


def measures(client) -> dict[str, float]:
    token = WORLD.folder / "metrics.token"
    assert client.get("/metrics").status_code == 404
    token.write_text("a-token\n")
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer another"}).status_code == 401
    answer = client.get("/metrics", headers={"authorization": "Bearer a-token"})
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def headers(client) -> None:
    """What browsers are told: no code but the site's own styles, no frames; cookies that no program of a page reads."""
    answer = client.get("/sign-in/")
    policy = answer["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy  # so the default holds: no script at all
    assert "frame-ancestors 'none'" in policy
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["referrer-policy"] == "same-origin"
    password = WORLD.nation.sign_ins["hub"]["researcher"]
    cookie = client.post("/sign-in/", {"username": "researcher", "password": password}).cookies["ansim_hub"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    client.post("/sign-out/")


def measured(client) -> None:
    from ansim.sites.store.models import Job

    Job.objects.create(kind="send", key="late", lane="send:hospital-a", due=time.time() - 100)
    Job.objects.create(kind="publish", key="dead", state="dead", due=time.time())
    found = measures(client)
    assert found['ansim_jobs_waiting{kind="send"}'] == 1
    assert 99 < found['ansim_jobs_lag_seconds{kind="send"}'] < 300
    assert found['ansim_jobs_dead{kind="publish"}'] == 1
    assert found['ansim_mail_waiting{site="hospital-a"}'] == 1
    assert found["ansim_ready"] == 1
    assert found['ansim_end_seconds{what="directory"}'] > 0
    assert found['ansim_request_seconds_count{method="GET",status="4xx"}'] >= 3
    from ansim.sites.store.models import Event

    assert found["ansim_ledger_entries"] == Event.objects.count() > 0


def readiness(client) -> None:
    from ansim.sites.exchange import post
    from ansim.sites.keeper.client import Keeper

    assert client.get("/ready/").json() == {"ready": True, "unfit": []}
    whole = Keeper.public
    Keeper.public = lambda self: (_ for _ in ()).throw(post.Unfit("keeper", "gone"))
    try:
        answer = client.get("/ready/")
        assert (answer.status_code, answer.json()["unfit"]) == (503, ["keeper"])
        assert client.get("/health/").status_code == 200  # it lives, and says what is wrong
    finally:
        Keeper.public = whole


def page(client) -> None:
    """Operators see it; whoever else is signed in does not."""
    people = WORLD.nation.sign_ins["hub"]
    assert client.get("/operations/").status_code == 302
    client.post("/sign-in/", {"username": "researcher", "password": people["researcher"]})
    assert client.get("/operations/").status_code == 403
    client.post("/sign-out/")
    client.post("/sign-in/", {"username": "coordinator", "password": people["coordinator"]})
    data = client.get("/operations/", headers={"accept": "application/json"}).json()
    assert data["queues"]["publish"] == {"waiting": 0, "lag": 0, "dead": 1}
    assert data["troubles"] == {"dead": "1"}
    for language, word in (("ko", "운영 현황"), ("en", "Operations")):
        client.cookies["ansim_language_hub"] = language
        assert word in client.get("/operations/").content.decode()


def told(client) -> None:
    """Trouble is mailed once when it begins, after a second look, and once when it is over."""
    from django.core import mail

    from ansim.sites.operate import watch
    from ansim.sites.store import jobs

    mail.outbox = []
    from ansim.sites.store.models import Job

    def look() -> list[str]:
        watch.look()
        while task := jobs.take(["mail"]):
            jobs.run(task)
        found = [f"{message.to} {message.subject} {message.body}" for message in mail.outbox]
        mail.outbox.clear()
        return found

    assert look() == []
    first = look()
    assert len(first) == 1
    assert re.search(TOLD + ".*Jobs or messages have failed for good", first[0], re.S)
    assert look() == []
    Job.objects.filter(state="dead").delete()
    over = look()
    assert len(over) == 1
    assert "Over: Jobs or messages have failed" in over[0]
    assert look() == []


def out_of_date(client) -> None:
    """With the directory out of date nothing is answered, and the page that says so still works."""
    from ansim.sites import clock

    clock.move(timedelta(days=5000).total_seconds())
    assert client.get("/ready/").json()["unfit"] == ["stale-notice"]
    people = WORLD.nation.sign_ins["hub"]
    client.post("/sign-in/", {"username": "coordinator", "password": people["coordinator"]})
    answer = client.get("/operations/", headers={"accept": "application/json"})
    assert answer.status_code == 200
    assert {"unfit", "ending"} <= set(answer.json()["troubles"])
    clock.move(0)


def main() -> None:
    from ansim.sites.keeper import client as key_process
    from ansim.sites.serve import prepare

    file = WORLD.folder / "site.toml"
    file.write_text(file.read_text().replace("[trust]", f'[mail]\nto = ["{TOLD}"]\n\n[trust]', 1))
    keeper = key_process.start(WORLD.folder)
    try:
        prepare(WORLD.folder)
        from django.conf import settings
        from django.test import Client

        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        client = Client(headers={"host": "localhost"})
        strangers(Client())
        headers(client)
        measured(client)
        readiness(client)
        page(client)
        told(client)
        out_of_date(Client(headers={"host": "localhost"}))
    finally:
        key_process.end(keeper)


if __name__ == "__main__":
    main()
