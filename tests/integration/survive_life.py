"""What a hospital's site does when its machine or its network fails; each outcome is stated where it is tested.

Run by itself (test_survive.py) as root in a mount namespace of its own: `python survive_life.py FOLDER`.
"""

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import back_rooms

FOLDER = Path(sys.argv[1])
FOLDER.mkdir(parents=True, exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", str(FOLDER)], check=True)
WORLD = back_rooms.World(FOLDER, "hospital-a")
ACT = "/ledger/witness/"  # an act that writes, and the smallest one


class Pages:
    """The site's pages, as the steward."""

    def __init__(self):
        from django.test import Client

        self.client = Client(headers={"host": "localhost"}, raise_request_exception=False)
        password = WORLD.nation.sign_ins["hospital-a"]["steward-a"]
        self.client.post("/sign-in/", {"username": "steward-a", "password": password})

    def ask(self) -> int:
        """The status of an act that writes a job and an entry."""
        from ansim.sites.store.models import Job

        Job.objects.filter(id=1).update(state="dead")
        return self.client.post("/jobs/1/again/", headers={"accept": "application/json"}).status_code


def size() -> int:
    from ansim.sites.store.models import Event

    return Event.objects.count()


def whole() -> None:
    """Ledger, head and records fit one another."""
    from ansim.governance.ledger import tree
    from ansim.sites.exchange import witness
    from ansim.sites.store.models import Event

    leaves = [bytes.fromhex(leaf) for leaf in Event.objects.order_by("seq").values_list("leaf", flat=True)]
    assert witness.present() == (len(leaves), tree.root(leaves))


def refused_and_recovers(pages: Pages, name: str, broken) -> None:
    """An act is answered 503 and leaves nothing behind; reading goes on where it can; afterwards the act works."""
    from django.db import connection

    assert pages.ask() in {200, 302}, name
    before = size()
    with broken:
        answer = pages.client.post("/jobs/1/again/", headers={"accept": "application/json"})
        assert answer.status_code == 503, (name, answer.status_code, answer.content[:300])
        assert answer.json()["code"] == "machine-fault"
        connection.close()
    assert size() == before, name
    whole()
    assert pages.ask() in {200, 302}, name
    assert size() == before + 1
    whole()


@contextlib.contextmanager
def disk_full():
    """Not a byte is left, as when logs or a copy have filled the disk."""
    from ansim.sites.store.models import Job

    Job.objects.filter(id=1).update(state="dead")
    filler = FOLDER / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def read_only():
    """The file system went read-only, as after an error of the disk."""
    from django.db import connection

    from ansim.sites.store.models import Job

    Job.objects.filter(id=1).update(state="dead")
    connection.close()
    subprocess.run(["mount", "--bind", str(FOLDER), str(FOLDER)], check=True)  # programs have files open for writing
    subprocess.run(["mount", "-o", "remount,bind,ro", str(FOLDER)], check=True)
    try:
        yield
    finally:
        connection.close()
        subprocess.run(["umount", "-l", str(FOLDER)], check=True)


@contextlib.contextmanager
def locked():
    """Another program holds the database's write lock for longer than we wait."""
    from django.db import connection

    from ansim.sites.store.models import Job

    Job.objects.filter(id=1).update(state="dead")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 300")
    with contextlib.closing(sqlite3.connect(WORLD.folder / "site.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def jobs_wait() -> None:
    """A job that meets a fault of the machine is tried again as often as it takes; it never counts as failed."""
    import errno

    from ansim.sites.store import jobs
    from ansim.sites.store.models import Job

    faults = [OSError(errno.ENOSPC, "full"), OSError(errno.EROFS, "ro"), MemoryError(), OSError(errno.EMFILE, "files")]

    @jobs.job("trial-fault")
    def _trial(payload: dict) -> None:
        raise faults[payload["which"]]

    for which in range(len(faults)):
        jobs.queue("trial-fault", str(which), {"which": which})
    for _ in range(20):
        Job.objects.filter(kind="trial-fault").update(due=0)
        while task := jobs.take(["trial-fault"]):
            jobs.run(task)
            Job.objects.filter(id=task.id).update(due=2**40)
    assert set(Job.objects.filter(kind="trial-fault").values_list("state", "attempts")) == {("queued", 0)}
    Job.objects.filter(kind="trial-fault").delete()


def poisoned() -> None:
    """A message on which its handler breaks steps aside after three tries; the sender's next one is handled."""
    from ansim.sites.exchange import envelope, post
    from ansim.sites.store import jobs
    from ansim.sites.store.models import Event, Job

    handled: list[str] = []

    @post.receives("trial.poison")
    def _trial(message: post.Message) -> None:
        if message.payload.get("poison"):
            raise ZeroDivisionError(message.payload["poison"])
        handled.append(message.jti)

    desk = WORLD.store("company-x")
    from ansim.sites import clock

    for payload in ({"poison": "900101-1234567"}, {"good": 1}):
        post.take(
            envelope.write(
                "trial.poison", payload, iss="company-x", aud="hospital-a", kid=desk.keys["site"]["kid"],
                sign=desk.signing_key("site").sign, now=clock.now(), seq=1,
            )
        )  # fmt: skip
    for _ in range(jobs.PATIENT_ATTEMPTS + 1):
        Job.objects.filter(kind="receive").update(due=0)
        while task := jobs.take(["receive"]):
            jobs.run(task)
            Job.objects.filter(id=task.id).update(due=2**40)
    assert len(handled) == 1
    for _ in range(jobs.MAX_ATTEMPTS):
        Job.objects.filter(kind="receive").update(due=0)
        while task := jobs.take(["receive"]):
            jobs.run(task)
    [dead] = Job.objects.filter(kind="receive", state="dead")
    [entry] = [json.loads(data) for data in Event.objects.filter(type="message.failed").values_list("data", flat=True)]
    assert entry["reason"] == "ZeroDivisionError"
    assert "900101" not in json.dumps(entry)
    dead.delete()


def _server(answer: bytes | None):
    """A program that is no hub: it answers these bytes, or, with None, keeps the connection and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = server.accept()
                kept.append(caller)
                if answer is not None:
                    caller.recv(65536)
                    caller.sendall(answer)
                    caller.close()

    threading.Thread(target=serve, daemon=True).start()
    return server, f"http://127.0.0.1:{server.getsockname()[1]}"


FRIENDLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<p>Sign in</p>\r\n"
CUT = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"
LIAR = b'HTTP/1.1 202 Accepted\r\nContent-Length: 27\r\n\r\n{"accepted": "another-jti"}'


def bad_networks() -> None:
    """Whatever answers in the hub's place, a message waits and is not taken for sent; no try counts against it."""
    import dataclasses

    import httpx

    from ansim.sites.config import site
    from ansim.sites.exchange import envelope, post, transport
    from ansim.sites.store import jobs
    from ansim.sites.store.models import Job

    Job.objects.filter(kind="send").delete()
    jti = post.send("thread.message", {"id": "r", "text": "x", "by": "y"}, to="company-x")
    places: dict[str, tuple] = {
        "no such name": (None, "http://hub.invalid:1"),
        "nobody listens": (None, "http://127.0.0.1:9"),
        "half-open": _server(None),
        "a proxy's own page": _server(FRIENDLY),
        "cut off": _server(CUT),
        "a receipt for something else": _server(LIAR),
        "a proxy that is away": (None, "proxy"),
    }
    original = transport.site
    for name, (server, address) in places.items():
        network = {"proxy": "http://127.0.0.1:9"} if address == "proxy" else {}
        here = dataclasses.replace(site(), hub_url="http://hub.example" if network else address, network=network)
        transport.site = lambda here=here: here
        http = transport.Http()
        transport._local.client = httpx.Client(
            base_url=here.hub_url, timeout=0.5, trust_env=False, **transport.outbound.options(here)
        )
        transport._made.clear()
        transport._made["http"] = http
        Job.objects.filter(kind="send").update(due=0)
        task = jobs.take(["send"])
        assert task is not None, name
        jobs.run(task)
        waiting = Job.objects.get(id=task.id)
        assert (waiting.state, bool(waiting.error)) == ("queued", True), (name, waiting.state, waiting.error)
        transport._local.client.close()
        if server:
            server.close()
    transport.site = original
    # and with the hub back, it is sent once
    accepted = json.dumps({"accepted": jti}).encode()
    good = b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(accepted), accepted)
    server, address = _server(good)
    here = dataclasses.replace(site(), hub_url=address)
    transport._local.client = httpx.Client(base_url=here.hub_url, timeout=5, trust_env=False)
    Job.objects.filter(kind="send").update(due=0)
    jobs.run(jobs.take(["send"]))
    assert not Job.objects.filter(kind="send").exists()
    assert envelope.JTI.fullmatch(jti)
    transport._local.client.close()
    server.close()


def clock_jumps(pages: Pages) -> None:
    """After a jump by a day nothing is dated: acts wait (503) until the clock is back."""
    from ansim.sites import clock

    before, real = size(), clock.time.time
    clock.jumped()
    for jump in (86_400, -86_400):
        clock.time.time = lambda jump=jump: real() + jump
        try:
            from ansim.sites.store.models import Job

            Job.objects.filter(id=1).update(state="dead")
            answer = pages.client.post("/jobs/1/again/", headers={"accept": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (503, "clock-jumped")
            assert "clock-jumped" in pages.client.get("/ready/").json()["unfit"]
        finally:
            clock.time.time = real
    assert size() == before
    assert pages.ask() in {200, 302}


def main() -> None:
    from ansim.sites.keeper import client as key_process
    from ansim.sites.serve import prepare

    keeper = key_process.start(WORLD.folder)
    try:
        prepare(WORLD.folder)
        from ansim.sites.store.models import Job

        Job.objects.create(id=1, kind="publish", key="dead", state="dead")
        pages = Pages()
        refused_and_recovers(pages, "disk full", disk_full())
        refused_and_recovers(pages, "locked", locked())
        refused_and_recovers(pages, "read-only", read_only())
        jobs_wait()
        poisoned()
        bad_networks()
        clock_jumps(pages)
    finally:
        key_process.end(keeper)


if __name__ == "__main__":
    main()
