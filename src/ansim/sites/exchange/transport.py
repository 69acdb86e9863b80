"""How envelopes, notices and blobs get to the hub and back.

`http`: outbound calls only; one long poll waits for mail. `folder`: the same bytes as files in `out/` and `in/` for
separated networks, carried by a courier who needs no key. The hub's own mail does not travel at all.
"""

import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import bulk, envelope, outbound, post, signed, trust
from ansim.sites.keeper.keystore import sync_folder, write_private
from ansim.sites.store import jobs
from ansim.sites.store.models import Notice
from ansim.sites.store.worker import beat

log = logging.getLogger("ansim.exchange")
WAIT_SECONDS = 20
PIECE = 4 * 1024 * 1024
TICKET_HOURS = 0.25
TICKET_SECONDS = 300.0  # of its quarter of an hour a ticket is used so long
MOST_TOGETHER = 50  # envelopes in one call
FRESH = timedelta(days=7)  # an envelope sent with less left is signed anew
HALF_WRITTEN_SECONDS = 30.0
WAIT_STATUS = {401, 403, 408, 425, 429, 507}  # the hub cannot now: its directory, its clock, its disk, our quota
WAIT_CODES = {"unknown-key", "unknown-site", "out-of-time", "no-notice", "stale-notice", "clock-behind"}
_local = threading.local()


class Transport(Protocol):
    def send(self, wires: list[dict]) -> list[Exception | None]: ...
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

    def __init__(self) -> None:
        self._pass = ("", 0.0)  # ticket, and until when it is used
        self._taken: list[int] = []  # mail that was taken in; the hub hears of it at the next poll

    def _client(self) -> httpx.Client:
        if not hasattr(_local, "client"):
            patience = httpx.Timeout(30, read=WAIT_SECONDS + 15)
            _local.client = httpx.Client(base_url=site().hub_url, timeout=patience, **outbound.options(site()))
        return _local.client

    def _call(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._ticket()}"}
        try:
            answer = self._client().request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise jobs.Later(1.0, f"the hub does not answer: {type(error).__name__}", counts=False) from error
        if refused := _refusal(answer.status_code, _code(answer), answer.text[:200]):
            self._pass = ("", 0.0)  # perhaps it was the ticket
            raise refused
        return answer

    def _ticket(self) -> str:
        """One ticket serves for a while: signing it takes longer than most calls."""
        token, until = self._pass
        if time.monotonic() > until:
            token = ticket(TICKET_HOURS)
            self._pass = (token, time.monotonic() + TICKET_SECONDS)
        return token

    def send(self, wires: list[dict]) -> list[Exception | None]:
        """Several envelopes in one call; what the hub says of each."""
        if len(wires) == 1:
            answer = self._call("POST", "/exchange/envelopes", json=wires[0])
            return [None if _accepted(answer, wires[0]) else jobs.Later(2.0, "something else than the hub answered")]
        answers = self._call("POST", "/exchange/envelopes", json={"envelopes": wires}).json()["answers"]
        return [_refusal(each["status"], str(each.get("code", "")), "") for each in answers]

    def poll(self) -> None:
        about = {"wait": WAIT_SECONDS, "ack": ",".join(map(str, self._taken))}
        found = self._call("GET", "/exchange/poll", params=about).json()
        self._taken = []
        for name in trust.in_order(found["notices"]):
            held = Notice.objects.filter(name=name).values_list("seq", flat=True).first() or 0
            if found["notices"][name] > held:
                trust.take(self._call("GET", f"/exchange/notices/{name}").json())
        for mail in found["mail"]:
            post.take(mail["wire"])
            self._taken.append(mail["id"])  # it stands in this site's database: the hub may forget it

    def put_blob(self, file: Path, to: str) -> None:
        size = file.stat().st_size
        about: dict[str, Any] = {"to": to, "size": size}
        have = int(self._call("GET", f"/exchange/blobs/{file.name}/size", params=about).json()["size"])
        with file.open("rb") as stream:
            while have < size:  # goes on where an earlier try was cut off
                stream.seek(have)
                piece = stream.read(PIECE)
                answer = self._call(
                    "PUT", f"/exchange/blobs/{file.name}", params={"offset": have, **about}, content=piece
                )
                now = int(answer.json()["size"])
                if now <= have:
                    raise jobs.Later(1.0, "the hub did not take the blob's next piece")
                have = now

    def get_blob(self, name: str, target: Path) -> None:
        if _there(name, target):
            return
        part = target.with_name(f".{target.name}.part")
        while True:
            have = part.stat().st_size if part.exists() else 0
            answer = self._call("GET", f"/exchange/blobs/{name}", params={"offset": have, "length": PIECE})
            with part.open("ab") as stream:
                stream.write(answer.content)
                stream.flush()
                os.fsync(stream.fileno())
            if have + len(answer.content) >= int(answer.headers["x-blob-size"]):
                break
            if not answer.content:
                raise jobs.Later(1.0, "the hub gave nothing")
        if bulk.digest(part) != name:
            part.unlink()
            raise jobs.Later(1.0, "the blob arrived damaged")
        part.replace(target)
        sync_folder(target.parent)
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

    def send(self, wires: list[dict]) -> list[Exception | None]:
        for wire in wires:
            self._write(wire)
        return [None] * len(wires)

    def _write(self, wire: dict) -> None:
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.envelope"
        write_private(self.out / name, json.dumps(wire).encode())

    def poll(self) -> None:
        if time.monotonic() > self._ticket_until:
            write_private(self.out / "ticket", ticket().encode())
            self._ticket_until = time.monotonic() + 60
        for file in sorted(self.inbox.glob("*.notice"), key=lambda file: (file.name[:9] != "directory", file.name)):
            self._read(file, trust.take)
        for file in sorted(self.inbox.glob("*.envelope")):
            self._read(file, post.take)
        for file in sorted(self.out.glob("*.refused")):
            self._read(file, post.refused)
        time.sleep(0.1)  # folders tell nobody that a file has come

    def _read(self, file: Path, take: Callable[[Any], Any]) -> None:
        """Take one file in and remove it; one that is no JSON is put aside, unless somebody may still be writing it."""
        try:
            if file.is_symlink() or not file.is_file():
                raise ValueError
            content = json.loads(file.read_bytes())
        except FileNotFoundError:
            return
        except (ValueError, RecursionError, OSError):
            if time.time() - file.lstat().st_mtime > HALF_WRITTEN_SECONDS:
                log.warning("%s cannot be read; put aside", file.name)
                file.rename(file.with_suffix(".bad"))
            return
        take(content)
        file.unlink()

    def put_blob(self, file: Path, to: str) -> None:
        temporary = self.out / f".{file.name}.part"
        shutil.copyfile(file, temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(self.out / f"{to}.{file.name}.blob")
        sync_folder(self.out)

    def get_blob(self, name: str, target: Path) -> None:
        if _there(name, target):
            return
        found = self.inbox / f"{name}.blob"
        if not found.exists():
            raise jobs.Later(0.5, "the blob has not been carried over yet", counts=False)
        if bulk.digest(found) != name:
            raise Problem("bad-blob", N_("The file {name} was changed on its way."), name=name[:12])
        found.replace(target)

    def publish(self, notice: dict) -> None:
        write_private(self.out / f"{secrets.token_hex(8)}.notice", json.dumps(notice).encode())


def _there(name: str, target: Path) -> bool:
    """Whether an earlier try, cut off by a crash, has fetched the blob already."""
    if not post.BLOB.fullmatch(name):
        raise Problem("bad-name", N_("This is not a blob's name."))
    return target.exists() and bulk.digest(target) == name


def _refusal(status: int, code: str, text: str) -> Exception | None:
    """What an answer of the hub means for the one who asked: nothing wrong, try again, or never."""
    if status >= 500 and status not in WAIT_STATUS:
        return jobs.Later(1.0, f"the hub answered {status}", counts=False)
    if status in WAIT_STATUS or (status == 400 and code in WAIT_CODES):
        return jobs.Later(2.0, f"the hub answered {status} {code}", counts=False)
    if status >= 400:
        return Problem("hub-refused", N_("The hub refused it: {answer}."), answer=f"{status} {text or code}")
    return None


def _accepted(answer: httpx.Response, wire: dict) -> bool:
    """Whether the hub itself says that it has this envelope: a proxy's friendly page is no receipt."""
    try:
        return answer.status_code == 202 and answer.json()["accepted"] == envelope.peek(wire)["jti"]
    except (ValueError, KeyError, TypeError):
        return False


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


class Local:
    """The hub itself: its mail is in its own database."""

    def send(self, wires: list[dict]) -> list[Exception | None]:
        from ansim.sites.hub import mailbox

        for wire in wires:
            mailbox.put(wire)
        return [None] * len(wires)

    def poll(self) -> None:
        from ansim.sites.hub import mailbox

        mailbox.take_own()

    def put_blob(self, file: Path, to: str) -> None:
        site().path("blobs", to).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, site().path("blobs", to, file.name))

    def get_blob(self, name: str, target: Path) -> None:
        if not _there(name, target):
            site().path("blobs", site().id, name).replace(target)

    def publish(self, notice: dict) -> None:
        trust.take(notice)


_made: dict[str, Transport] = {}


def transport() -> Transport:
    kind = "local" if site().kind == "hub" else site().transport
    if kind not in _made:
        _made[kind] = Local() if kind == "local" else Folder(site().folder) if kind == "folder" else Http()
    return _made[kind]


def _sent(payload: dict, _result: None) -> None:
    """Nothing more to do here: the job goes, and with it the envelope."""


@jobs.job("send", finish=_sent)
def _send(payload: dict) -> None:
    blob = site().path("outgoing", payload["blob"]) if payload.get("blob") else None
    if blob and blob.exists():
        transport().put_blob(blob, payload["to"])
    [wrong] = transport().send([_in_time(payload["wire"])])
    if wrong:
        raise wrong
    if blob:
        blob.unlink(missing_ok=True)


@jobs.together("send")
def _send_all(payloads: list[dict]) -> list[Exception | None]:
    """Envelopes in one call; one with a blob, or alone, by itself."""
    many = [index for index, payload in enumerate(payloads) if not payload.get("blob")][:MOST_TOGETHER]
    if len(many) < 2:
        return [_tried(payload) for payload in payloads]
    try:
        ends = transport().send([_in_time(payloads[index]["wire"]) for index in many])
    except Exception as error:
        ends = [error] * len(many)
    together = dict(zip(many, ends, strict=True))
    return [together[index] if index in together else _tried(payload) for index, payload in enumerate(payloads)]


def _tried(payload: dict) -> Exception | None:
    try:
        _send(payload)
    except Exception as error:
        return error
    return None


def _in_time(wire: dict) -> dict:
    """The envelope, signed anew if the hub was away so long that its time is nearly over, or keys have changed."""
    ends = datetime.fromisoformat(envelope.peek(wire)["exp"])
    if ends - clock.now() > FRESH and signed.header(wire["jws"])["kid"] == post.own_kid():
        return wire
    return envelope.renew(wire, kid=post.own_kid(), sign=post.sign, now=clock.now())


@beat("poll", lambda: 0.0)
def _poll() -> None:
    try:
        transport().poll()
    except jobs.Later as later:
        time.sleep(later.seconds)
