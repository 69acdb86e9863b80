"""A holder's part in a linkage: the project's salt among the applicants, and match keys for the key agency.

The salt lives in the key processes of the linked holders and nowhere else; match keys (link_keys.py) travel sealed to
the key agency, and are never kept here.
"""

from datetime import datetime, timedelta

from ansim.errors import N_, Problem
from ansim.governance.agreement import unusable
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.holder import agreements
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Job, Record
from ansim.sites.store.worker import beat

SALT = "link-salt"
PATIENCE = timedelta(days=7)


def terms_of(key: str) -> dict:
    """The linkage terms of an agreement in force in which this holder is linked; raises Problem otherwise."""
    state = agreements.state(key)
    reasons = unusable(state, state.current["version"], state.current["digest"], clock.now())
    if reasons:
        raise reasons[0]
    linkage = state.current["terms"]["linkage"]
    if not linkage or site().id not in linkage["holders"]:
        raise Problem("not-linked", N_("This holder is not linked under the agreement {key}."), key=key)
    return linkage


def has_salt(key: str) -> bool:
    """Whether the project's salt is in the key process; without it no match key is ever made."""
    return Record.objects.filter(kind=SALT, key=key).exists()


@beat("link-salt", lambda: 1.0)
def _look() -> None:
    """The first of the linked holders makes the salt as soon as the agreement is in force."""
    for found in Record.objects.filter(kind="agreement", status="in force"):
        linkage = (found.data.get("current") or {}).get("terms", {}).get("linkage")
        if linkage and sorted(linkage["holders"])[0] == site().id and not has_salt(found.key):
            try:
                terms_of(found.key)
            except Problem:
                continue  # not begun, or over
            jobs.queue("link-salt", found.key, {"agreement": found.key})


@jobs.job("link-salt")
def _make(payload: dict) -> None:
    key = payload["agreement"]
    others = sorted(terms_of(key)["holders"])[1:]
    for holder in others:
        token = post.keeper().call("salt_for", project=key, receiver=holder, directory=trust.signed_notice("directory"))
        post.send("link.salt", {"agreement": key, "salt": token}, to=holder, sealed=True)
    ledger.record(SALT, key, {"made": True, "sent": others}, status="held")
    ledger.note(f"linkage:{key}", "salt.made", sent=others)


@post.receives("link.salt")
def _on_salt(message: post.Message) -> None:
    """The salt may be here before the agreement: it waits, still encrypted to this site's key process."""
    key, token = str(message.payload["agreement"]), str(message.payload["salt"])
    until = clock.iso(clock.now() + PATIENCE)
    facts = {"agreement": key, "sender": message.sender, "salt": token, "until": until, "jti": message.jti}
    jobs.queue("link-salt-take", message.jti, facts)


@jobs.job("link-salt-take")
def _take(payload: dict) -> None:
    key, sender = payload["agreement"], payload["sender"]
    try:
        linkage = terms_of(key)
    except Problem as problem:
        if problem.code == "not-linked" or clock.now() > datetime.fromisoformat(payload["until"]):
            raise
        raise jobs.Later(1.0, str(problem), counts=False) from problem
    first = sorted(linkage["holders"])[0]
    if sender != first:
        ledger.note(f"linkage:{key}", "salt.refused", actor=sender, expected=first)
    elif not has_salt(key):
        post.keeper().call("take_salt", project=key, key="receive", token=payload["salt"])
        ledger.record(SALT, key, {"made": False, "from": first}, status="held")
        ledger.note(f"linkage:{key}", "salt.taken", actor=first)
    # An encrypted salt left behind could be opened again after the project's keys are destroyed.
    Job.objects.filter(key=f"link-salt-take:{payload['jti']}").update(payload={})


def send_keys(key: str, rows: list[dict]) -> None:
    """Match keys to the agreed and designated key agency, in the transaction of the extract's sending."""
    linkage = terms_of(key)
    payload = {
        "agreement": key, "holder": site().id, "linker": linkage["linker"],
        "holders": sorted(linkage["holders"]), "rows": rows,
    }  # fmt: skip
    post.send("link.keys", payload, to=linkage["key_agency"], sealed=True)
    ledger.note(f"linkage:{key}", "keys.sent", to=linkage["key_agency"], people=len(rows))
