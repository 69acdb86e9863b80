"""What a hospital does with an agreement besides signing: a counter-offer, a suspension, its lifting, a termination.

Each takes effect at this hospital in the moment that it is recorded; the desk and the bodies that work under the
agreement are told in the same transaction, and the centre closes its room until this hospital lifts it.
"""

from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance import agreement as core
from ansim.governance.agreement import agreement
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import agreements
from ansim.sites.store import ledger

# Fields that a counter-offer may name, with what reads them from a form's text.
PROPOSALS = ("not_before", "not_after", "max_persons", "areas", "modes", "output", "destruction", "fees", "members")
HALTS = {"suspend": core.Suspend, "resume": core.Resume, "terminate": core.Terminate}


def counter(key: str, person: str, reason: str, proposal: dict[str, Any]) -> None:
    """Do not sign the offer; say what would be signed instead. It goes sealed to the desk, with its reason."""
    data = agreements.paper(key)
    if data["status"] != "to sign":
        raise Problem("nothing-to-sign", N_("No version waits for signatures."))
    if not reason.strip():
        raise Problem("no-reason", N_("Give a reason."), where="reason")
    unknown = sorted(set(proposal) - set(PROPOSALS))
    if unknown:
        raise Problem("unknown-field", N_("The terms have no field {names}."), names=", ".join(unknown))
    with transaction.atomic():
        said = {"reason": reason, "proposal": proposal}
        agreements.put({**data, "status": "countered", "counter": said})
        version = data["terms"]["version"]
        ledger.note(f"agreement-paper:{key}", "paper.countered", actor=person, version=version, digest=data["digest"])
        post.send("agreement.counter", {"id": key, "digest": data["digest"], **said}, to=data["user"], sealed=True)


def halt(key: str, act: str, person: str, reason: str) -> None:
    """act: suspend, resume or terminate. Raises Problem where the agreement's state does not admit it."""
    terms = agreements.state(key).current["terms"]
    with transaction.atomic():
        state = ledger.execute(agreement, key, HALTS[act](by=person, reason=reason), actor=person)
        told = {"id": key, "act": act, "reason": reason, "status": state.status}
        for receiver in _bodies(terms):
            post.send("agreement.halted", told, to=receiver, sealed=True)


def _bodies(terms: dict) -> list[str]:
    """Who else has to know: the user, the centre, and who links."""
    linkage = terms["linkage"] or {}
    bodies = {terms["user"]["id"], terms["place"]["centre"], linkage.get("key_agency"), linkage.get("linker")}
    return sorted(bodies - {None, site().id})
