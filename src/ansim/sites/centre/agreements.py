"""Agreements that name this centre: verified, put in force for itself, and asked before anything happens under them."""

import re
from dataclasses import replace
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.agreement import Agreement
from ansim.governance.attest import member_key, stale, undesignated
from ansim.governance.grant import same_key
from ansim.governance.terms import parties
from ansim.privacy.disclosure.policy import Policy, strictest
from ansim.sites import clock, halts, papers, standing
from ansim.sites.centre import workspaces
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record


@post.receives("agreement.final")
def _on_final(message: post.Message) -> None:
    """A paper that all parties signed: every signature is verified here, nobody's word is taken for it."""
    given = message.payload
    terms, pdf, signed = papers.check(given)
    if message.sender not in parties(terms) or terms["place"]["centre"] != site().id:
        raise Problem("not-ours", N_("The agreement does not name this centre, or does not come from a party."))
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", terms["id"]):
        raise Problem("bad-id", N_("The agreement's id is no plain name."))  # it names a folder here
    name = ledger.keep_bytes(pdf, "agreement", "application/pdf")
    key = terms["id"]
    papers.put_in_force(terms, signed, name, message.sender)
    halts.left(key, terms)
    workspaces.opened(key, terms, name)
    post.send("register.note", _public(terms), to=site().hub)


@post.receives("agreement.halted", sealed=True)
def _on_halted(message: post.Message) -> None:
    """A hospital halts the agreement: the room is closed to everybody until it lifts that, or is no party any more."""
    halts.heard(message)


def _public(terms: dict) -> dict:
    """What the public register shows of an agreement."""
    return {
        "kind": "agreement",
        "id": terms["id"],
        "version": terms["version"],
        "digest": digest(terms),
        "title": terms["title"],
        "user": terms["user"]["id"],
        "holders": [holder["id"] for holder in terms["holders"]],
        "areas": terms["areas"],
        "purpose": terms["purpose"],
        "not_before": terms["not_before"],
        "not_after": terms["not_after"],
    }


def known() -> list[Record]:
    return list(Record.objects.filter(kind="agreement").order_by("-updated"))


def state(key: str) -> Agreement:
    """The agreement's state here; raises Problem if it was never in force."""
    found = standing.state(key)
    if not found.current:
        raise Problem("no-agreement", N_("There is no agreement {key} in force here."), key=key)
    return found


def terms(key: str) -> dict:
    return state(key).current["terms"]


def unusable_now(key: str) -> list[Problem]:
    """Why nothing may happen under the agreement at this moment, by this centre's own clock and designation."""
    found, now = state(key), clock.now()
    reasons = standing.not_in_force(key, found.current["version"], found.current["digest"], now)
    reasons += stale(trust.designations(), "designations", 0, now)
    return reasons + undesignated(trust.designations(), site().id, "centre", now)


def require_in_force(key: str) -> dict:
    """The terms in force, or the first reason why there are none."""
    reasons = unusable_now(key)
    if reasons:
        raise reasons[0]
    return terms(key)


def member_of(username: str, found: dict) -> str:
    """The member id that an account of this centre stands for under an agreement; the plain name if for none."""
    member = username if "@" in username else f"{username}@{found['user']['id']}"
    return member if member in {each["id"] for each in found["members"]} else username


def not_admitted(key: str, member: str) -> list[Problem]:
    """Why this person may not work under the agreement now."""
    reasons = unusable_now(key)
    found = state(key)
    agreed = next((each["key"] for each in found.current["terms"]["members"] if each["id"] == member), None)
    if agreed is None or member in found.removed:
        reasons.append(Problem("member-not-agreed", N_("{member} is not listed in the agreement."), member=member))
    held = trust.member_list(found.current["terms"]["user"]["id"])
    reasons += stale(held, "members", 0, clock.now())
    if not same_key(agreed, member_key(held, member)):
        reasons.append(Problem("member-not-attested", N_("The organisation no longer lists {member}."), member=member))
    return reasons


def admit(key: str, member: str, what: str) -> dict:
    """The terms, if this person may work under them now. The refusal is uniform; its reasons go to the ledger."""
    try:
        reasons = not_admitted(key, member)
    except Problem as problem:
        reasons = [problem]
    if reasons:
        codes: list[Any] = [{"code": each.code, "message": str(each)} for each in reasons]
        ledger.note(f"workspace:{key}", "access.refused", actor=member, what=what, reasons=codes)
        raise Problem(
            "no-access",
            N_("This workspace is not open to you now."),
            remedy=N_("Ask the room's operator, who sees the reason."),
        )
    return terms(key)


def policy(found: dict) -> Policy:
    """The stricter of the site's disclosure policy and what the agreement asks, entry by entry."""
    own = Policy.from_data(site().policy)
    asked = found["output"]
    return strictest([own, replace(own, threshold=max(2, asked["threshold"]), rounding=asked["rounding"])])
