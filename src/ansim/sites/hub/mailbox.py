"""The hub's mailboxes: envelopes, notices and blobs wait here for sites that call in.

The hub checks signatures to keep rubbish out; nobody relies on that: receivers verify everything again.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import threading
import time
from collections import defaultdict, deque
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import envelope, missing, post, signed, trust
from ansim.sites.exchange.gate import in_thread
from ansim.sites.hub import presence
from ansim.sites.keeper.keystore import sync_folder
from ansim.sites.store import ledger
from ansim.sites.store.durable import lazily
from ansim.sites.store.models import Mail, Notice
from ansim.sites.store.worker import beat

MAX_WAIT = 25.0
MAX_ANSWER = 32 * 1024 * 1024  # bytes of mail in one answer, unless one envelope alone is larger
MAX_NOTICE = 4 * 1024 * 1024
MAX_BLOB = 64 * 1024**3
PIECE, MAX_PIECE = 4 * 1024 * 1024, 16 * 1024 * 1024
RESERVE = 512 * 1024 * 1024  # bytes of disk that stay free
MOST_AT_ONCE = 100  # envelopes in one call
MOST_MAIL = 5000  # envelopes from one sender that wait for one receiver
MOST_POLLS = 16  # of one site at once
BLOB_SECONDS = 30 * 86400
LONGEST_TICKET = timedelta(hours=25)
_waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
_own = threading.Event()


class _Deposit:
    """Envelopes that somebody waits to see in the mailboxes."""

    def __init__(self, wires: list[dict]):
        self.wires, self.done = wires, False


_deposits: deque[_Deposit] = deque()
_depositing = threading.Lock()


def put(*wires: dict) -> None:
    """Lay envelopes into their receivers' mailboxes; doing it twice changes nothing.

    Whoever comes while another writes waits, and then one of them writes for all who wait: the disk is waited for once.
    """
    mine = _Deposit(list(wires))
    _deposits.append(mine)
    with _depositing:
        if mine.done:
            return
        these = [_deposits.popleft() for _ in range(len(_deposits))]
        try:
            _write([wire for deposit in these for wire in deposit.wires])
        except BaseException:
            _deposits.extend(deposit for deposit in these if deposit is not mine)  # they try again without this one
            raise
        for deposit in these:
            deposit.done = True


def _write(wires: list[dict]) -> None:
    at = clock.iso(clock.now())
    claims = [envelope.peek(wire) for wire in wires]
    rows = [
        Mail(receiver=each["aud"], sender=each["iss"], jti=each["jti"], body=json.dumps(wire), at=at)
        for each, wire in zip(claims, wires, strict=True)
    ]
    with transaction.atomic():
        Mail.objects.bulk_create(rows, ignore_conflicts=True)
        for receiver in {each["aud"] for each in claims}:
            transaction.on_commit(partial(_wake, receiver))


def _wake(receiver: str) -> None:
    if receiver == site().id:
        _own.set()
    for loop, event in list(_waiting.get(receiver, ())):
        loop.call_soon_threadsafe(event.set)


def wake_all() -> None:
    """A notice came in: everybody should hear of it."""
    for receiver in list(_waiting):
        _wake(receiver)


def take_own(wait: float = 1.0) -> None:
    """Take in the envelopes addressed to the hub itself."""
    mails = list(Mail.objects.filter(receiver=site().id)[:100])
    for mail in mails:
        post.take(json.loads(mail.body))  # twice after a crash in between: it is remembered
        mail.delete()
    if not mails:
        _own.wait(wait)
        _own.clear()


def caller(request: HttpRequest) -> str:
    """The site whose signed ticket came with the request."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    claims = envelope.peek({"jws": token})
    key = trust.directory().key(str(claims.get("iss")), str(signed.header(token).get("kid")), clock.now())
    head, _ = signed.open_compact(token, key)
    skew = timedelta(seconds=site().skew_seconds)
    try:
        begins, ends = (datetime.fromisoformat(claims[name]) for name in ("iat", "exp"))
        in_time = begins - skew <= clock.now() <= ends + skew and ends - begins <= LONGEST_TICKET
    except (KeyError, TypeError, ValueError):
        in_time = False
    if head.get("typ") != "ansim-1/poll" or claims.get("aud") != site().id or not in_time:
        raise Problem("bad-ticket", N_("The ticket is not for this hub or is out of date."))
    return str(claims["iss"])


class _Refused(Exception):
    """An answer to a caller that is not a rule of the exchange: HTTP status and code."""

    def __init__(self, status: int, code: str):
        super().__init__(code)
        self.status, self.code = status, code


MISTAKES = (Problem, _Refused, ValueError, KeyError, TypeError, OverflowError)


def _refused(error: Exception, status: int = 400) -> JsonResponse:
    if isinstance(error, _Refused):
        return JsonResponse({"error": error.code, "code": error.code}, status=error.status)
    if isinstance(error, Problem):
        return JsonResponse({"error": str(error), "code": error.code}, status=status)
    return JsonResponse({"error": "bad request", "code": "bad-request"}, status=400)


def _room(size: int = 0) -> None:
    """Refuse for now what would fill the hub's disk: others' mail must still get through."""
    if shutil.disk_usage(site().folder).free - size < site().options.get("reserve_bytes", RESERVE):
        raise _Refused(507, "disk-full")


@csrf_exempt
@require_POST
def envelopes(request: HttpRequest) -> HttpResponse:
    """POST an envelope; or {"envelopes": [...]}, and the answer says of each how it went: {"answers": [{"status"}]}."""
    try:
        given = signed.loads(request.body)
        _room(len(request.body))
        if "envelopes" not in given:
            claims = _acceptable(given)
            put({"jws": given["jws"], "payload": given["payload"]})
            return JsonResponse({"accepted": claims["jti"]}, status=202)
        answers, good = [], []
        for wire in list(given["envelopes"])[:MOST_AT_ONCE]:
            try:
                _acceptable(wire)
                good.append({"jws": wire["jws"], "payload": wire["payload"]})
                answers.append({"status": 202})
            except MISTAKES as error:
                refused = _refused(error)
                answers.append({"status": refused.status_code, **json.loads(refused.content)})
        put(*good)
    except MISTAKES as error:
        return _refused(error)
    return JsonResponse({"answers": answers})


def _acceptable(wire: Any) -> dict:
    """The claims of an envelope that may lie in a mailbox here; raises what is wrong with it."""
    claims = envelope.peek(wire)
    directory, receiver, sender = trust.directory(), str(claims.get("aud")), str(claims.get("iss"))
    skew = timedelta(seconds=site().skew_seconds)
    envelope.read(wire, directory=directory, me=receiver, now=clock.now(), skew=skew)
    directory.site(receiver)
    if Mail.objects.filter(receiver=receiver, sender=sender).count() >= site().options.get("most_mail", MOST_MAIL):
        raise _Refused(429, "mailbox-full")
    return claims


def _mail_for(receiver: str) -> dict[str, Any]:
    presence.saw(receiver)
    mails: list[dict] = []
    size = 0
    for mail in Mail.objects.filter(receiver=receiver)[:50].iterator(chunk_size=1):
        size += len(mail.body)
        if mails and size > MAX_ANSWER:
            break
        mails.append({"id": mail.id, "wire": json.loads(mail.body)})
    blobs = site().path("blobs", receiver)
    return {
        "mail": mails,
        "notices": dict(Notice.objects.values_list("name", "seq")),
        "blobs": sorted(file.name for file in blobs.iterdir() if file.name[0] != ".") if blobs.exists() else [],
    }


async def poll(request: HttpRequest) -> HttpResponse:
    """GET what waits; with ?wait=SECONDS the answer comes as soon as there is something, or empty at the end.

    ?ack=1,2: mail of an earlier answer that is safely stored; the hub forgets it.
    """
    try:
        receiver = await in_thread(caller, request)
        wait = min(MAX_WAIT, float(request.GET.get("wait", "0")))
        if given := request.GET.get("ack"):
            await in_thread(_forget, receiver, [int(each) for each in given.split(",")])
        if len(_waiting[receiver]) >= MOST_POLLS:
            raise _Refused(429, "too-many-polls")
    except MISTAKES as error:
        return _refused(error, 401)
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    until = time.monotonic() + wait
    _waiting[receiver].add((loop, event))
    try:
        first = True
        while True:
            event.clear()
            found = await in_thread(_mail_for, receiver)
            left = until - time.monotonic()
            if found["mail"] or left <= 0 or not first:
                return JsonResponse(found)
            first = False
            try:  # looked at again each second: another process of this hub may have taken the mail in
                while left > 0 and not event.is_set():
                    await asyncio.wait_for(event.wait(), min(left, 1.0))
            except TimeoutError:
                first = True
    finally:
        _waiting[receiver].discard((loop, event))


@csrf_exempt
@require_POST
def ack(request: HttpRequest) -> HttpResponse:
    """POST {"ids": […]}: received and safely stored; the hub forgets them."""
    try:
        receiver = caller(request)
    except MISTAKES as error:
        return _refused(error, 401)
    try:
        ids = [int(each) for each in json.loads(request.body)["ids"]][:1000]
        _forget(receiver, ids)
    except MISTAKES as error:
        return _refused(error)
    return JsonResponse({"forgotten": len(ids)})


def _forget(receiver: str, ids: list[int]) -> None:
    """Should a power cut bring them back, the receiver takes them for repeated."""
    if any(abs(each) >= 2**63 for each in ids):
        raise ValueError
    with lazily():
        Mail.objects.filter(receiver=receiver, id__in=ids[:1000]).delete()


@csrf_exempt
@require_POST
def notices(request: HttpRequest) -> HttpResponse:
    """POST a signed notice: whoever brings it, its own signatures decide."""
    try:
        if len(request.body) > MAX_NOTICE:
            raise _Refused(413, "too-large")
        notice = signed.loads(request.body)
        _room(len(request.body))
    except MISTAKES as error:
        return _refused(error)
    try:
        caller(request)
        known = True
    except Problem:
        known = False
    if not trust.take(notice, known=known):
        return JsonResponse({"error": "not newer, or not signed as it must be", "code": "bad-notice"}, status=400)
    wake_all()
    return JsonResponse({"accepted": True}, status=202)


def notice(request: HttpRequest, name: str) -> HttpResponse:
    """GET the newest notice of this name. Member lists name people: they are for sites only."""
    if name.startswith("members:"):
        try:
            caller(request)
        except Problem as error:
            return _refused(error, 401)
    found = Notice.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return JsonResponse(found.body)


def _blob(receiver: str, name: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{64}", name) or not re.fullmatch(r"[a-z0-9-]{1,60}", receiver):
        raise Problem("bad-name", N_("This is not a blob's name."))
    return site().path("blobs", receiver, name)


@csrf_exempt
def blob(request: HttpRequest, name: str) -> HttpResponse:
    """PUT ?to=&offset=&size= appends a piece; GET ?offset=&length= reads one's own; DELETE once it has arrived."""
    try:
        who = caller(request)
    except MISTAKES as error:
        return _refused(error, 401)
    try:
        file = _blob(str(request.GET.get("to", "")) if request.method == "PUT" else who, name)
        offset = int(request.GET.get("offset", "0"))
        if request.method == "PUT":
            trust.directory().site(file.parent.name)
            part = file.with_name(f".{name}.{who}.part")
            return JsonResponse({"size": _append(file, part, offset, int(request.GET["size"]), request.body)})
        if not file.exists():
            raise Http404
        if request.method == "DELETE":
            file.unlink(missing_ok=True)
            return JsonResponse({"deleted": name})
        length = int(request.GET.get("length", PIECE))
        with file.open("rb") as stream:
            stream.seek(offset)
            piece = stream.read(min(max(length, 1), MAX_PIECE))
            size = os.fstat(stream.fileno()).st_size
        return HttpResponse(piece, content_type="application/octet-stream", headers={"X-Blob-Size": str(size)})
    except MISTAKES as error:
        return _refused(error)


def _append(file: Path, part: Path, offset: int, size: int, piece: bytes) -> int:
    """Append where the sender left off; complete, the blob appears under its name if its bytes hash to it."""
    from ansim.sites.exchange import bulk

    if file.exists():
        return file.stat().st_size
    have = part.stat().st_size if part.exists() else 0
    if not 0 < size <= site().options.get("max_blob_bytes", MAX_BLOB) or have + len(piece) > size:
        part.unlink(missing_ok=True)
        raise Problem("bad-blob", N_("The file {name} was changed on its way."), name=file.name[:12])
    _room(size - have)
    file.parent.mkdir(parents=True, exist_ok=True)
    if offset == have:
        with part.open("ab") as stream:
            stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        have += len(piece)
    if have == size:  # hashed once, not at every piece
        if bulk.digest(part) != file.name:
            part.unlink()
            raise Problem("bad-blob", N_("The file {name} was changed on its way."), name=file.name[:12])
        part.replace(file)
        sync_folder(file.parent)
    return have


def blob_size(request: HttpRequest, name: str) -> HttpResponse:
    """GET how much of a blob has arrived."""
    try:
        who = caller(request)
    except MISTAKES as error:
        return _refused(error, 401)
    try:
        file = _blob(str(request.GET.get("to", "")), name)
    except MISTAKES as error:
        return _refused(error)
    for candidate in (file, file.with_name(f".{name}.{who}.part")):
        if candidate.exists():
            return JsonResponse({"size": candidate.stat().st_size})
    return JsonResponse({"size": 0})


def sweep() -> None:
    """Let go of what nobody can use any more: envelopes long out of time, blobs that nobody fetched for a month. Who
    sent such an envelope is told."""
    before = clock.iso(clock.now() - envelope.LIFETIME - timedelta(days=1))
    gone = Mail.objects.filter(at__lt=before)
    for row in list(gone.values("sender", "receiver").annotate(count=Count("id")).order_by("sender", "receiver")):
        ledger.note("exchange", "mail.expired", **row)
        with contextlib.suppress(Problem):  # a sender that has left, or a directory out of date: the entry stands here
            missing.tell(row["sender"], reason="not-fetched", receiver=row["receiver"], count=row["count"])
    gone.delete()
    for file in site().path("blobs").glob("*/*"):
        if time.time() - file.stat().st_mtime > BLOB_SECONDS:
            file.unlink(missing_ok=True)


@beat("sweep", lambda: 3600.0)
def _sweep() -> None:
    with transaction.atomic():
        sweep()
