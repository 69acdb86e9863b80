"""The public register: agreements, releases and closures, as the sites that made them report."""

import re
from typing import Any

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
AGREED = {"version", "title", "areas", "user", "holders", "digest"}  # what every party must say alike
OWN = {"words", "said_by", "differs", "first"}  # of the hub's own making
KINDS = ("agreement", "release", "release-revoked", "closed")


@post.receives("register.note")
def _on_note(message: post.Message) -> None:
    """One public fact. Each site's word stands under its own name: several sites report one agreement."""
    given = message.payload
    if given.get("kind") not in KINDS:
        raise Problem("bad-note", N_("The register does not know this kind of entry."))
    if trust.directory().site(message.sender)["kind"] == "user":
        raise Problem("not-yours", N_("Entries come from hospitals, public bodies and centres."))
    if not isinstance(given.get("id"), str) or not ID.fullmatch(given["id"]):
        raise Problem("bad-note", N_("The register does not know this kind of entry."))
    facts = {name: value for name, value in given.items() if name not in OWN}
    key = f"{given['kind']}:{given['id']}"
    found = Record.objects.select_for_update().filter(kind="register", key=key).first()
    held: dict[str, Any] = found.data if found else {"at": clock.iso(clock.now()), "first": message.sender}
    word = {name: value for name, value in facts.items() if name in AGREED}
    words = {**held.get("words", {}), message.sender: word}
    if message.sender == held["first"]:  # its own word it may correct; nobody else's
        held |= facts
    differs = sorted(each for each in words if _differ(words[each], words.get(held["first"], {})))
    data = {**held, "words": words, "said_by": sorted(words), "differs": differs}
    ledger.note(f"register:{key}", "register.entered", actor=message.sender, entry=given["kind"])
    ledger.record("register", key, data, status=given["kind"])


def _differ(one: dict, other: dict) -> bool:
    return any(one[name] != other[name] for name in one.keys() & other.keys())
