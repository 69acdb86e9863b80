"""The organisation's member list: attested anew every few days, and at once when somebody leaves."""

from datetime import datetime, timedelta

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust
from ansim.sites.exchange.transport import transport
from ansim.sites.store import jobs, ledger
from ansim.sites.store.worker import beat

VALID = timedelta(days=90)
RENEW = timedelta(days=7)  # holders refuse a list older than their limit (14 days unless they say otherwise)


def attest(*, remove: list[str] | None = None, person: str = "system") -> int:
    """Sign and publish the member list, without those removed; gives its number."""
    held = trust.document(f"members:{site().id}")
    if held is None:
        raise Problem("no-members", N_("This desk has no member list to renew."))
    unknown = sorted(set(remove or []) - {each["id"] for each in held["members"]})
    if unknown:
        raise Problem("no-member", N_("{names} are not on the member list."), where="remove", names=", ".join(unknown))
    now = clock.now()
    document = {
        **held,
        "seq": held["seq"] + 1,
        "issued": now.isoformat(),
        "expires": (now + VALID).isoformat(),
        "members": [each for each in held["members"] if each["id"] not in set(remove or [])],
    }
    notice = signed.sign_document(document, post.own_kid(), post.sign)
    with transaction.atomic():
        trust.take(notice)
        ledger.note("members", "members.attested", actor=person, seq=document["seq"], removed=remove or [])
        jobs.queue("publish-notice", f"members:{document['seq']}", {"notice": notice})
    return document["seq"]


@jobs.job("publish-notice", finish=lambda payload, result: None)
def _publish(payload: dict) -> None:
    transport().publish(payload["notice"])


@beat("members", lambda: 2.0)
def _renew() -> None:
    """Attest again well before any holder would call the list stale."""
    held = trust.document(f"members:{site().id}")
    if held and clock.now() - datetime.fromisoformat(held["issued"]) > RENEW:
        attest()
