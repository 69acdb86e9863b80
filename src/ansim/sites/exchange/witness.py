"""Heads of the ledger, told to the other sites, which cosign what is consistent with what they saw before.

So a site that rewrites its past is found out by every other one; a tail that nobody
cosigned yet is shown as unwitnessed.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from joserfc.jwk import OKPKey

from ansim.errors import Problem
from ansim.governance.ledger import checkpoint, tree, witness
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Checkpoint, Cosignature, Event, LedgerHead, Witnessed
from ansim.sites.store.worker import beat


def raw(jwk: dict) -> bytes:
    """The 32 public bytes of an Ed25519 JWK."""
    public = OKPKey.import_key(jwk).public_key
    assert isinstance(public, Ed25519PublicKey)
    return public.public_bytes_raw()


def _own_key() -> bytes:
    return raw(post.keeper().public()["site"])


def tell() -> None:
    """Sign a new head if the ledger has grown, and tell it to every other site with a proof from what each has seen."""
    head = LedgerHead.objects.filter(id=1).first()
    if head is None or Checkpoint.objects.filter(size=head.size).exists() or not trust.document("directory"):
        return
    frontier = tree.Frontier(head.size, tuple(bytes.fromhex(part) for part in head.frontier))
    note = checkpoint.sign_checkpoint(
        checkpoint.Checkpoint(site().id, head.size, frontier.root()), _own_key(), post.sign
    )
    leaves = [bytes.fromhex(leaf) for leaf in Event.objects.filter(seq__lt=head.size).values_list("leaf", flat=True)]
    with transaction.atomic():
        Checkpoint.objects.get_or_create(size=head.size, defaults={"root": frontier.root().hex(), "note": note})
        for other in trust.directory().sites:
            if other != site().id:
                _tell_one(other, head.size, note, leaves)


def _tell_one(other: str, size: int, note: str, leaves: list[bytes], old: int | None = None) -> None:
    if old is None:
        seen = Cosignature.objects.filter(witness=other).order_by("-size").values_list("size", flat=True).first()
        old = seen or 0
    proof = [part.hex() for part in tree.consistency_proof(old, leaves, size)]
    post.send("ledger.head", {"note": note, "old": old, "proof": proof}, to=other)


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
    newest = Checkpoint.objects.order_by("-size").first()
    if newest and message.payload["size"] <= newest.size:
        leaves = [
            bytes.fromhex(leaf) for leaf in Event.objects.filter(seq__lt=newest.size).values_list("leaf", flat=True)
        ]
        _tell_one(message.sender, newest.size, newest.note, leaves, old=message.payload["size"])


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
