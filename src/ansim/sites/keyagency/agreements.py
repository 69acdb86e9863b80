"""Agreements that name this key agency: all signatures verified here before any key is matched under them."""

from typing import Any

from ansim.errors import N_, Problem
from ansim.governance.agreement import agreement, unusable
from ansim.governance.attest import stale, undesignated
from ansim.governance.terms import parties
from ansim.sites import clock, halts, papers
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger


@post.receives("agreement.final")
def _on_final(message: post.Message) -> None:
    """A paper that all parties signed; nobody's word is taken for it."""
    terms, pdf, signed = papers.check(message.payload)
    linkage = terms["linkage"]
    if message.sender not in parties(terms) or not linkage or linkage["key_agency"] != site().id:
        raise Problem("not-ours", N_("The agreement does not name this key agency, or does not come from a party."))
    name = ledger.keep_bytes(pdf, "agreement", "application/pdf")
    papers.put_in_force(terms, signed, name, message.sender)
    halts.left(terms["id"], terms)


@post.receives("agreement.halted", sealed=True)
def _on_halted(message: post.Message) -> None:
    halts.heard(message)


def known(key: str) -> bool:
    """Whether the agreement was ever in force here."""
    return bool(ledger.load(agreement, key).current)


def linkage_of(key: str) -> dict[str, Any]:
    """The linkage terms of an agreement in force now, with both bodies designated now; raises the first reason else."""
    state, now = ledger.load(agreement, key), clock.now()
    if not state.current:
        raise Problem("no-agreement", N_("There is no agreement {key} in force here."), key=key)
    linkage = state.current["terms"]["linkage"]
    held = trust.designations()
    reasons = unusable(state, state.current["version"], state.current["digest"], now)
    reasons += stale(held, "designations", 0, now)
    reasons += undesignated(held, site().id, "keyagency", now) + undesignated(held, linkage["linker"], "linker", now)
    if reasons:
        raise reasons[0]
    return linkage
