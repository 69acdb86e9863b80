"""The key agency's work: match keys of every linked holder in, pairs of serials out to the linker, keys deleted.

It never sees payload: a message with any other field than serials and tokens is refused as a whole. Rows wait as files
in FOLDER/keys-in/<agreement> until all holders have sent; what stays is who sent how many, and the match rates.
"""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.privacy.linkage import match
from ansim.privacy.linkage.keys import KINDS
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.files import erase, write
from ansim.sites.keyagency import agreements, evaluations
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "linkage"
FIELDS = {"agreement", "holder", "linker", "holders", "rows"}
TOKEN = re.compile(r"[0-9a-f]{32}")
KEY_KINDS = {kind.name for kind in KINDS}


def folder(agreement: str) -> Path:
    return site().path("keys-in", agreement)


def every() -> list[dict]:
    return [found.data for found in Record.objects.filter(kind=KIND).order_by("-updated")]


@post.receives("link.keys")
def _on_keys(message: post.Message) -> None:
    given, sender = message.payload, message.sender
    _only_keys(given)
    key, holders, linker = given["agreement"], given["holders"], given["linker"]
    known = {each["id"] for each in trust.directory().of_kind("holder")}
    if given["holder"] != sender or sender not in holders or not set(holders) <= known:
        raise Problem("not-a-holder", N_("{sender} is not among the holders of this linkage."), sender=sender)
    found = Record.objects.select_for_update().filter(kind=KIND, key=key).first()
    data = found.data if found else _fresh(key, holders, linker)
    if (data["holders"], data["linker"]) != (sorted(holders), linker):
        raise Problem("terms-differ", N_("The holders do not agree on who is linked, or who is the linker."))
    if data["status"] != "waiting" or sender in data["received"]:
        raise Problem("received-already", N_("The keys of {sender} are here already."), sender=sender)
    if len(given["rows"]) != evaluations.of(key, sender)["people"]:
        raise Problem("people-differ", N_("{sender} sends other people than it asked keys for."), sender=sender)
    write(folder(key) / f"{sender}.json", json.dumps(given["rows"]).encode())
    data["received"][sender] = {"people": len(given["rows"]), "at": clock.iso(clock.now())}
    ledger.note(f"linkage:{key}", "keys.received", actor=sender, people=len(given["rows"]))
    if set(data["received"]) == set(holders):
        data["status"] = "matching"
        jobs.queue("match", key, {"agreement": key})
    ledger.record(KIND, key, data, status=data["status"])


def _fresh(key: str, holders: list[str], linker: str) -> dict[str, Any]:
    return {
        "agreement": key,
        "holders": sorted(holders),
        "linker": linker,
        "status": "waiting",
        "received": {},
        "pairs": None,
        "rates": {},
        "began": clock.iso(clock.now()),
    }


def _only_keys(given: Any) -> None:
    """Raise unless the message holds serials and tokens and nothing else: what is not stored cannot leak."""
    sound = (
        isinstance(given, Mapping)
        and set(given) == FIELDS
        and all(
            isinstance(given[name], str) and evaluations.ID.fullmatch(given[name])
            for name in ("agreement", "holder", "linker")
        )
        and isinstance(given["holders"], list)
        and all(isinstance(holder, str) for holder in given["holders"])
        and len(set(given["holders"])) == len(given["holders"]) >= 2
        and isinstance(given["rows"], list)
        and all(_sound_row(row) for row in given["rows"])
    )
    if not sound:
        raise Problem("more-than-keys", N_("The message holds something else than serials and match keys."))


def _sound_row(row: Any) -> bool:
    if not isinstance(row, dict) or set(row) != {"serial", "keys"} or not isinstance(row["keys"], dict):
        return False
    tokens = [row["serial"], *row["keys"].values()]
    return set(row["keys"]) <= KEY_KINDS and all(isinstance(each, str) and TOKEN.fullmatch(each) for each in tokens)


def _match(payload: dict) -> dict[str, Any]:
    """Pairs, once the agreement that all parties signed is here and says the same as the holders."""
    key = payload["agreement"]
    data = Record.objects.get(kind=KIND, key=key).data
    if not agreements.known(key):
        raise jobs.Later(2.0, "the signed agreement has not arrived yet", counts=False)
    try:
        _as_agreed(data)
        lists = {holder: json.loads((folder(key) / f"{holder}.json").read_text()) for holder in data["holders"]}
        return match.groups(lists)
    except Problem as problem:
        return {"problem": str(problem)}


def _as_agreed(data: dict) -> None:
    agreed = agreements.linkage_of(data["agreement"])
    if (sorted(agreed["holders"]), agreed["linker"]) != (data["holders"], data["linker"]):
        raise Problem("terms-differ", N_("The keys were sent for another linkage than the signed one."))


def _matched(payload: dict, made: dict) -> None:
    """The pairs leave and the keys are deleted, also if the linkage may not be done."""
    key = payload["agreement"]
    data = Record.objects.get(kind=KIND, key=key).data
    problem = made.get("problem")
    if not problem:
        try:
            _as_agreed(data)
        except Problem as found:
            problem = str(found)
    if problem:
        data |= {"status": "refused", "problem": problem}
        ledger.note(f"linkage:{key}", "match.refused", reason=problem)
    else:
        pairs = pairs_of(made["groups"])
        rates = {**made["reports"], "contradictions": made["contradictions"]}
        post.send("link.pairs", {"agreement": key, "pairs": pairs, "rates": rates}, to=data["linker"], sealed=True)
        data |= {"status": "sent", "pairs": len(made["groups"]), "rates": rates, "sent": clock.iso(clock.now())}
        ledger.note(f"linkage:{key}", "pairs.sent", to=data["linker"], people=len(made["groups"]))
    ledger.record(KIND, key, data, status=data["status"])
    ledger.note(f"linkage:{key}", "keys.deleted", holders=data["holders"])
    transaction.on_commit(lambda: forget(key))


jobs.job("match", finish=_matched)(_match)


def pairs_of(groups: list[dict[str, str]]) -> list[list[str]]:
    """[[holder, serial, holder, serial]]: each person's serials chained in the order of the holders' names."""
    return [[*one, *other] for group in groups for one, other in pairwise(sorted(group.items()))]


def forget(agreement: str) -> None:
    """Overwrite and delete the keys of a linkage, and elements of it that nobody evaluated."""
    for place in (folder(agreement), evaluations.folder(agreement)):
        erase(place)
