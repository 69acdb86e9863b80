"""Keys of two holders in, pairs out, nothing kept, at a real key agency; run by test_back_rooms.py with a folder."""

import base64
import secrets
import sys
from pathlib import Path

import back_rooms
from back_rooms import KEY, World, deliver, refused, work

from ansim.privacy.linkage import oprf, tokens
from ansim.privacy.linkage.keys import KINDS

HERE = World(Path(sys.argv[1]), "keyagency-1")
HOLDERS = ["hospital-a", "public-body"]


def people(numbers: range) -> list[dict]:
    return [
        {"serial": secrets.token_hex(16), "name": f"김나{chr(44032 + i)}", "birth_date": "1960-01-02", "sex": "F",
         "phone": f"0105555{1000 + i}"}
        for i in numbers
    ]  # fmt: skip


def elements(holder: str, batch: bytes, **changes) -> dict:
    asked = {"agreement": KEY, "holder": holder, "round": 1, "batch": 0, "batches": 1}
    asked["people"] = len(batch) // (oprf.ELEMENT * len(KINDS))
    return asked | {"elements": base64.b64encode(batch).decode()} | changes


def evaluated(post, holder: str, secret: bytes, named: list[dict], salt: bytes) -> list[dict]:
    """The holder's side: ask, and unblind what comes back."""
    work()
    [(to, answer, sealed)] = post.take("link.evaluated")
    assert (to, sealed, answer["round"], answer["batch"]) == (holder, True, 1, 0)
    return tokens.tokens(secret, salt, named, base64.b64decode(answer["elements"]))


def asking(post) -> None:
    """What is no batch of elements is refused, and so is more than so many people can have."""
    from ansim.sites.keyagency import evaluations
    from ansim.sites.store.models import Record

    batch = tokens.blinded(secrets.token_bytes(32), people(range(3)))
    good = elements("hospital-b", batch)
    for bad in (
        {**good, "name": "김나가"},
        {**good, "elements": "?"},
        {**good, "elements": base64.b64encode(batch[:-1]).decode()},
        {**good, "agreement": "../x"},
        {**good, "people": 0},
        {**good, "batch": 1},
        {**good, "round": True},
    ):
        refused("more-than-keys", deliver, "link.blind", bad, "hospital-b")
    refused("not-a-holder", deliver, "link.blind", good, "hospital-a")
    refused("quota", deliver, "link.blind", {**good, "people": 1} | _guesses(), "hospital-b")
    assert not evaluations.folder(KEY).exists()
    assert not Record.objects.filter(kind=evaluations.KIND, key=f"{KEY}.hospital-b").exists()
    deliver("link.blind", good, "hospital-b")
    refused("received-already", deliver, "link.blind", good, "hospital-b")
    refused("quota", deliver, "link.blind", {**good, "round": 9}, "hospital-b")
    refused("quota", deliver, "link.blind", {**good, "round": 2, "people": 4}, "hospital-b")
    work()
    assert not post.take("link.evaluated")  # hospital-b is not linked under the agreement
    assert not evaluations.folder(KEY).exists()


def _guesses() -> dict:
    """A dictionary attack: one person declared, many guessed."""
    batch = tokens.blinded(secrets.token_bytes(32), people(range(5)))
    return {"elements": base64.b64encode(batch).decode()}


def message(holder: str, listed: list[dict], **changes) -> dict:
    return {"agreement": KEY, "holder": holder, "linker": "centre-1", "holders": HOLDERS, "rows": listed} | changes


def main() -> None:
    from ansim.sites.keeper import client

    keeper = client.start(HERE.folder)
    try:
        from ansim.sites.serve import prepare

        prepare(HERE.folder)
        post = back_rooms.Post()
        from ansim.sites.keyagency import links
        from ansim.sites.store.models import Event, Job, Record

        salt, secret_a, secret_p = (secrets.token_bytes(32) for _ in range(3))
        named_one, named_other = people(range(0, 60)), people(range(40, 90))
        deliver("link.blind", elements("hospital-a", tokens.blinded(secret_a, named_one)), "hospital-a")
        work()
        assert not post.take("link.evaluated")  # no signed agreement yet: nothing is evaluated
        back_rooms.put_in_force(HERE.terms())
        Job.objects.filter(kind="evaluate").update(due=0)
        one = evaluated(post, "hospital-a", secret_a, named_one, salt)
        asking(post)
        deliver("link.blind", elements("public-body", tokens.blinded(secret_p, named_other)), "public-body")
        other = evaluated(post, "public-body", secret_p, named_other, salt)
        good = message("hospital-a", one)
        payload = [{**one[0], "diagnosis": "J01"}]
        for bad in ({**good, "extract": {}}, {**good, "rows": payload}, {**good, "agreement": "../x"}):
            refused("more-than-keys", deliver, "link.keys", bad, "hospital-a")
        plain = [{"serial": one[0]["serial"], "keys": {"name-birth-sex": "김나가"}}]
        refused("more-than-keys", deliver, "link.keys", {**good, "rows": plain}, "hospital-a")
        refused("not-a-holder", deliver, "link.keys", good, "hospital-b")
        strangers = message("hospital-a", one, holders=["hospital-a", "company-x"])
        refused("not-a-holder", deliver, "link.keys", strangers, "hospital-a")
        assert not Record.objects.filter(kind=links.KIND).exists()
        assert not links.folder(KEY).exists()

        refused("people-differ", deliver, "link.keys", message("hospital-a", one[:-1]), "hospital-a")
        deliver("link.keys", good, "hospital-a")
        refused("received-already", deliver, "link.keys", good, "hospital-a")
        refused("terms-differ", deliver, "link.keys", message("public-body", other, linker="hub"), "public-body")
        deliver("link.keys", message("public-body", other), "public-body")
        work()
        [(to, sent, sealed)] = post.take("link.pairs")
        assert (to, sealed) == ("centre-1", True)
        assert len(sent["pairs"]) == 20
        serials = [{row["serial"] for row in listed} for listed in (one, other)]
        assert all(
            pair[0] == "hospital-a" and pair[1] in serials[0] and pair[3] in serials[1] for pair in sent["pairs"]
        )
        assert not links.folder(KEY).exists()
        kept = str(list(Event.objects.values_list("data", flat=True))) + str(list(Record.objects.values_list("data")))
        assert not any(row["serial"] in kept or next(iter(row["keys"].values())) in kept for row in [*one, *other])
    finally:
        keeper.stdin.close()
        keeper.wait(5)


if __name__ == "__main__":
    main()
