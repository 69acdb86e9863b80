"""Heads of the ledger, told to the other sites, which cosign what is consistent with what they saw before.

So a site that rewrites its past is found out by every other one; a tail that nobody
cosigned yet is shown as unwitnessed.
"""

from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from joserfc.jwk import OKPKey

from ansim.errors import Problem
from ansim.governance.ledger import checkpoint, tree, witness
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Checkpoint, Cosignature, Event, LedgerHead, Record, Witnessed
from ansim.sites.store.worker import beat

TOLD = "told"  # a record for each site: the last head that was sent to it
PATIENCE = timedelta(hours=1)  # for an answer, before the then newest head is sent


def raw(jwk: dict) -> bytes:
    """The 32 public bytes of an Ed25519 JWK."""
    public = OKPKey.import_key(jwk).public_key
    assert isinstance(public, Ed25519PublicKey)
    return public.public_bytes_raw()


def _own_key() -> bytes:
    return raw(post.keeper().public()["site"])


def _read(start: int, end: int) -> list[bytes]:
    rows = Event.objects.filter(seq__gte=start, seq__lt=end).order_by("seq").values_list("leaf", flat=True)
    return [bytes.fromhex(leaf) for leaf in rows]


_tiles = tree.Tiles(_read)


def present() -> tuple[int, bytes]:
    """(entries, root) of this site's ledger as it is."""
    head = LedgerHead.objects.filter(id=1).first()
    frontier = tree.Frontier(head.size, tuple(bytes.fromhex(part) for part in head.frontier)) if head else None
    return (frontier.size, frontier.root()) if frontier else (0, tree.root([]))


def root_at(size: int) -> bytes:
    """The root that the ledger had at this size, from its leaves. size: at most its present one."""
    _tiles.size = max(_tiles.size, size)
    return tree.root(_tiles, 0, size)


def tell() -> None:
    """Sign a new head if the ledger has grown, and tell the newest to every site that has not cosigned it, with a proof
    from what it has. A site that does not answer gets no other head for a while: they would only pile up for it."""
    if not trust.document("directory"):
        return
    newest = _newest()
    if newest:
        for other in trust.directory().sites:
            if other != site().id and (old := _due(other, newest.size)) is not None:
                _tell_one(other, newest, old)


def _newest() -> Checkpoint | None:
    """The signed head of the ledger as it is now, made if need be."""
    head = LedgerHead.objects.filter(id=1).first()
    if head is None or head.size == 0:
        return None
    frontier = tree.Frontier(head.size, tuple(bytes.fromhex(part) for part in head.frontier))
    _tiles.size = max(_tiles.size, head.size)
    held = Checkpoint.objects.filter(size=head.size).first()
    if held is None:
        signing = checkpoint.Checkpoint(site().id, head.size, frontier.root())
        note = checkpoint.sign_checkpoint(signing, _own_key(), post.sign)
        defaults = {"root": frontier.root().hex(), "note": note}
        held, _ = Checkpoint.objects.get_or_create(size=head.size, defaults=defaults)
    return held


def _due(other: str, size: int) -> int | None:
    """The size from which another site needs a proof of the newest head; None if it has it, or owes an answer."""
    seen = Cosignature.objects.filter(witness=other).order_by("-size").values_list("size", flat=True).first() or 0
    told = Record.objects.filter(kind=TOLD, key=other).values_list("data", flat=True).first() or {}
    if "from" in told:
        return told["from"] if told["from"] <= size else None  # more than we have: its own ledger says so
    if seen >= size or (told.get("size", 0) > seen and clock.now() - datetime.fromisoformat(told["at"]) < PATIENCE):
        return None
    return seen


def _tell_one(other: str, newest: Checkpoint, old: int) -> None:
    proof = [part.hex() for part in tree.consistency_proof(old, _tiles, newest.size)]  # before any lock is held
    with transaction.atomic():
        ledger.record(TOLD, other, {"size": newest.size, "at": clock.iso(clock.now())}, status="told")
        post.send("ledger.head", {"note": newest.note, "old": old, "proof": proof}, to=other)


@beat("witness", lambda: site().witness_seconds)
def _beat() -> None:
    tell()


@post.receives("ledger.head")
def _on_head(message: post.Message) -> None:
    last = Witnessed.objects.filter(origin=message.sender).order_by("-size").first()
    keys = [raw(key) for key in trust.directory().keys(message.sender, clock.now())]
    try:
        head = witness.admit(
            (last.size, bytes.fromhex(last.root)) if last else None,
            message.payload["note"],
            old=message.payload["old"],
            proof=[bytes.fromhex(part) for part in message.payload["proof"]],
            origin=message.sender,
            public_keys=keys,
        )
    except Problem as problem:
        if problem.code == "ledger-stale":
            post.send("ledger.stale", {"size": last.size if last else 0}, to=message.sender, irt=message.jti)
            return
        raise  # a rollback or a fork stands on this site's ledger with its reason
    Witnessed.objects.get_or_create(
        origin=message.sender, size=head.size, defaults={"root": head.root.hex(), "note": message.payload["note"]}
    )
    line = checkpoint.cosign(head, site().id, _own_key(), post.sign, int(clock.now().timestamp()))
    post.send("ledger.cosign", {"size": head.size, "line": line}, to=message.sender, irt=message.jti)


@post.receives("ledger.stale")
def _on_stale(message: post.Message) -> None:
    """The witness goes by another head than the proof started from: the next telling starts there."""
    ledger.record(TOLD, message.sender, {"from": int(message.payload["size"])}, status="stale")


@post.receives("ledger.cosign")
def _on_cosign(message: post.Message) -> None:
    size, line = message.payload["size"], message.payload["line"]
    held = Checkpoint.objects.get(size=size)
    head = checkpoint.Checkpoint(site().id, size, bytes.fromhex(held.root))
    keys = [raw(key) for key in trust.directory().keys(message.sender, clock.now())]
    try:
        checkpoint.open_cosignature(line, head, message.sender, keys)
    except checkpoint.BadNote as error:
        ledger.note("exchange", "cosignature.refused", witness=message.sender, reason=str(error))
        return
    Cosignature.objects.get_or_create(size=size, witness=message.sender, defaults={"line": line})
