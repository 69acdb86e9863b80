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

from django.db import IntegrityError, connection, transaction

from ansim.errors import N_, Problem
from ansim.sites import clock, fitness
from ansim.sites.config import site
from ansim.sites.exchange import envelope, trust
from ansim.sites.exchange.notices import Directory
from ansim.sites.fitness import Unfit
from ansim.sites.keeper.client import Keeper
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Counter, Job, Seen

log = logging.getLogger("ansim.exchange")
BLOB = re.compile(r"[0-9a-f]{64}")
HOUSEKEEPING = ("ledger.", "mail.", "restore.")  # messages that no act of a person stands behind
NOTED_EACH = 16  # refusals of one kind and sender that stand on the ledger one by one; then the 32nd, 64th, ...
_handlers: dict[str, Callable[["Message"], None]] = {}
_sealed_only: set[str] = set()
_quick: set[str] = set()
_before: dict[str, Callable[[str, dict], Any]] = {}


@dataclass(frozen=True)
class Message:
    """An opened message: verified sender, its decrypted payload, and when it was signed. found: what the handler's
    `before` made of it."""

    typ: str
    sender: str
    payload: dict
    jti: str
    at: datetime
    sealed: bool = False
    found: Any = None


@cache
def keeper() -> Keeper:
    return Keeper(site().folder, site().socket)


@cache
def own_kid() -> str:
    return keeper().public()["site"]["kid"]


def sign(data: bytes) -> bytes:
    """Sign with this site's own key."""
    return keeper().sign(data)


def next_number(name: str) -> int:
    """The next number of a sequence, from 1, without gaps among committed transactions."""
    table = connection.ops.quote_name(Counter._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (name, value) VALUES (%s, 1) "
            f"ON CONFLICT (name) DO UPDATE SET value = {table}.value + 1 RETURNING value",
            [name],
        )
        return cursor.fetchone()[0]


def send(typ: str, payload: dict, *, to: str, irt: str = "", sealed: bool = False, blob: str = "") -> str:
    """Queue a message to another site and give its jti.

    sealed: encrypted, so that the hub that carries it cannot read it. blob: the name of a file in FOLDER/outgoing
    (made by bulk.encrypt) that travels beside it.
    """
    if blob and not BLOB.fullmatch(blob):
        raise Problem("bad-name", N_("This is not a blob's name."))
    now, directory = clock.now(), trust.directory()
    with transaction.atomic():
        wire = _written(typ, payload, to, directory, now, irt, sealed)
        jti = str(envelope.peek(wire)["jti"])
        jobs.queue("send", jti, {"wire": wire, "to": to, "blob": blob}, lane=f"send:{to}")
    return jti


def send_all(typ: str, payload: dict, *, to: list[str], sealed: bool = False) -> None:
    """Queue the same message to several sites."""
    now, directory = clock.now(), trust.directory()
    with transaction.atomic():
        wires = [(receiver, _written(typ, payload, receiver, directory, now, "", sealed)) for receiver in to]
        jobs.queue_new(
            "send",
            {str(envelope.peek(wire)["jti"]): {"wire": wire, "to": receiver, "blob": ""} for receiver, wire in wires},
            lanes=[f"send:{receiver}" for receiver in to],
        )


def _written(typ: str, payload: dict, to: str, directory: Directory, now: datetime, irt: str, sealed: bool) -> dict:
    directory.site(to)
    return envelope.write(
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


def receives(
    typ: str, *, sealed: bool = False, quick: bool = False, before: Callable[[str, dict], Any] | None = None
) -> Callable:
    """Declare the handler of one type of message; `sealed`: refused when the hub could have read it.

    quick: handled in the very transaction that takes it in, not as a job of its own. before(sender, payload): what is
    to be computed first, while no transaction is open; it writes nothing.

    Messages of one sender are handled in the order in which it sent them. A handler may raise `jobs.Later` when it
    waits for something from elsewhere; the sender's next messages then go on.
    """

    def declare(function: Callable[[Message], None]) -> Callable[[Message], None]:
        _handlers[typ] = function
        if sealed:
            _sealed_only.add(typ)
        if quick:
            _quick.add(typ)
        if before:
            _before[typ] = before
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
    lane, payload = f"receive:{found.iss}", {"wire": wire}
    restoring = fitness.restoring(site().folder)
    if restoring and found.typ == "restore.tell":  # the one message that such a site acts upon
        _hear(found, payload)
        return
    try:
        if found.typ in _quick and not restoring and not jobs.held_up(lane) and _at_once(found, payload):
            return
        with transaction.atomic():
            _remember(found)
            jobs.queue("receive", f"{found.iss}:{found.jti}", payload, lane=lane)
    except IntegrityError:
        _note("envelope.repeated", found.iss, "repeated", sender=found.iss, jti=found.jti, typ=found.typ)


def _remember(found: envelope.Envelope) -> None:
    now, seq = clock.iso(clock.now()), max(0, found.seq)
    Seen.objects.create(sender=found.iss, jti=found.jti, expires=clock.iso(found.exp), seq=seq, at=now)
    if not found.typ.startswith(HOUSEKEEPING):  # by what a sender that was restored must know of (operate/restored.py)
        counter, new = Counter.objects.get_or_create(name=f"acted:{found.iss}", defaults={"value": seq})
        if not new and counter.value < seq:
            Counter.objects.filter(name=counter.name, value__lt=seq).update(value=seq)


def _hear(found: envelope.Envelope, payload: dict) -> None:
    from ansim.sites.operate import restored

    opened = _open(payload)
    if isinstance(opened, Problem):
        log.warning("%s of %s cannot be read", found.typ, found.iss)
    else:
        restored.hear(found.iss, opened[0])


def _at_once(found: envelope.Envelope, payload: dict) -> bool:
    """Whether it could be handled here and now, in the transaction that remembers it; else it becomes a job."""
    if Seen.objects.filter(sender=found.iss, jti=found.jti).exists():
        return False
    try:
        opened = _open(payload)
        with transaction.atomic():
            _remember(found)
            _deliver(payload, opened)
    except Exception as error:  # whatever it is, the job meets it again, tries again and writes it down
        log.info("%s becomes a job: %s", found.typ, jobs.describe(error))
        return False
    return True


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


def _open(payload: dict) -> tuple[dict, Any] | Problem:
    """The message's content and what its `before` found, or why it is refused. This holds no database lock."""
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
        before = _before.get(head["typ"])
        return content, before(head["sender"], content) if before else None
    except Unfit:
        raise
    except ValueError:
        return Problem("bad-payload", N_("The payload is not a JSON object."))
    except Problem as problem:
        return problem


def _deliver(payload: dict, opened: tuple[dict, Any] | Problem) -> None:
    head = _head(payload)
    claims = envelope.peek(payload["wire"])
    try:
        if isinstance(opened, Problem):
            raise opened
        content, found = opened
        sealed = not payload["wire"]["payload"].startswith(("{", "["))
        with transaction.atomic():
            at = datetime.fromisoformat(claims["iat"])
            _handlers[head["typ"]](Message(head["typ"], claims["iss"], content, claims["jti"], at, sealed, found))
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
