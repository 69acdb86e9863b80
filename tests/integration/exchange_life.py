"""A hospital's mail at a real site: holes in a sender's numbers, mail out of time, heads for a site that is away.

Run by itself (test_back_rooms.py): `python exchange_life.py FOLDER`.
"""

import secrets
import sys
from datetime import timedelta
from pathlib import Path

import back_rooms

WORLD = back_rooms.World(Path(sys.argv[1]), "hospital-a")
DESK = WORLD.store("company-x")


def wire(seq: int, **options):
    from ansim.sites import clock
    from ansim.sites.exchange import envelope

    options = {"now": clock.now(), "typ": "thread.message", **options}
    return envelope.write(
        options.pop("typ"), {"id": "req-none"}, iss="company-x", aud="hospital-a", seq=seq,
        kid=DESK.keys["site"]["kid"], sign=DESK.signing_key("site").sign, **options,
    )  # fmt: skip


def hear(typ: str, payload: dict, sender: str) -> None:
    """A verified message at its handler; the mail taken in above waits unread, as nothing here is about its content."""
    from datetime import UTC, datetime

    from django.db import transaction

    from ansim.sites.exchange import post

    with transaction.atomic():
        post._handlers[typ](post.Message(typ, sender, payload, secrets.token_hex(16), datetime.now(UTC)))


def noted(kind: str) -> list[dict]:
    import json

    from ansim.sites.store.models import Event

    return [json.loads(data) for data in Event.objects.filter(type=kind).values_list("data", flat=True)]


def holes(post) -> None:
    """A withheld message is noticed once later ones have waited long enough, and once only."""
    from ansim.sites import clock
    from ansim.sites.exchange import missing
    from ansim.sites.exchange import post as exchange

    held = {seq: wire(seq) for seq in (3, 4)}
    for seq in (1, 2, 5):
        exchange.take(wire(seq))
    missing.look()
    assert noted("mail.missing") == []  # it may still be on its way
    exchange.take(held[4])  # late, but here
    clock.move(missing.PATIENCE + 60)
    exchange.take(wire(6))
    missing.look()
    missing.look()
    assert noted("mail.missing") == [{"sender": "company-x", "first": 3, "last": 3}]
    assert post.take(missing.TYP) == [("company-x", {"reason": "missing", "count": 1, "about": "3-3"}, False)]
    exchange.take(held[3])  # whoever brings it then does no harm
    missing.look()
    assert len(noted("mail.missing")) == 1


def replayed() -> None:
    """The same envelope a second time has no effect and stands on the ledger; without the memory it would act again."""
    from ansim.sites.exchange import envelope
    from ansim.sites.exchange import post as exchange
    from ansim.sites.store import jobs
    from ansim.sites.store.models import Job, Seen

    def acts() -> int:
        """Handle what was taken in; how many messages that were."""
        waiting = Job.objects.filter(kind="receive").count()
        while task := jobs.take(["receive"]):
            jobs.run(task)
        return waiting

    acts()
    once = wire(7)
    jti = envelope.peek(once)["jti"]
    exchange.take(once)
    assert acts() == 1
    exchange.take(once)
    assert acts() == 0
    assert noted("envelope.repeated")[-1]["jti"] == jti
    Seen.objects.filter(jti=jti).delete()  # positive control: that one defence off
    exchange.take(once)
    assert acts() == 1


def too_late(post) -> None:
    """Mail that was fetched after its time: its sender hears of it; mail that is only brought again does not alarm."""
    from ansim.sites import clock
    from ansim.sites.exchange import envelope, missing
    from ansim.sites.exchange import post as exchange

    never, before, alarm = wire(8), wire(9), wire(10, typ=missing.TYP)
    exchange.take(before)
    clock.move((envelope.LIFETIME + timedelta(days=1)).total_seconds())
    for each in (never, before, alarm):
        exchange.take(each)
    told = post.take(missing.TYP)
    jti = envelope.peek(never)["jti"]
    assert told == [("company-x", {"reason": "out-of-time", "about": "thread.message", "jti": jti}, False)]
    assert [each["reason"] for each in noted("envelope.refused")] == ["out-of-time"] * 3
    strange = {**never, "jws": never["jws"][:-8] + secrets.token_hex(4)}
    exchange.take(strange)  # not the sender's: nobody is told anything
    assert post.take(missing.TYP) == []
    hear(missing.TYP, {"reason": "missing", "about": "3-3", "count": 1}, "public-body")
    assert noted("message.undelivered")[-1]["receiver"] == "public-body"


def forgotten() -> None:
    """What is out of time by any clock is not remembered for ever."""
    from ansim.sites import clock
    from ansim.sites.exchange import envelope, missing
    from ansim.sites.store.models import Seen

    missing._forget()
    assert Seen.objects.count() == 6 + 1 + 1
    clock.move((envelope.LIFETIME + missing.REMEMBERED + timedelta(days=2)).total_seconds())
    missing._forget()
    assert Seen.objects.count() == 0


def heads(post) -> None:
    """A site that does not answer gets one head and no other for an hour; one that answers gets each; proofs hold."""
    from ansim.governance.ledger import checkpoint, tree
    from ansim.sites import clock
    from ansim.sites.exchange import witness
    from ansim.sites.store import ledger
    from ansim.sites.store.models import Checkpoint, Cosignature, Event

    def told(other: str) -> list[dict]:
        found = [payload for to, payload, _ in post.take("ledger.head") if to == other]
        post.sent.clear()
        return found

    def grow(count: int = 1) -> None:
        with ledger.transaction.atomic():
            ledger.append("test", [("test.grown", {"n": n}) for n in range(count)], actor="test")

    def answer(size: int) -> None:
        Cosignature.objects.create(size=size, witness="hospital-c", line="as if")

    post.sent.clear()
    witness.tell()
    first = told("hospital-c")
    assert [each["old"] for each in first] == [0]
    grow()
    witness.tell()
    assert told("hospital-c") == []  # it owes an answer
    before = Checkpoint.objects.order_by("size").first().size
    answer(before)
    grow(600)
    witness.tell()
    [second] = told("hospital-c")
    leaves = [bytes.fromhex(leaf) for leaf in Event.objects.order_by("seq").values_list("leaf", flat=True)]
    newest = Checkpoint.objects.order_by("-size").first()
    proof = [bytes.fromhex(part) for part in second["proof"]]
    root = bytes.fromhex(newest.root)
    assert second["old"] == before
    assert root == tree.root(leaves[: newest.size])
    assert tree.verify_consistency(before, newest.size, tree.root(leaves[:before]), root, proof)
    assert second["note"] == newest.note
    assert checkpoint.open_checkpoint(second["note"], "hospital-a", [witness._own_key()]).size == newest.size
    hear("ledger.stale", {"size": 300}, "hospital-c")  # it goes by another head than we thought
    grow()
    witness.tell()
    assert [each["old"] for each in told("hospital-c")] == [300]
    now = clock.now()
    clock.move((now - back_rooms.NOW + witness.PATIENCE + timedelta(minutes=1)).total_seconds())
    grow()
    witness.tell()
    assert [each["old"] for each in told("hospital-c")] == [before]  # no answer for an hour: once more


def main() -> None:
    from ansim.sites.keeper import client

    keeper = client.start(WORLD.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(WORLD.folder)
        post = back_rooms.Post()
        holes(post)
        replayed()
        too_late(post)
        heads(post)
        forgotten()
    finally:
        keeper.stdin.close()
        keeper.wait(5)


main()
