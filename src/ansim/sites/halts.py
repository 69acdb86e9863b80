"""A hospital's word that it halts an agreement, at the bodies that work under it (centre, key agency).

While any hospital's halt stands, nothing happens under the agreement here; each hospital lifts only its own. A hospital
that terminates does not lift any more: the room opens again when an amendment leaves it out.
"""

from ansim.errors import N_, Problem
from ansim.governance.agreement import Resume, Suspend, agreement
from ansim.governance.terms import parties
from ansim.sites.exchange import post
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND = "halt"
STANDING = ("suspend", "terminate")


def heard(message: post.Message) -> None:
    """Take in `agreement.halted`. Raises Problem if the sender is no hospital of the agreement."""
    given, key = message.payload, str(message.payload["id"])
    state = ledger.load(agreement, key)
    if not state.current or message.sender not in parties(state.current["terms"])[1:]:
        raise Problem("not-a-party", N_("{party} is not a party."), party=message.sender)
    if given["act"] not in (*STANDING, "resume"):
        raise Problem("unknown-act", N_("This is no act on an agreement."))
    held = Record.objects.select_for_update().filter(kind=KIND, key=key).first()
    standing = dict(held.data) if held else {}
    if given["act"] == "resume" and standing.get(message.sender) != "suspend":
        return
    standing[message.sender] = given["act"]
    if given["act"] == "resume":
        del standing[message.sender]
    ledger.record(KIND, key, standing, status="halted" if standing else "")
    ledger.note(f"agreement-paper:{key}", "agreement.halted", actor=message.sender, act=given["act"])
    _apply(key, message.sender, str(given.get("reason") or given["act"]))


def left(key: str, terms: dict) -> None:
    """An amendment is in force: the halts of hospitals that it leaves out are over."""
    held = Record.objects.select_for_update().filter(kind=KIND, key=key).first()
    if held is None:
        return
    standing = {holder: act for holder, act in held.data.items() if holder in parties(terms)}
    ledger.record(KIND, key, standing, status="halted" if standing else "")
    _apply(key, terms["user"]["id"], "amended")


def of(key: str) -> dict[str, str]:
    """Whose halt stands: {hospital: suspend | terminate}."""
    held = Record.objects.filter(kind=KIND, key=key).first()
    return held.data if held else {}


def _apply(key: str, by: str, reason: str) -> None:
    status, standing = ledger.load(agreement, key).status, of(key)
    if standing and status == "in force":
        ledger.execute(agreement, key, Suspend(by=by, reason=reason), actor=by)
    elif not standing and status == "suspended":
        ledger.execute(agreement, key, Resume(by=by, reason=reason), actor=by)
