"""A centre's sealed workspace and interactive work in one process; test_vault.py runs it. argv: an empty folder."""

import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

FOLDER = Path(sys.argv[1])
KEY, MEMBER = "agr-1", "researcher@company-x"


def site():
    """A centre without neighbours, its keys opened in this process."""
    from ansim.sites.init import make

    secret = secrets.token_urlsafe(32).encode()
    name = {"ko": "센터", "en": "Centre"}
    folder = FOLDER / "centre"
    make(
        folder,
        id="centre-1",
        kind="centre",
        name=name,
        passphrase=secret,
        port=8999,
        demo=True,
        hub_url="",
        trust={"roots": []},
    )
    os.environ["ANSIM_SITE"] = str(folder)
    from ansim.sites import asgi

    asgi.load_kind()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    from ansim.sites.exchange import post
    from ansim.sites.keeper.keystore import Keystore
    from ansim.sites.keeper.server import Verbs

    verbs = Verbs(Keystore(folder / "keys", secret))
    post.keeper = lambda: SimpleNamespace(call=lambda verb, **named: getattr(verbs, verb)(**named))
    return verbs


def refused(code, call, *arguments):
    from ansim.errors import Problem

    with pytest.raises(Problem) as found:
        call(*arguments)
    assert found.value.code == code, found.value


def sealed(verbs):
    """Data in clear exist only while they are opened; a changed or exchanged file is found; no key, no data."""
    from ansim.sites.centre import vault, workspaces

    received = workspaces.folder(KEY, "received", "hospital-a")
    received.mkdir(parents=True)
    (received / "r.txt").write_text("arrived")
    with vault.opened(KEY, change=True) as space:
        assert str(space).startswith("/dev/shm/")
        assert (space / "received" / "hospital-a" / "r.txt").read_text() == "arrived"
        (space / "data" / "linked").mkdir(parents=True)
        (space / "data" / "linked" / "person.csv").write_text("sentinel-8841\n")
        (space / "prepared").mkdir()
    assert not space.exists()
    with vault.opened(KEY) as again:
        assert (again / "data" / "linked" / "person.csv").read_text() == "sentinel-8841\n"
        (again / "data" / "x").write_text("a reader changes nothing")
    with vault.opened(KEY) as third:
        assert not (third / "data" / "x").exists()
    bodies = b"".join(file.read_bytes() for file in workspaces.folder(KEY).rglob("*") if file.is_file())
    assert b"arrived" in bodies  # control: the reading finds what lies in clear
    assert b"sentinel-8841" not in bodies
    assert len(list(workspaces.folder(KEY, "room").iterdir())) == 1
    try:
        with vault.opened(KEY, change=True) as broken:
            (broken / "data" / "half").write_text("half")
            raise OSError("the disk is full")
    except OSError:
        pass
    with vault.opened(KEY) as after:
        assert not (after / "data" / "half").exists()
    named = vault._named(KEY)
    whole = named.read_bytes()
    named.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("sealed", vault.unseal, KEY, named)
    named.write_bytes(whole)
    shutil.copytree(workspaces.folder(KEY), workspaces.folder("agr-2"))
    refused("sealed", vault.unseal, "agr-2", vault._named("agr-2"))  # another workspace's key does not open it
    shutil.rmtree(workspaces.folder("agr-2"))


def erased(verbs):
    """A backup of before is worth nothing once the key is destroyed."""
    from ansim.sites.centre import closing, vault

    assert vault.opens(KEY)
    backup = FOLDER / "backup"
    shutil.copytree(FOLDER / "centre" / "workspaces", backup)
    assert closing._erase(KEY)
    assert not vault.opens(KEY)
    assert closing._erase(KEY)
    shutil.rmtree(FOLDER / "centre" / "workspaces")
    shutil.copytree(backup, FOLDER / "centre" / "workspaces")
    assert not vault.opens(KEY)


def cookies(username):
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(User.objects.get(username=username))
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def asked(name, method, path, body=None):
    """The notebook server itself, behind the door."""
    from ansim.sites.centre import labs

    with httpx.Client(transport=httpx.HTTPTransport(uds=str(labs._running[name].socket)), timeout=90) as client:
        return client.request(method, f"http://localhost/s/{name}/{path}", json=body)


def interactive():
    """One's own session and nobody else's; the work is sealed, comes back, becomes a run; a freeze ends all."""
    from ansim.sites import people
    from ansim.sites.centre import agreements, labs, outputs, packages, runs, workspaces
    from ansim.sites.store import ledger

    allowed: set[str] = {MEMBER, "researcher2@company-x"}
    terms = {
        "place": {"remote": True},
        "user": {"id": "company-x"},
        "members": [{"id": member} for member in sorted(allowed)],
    }
    terms["output"] = {"threshold": 10, "rounding": 5, "checkers": 2}
    agreements.terms = lambda key: terms
    agreements.not_admitted = lambda key, member: [] if member in allowed else [ValueError("not allowed")]

    def admit(key, member, what):
        if member not in allowed:
            from ansim.errors import Problem

            raise Problem("no-access", "no")
        return terms

    agreements.admit = admit
    for name, roles in {"researcher": ["researcher"], "researcher2": ["researcher"], "room": ["room"]}.items():
        people.add(name, name, "a long password 1", roles)
    part = {"admitted": True, "people": 9, "holders": ["hospital-a"], "tables": {}}
    space = {"id": KEY, "status": "open", "parts": {"linked": part}, "not_after": "2099-12-31", "title": {"en": "P"}}
    ledger.record(workspaces.KIND, KEY, space, status="open")
    packages.prepare()
    refused("no-access", labs.start, KEY, "stranger")
    its_page()
    name = labs.start(KEY, MEMBER)
    assert labs.start(KEY, MEMBER) == name
    assert labs.enter(cookies("researcher"), name).member == MEMBER
    for other in ("researcher2", "room"):
        refused("no-access", labs.enter, cookies(other), name)
    refused("no-access", labs.enter, cookies("researcher"), "lab-0000")
    refused("no-access", labs.enter, cookies("researcher") + "x", name)
    refused("no-access", labs.enter, "", name)
    text = {"type": "file", "format": "text", "content": "sentinel-5517"}
    assert asked(name, "GET", "api/contents").status_code == 200
    refused("nothing-out", labs.hand_in, KEY, MEMBER)
    assert asked(name, "PUT", "api/contents/out/t.txt", text).status_code == 201
    run = labs.hand_in(KEY, MEMBER)
    assert [file["name"] for file in runs.get(KEY, run)["files"]] == ["t.txt"]
    for place in (labs.place(KEY, MEMBER), runs.place(KEY, run) / "t.txt"):
        assert b"sentinel-5517" not in place.read_bytes()
    taken: dict = {}
    outputs.submit = lambda key, member, bodies, context, facts, **more: taken.update(bodies)
    outputs.from_run(KEY, MEMBER, run, ["t.txt"], "why", {})
    assert taken == {"t.txt": b"sentinel-5517"}
    labs.stop(name, "member")
    assert labs.of(KEY)[0]["figures"]["saved"]
    refused("no-access", labs.enter, cookies("researcher"), name)
    again = labs.start(KEY, MEMBER)
    assert asked(again, "GET", "api/contents/out/t.txt").json()["content"] == "sentinel-5517"
    session = labs._running[again].session
    allowed.clear()  # the agreement is over
    refused("no-access", labs.enter, cookies("researcher"), again)
    assert session.running()
    labs.look()
    assert not session.running()
    assert labs.of(KEY)[0]["why"] == "no longer allowed"
    allowed.add(MEMBER)
    labs.start(KEY, MEMBER)
    assert labs.stop_all(KEY, "frozen") == 1
    assert not labs._running
    at_the_desk(allowed)
    print(json.dumps([each["why"] for each in labs.of(KEY)]))


def its_page():
    """The page of interactive work over HTTP: open it, the frame and its policy, the mark of who looks, end it."""
    from django.contrib.auth.models import User
    from django.test import Client

    from ansim.sites.centre import labs
    from ansim.sites.config import site

    def as_(username, accept="text/html"):
        browser = Client(SERVER_NAME="127.0.0.1", headers={"Accept": accept, "Accept-Language": "en"})
        browser.force_login(User.objects.get(username=username))
        return browser

    address = f"/workspaces/{KEY}/lab/"
    nothing = as_("researcher").get(address)
    assert nothing.status_code == 200, nothing.content[-2000:]
    assert "offers scripts only" in nothing.content.decode()
    assert as_("researcher", "application/json").post(address).json()["code"] == "no-lab"
    site().options["lab_port"] = 9123
    assert "<iframe" not in as_("researcher").get(address).content.decode()
    assert as_("room", "application/json").post(address).status_code == 403
    name = as_("researcher", "application/json").post(address).json()["session"]
    page = as_("researcher").get(address)
    shown = page.content.decode()
    assert f'src="http://127.0.0.1:9123/s/{name}/lab"' in shown
    assert "frame-src http://127.0.0.1:9123" in page.headers["content-security-policy"]
    assert "frame-src http" not in as_("researcher").get("/rooms/").headers["content-security-policy"]
    assert 'class="watermark"' in shown
    assert "researcher · 127.0.0.1" in shown
    assert "<iframe" not in as_("researcher2").get(address).content.decode()  # another's session is not shown
    assert "<iframe" not in as_("room").get(address).content.decode()
    made = as_("researcher").get(f"/workspaces/{KEY}/twin.zip")
    assert made.status_code == 200, made.content[-800:]
    assert as_("researcher", "application/json").post(f"{address}end/").status_code == 200
    assert labs.current(KEY, MEMBER) is None


def at_the_desk(allowed):
    """A room's conditions at every request of a notebook; a freeze ends all at once; logs and inspections."""
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    from ansim.governance import agreement as governed
    from ansim.sites import clock
    from ansim.sites.centre import agreements, desk, incidents, labs
    from ansim.sites.config import site
    from ansim.sites.store import ledger

    rooms = [{"id": "r1", "name": {"ko": "방", "en": "Room"}, "seats": 2, "terminals": ["10.9.0.0/24"]}]
    site().options["rooms"] = rooms
    agreements.terms(KEY)["place"]["remote"] = False
    there = datetime(2027, 3, 3, 11, 0, tzinfo=ZoneInfo("Asia/Seoul")).astimezone(UTC)
    clock.move((there - datetime.now(UTC)).total_seconds())
    refused("no-pledge", desk.require, MEMBER, KEY, "10.9.0.7")
    visit = desk.book(KEY, MEMBER, "r1", 1, there, 3)
    refused("seat-taken", desk.book, KEY, "researcher2@company-x", "r1", 1, there, 1) if len(allowed) > 1 else None
    refused("no-pledge", desk.move, visit, "present", "room")
    desk.clear(MEMBER, there.date() - timedelta(days=9), there.date(), "room")
    refused("own-check-in", desk.move, visit, "present", MEMBER)
    refused("not-checked-in", desk.require, MEMBER, KEY, "10.9.0.7")
    desk.move(visit, "present", "room", escort="room")
    refused("not-a-terminal", desk.require, MEMBER, KEY, "10.8.0.7")
    desk.require(MEMBER, KEY, "10.9.0.7")
    name = labs.start(KEY, MEMBER)
    assert labs.enter(cookies("researcher"), name, "10.9.0.7").name == name
    refused("no-access", labs.enter, cookies("researcher"), name, "10.8.0.7")
    desk.move(visit, "left", "room")
    refused("no-access", labs.enter, cookies("researcher"), name, "10.9.0.7")
    refused("booking-state", desk.move, visit, "present", "room")
    # The freeze: the agreement is suspended, the session killed, and only another person thaws it.
    state = SimpleNamespace(status="in force")
    agreements.state = lambda key: state
    asked_for = []
    before, ledger.execute = ledger.execute, lambda aggregate, key, command, actor: asked_for.append(type(command))
    try:
        session = labs._running[name].session
        refused("no-reason", incidents.freeze, KEY, "room", " ")
        number = incidents.freeze(KEY, "room", "a photograph of the screen")
        assert not session.running()
        assert labs.of(KEY)[0]["why"] == "frozen"
        state.status = "suspended"
        found = incidents.every()[0]
        assert datetime.fromisoformat(found["due"]) - datetime.fromisoformat(found["opened"]) == timedelta(hours=72)
        assert not incidents.late(found)
        clock.move((there + timedelta(hours=73) - datetime.now(UTC)).total_seconds())
        assert incidents.late(found)
        with pytest.raises(Exception, match="other than who opened it"):
            incidents.close(number, "room", "all is well", resume=True)
        incidents.close(number, "exporter", "all is well", resume=True)
    finally:
        ledger.execute = before
    assert asked_for == [governed.Suspend, governed.Resume]
    desk.log("media", "USB 03 destroyed", "room")
    refused("log", desk.log, "gossip", "x", "room")
    assert desk.logs("media")[0]["text"] == "USB 03 destroyed"
    every = dict.fromkeys(desk.INSPECTION, True)
    refused("remark", desk.inspect, {**every, "locks": False}, " ", "room")
    assert desk.inspect({**every, "locks": False}, "the lock is mended on Friday", "room") == "2027-03"
    refused("inspected", desk.inspect, every, "", "room")
    pages_of_the_desk()
    site().options.pop("rooms")


def pages_of_the_desk():
    """Each page and act of the desk over HTTP, by who may and who may not."""
    from django.contrib.auth.models import User
    from django.test import Client

    from ansim.sites.centre import agreements, workspaces

    def as_(username):
        browser = Client(SERVER_NAME="127.0.0.1", headers={"Accept": "application/json"})
        browser.force_login(User.objects.get(username=username))
        return browser

    workspaces.every = lambda: [{"id": KEY, "status": "open", "title": {"ko": "과제", "en": "Project"}}]
    agreements.member_of = lambda username, terms: f"{username}@company-x" if username.startswith("res") else username
    for address in ("/rooms/", "/incidents/", "/logbook/"):
        answer = as_("room").get(address)
        assert answer.status_code == 200, (address, answer.content[-800:])
        assert as_("researcher").get(address).status_code == (200 if address == "/rooms/" else 403)
        page = as_("room").get(address, headers={"accept": "text/html"})
        assert page.status_code == 200, (address, page.content[-3000:])
    assert as_("researcher").post("/incidents/freeze/", {"agreement": KEY, "reason": "x"}).status_code == 403
    assert as_("room").post("/logbook/new/", {"kind": "shift", "text": "early shift"}).status_code == 200
    assert as_("room").post("/logbook/new/", {"kind": "none", "text": "early shift"}).status_code == 400
    assert as_("researcher").post("/rooms/clear/", {"person": MEMBER}).status_code == 403
    assert as_("room").post("/rooms/visit-1/in/").status_code == 403  # asks for a step-up


def main():
    verbs = site()
    sealed(verbs)
    from ansim.sites.centre.sandbox.packages import lab_installed

    try:
        if lab_installed():
            interactive()
    finally:
        from ansim.sites.centre import labs, packages

        for name in list(labs._running):
            labs.stop(name, "lost", keep=False)
        shutil.rmtree(packages.place(), ignore_errors=True)
    erased(verbs)


main()
