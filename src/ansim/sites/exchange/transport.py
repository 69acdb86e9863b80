"""How envelopes, notices and blobs get to the hub and back.

`http`: outbound calls only; one long poll waits for mail. `folder`: the same bytes as files in `out/` and `in/` for
separated networks, carried by a courier who needs no key. The hub's own mail does not travel at all.
"""

import json
import logging
import secrets
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import httpx

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import bulk, post, signed, trust
from ansim.sites.store import jobs
from ansim.sites.store.models import Notice
from ansim.sites.store.worker import beat

log = logging.getLogger("ansim.exchange")
WAIT_SECONDS = 20
PIECE = 4 * 1024 * 1024
_local = threading.local()


class Transport(Protocol):
    def send(self, wire: dict) -> None: ...
    def poll(self) -> None: ...
    def put_blob(self, file: Path, to: str) -> None: ...
    def get_blob(self, name: str, target: Path) -> None: ...
    def publish(self, notice: dict) -> None: ...


def ticket(hours: float = 24) -> str:
    """A signed pass for this site's mailbox at the hub."""
    now = clock.now()
    claims = {
        "iss": site().id,
        "aud": site().hub,
        "iat": now.isoformat(),
        "exp": (now + timedelta(hours=hours)).isoformat(),
    }
    return signed.compact({"kid": post.own_kid(), "typ": "ansim-1/poll"}, canonical(claims), post.sign)


class Http:
    """Outbound calls to the hub."""

    def _client(self) -> httpx.Client:
        if not hasattr(_local, "client"):
            _local.client = httpx.Client(base_url=site().hub_url, timeout=httpx.Timeout(30, read=WAIT_SECONDS + 15))
        return _local.client

    def _call(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ticket()}"}
        try:
            answer = self._client().request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise jobs.Later(1.0, f"the hub does not answer: {type(error).__name__}", counts=False) from error
        if answer.status_code >= 500:
            raise jobs.Later(1.0, f"the hub answered {answer.status_code}", counts=False)
        if answer.status_code >= 400:
            raise Problem(
                "hub-refused", N_("The hub refused it: {answer}."), answer=f"{answer.status_code} {answer.text[:200]}"
            )
        return answer

    def send(self, wire: dict) -> None:
        self._call("POST", "/exchange/envelopes", json=wire)

    def poll(self) -> None:
        found = self._call("GET", "/exchange/poll", params={"wait": WAIT_SECONDS}).json()
        for name, seq in found["notices"].items():
            held = Notice.objects.filter(name=name).values_list("seq", flat=True).first() or 0
            if seq > held:
                trust.take(self._call("GET", f"/exchange/notices/{name}").json())
        for mail in found["mail"]:
            post.take(mail["wire"])
        if found["mail"]:
            self._call("POST", "/exchange/ack", json={"ids": [mail["id"] for mail in found["mail"]]})

    def put_blob(self, file: Path, to: str) -> None:
        name = file.name
        size = file.stat().st_size
        have = int(self._call("GET", f"/exchange/blobs/{name}/size", params={"to": to}).json()["size"])
        with file.open("rb") as stream:
            while have < size:  # goes on where an earlier try was cut off
                stream.seek(have)
                answer = self._call(
                    "PUT", f"/exchange/blobs/{name}", params={"offset": have, "to": to}, content=stream.read(PIECE)
                )
                have = int(answer.json()["size"])

    def get_blob(self, name: str, target: Path) -> None:
        part = target.with_name(f".{target.name}.part")
        while True:
            have = part.stat().st_size if part.exists() else 0
            answer = self._call("GET", f"/exchange/blobs/{name}", params={"offset": have, "length": PIECE})
            with part.open("ab") as stream:
                stream.write(answer.content)
            if have + len(answer.content) >= int(answer.headers["x-blob-size"]):
                break
        if bulk.digest(part) != name:
            part.unlink()
            raise jobs.Later(1.0, "the blob arrived damaged")
        part.replace(target)
        self._call("DELETE", f"/exchange/blobs/{name}")

    def publish(self, notice: dict) -> None:
        self._call("POST", "/exchange/notices", json=notice)


class Folder:
    """Files in out/ and in/: a separated network, where somebody or something carries them over."""

    def __init__(self, folder: Path):
        self.out, self.inbox = folder / "out", folder / "in"
        self.out.mkdir(exist_ok=True)
        self.inbox.mkdir(exist_ok=True)
        self._ticket_until = 0.0

    def _write(self, name: str, content: bytes) -> None:
        temporary = self.out / f".{secrets.token_hex(8)}"
        temporary.write_bytes(content)
        temporary.replace(self.out / name)

    def send(self, wire: dict) -> None:
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.envelope"
        self._write(name, json.dumps(wire).encode())

    def poll(self) -> None:
        if time.monotonic() > self._ticket_until:
            self._write("ticket", ticket().encode())
            self._ticket_until = time.monotonic() + 60
        for file in sorted(self.inbox.glob("*.notice")):
            trust.take(json.loads(file.read_text("utf-8")))
            file.unlink()
        for file in sorted(self.inbox.glob("*.envelope")):
            try:
                post.take(json.loads(file.read_text("utf-8")))
            except ValueError:
                log.warning("%s is not an envelope; put aside", file.name)
                file.replace(file.with_suffix(".bad"))
                continue
            file.unlink()
        time.sleep(0.1)  # folders tell nobody that a file has come

    def put_blob(self, file: Path, to: str) -> None:
        self._write(f"{to}.{file.name}.blob", file.read_bytes())

    def get_blob(self, name: str, target: Path) -> None:
        found = self.inbox / f"{name}.blob"
        if not found.exists():
            raise jobs.Later(0.5, "the blob has not been carried over yet", counts=False)
        if bulk.digest(found) != name:
            raise Problem("bad-blob", N_("The file {name} was changed on its way."), name=name[:12])
        found.replace(target)

    def publish(self, notice: dict) -> None:
        self._write(f"{secrets.token_hex(8)}.notice", json.dumps(notice).encode())


class Local:
    """The hub itself: its mail is in its own database."""

    def send(self, wire: dict) -> None:
        from ansim.sites.hub import mailbox

        mailbox.put(wire)

    def poll(self) -> None:
        from ansim.sites.hub import mailbox

        mailbox.take_own()

    def put_blob(self, file: Path, to: str) -> None:
        site().path("blobs", to).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, site().path("blobs", to, file.name))

    def get_blob(self, name: str, target: Path) -> None:
        site().path("blobs", site().id, name).replace(target)

    def publish(self, notice: dict) -> None:
        trust.take(notice)


_made: dict[str, Transport] = {}


def transport() -> Transport:
    kind = "local" if site().kind == "hub" else site().transport
    if kind not in _made:
        _made[kind] = Local() if kind == "local" else Folder(site().folder) if kind == "folder" else Http()
    return _made[kind]


@jobs.job("send", finish=lambda payload, result: None)
def _send(payload: dict) -> None:
    blob = site().path("outgoing", payload["blob"]) if payload.get("blob") else None
    if blob and blob.exists():
        transport().put_blob(blob, payload["to"])
    transport().send(payload["wire"])
    if blob:
        blob.unlink(missing_ok=True)


@beat("poll", lambda: 0.05)
def _poll() -> None:
    try:
        transport().poll()
    except jobs.Later as later:
        time.sleep(later.seconds)
