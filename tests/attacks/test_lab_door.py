"""The door before a real JupyterLab in a real sandbox: work goes through it, and nothing else does.

Each refusal has its control: the same request that lacks only what is refused goes through, or the same attack succeeds
against the server itself, behind the door.
"""

import asyncio
import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect, unix_connect

from ansim.errors import Problem
from ansim.sites.centre import labdoor
from ansim.sites.centre.labdoor import Door, Meter
from ansim.sites.centre.sandbox.packages import kept, lab_installed, offered
from ansim.sites.centre.sandbox.session import LIMITS, Session, SessionSpec, unpack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not lab_installed(), reason="the extra ansim[jupyter] is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
NAME, MINE, OTHERS = "lab-1", "who=ann", "who=bob"


@dataclass
class Room:
    session: Session
    packages: Path
    url: str
    admitted: set[str]
    meter: Meter

    def get(self, path, cookie=MINE, **more):
        return httpx.get(f"{self.url}/s/{NAME}/{path}", headers={"cookie": cookie} | more, timeout=60)

    def ask(self, method, path, body=None, origin=None, **more):
        headers = {"cookie": MINE, "origin": origin or self.url} | more
        return httpx.request(method, f"{self.url}/s/{NAME}/{path}", json=body, headers=headers, timeout=60)

    def channel(self, name):
        return f"{self.url.replace('http', 'ws')}/s/{NAME}/api/kernels/{name}/channels"

    def behind(self, method, path, body=None):
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.session.socket)), timeout=60) as client:
            return client.request(method, f"http://localhost/s/{NAME}/{path}", json=body)


@pytest.fixture(scope="module")
def room():
    base = Path(tempfile.mkdtemp(prefix="ansim-lab-test-"))  # pytest closes its own folders to the sandbox's user
    base.chmod(0o755)
    packages = kept(offered(), base)
    (base / "data").mkdir()
    (base / "data" / "people.csv").write_text("person,age\n1,40\n2,50\n")
    session = Session(SessionSpec(base / "data", packages, f"/s/{NAME}/"))
    meter, admitted = Meter(), {MINE}

    @dataclass
    class Entered:
        socket = session.socket
        static = packages
        meter: Meter

    async def enter(cookie, name, address):
        if cookie not in admitted or name != NAME:
            raise Problem("no", "no")
        return Entered(meter)

    door = Door(enter, ("127.0.0.1",), lambda host: "http://127.0.0.1:1")
    server = uvicorn.Server(uvicorn.Config(door, port=0, lifespan="off", log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        threading.Event().wait(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Room(session, packages, f"http://127.0.0.1:{port}", admitted, meter)
    server.should_exit = True
    thread.join(10)
    session.stop()
    shutil.rmtree(base)


def kernel(room):
    found = room.ask("POST", "api/kernels", {"name": "python3"})
    assert found.status_code == 201, found.text
    return found.json()["id"]


def message(code):
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "a",
        "session": "s",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }


def execute(room, name, code, seconds=40):
    """What a cell prints, through the door."""
    headers = {"cookie": MINE}
    address = room.channel(name)
    with connect(address, additional_headers=headers, origin=room.url, open_timeout=60, max_size=None) as socket:
        asked = message(code)
        socket.send(json.dumps(asked))
        printed, until = "", time.monotonic() + seconds
        while time.monotonic() < until:
            found = json.loads(socket.recv(timeout=seconds))
            if found["parent_header"].get("msg_id") != asked["header"]["msg_id"]:
                continue
            if found["msg_type"] == "stream":
                printed += found["content"]["text"]
            if found["msg_type"] == "error":
                printed += f"{found['content']['ename']}: {found['content']['evalue']}"
            if found["msg_type"] == "status" and found["content"]["execution_state"] == "idle":
                return printed
    raise AssertionError("the kernel did not answer")


@pytest.fixture(scope="module")
def running(room):
    return kernel(room)


def test_people_work_in_it(room, running):
    page = room.get("lab")
    assert page.status_code == 200
    assert "jupyter-config-data" in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors http://127.0.0.1:1" in policy
    assert "set-cookie" not in page.headers
    script = page.text.split('<script defer="defer" src="')[1].split("?")[0].removeprefix(f"/s/{NAME}/")
    assert room.get(script).headers["content-type"] in {"text/javascript", "application/javascript"}
    assert execute(room, running, "import pandas as pd; print(pd.read_csv('/data/people.csv').age.sum())") == "90\n"
    book = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    saved = room.ask("PUT", "api/contents/a.ipynb", {"type": "notebook", "format": "json", "content": book})
    assert saved.status_code == 201, saved.text
    assert room.get("api/contents/a.ipynb").json()["content"]["nbformat"] == 4
    assert "ansim" not in execute(room, running, "import sys; print([p for p in sys.modules if 'ansim' in p])")


def test_the_work_comes_out_as_a_checked_tar_and_in_again(room, running, tmp_path):
    execute(room, running, "import os; open('/work/out/t.csv','w').write('n\\n1\\n'); os.symlink('/data','/work/link')")
    work = room.session.save()
    files, _refused = unpack(work, tmp_path)
    assert "out/t.csv" in files
    assert not any("link" in name for name in files)
    again = Session(SessionSpec(tmp_path / "out", room.packages, f"/s/{NAME}/", work=work))
    try:
        until = time.monotonic() + 60
        while (found := again.save()) is None and time.monotonic() < until:
            threading.Event().wait(0.2)
        (tmp_path / "b").mkdir()
        assert "out/t.csv" in unpack(found, tmp_path / "b")[0]
    finally:
        again.stop()
    assert not again.running()


def test_only_its_own_member_comes_in(room, running):
    for cookie in (OTHERS, ""):
        assert room.get("lab", cookie).status_code == 403
        assert room.get("api/contents", cookie).status_code == 403
        assert room.get("static/lab/index.html", cookie).status_code == 403
    elsewhere = httpx.get(f"{room.url}/s/lab-2/lab", headers={"cookie": MINE})
    assert elsewhere.status_code == 403
    assert room.get("api/contents").status_code == 200  # control


@pytest.mark.parametrize(
    "path",
    [
        "files/a.ipynb", "view/a.ipynb", "nbconvert/html/a.ipynb", "api/terminals", "terminals/1", "lab/extensions/x",
        "api/nbconvert", "metrics", "api/shutdown", "kernelspecs/python3/logo-32x32.png", "lab/api/build", "lsp/ws/x",
        "lab/api/extensions", "lab/api/plugins", "custom/custom.css", "login", "logout",
        "api/contents/../../etc/passwd",
        "static/lab/../../../../../../etc/passwd", "static/lab/%2e%2e/%2e%2e/x", "api/contents/a%2fb",
        "files/..%2f..%2fdata/people.csv", "", "tree", "api/spec.yaml",
    ],
)  # fmt: skip
def test_no_other_handler_is_reached(room, path):
    assert httpx.get(f"{room.url}/s/{NAME}/{path}", headers={"cookie": MINE}).status_code == 404


def test_the_handlers_are_there_behind_the_door(room, running):
    """Control: without the door's list, files are downloaded."""
    execute(room, running, "open('/work/big.csv','w').write('x' * 10)")
    assert room.behind("GET", "files/big.csv").content == b"x" * 10
    assert room.get("files/big.csv").status_code == 404


def test_forged_host_and_origin_are_refused(room, running):
    assert room.get("lab", host="evil.example").status_code == 403
    assert room.get("lab", host="127.0.0.1.evil.example:80").status_code == 403
    for origin in ("http://evil.example", "null", room.url.replace("127.0.0.1", "localhost"), "http://127.0.0.1:1"):
        assert room.ask("POST", "api/kernels", {"name": "python3"}, origin=origin).status_code == 403
        with pytest.raises(WebSocketException):
            connect(room.channel(running), additional_headers={"cookie": MINE}, origin=origin)
    assert room.behind("POST", "api/kernels", {"name": "python3"}).status_code == 201  # control


def test_data_do_not_leave_as_files(room, running):
    execute(
        room,
        running,
        "import os, shutil\nshutil.copy('/data/people.csv','/work/a.csv')\n"
        "os.symlink('/data/people.csv','/work/l.csv')\n"
        "open('/work/b.txt','w').write('x' * (2 << 20)); open('/work/c.txt','wb').write(bytes(range(256)))\n"
        "open('/work/d.txt','w').write('short')",
    )
    for name, why in (("a.csv", "ending"), ("l.csv", "ending"), ("b.txt", "size"), ("c.txt", "binary")):
        found = room.get(f"api/contents/{name}?content=1")
        assert (found.status_code, found.json().get("reason")) == (403, why), (name, found.text[:200])
        assert room.behind("GET", f"api/contents/{name}?content=1").status_code == 200  # control
    assert room.get("api/contents/d.txt?content=1").json()["content"] == "short"
    assert room.meter.refused["ending"] >= 2


def test_files_do_not_come_in(room):
    body = {"type": "file", "format": "base64", "content": "AAAA"}
    found = room.ask("PUT", "api/contents/model.txt", body)
    assert found.json()["reason"] == "upload"
    assert room.ask("PUT", "api/contents/x.csv", {"type": "file", "format": "text", "content": "a"}).status_code == 403
    assert (
        room.ask(
            "PUT", "api/contents/x.txt", {"type": "file", "format": "text", "content": "a", "chunk": 1}
        ).status_code
        == 403
    )
    assert room.ask("PATCH", "api/contents/d.txt", {"path": "d.csv"}).status_code == 403
    assert room.ask("PUT", "api/contents/x.txt", {"type": "file", "format": "text", "content": "a"}).status_code == 201
    assert (
        room.behind("PUT", "api/contents/x.csv", {"type": "file", "format": "text", "content": "a"}).status_code == 201
    )


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"])
def test_a_kernel_has_no_network(room, running, family):
    kind = "SOCK_STREAM" if "INET" in family else "SOCK_RAW"
    printed = execute(room, running, f"import socket; socket.socket(socket.{family}, socket.{kind}); print('open')")
    assert "open" not in printed
    assert "PermissionError" in printed
    import socket

    socket.socket(getattr(socket, family), getattr(socket, kind)).close()  # control: here it opens


def test_a_kernel_reaches_no_socket_outside(room, running):
    """It may open Unix sockets, to talk with its server; no path and no abstract name leads out."""
    import socket

    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind("\0ansim-test")
        outside.listen()
        code = "import socket; s = socket.socket(socket.AF_UNIX); s.connect({}); print('in')"
        assert "in\n" not in execute(room, running, code.format("'\\0ansim-test'"))
        assert "in\n" not in execute(room, running, code.format(repr(str(room.session.socket))))
        with socket.socket(socket.AF_UNIX) as control:
            control.connect("\0ansim-test")
            control.connect_ex("\0ansim-test")
    printed = execute(room, running, "import os; print(os.path.exists('/root'), os.listdir('/'), dict(os.environ))")
    assert str(room.session.socket) not in printed
    assert os.environ.get("PATH", "x") not in printed


def test_settings_and_data_are_read_only(room, running):
    for place in ("/data/x", "/code/jupyter_server_config.py", "/packages/x.py", "/code/labconfig/x.json", "/usr/x"):
        assert "Read-only" in execute(room, running, f"open('{place}', 'w')"), place


def test_a_taken_server_puts_no_script_into_the_browser(room, running):
    """A kernel can make its server say anything: what it says is data here, and programs come from our own copy."""
    evil = "alert(1)"
    execute(room, running, f"open('/work/evil.txt','w').write('{evil}')")
    shown = room.get("api/contents/evil.txt")
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"
    name = next((room.packages / "share/jupyter/lab/static").glob("*.js")).name
    assert room.get(f"static/lab/{name}").content == (room.packages / "share/jupyter/lab/static" / name).read_bytes()


def test_a_flood_of_a_kernel_does_not_pass(room, running):
    before = room.meter.refused.get("message", 0)
    printed = execute(
        room, running, "from IPython.display import display, HTML\ndisplay(HTML('x' * (3 << 20)))\nprint('on')"
    )
    assert printed == "on\n"
    assert room.meter.refused["message"] == before + 1


def drain(socket, seconds):
    """Read until the door closes it; a TimeoutError when it stays open."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            socket.recv(timeout=max(0.1, until - time.monotonic()))
    except WebSocketException:
        return
    raise TimeoutError


def test_who_may_no_longer_be_here_is_cut_off(room, running, monkeypatch):
    monkeypatch.setattr(labdoor, "RECHECK_SECONDS", 0.1)
    with connect(room.channel(running), additional_headers={"cookie": MINE}, origin=room.url) as socket:
        room.admitted.clear()
        try:
            drain(socket, 20)
            assert room.get("lab").status_code == 403
        finally:
            room.admitted.add(MINE)
    assert room.get("lab").status_code == 200


def test_behind_the_door_sockets_answer_anybody(room, running):
    """Control of the origin and the cut-off: the server itself lets everybody in."""
    with unix_connect(str(room.session.socket), f"ws://localhost/s/{NAME}/api/kernels/{running}/channels") as socket:
        socket.send(json.dumps(message("1")))
        assert socket.recv(timeout=20)


def test_limits_are_those_of_a_room():
    assert LIMITS.processes < 200
    assert asyncio.iscoroutinefunction(Door.__call__)
