"""Sending and receiving, as site code sees it.

`send` queues an envelope in the transaction of the act that causes it. `receives` declares what happens when a message
arrives: once, in one transaction, however often it is delivered. A message that a rule refuses, or that was forged or
replayed, changes nothing and leaves its reason on the ledger.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import envelope, trust
from ansim.sites.fitness import Unfit
from ansim.sites.keeper.client import Keeper
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Counter, Job, Seen

log = logging.getLogger("ansim.exchange")
BLOB = re.compile(r"[0-9a-f]{64}")
NOTED_EACH = 16  # refusals of one kind and sender that stand on the ledger one by one; then the 32nd, 64th, ...
_handlers: dict[str, Callable[["Message"], None]] = {}
_sealed_only: set[str] = set()


@dataclass(frozen=True)
class Message:
    """An opened message: verified sender, its decrypted payload, and when it was signed."""

    typ: str
    sender: str
    payload: dict
    jti: str
    at: datetime
    sealed: bool = False


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
    now, directory = clock.now(), trust.directory()
    directory.site(to)
    if blob and not BLOB.fullmatch(blob):
        raise Problem("bad-name", N_("This is not a blob's name."))
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
            encrypt_to=directory.receive_key(to, now) if sealed else None,
        )
        jti = str(envelope.peek(wire)["jti"])
        jobs.queue("send", jti, {"wire": wire, "to": to, "blob": blob}, lane=f"send:{to}")
    return jti


def receives(typ: str, *, sealed: bool = False) -> Callable:
    """Declare the handler of one type of message; `sealed`: refused when the hub could have read it.

    Messages of one sender are handled in the order in which it sent them. A handler may raise `jobs.Later` when it
    waits for something from elsewhere; the sender's next messages then go on.
    """

    def declare(function: Callable[[Message], None]) -> Callable[[Message], None]:
        _handlers[typ] = function
        if sealed:
            _sealed_only.add(typ)
        return function

    return declare


def take(wire: dict) -> None:
    """Take in one delivered envelope: verify, remember, queue its handling. Never raises for a bad envelope.

    Raises Unfit while this site cannot judge (its own directory is missing or out of date): then it must be delivered
    again later.
    """
    try:
        directory = trust.directory()
    except Problem as problem:
        raise Unfit(problem.code, problem.text, remedy=problem.remedy, **problem.facts) from problem
    try:
        skew = timedelta(seconds=site().skew_seconds)
        found = envelope.read(wire, directory=directory, me=site().id, now=clock.now(), skew=skew)
    except Problem as problem:
        claims = _claims(wire)
        known = claims["sender"] if claims["sender"] in directory.sites else "?"
        noted = _note("envelope.refused", known, problem.code, message=str(problem)[:500], **claims)
        if noted and problem.code == "out-of-time":  # genuine and for us, but its time is over
            _too_late(wire, claims)
        return
    try:
        with transaction.atomic():
            now = clock.iso(clock.now())
            Seen.objects.create(
                sender=found.iss, jti=found.jti, expires=clock.iso(found.exp), seq=max(0, found.seq), at=now
            )
            jobs.queue("receive", f"{found.iss}:{found.jti}", {"wire": wire}, lane=f"receive:{found.iss}")
    except IntegrityError:
        _note("envelope.repeated", found.iss, "repeated", sender=found.iss, jti=found.jti, typ=found.typ)


def _note(kind: str, about: str, reason: str, **facts: str) -> bool:
    """Onto the ledger; but whoever repeats it a million times adds a few entries only. Whether this one was noted."""
    with transaction.atomic():
        times = next_number(f"{kind}:{about}:{reason}"[:200])
        noted = times <= NOTED_EACH or times & (times - 1) == 0
        if noted:
            ledger.note("exchange", kind, reason=reason, times=times, **facts)
    return noted


def _too_late(wire: dict, claims: dict[str, str]) -> None:
    """The sender of mail that came after its time should know, unless it did arrive before and was brought again."""
    from ansim.sites.exchange import missing

    typ = envelope.signed.header(wire["jws"])["typ"].removeprefix(envelope.PREFIX)
    if not Seen.objects.filter(sender=claims["sender"], jti=claims["jti"]).exists():
        missing.tell(claims["sender"], reason="out-of-time", about=typ, jti=claims["jti"])


def _claims(wire: Any) -> dict[str, str]:
    try:
        claims = envelope.peek(wire)
    except Problem:
        claims = {}
    return {"sender": str(claims.get("iss", ""))[:100], "jti": str(claims.get("jti", ""))[:64]}


def _head(payload: dict) -> dict[str, str]:
    """Type, sender and jti of an envelope that was verified when it was taken in (or is one's own)."""
    typ = envelope.signed.header(payload["wire"]["jws"])["typ"].removeprefix(envelope.PREFIX)
    return {"typ": typ, **_claims(payload["wire"])}


def _open(payload: dict) -> dict | Problem:
    """The message's content, or why it is refused. Decrypting and parsing hold no database lock."""
    head, text = _head(payload), payload["wire"]["payload"]
    sealed = not text.startswith(("{", "["))
    try:
        if head["typ"] not in _handlers:
            raise Problem("unknown-message", N_("Messages of type {typ} are not for this site."), typ=head["typ"])
        if head["typ"] in _sealed_only and not sealed:
            raise Problem("not-sealed", N_("Messages of type {typ} must be encrypted."), typ=head["typ"])
        if sealed:
            named = envelope.signed.header(text).get("apu")
            if named != envelope.signed.b64(envelope.party(head["sender"], head["typ"]).encode()):
                raise Problem("not-the-senders", N_("The sealed content was not sealed by {sender}."), **head)
        content = envelope.signed.loads(keeper().decrypt(text) if sealed else text)
        if not isinstance(content, dict):
            raise Problem("bad-payload", N_("The payload is not a JSON object."))
    except Unfit:
        raise
    except ValueError:
        return Problem("bad-payload", N_("The payload is not a JSON object."))
    except Problem as problem:
        return problem
    return content


def _deliver(payload: dict, content: dict | Problem) -> None:
    head = _head(payload)
    claims = envelope.peek(payload["wire"])
    try:
        if isinstance(content, Problem):
            raise content
        sealed = not payload["wire"]["payload"].startswith(("{", "["))
        with transaction.atomic():
            at = datetime.fromisoformat(claims["iat"])
            _handlers[head["typ"]](Message(head["typ"], claims["iss"], content, claims["jti"], at, sealed))
    except Unfit:
        raise
    except Problem as problem:
        ledger.note("exchange", "message.refused", reason=problem.code, message=str(problem), **head)


jobs.job("receive", finish=_deliver)(_open)


def refused(given: Any) -> None:
    """The courier brought an envelope back that the hub does not take: {"wire", "answer"}."""
    ledger.note("exchange", "message.unsent", reason=str(given.get("answer", ""))[:100], **_claims(given.get("wire")))


@jobs.when_dead
def _on_dead(task: Job, reason: str) -> None:
    """A message that could not be handled, or that the hub refused, is never lost in silence."""
    if task.kind in {"receive", "send"}:
        kind = "message.failed" if task.kind == "receive" else "message.unsent"
        ledger.note("exchange", kind, job=task.id, reason=reason.partition(":")[0][:100], **_head(task.payload))
