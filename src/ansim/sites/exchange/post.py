"""Sending and receiving, as site code sees it.

`send` queues an envelope in the transaction of the act that causes it. `receives` declares what happens when a message
arrives: once, in one transaction, however often it is delivered. A message that a rule refuses, or that was forged or
replayed, changes nothing and leaves its reason on the ledger.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.db import IntegrityError, transaction
from django.db.models import F

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import envelope, trust
from ansim.sites.keeper.client import Keeper
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Counter, Seen

log = logging.getLogger("ansim.exchange")
_handlers: dict[str, Callable[["Message"], None]] = {}


@dataclass(frozen=True)
class Message:
    """An opened message: verified sender, its decrypted payload, and when it was signed."""

    typ: str
    sender: str
    payload: dict
    jti: str
    at: datetime


@cache
def keeper() -> Keeper:
    return Keeper(site().folder)


@cache
def own_kid() -> str:
    return keeper().public()["site"]["kid"]


def sign(data: bytes) -> bytes:
    """Sign with this site's own key."""
    return keeper().sign(data)


def next_number(name: str) -> int:
    with transaction.atomic():
        Counter.objects.get_or_create(name=name)
        Counter.objects.filter(name=name).update(value=F("value") + 1)
        return Counter.objects.get(name=name).value


def send(typ: str, payload: dict, *, to: str, irt: str = "", sealed: bool = False, blob: str = "") -> str:
    """Queue a message to another site and give its jti.

    sealed: encrypted, so that the hub that carries it cannot read it. blob: the name of a file in FOLDER/outgoing
    (made by bulk.encrypt) that travels beside it.
    """
    now = clock.now()
    with transaction.atomic():
        wire = envelope.write(
            typ,
            payload,
            iss=site().id,
            aud=to,
            kid=own_kid(),
            sign=sign,
            now=now,
            seq=next_number(f"sent:{to}"),
            irt=irt,
            encrypt_to=trust.directory().receive_key(to, now) if sealed else None,
        )
        jti = str(envelope.peek(wire)["jti"])
        jobs.queue("send", jti, {"wire": wire, "to": to, "blob": blob})
    return jti


def receives(typ: str) -> Callable:
    """Declare the handler of one type of message."""

    def declare(function: Callable[[Message], None]) -> Callable[[Message], None]:
        _handlers[typ] = function
        return function

    return declare


def take(wire: dict) -> None:
    """Take in one delivered envelope: verify, remember, queue its handling. Never raises for a bad envelope."""
    try:
        found = envelope.read(
            wire,
            directory=trust.directory(),
            me=site().id,
            now=clock.now(),
            skew=timedelta(seconds=site().skew_seconds),
        )
    except Problem as problem:
        claims = _claims(wire)
        ledger.note("exchange", "envelope.refused", reason=problem.code, message=str(problem), **claims)
        return
    try:
        with transaction.atomic():
            Seen.objects.create(sender=found.iss, jti=found.jti, expires=clock.iso(found.exp))
            jobs.queue("receive", f"{found.iss}:{found.jti}", {"wire": wire})
    except IntegrityError:
        ledger.note("exchange", "envelope.repeated", sender=found.iss, jti=found.jti, typ=found.typ)


def _claims(wire: dict) -> dict:
    try:
        claims = envelope.peek(wire)
        return {"sender": str(claims.get("iss"))[:100], "jti": str(claims.get("jti"))[:64]}
    except Problem:
        return {}


@jobs.job("receive")
def _handle(payload: dict) -> None:
    wire = payload["wire"]
    head = envelope.signed.header(wire["jws"])
    claims = envelope.peek(wire)  # verified when it was taken in
    typ = head["typ"].removeprefix(envelope.PREFIX)
    try:
        handler = _handlers.get(typ)
        if handler is None:
            raise Problem("unknown-message", N_("Messages of type {typ} are not for this site."), typ=typ)
        text = wire["payload"]
        content = json.loads(text if text.startswith(("{", "[")) else keeper().decrypt(text))
        with transaction.atomic():
            handler(Message(typ, claims["iss"], content, claims["jti"], datetime.fromisoformat(claims["iat"])))
    except Problem as problem:
        ledger.note(
            "exchange",
            "message.refused",
            typ=typ,
            sender=claims["iss"],
            jti=claims["jti"],
            reason=problem.code,
            message=str(problem),
        )
