"""Keys of two holders in, pairs out, nothing kept, at a real key agency; run by test_back_rooms.py with a folder."""

import secrets
import sys
from pathlib import Path

import back_rooms
from back_rooms import KEY, World, deliver, refused, work

from ansim.privacy.linkage import keys

HERE = World(Path(sys.argv[1]), "keyagency-1")
HOLDERS = ["hospital-a", "public-body"]


def rows(salt: bytes, people: range) -> list[dict]:
    named = [
        {"serial": secrets.token_hex(16), "name": f"김나{chr(44032 + i)}", "birth_date": "1960-01-02", "sex": "F",
         "phone": f"0105555{1000 + i}"}
        for i in people
    ]  # fmt: skip
    return keys.match_keys(salt, named)


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
        from ansim.sites.store.models import Event, Record

        salt = secrets.token_bytes(32)
        one, other = rows(salt, range(0, 60)), rows(salt, range(40, 90))
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

        deliver("link.keys", good, "hospital-a")
        refused("received-already", deliver, "link.keys", good, "hospital-a")
        refused("terms-differ", deliver, "link.keys", message("public-body", other, linker="hub"), "public-body")
        deliver("link.keys", message("public-body", other), "public-body")
        assert not post.take("link.pairs")  # no signed agreement yet: nothing leaves
        assert len(list(links.folder(KEY).iterdir())) == 2
        back_rooms.put_in_force(HERE.terms())
        from ansim.sites.store.models import Job

        Job.objects.filter(kind="match").update(due=0)
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


main()
