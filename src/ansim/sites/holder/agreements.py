"""Agreements at a holder: looked at, signed, put in force for itself when every party's signature holds.

The paper goes round from the desk. Which request it belongs to is fixed when this holder signs, not by what comes with
the final paper; nothing comes into force here that this holder did not itself sign.
"""

import base64
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem, Problems
from ansim.governance import areas, uses
from ansim.governance import review as review_core
from ansim.governance.agreement import Agreement, agreement
from ansim.governance.attest import member_key
from ansim.governance.board import APPROVED, CONDITIONS
from ansim.governance.core import civil_day
from ansim.governance.grant import same_key
from ansim.governance.terms import parties
from ansim.research.cohort.query import parse
from ansim.research.cohort.scope import outside
from ansim.sites import clock, papers, standing
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.holder import board, reviews
from ansim.sites.store import ledger
from ansim.sites.store.models import Record


def state(key: str) -> Agreement:
    """The agreement as this holder's own ledger has it; raises Problem if no version was ever in force here."""
    found = standing.state(key)
    if not found.current:
        raise Problem("no-agreement", N_("There is no agreement {key} in force here."), key=key)
    return found


def request_of(key: str) -> str:
    """The request (review and board case) that an agreement belongs to, as it was when this holder signed."""
    return paper(key)["request"]


def in_force() -> list[Agreement]:
    """Agreements in force here by the record, newest first; whether one holds today is asked of the grant."""
    keys = Record.objects.filter(kind="agreement", status="in force").order_by("-updated").values_list("key", flat=True)
    return [state(key) for key in keys]


def paper(key: str) -> dict:
    """The newest paper of an agreement that came here: {id, request, user, terms, digest, names, drawn, pdf, signed,
    given, status}. given: digests of the terms that this holder signed; status: to sign | signed | in force | over."""
    found = Record.objects.filter(kind="paper", key=key).first()
    if found is None:
        raise Problem("no-agreement", N_("There is no agreement {key} here."), key=key)
    return found.data


def put(data: dict) -> None:
    """Keep what is known of a paper."""
    ledger.record("paper", data["id"], data, status=data["status"], version=data["terms"]["version"])


def over(key: str) -> None:
    """The paper's last state, when the agreement is closed here."""
    put({**paper(key), "status": "over"})


@post.receives("agreement.sign", sealed=True)
def _on_sign(message: post.Message) -> None:
    """A paper to sign. It is rendered here again and its signatures verified before anybody is asked to look at it."""
    given = message.payload
    terms, pdf, signed = papers.check(given)
    key, request = terms["id"], str(given["request"])
    if not reviews.ID.fullmatch(key):
        raise Problem("bad-id", N_("The agreement's id is no plain name."))  # it names a project's keys here
    if message.sender != terms["user"]["id"] or reviews.case(request)["org"] != message.sender:
        raise Problem("not-yours", N_("{site} is not the applicant of this request."), site=message.sender)
    if site().id not in papers.needed(terms):
        raise Problem("not-a-party", N_("{party} is not asked to sign."), party=site().id)
    found = Record.objects.select_for_update().filter(kind="paper", key=key).first()
    held = found.data if found else {"given": []}
    if found and (held["request"], held["user"]) != (request, message.sender):
        raise Problem("other-agreement", N_("This agreement belongs to another request."))
    _must_follow(key, terms)
    name = ledger.keep_bytes(pdf, "agreement", "application/pdf")
    data = {"id": key, "request": request, "user": message.sender, "terms": terms, "digest": digest(terms)}
    data |= {"names": given["names"], "drawn": given["drawn"], "pdf": name, "signed": signed}
    put({**data, "given": held["given"], "status": "to sign", "came": clock.iso(clock.now())})
    ledger.note(
        f"agreement-paper:{key}",
        "paper.received",
        actor=message.sender,
        request=request,
        version=terms["version"],
        digest=data["digest"],
        paper=name,
    )


def _must_follow(key: str, terms: dict) -> None:
    """The version must be the next one after what is in force here."""
    current = ledger.load(agreement, key).current
    if not current and terms["version"] > 1:
        return  # this holder joins an agreement that others have already
    wanted = (current["version"] + 1, current["digest"]) if current else (1, None)
    if (terms["version"], terms["supersedes"]) != wanted:
        raise Problem(
            "wrong-version",
            N_("Version {version} cannot follow; {expected} is next."),
            version=terms["version"],
            expected=wanted[0],
        )


@dataclass(frozen=True)
class Finding:
    """What the signatory must know. blocks: nothing can be signed while it stands; else it must be accepted."""

    problem: Problem
    blocks: bool


def findings(data: dict) -> list[Finding]:
    """What stands against signing, and how the terms differ from what the board approved; empty if neither."""
    return [*_against(data), *_differences(data)]


def _against(data: dict) -> list[Finding]:
    found, terms, request = [], data["terms"], data["request"]
    case, review, today = board.state(request), reviews.get(request), civil_day(clock.now()).isoformat()

    def need(holds: bool, problem: Problem) -> None:
        if not holds:
            found.append(Finding(problem, True))

    approved = case.status in (APPROVED, CONDITIONS)
    need(approved, Problem("board", N_("The board's outcome is '{status}', not an approval."), status=case.status))
    need(
        not approved or today <= case.expires,
        Problem("board-expired", N_("The board's approval ended on {day}."), day=case.expires),
    )
    need(
        review.status == "approved" or review.agreement == terms["id"],
        Problem("other-agreement", N_("The request is '{status}' and waits for no agreement."), status=review.status),
    )
    held = trust.member_list(terms["user"]["id"])
    for member in terms["members"]:
        need(
            same_key(member["key"], member_key(held, member["id"])),
            Problem("member-not-attested", N_("The organisation no longer lists {member}."), member=member["id"]),
        )
    need(terms["not_after"] >= today, Problem("period-over", N_("The period is over already.")))
    return found


def _differences(data: dict) -> list[Finding]:
    """Where the terms reach beyond the application that the board approved."""
    terms, applied = data["terms"], reviews.application(data["request"])
    found = []
    if digest(terms["query"]) != digest(parse(applied["query"]).document()):
        found = outside(parse(terms["query"]), parse(applied["query"]))
    for area in terms["areas"]:
        if not areas.covers(applied["areas"], area):
            found.append(Problem("area-outside", N_("The area {area} was not applied for."), area=area))
    said = [applied["use"]["investigation"]] if applied.get("use") else []
    for kind in terms.get("investigations", []) if said else []:
        if not uses.covers(said, kind):
            found.append(
                Problem(
                    "investigation-beyond", N_("Investigations of the kind {kind} were not applied for."), kind=kind
                )
            )
    for mode in sorted(set(terms["modes"]) - set(applied["modes"])):
        found.append(Problem("mode-outside", N_("The mode {mode} was not applied for."), mode=mode))
    known = {each["id"] for each in applied["people"]}
    for member in terms["members"]:
        if member["id"] not in known:
            found.append(Problem("member-outside", N_("{member} is not in the application."), member=member["id"]))
    if terms["purpose"] != applied["purpose"]:
        found.append(Problem("purpose-differs", N_("The purpose is not the one that was applied for.")))
    if terms["not_after"] > applied["not_after"]:
        found.append(Problem("period-longer", N_("The period is longer than applied for.")))
    if applied["linkage"] is None and terms["linkage"] is not None:
        found.append(Problem("linkage-outside", N_("Linkage was not applied for.")))
    most = applied["max_persons"]
    if most is not None and (terms["max_persons"] is None or terms["max_persons"] > most):
        found.append(Problem("more-persons", N_("More people than applied for.")))
    return [Finding(problem, False) for problem in found]


def sign(key: str, person: str, *, accept: bool = False) -> None:
    """Sign the paper for this holder and send it back. accept: the differences shown are agreed to."""
    data = paper(key)
    if data["status"] != "to sign":
        raise Problem("nothing-to-sign", N_("No version waits for signatures."))
    found = findings(data)
    blocking = [each.problem for each in found if each.blocks]
    if not blocking and not accept:
        blocking = [each.problem for each in found]
    if blocking:
        raise Problems(blocking)
    before = ledger.document_bytes(data["pdf"])
    terms, _pdf, _signed = papers.check({**data, "pdf": base64.b64encode(before).decode()})
    pdf = papers.sign(before, terms, "연구 협약 체결 / Research agreement")
    with transaction.atomic():
        fresh = Record.objects.select_for_update().get(kind="paper", key=key).data
        if (fresh["pdf"], fresh["status"]) != (data["pdf"], "to sign"):
            raise Problem("paper-changed", N_("Another paper has come meanwhile. Look at it first."))
        name = ledger.keep_bytes(pdf, "agreement", "application/pdf")
        given = [*data["given"], data["digest"]]
        put({**data, "pdf": name, "signed": [*data["signed"], site().id], "given": given, "status": "signed"})
        ledger.note(
            f"agreement-paper:{key}",
            "paper.signed",
            actor=person,
            version=terms["version"],
            digest=data["digest"],
            paper=name,
            accepted=[each.problem.code for each in found],
        )
        if reviews.get(data["request"]).status == "approved":
            reviews.moved(data["request"], review_core.Negotiate(by=person, agreement=key), person)
        answer = {"id": key, "pdf": base64.b64encode(pdf).decode()}
        post.send("agreement.signed", answer, to=data["user"], sealed=True)


@post.receives("agreement.final", sealed=True)
def _on_final(message: post.Message) -> None:
    """The paper that all have signed: every signature is verified here, and then it is in force for this holder."""
    terms, pdf, signed = papers.check(message.payload)
    key, name = terms["id"], digest(terms)
    data = paper(key)
    if message.sender != data["user"] or terms["user"]["id"] != data["user"]:
        raise Problem("not-yours", N_("{site} is not the applicant of this request."), site=message.sender)
    if site().id in papers.needed(terms) and name not in data["given"]:
        raise Problem("not-signed-here", N_("This holder did not sign these terms."))
    kept = ledger.keep_bytes(pdf, "agreement", "application/pdf")
    papers.put_in_force(terms, signed, kept, message.sender)
    if name != data["digest"] and data["status"] in ("in force", "countered"):  # nothing here was touched or is open
        given = {each: message.payload[each] for each in ("names", "drawn")}
        data = {**data, "terms": terms, "digest": name, **given}
    if name == data["digest"]:
        put({**data, "pdf": kept, "signed": signed, "status": "in force"})
    if site().id in parties(terms) and reviews.get(data["request"]).status in ("agreement", "open"):
        reviews.moved(data["request"], review_core.Prepare(by=message.sender), message.sender)
    post.send("register.note", {**_public(terms), **_lay(data["request"])}, to=site().hub)


def _lay(request: str) -> dict[str, Any]:
    """The lay summary of the application: public from the day on which its agreement is in force."""
    name = reviews.case(request)["application"]
    return {"summary": ledger.document(name)["document"]["summary"]} if name else {}


def _public(terms: dict) -> dict[str, Any]:
    """What the public register shows of an agreement."""
    facts = {name: terms[name] for name in ("id", "version", "title", "areas", "purpose", "not_before", "not_after")}
    holders = [holder["id"] for holder in terms["holders"]]
    return {"kind": "agreement", **facts, "user": terms["user"]["id"], "holders": holders, "digest": digest(terms)}
