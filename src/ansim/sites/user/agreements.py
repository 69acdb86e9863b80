"""Drafting an agreement from an application, and passing its paper from party to party until all have signed."""

import base64
import hashlib
import secrets
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.agreement import Sign, agreement, unsigned
from ansim.governance.terms import parse_terms, parties
from ansim.research.cohort.query import parse as parse_query
from ansim.sites import clock, papers
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.user import cases, signing


def get(key: str) -> dict:
    """The agreement's paper and state at this desk."""
    found = Record.objects.filter(kind="paper", key=key).first()
    if found is None:
        raise Problem("no-agreement", N_("There is no agreement {key} at this desk."), key=key)
    return found.data


def put(paper: dict) -> None:
    """Keep what is known of a paper."""
    ledger.record("paper", paper["id"], paper, status=paper["status"])


def draft(
    *,
    request: str,
    holders: list[str],
    not_before: str,
    not_after: str,
    modes: list[str],
    areas: list[str],
    linkage: dict | None,
    place: dict,
    output: dict,
    destruction: dict,
    max_persons: int | None,
    person: str,
    names: dict | None = None,
    supersedes: str = "",
    query: Any = None,
    members: list[str] | None = None,
    again: str = "",
    fees: Any = None,
) -> str:
    """Terms from the application and what was negotiated; the company signs first, then the paper goes round.

    supersedes: id of the agreement that this amends. members: ids to list (default: those of the application).
    again: id of a paper that a party countered; the new offer takes its place. fees: one entry a holder, as quoted.
    """
    case = cases.get(request)
    application = case["application"]
    if application is None:
        raise Problem("no-application", N_("There is no application for this request yet."))
    directory = trust.directory()
    before = get(supersedes) if supersedes else None
    if again:
        countered = get(again)
        if countered["status"] != "countered":
            raise Problem("not-countered", N_("Nobody has countered this offer."))
        before = _superseded(countered)
    listed = set(members or [each["id"] for each in application["people"]])
    terms = {
        "ansim": "agreement/1",
        "id": again or (before["id"] if before else f"agr-{secrets.token_hex(6)}"),
        "version": before["terms"]["version"] + 1 if before else 1,
        "supersedes": before["digest"] if before else None,
        "title": application["title"],
        "user": {"id": site().id, "name": _name(directory.site(site().id))},
        "holders": [{"id": holder, "name": _name(directory.site(holder))} for holder in holders],
        "members": [
            {name: each[name] for name in ("id", "name", "role", "key")}
            for each in signing.members()
            if each["id"] in listed
        ],
        "purpose": application["purpose"],
        "areas": areas,
        **({"investigations": [application["use"]["investigation"]]} if application.get("use") else {}),
        "query": parse_query(query or application["query"]).document(),
        "modes": modes,
        "place": place,
        "linkage": linkage,
        "max_persons": max_persons,
        "not_before": not_before,
        "not_after": not_after,
        "output": output,
        "reidentification": "forbidden",
        "destruction": destruction,
        "publication": {"lay_summary_within_days": 180},
        "fees": fees or [],
    }
    parse_terms(terms, parse_query)
    drawn = clock.iso(clock.now())
    pdf = papers.sign(papers.draw(terms, names or {}, drawn), terms, "연구 협약 체결 / Research agreement")
    with transaction.atomic():
        ledger.execute(agreement, terms["id"], papers.draft(terms, person), actor=person)
        paper = {
            "id": terms["id"],
            "request": request,
            "terms": terms,
            "digest": digest(terms),
            "drawn": drawn,
            "names": names or {},
            "pdf": ledger.keep_bytes(pdf, "agreement", "application/pdf"),
            "signed": [],
            "status": "signing",
            "before": before["terms"] if before else {},
        }
        _signed(paper, pdf, person)
        case["agreement"] = terms["id"]
        cases.put(case)
    return terms["id"]


def linkage_bodies(centre: str) -> dict[str, str]:
    """Who keeps the keys and who joins, where records are linked: the key agency of the directory, and the centre."""
    return {"key_agency": trust.directory().of_kind("keyagency")[0]["id"], "linker": centre}


def _superseded(countered: dict) -> dict | None:
    """What a countered offer was to supersede, as `get` gives a paper; None if it was the first version."""
    if not countered["before"]:
        return None
    return {"id": countered["id"], "terms": countered["before"], "digest": countered["terms"]["supersedes"]}


def _name(entry: dict) -> str:
    return f"{entry['name']['ko']} ({entry['name']['en']})"


def carried(paper: dict, pdf: bytes) -> dict:
    """What a party needs to look at the paper and verify it."""
    return {
        "id": paper["id"],
        "request": paper["request"],
        "terms": paper["terms"],
        "names": paper["names"],
        "drawn": paper["drawn"],
        "pdf": base64.b64encode(pdf).decode(),
    }


def _signed(paper: dict, pdf: bytes, actor: str) -> None:
    """Record the signatures that hold and pass the paper on: to the next party, or, complete, to everybody."""
    terms, _pdf, found = papers.check(carried(paper, pdf))
    name = ledger.keep_bytes(pdf, "agreement", "application/pdf")
    for party in found:
        if party not in paper["signed"]:
            kid = trust.directory().keys(party, clock.now())[0]["kid"]
            ledger.execute(
                agreement,
                paper["id"],
                Sign(by=actor, party=party, digest=paper["digest"], key=kid, paper=name),
                actor=party,
            )
    paper.update(pdf=name, signed=found)
    left = unsigned(ledger.load(agreement, paper["id"]))
    if left:
        post.send("agreement.sign", carried(paper, pdf), to=left[0], sealed=True)
    else:
        paper["status"] = "in force"
        gone = [holder["id"] for holder in paper.get("before", {}).get("holders", [])]  # whoever left hears of it too
        receivers = {*parties(terms), *gone, terms["place"]["centre"]} - {site().id}
        if terms["linkage"]:
            receivers |= {terms["linkage"]["key_agency"], terms["linkage"]["linker"]}
        for receiver in sorted(receivers):
            post.send("agreement.final", carried(paper, pdf), to=receiver, sealed=True)
    put(paper)


@post.receives("agreement.signed")
def _on_signed(message: post.Message) -> None:
    paper = get(message.payload["id"])
    pdf = base64.b64decode(message.payload["pdf"])
    before = set(paper["signed"])
    if message.sender not in parties(paper["terms"]) or message.sender in before:
        raise Problem("not-a-party", N_("{party} is not asked to sign."), party=message.sender)
    _signed(paper, pdf, message.sender)
    if message.sender not in paper["signed"]:
        raise Problem("unsigned", N_("The paper came back without the signature of {party}."), party=message.sender)
    ledger.note(
        f"agreement-paper:{paper['id']}", "paper.signed", actor=message.sender, sha256=hashlib.sha256(pdf).hexdigest()
    )
