"""A hospital restored from a backup: one that would forget a release stays closed; one that forgets nothing opens.

Run by itself (test_operations.py): `python restore_life.py FOLDER`; each phase is a process of its own.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from ansim.demo.nation import Nation
from ansim.sites import config
from ansim.sites.keeper.keystore import Keystore
from ansim.sites.operate import backup, escrow

SITE, DESK = "hospital-a", "company-x"
FOLDER = Path(sys.argv[1])
NATION = Nation(FOLDER / "nation")
PASSPHRASE = NATION.passphrase_file(SITE)


def started(folder: Path):
    """Django of the site in this folder, its key process, a client of its pages."""
    os.environ |= {"ANSIM_SITE": str(folder), "ANSIM_PASSPHRASE_FILE": str(PASSPHRASE)}
    from ansim.sites.keeper import client as key_process
    from ansim.sites.serve import prepare

    keeper = key_process.start(folder)
    prepare(folder)
    from django.test import Client

    return keeper, Client(headers={"host": "localhost"})


def wire(sender: str, typ: str, payload: dict, *, key_of: str = "") -> dict:
    from ansim.sites import clock
    from ansim.sites.exchange import envelope

    name = key_of or sender
    keys = Keystore(NATION.site(name) / "keys", NATION.passphrase_file(name).read_bytes())
    return envelope.write(
        typ, payload, iss=sender, aud=SITE, seq=9, kid=keys.keys["site"]["kid"], sign=keys.signing_key("site").sign,
        now=clock.now(),
    )  # fmt: skip


def released() -> str:
    """An act that others hear of: an entry, a message to the desk, a signed head. Gives the head."""
    from django.db import transaction

    from ansim.sites.exchange import post, witness
    from ansim.sites.store import ledger

    with transaction.atomic():
        ledger.note("releases", "release", of=secrets.token_hex(4))
        post.send("thread.message", {"id": "r", "text": "it left", "by": "x"}, to=DESK)
    return witness._newest().note


def live() -> None:
    NATION.found()
    folder = NATION.site(SITE)
    shares = escrow.make(folder / "keys", shares=3, threshold=2)
    keeper, _client = started(folder)
    here, passphrase = config.read(folder), PASSPHRASE.read_bytes().strip()
    first = released()
    backup.make(here, FOLDER / "old", passphrase, datetime.now(UTC))
    second = released()
    backup.make(here, FOLDER / "fresh", passphrase, datetime.now(UTC))
    telling()
    (FOLDER / "facts.json").write_text(json.dumps({"shares": shares, "heads": [first, second]}))
    keeper.stdin.close()
    keeper.wait(10)
    for name in ("old", "fresh"):
        key = bytes.fromhex(backup.unseal(FOLDER / name, shares[:2])["key"])
        backup.restore(FOLDER / name, key, FOLDER / f"{name}-site")


def telling() -> None:
    """This site tells another what it knows of it: the last number of an act, not of heads and the like."""
    from ansim.sites.exchange import envelope, post
    from ansim.sites.operate import restored
    from ansim.sites.store.models import Job

    post.take(wire(DESK, "thread.message", {"id": "req-none"}))
    post.take(wire(DESK, restored.ASK, {}))
    asked = Job.objects.filter(kind="receive").order_by("-id").first()
    Job.objects.filter(kind="receive").exclude(id=asked.id).delete()
    from ansim.sites.store import jobs

    while task := jobs.take(["receive"]):
        jobs.run(task)
    told = [task.payload["wire"] for task in Job.objects.filter(kind="send", lane=f"send:{DESK}")]
    told = [each for each in told if envelope.signed.header(each["jws"])["typ"].endswith(restored.TELL)]
    [answer] = [json.loads(each["payload"]) for each in told]
    assert (answer["acted"], answer["seen"], answer["size"]) == (9, 9, 0)
    assert answer["notices"]["directory"] == 1


def tells(head: str, acted: int, **changed) -> dict[str, dict]:
    """What each other site says: all have this head of ours, and the desk has had `acted` messages."""
    from ansim.sites.exchange import trust
    from ansim.sites.store.models import Notice

    notices = dict(Notice.objects.values_list("name", "seq"))
    told = {"head": head, "size": 0, "seen": 0, "acted": 0, "notices": notices, **changed}
    found = {name: told for name in trust.directory().sites if name != SITE}
    found[DESK] = {**told, "acted": acted, "seen": acted + 5}
    return found


def hear(told: dict[str, dict]) -> None:
    from ansim.sites.exchange import post

    for sender, payload in told.items():
        post.take(wire(sender, "restore.tell", payload))


def closed(client) -> bool:
    answers = {client.get(path, headers={"accept": "application/json"}).status_code for path in ("/", "/ledger/")}
    posted = client.post("/step-up/", {"password": "x"}).status_code
    said = client.get("/ready/").json()["unfit"]
    return answers == {503} and posted in {302, 503} and said[:1] == ["restored"]


def idle() -> None:
    """No job of it runs and no head of it is told while it is closed."""
    import threading

    from ansim.sites.store import worker
    from ansim.sites.store.models import Job

    before = set(Job.objects.values_list("id", "state", "attempts"))
    stop = threading.Event()
    worker._beats[:] = [each for each in worker._beats if each[0] not in {"poll", "restored"}]  # they need a network
    threads = worker.start(stop)
    stop.wait(2.5)
    stop.set()
    for thread in threads:
        thread.join(5)
    assert set(Job.objects.values_list("id", "state", "attempts")) == before
    assert before, "the outbox holds what was being sent when the backup was made"


def old(client) -> None:
    """The attack: a backup from before a release, in which that release never was."""
    from ansim.sites.operate import restored
    from ansim.sites.store.models import Event

    first, second = json.loads((FOLDER / "facts.json").read_text())["heads"]
    assert closed(client)
    idle()
    assert len(restored.missing()) >= 5
    hear(tells(second, 2))
    assert closed(client)
    assert set(restored.held()["why"].values()) == {"entries-forgotten", "messages-forgotten"}
    hear(tells(first, 2))  # nobody had witnessed the last head yet, but the desk has the message
    assert closed(client)
    assert restored.held()["why"] == {DESK: "messages-forgotten"}
    hear(tells(first, 1, notices={"directory": 2}))
    assert set(restored.held()["why"].values()) == {"notices-behind"}
    hear(tells(first.replace("\n", "\nx", 1), 1))
    assert set(restored.held()["why"].values()) == {"head-unsigned"}
    forged = tells(first, 1)
    from ansim.sites.exchange import post

    for sender, payload in forged.items():  # the hub speaks for everybody
        post.take(wire(sender, "restore.tell", payload, key_of="hub"))
    assert closed(client)
    # with this one defence off, it answers, and has forgotten
    (FOLDER / "old-site" / "restored.json").unlink()
    assert not closed(client)
    assert client.get("/health/").status_code == 200
    assert Event.objects.filter(type="release").count() == 1


def fresh(client) -> None:
    """A backup that forgets nothing opens once the last site has agreed, and not before."""
    from ansim.sites.operate import restored
    from ansim.sites.store.models import Counter, Event

    first, second = json.loads((FOLDER / "facts.json").read_text())["heads"]
    told = tells(second, 2)
    told[DESK]["head"] = first  # an earlier head that this site has as well
    last = sorted(told)[-1]
    hear({name: each for name, each in told.items() if name != last})
    assert closed(client)
    assert restored.missing() == [last]
    hear({last: told[last]})
    assert client.get("/ready/").json()["unfit"] == []
    assert not closed(client)
    assert Event.objects.filter(type="release").count() == 2
    [entry] = Event.objects.filter(type="site.restored").values_list("data", flat=True)
    assert json.loads(entry)["told_by"] == sorted(told)
    assert Counter.objects.get(name=f"sent:{DESK}").value == 7  # numbers go on after the last that the desk has seen
    hear({last: told[last]})  # told once more: nothing happens
    assert client.get("/health/").status_code == 200


PHASES = {"old": old, "fresh": fresh}

if __name__ == "__main__":
    if len(sys.argv) == 2:
        shutil.rmtree(FOLDER, ignore_errors=True)
        for phase in ("live", *PHASES):
            subprocess.run([sys.executable, __file__, str(FOLDER), phase], check=True)
    elif sys.argv[2] == "live":
        live()
    else:
        running, pages = started(FOLDER / f"{sys.argv[2]}-site")
        try:
            PHASES[sys.argv[2]](pages)
        finally:
            running.stdin.close()
            running.wait(10)
