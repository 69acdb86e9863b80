"""The hub's mailboxes: envelopes, notices and blobs wait here for sites that call in.

The hub checks signatures to keep rubbish out; nobody relies on that: receivers verify everything again.
"""

import asyncio
import json
import re
import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import envelope, post, signed, trust
from ansim.sites.hub import presence
from ansim.sites.store.models import Mail, Notice

MAX_ENVELOPE = 64 * 1024 * 1024
MAX_WAIT = 25.0
_waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
_own = threading.Event()


def put(wire: dict) -> None:
    """Lay an envelope into its receiver's mailbox; doing it twice changes nothing."""
    claims = envelope.peek(wire)
    with transaction.atomic():
        Mail.objects.get_or_create(
            receiver=claims["aud"],
            sender=claims["iss"],
            jti=claims["jti"],
            defaults={"body": json.dumps(wire), "at": clock.iso(clock.now())},
        )
        transaction.on_commit(lambda: _wake(claims["aud"]))


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
        post.take(json.loads(mail.body))
        mail.delete()
    if not mails:
        _own.wait(wait)
        _own.clear()


def caller(request: HttpRequest) -> str:
    """The site whose signed ticket came with the request."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    claims = json.loads(signed.unb64(([*token.split("."), "", ""])[1]) or "{}")
    key = trust.directory().key(str(claims.get("iss")), str(signed.header(token).get("kid")), clock.now())
    head, _ = signed.open_compact(token, key)
    skew = timedelta(seconds=site().skew_seconds)
    in_time = (
        datetime.fromisoformat(claims["iat"]) - skew <= clock.now() <= datetime.fromisoformat(claims["exp"]) + skew
    )
    if head.get("typ") != "ansim-1/poll" or claims.get("aud") != site().id or not in_time:
        raise Problem("bad-ticket", N_("The ticket is not for this hub or is out of date."))
    return str(claims["iss"])


def _refused(error: Exception) -> JsonResponse:
    return JsonResponse({"error": str(error) if isinstance(error, Problem) else "bad request"}, status=400)


@csrf_exempt
@require_POST
def envelopes(request: HttpRequest) -> HttpResponse:
    """POST an envelope."""
    try:
        wire = json.loads(request.body)
        claims = envelope.peek(wire)
        envelope.read(
            wire,
            directory=trust.directory(),
            me=str(claims.get("aud")),
            now=clock.now(),
            skew=timedelta(seconds=site().skew_seconds),
        )
        put(wire)
    except (Problem, ValueError, KeyError) as error:
        return _refused(error)
    return JsonResponse({"accepted": claims["jti"]}, status=202)


def _mail_for(receiver: str) -> dict[str, Any]:
    presence.saw(receiver)
    mails = Mail.objects.filter(receiver=receiver)[:50]
    blobs = site().path("blobs", receiver)
    return {
        "mail": [{"id": mail.id, "wire": json.loads(mail.body)} for mail in mails],
        "notices": dict(Notice.objects.values_list("name", "seq")),
        "blobs": sorted(file.name for file in blobs.iterdir() if file.name[0] != ".") if blobs.exists() else [],
    }


async def poll(request: HttpRequest) -> HttpResponse:
    """GET what waits; with ?wait=SECONDS the answer comes as soon as there is something, or empty at the end."""
    try:
        receiver = await sync_to_async(caller)(request)
        wait = min(MAX_WAIT, float(request.GET.get("wait", "0")))
    except (Problem, ValueError, KeyError) as error:
        return _refused(error)
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    until = time.monotonic() + wait
    _waiting[receiver].add((loop, event))
    try:
        first = True
        while True:
            event.clear()
            found = await sync_to_async(_mail_for)(receiver)
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
        ids = [int(each) for each in json.loads(request.body)["ids"]]
    except (Problem, ValueError, KeyError, TypeError) as error:
        return _refused(error)
    Mail.objects.filter(receiver=receiver, id__in=ids).delete()
    return JsonResponse({"forgotten": len(ids)})


@csrf_exempt
@require_POST
def notices(request: HttpRequest) -> HttpResponse:
    """POST a signed notice: whoever brings it, its own signatures decide."""
    try:
        notice = json.loads(request.body)
    except ValueError as error:
        return _refused(error)
    if not trust.take(notice):
        return JsonResponse({"error": "not newer, or not signed as it must be"}, status=400)
    wake_all()
    return JsonResponse({"accepted": True}, status=202)


def notice(request: HttpRequest, name: str) -> HttpResponse:
    """GET the newest notice of this name."""
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
    """PUT ?to=&offset= appends a piece; GET ?offset=&length= reads one's own; DELETE once it has arrived."""
    try:
        who = caller(request)
        file = _blob(str(request.GET.get("to", "")) if request.method == "PUT" else who, name)
        part = file.with_name(f".{name}.{who}.part" if request.method == "PUT" else name)
        offset = int(request.GET.get("offset", "0"))
        if request.method == "PUT":
            trust.directory().site(file.parent.name)
            return JsonResponse({"size": _append(file, part, offset, request.body)})
        if not file.exists():
            raise Http404
        if request.method == "DELETE":
            file.unlink()
            return JsonResponse({"deleted": name})
        with file.open("rb") as stream:
            stream.seek(offset)
            piece = stream.read(min(int(request.GET.get("length", "0")) or 4_194_304, 16_777_216))
        return HttpResponse(
            piece, content_type="application/octet-stream", headers={"X-Blob-Size": str(file.stat().st_size)}
        )
    except (Problem, ValueError, KeyError) as error:
        return _refused(error)


def _append(file: Path, part: Path, offset: int, piece: bytes) -> int:
    """Append where the sender left off; the blob appears under its name once its bytes hash to it."""
    from ansim.sites.exchange import bulk

    if file.exists():
        return file.stat().st_size
    file.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    if offset == have:
        with part.open("ab") as stream:
            stream.write(piece)
        have += len(piece)
    if bulk.digest(part) == file.name:
        part.replace(file)
    return have


def blob_size(request: HttpRequest, name: str) -> HttpResponse:
    """GET how much of a blob has arrived."""
    try:
        who = caller(request)
        file = _blob(str(request.GET.get("to", "")), name)
    except (Problem, ValueError, KeyError) as error:
        return _refused(error)
    for candidate in (file, file.with_name(f".{name}.{who}.part")):
        if candidate.exists():
            return JsonResponse({"size": candidate.stat().st_size})
    return JsonResponse({"size": 0})
