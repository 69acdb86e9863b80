"""May this job run here now? Facts gathered from this node's own ledger and from signatures that it verified itself.

Nothing that another site says about an agreement, a board or a member is believed without its signature. What cannot
be found out is a reason to refuse. The requester hears one uniform text; the reasons stay on this ledger.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.agreement import Agreement
from ansim.governance.board import BoardCase, board
from ansim.governance.grant import Facts, Grant, decide_grant
from ansim.research.cohort import scope
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust
from ansim.sites.holder import agreements, screening, source
from ansim.sites.store import ledger
from ansim.sites.store.models import Event, Notice, Record

NONCE = "nonce"


def name_of(job: Any) -> str:
    """The digest of a signed job's document: its name at every site. Raises Problem if it is not a signed document."""
    if not isinstance(job, dict) or not isinstance(job.get("document"), dict):
        raise Problem("bad-job", N_("This is not a signed job."))
    return digest(job["document"])


def outside(asked: dict, agreed: dict) -> list[Problem]:
    """What an asked query has beyond the agreed one."""
    return scope.outside(parse(asked), parse(agreed))


def count(job: dict) -> int | None:
    """People of the job's cohort here, counted only where the agreement limits them; None if they cannot be counted.

    Reads the CDM and may take long: call it outside of a transaction, and only for jobs that `decide` would admit.
    """
    document = job["document"]
    try:
        if agreements.state(document["agreement"]).current["terms"]["max_persons"] is None:
            return None
        return source.cohort(parse(document["query"]), document["agreement"]).num_rows
    except (Problem, KeyError, TypeError):
        return None


def decide(
    job: dict,
    *,
    sender: str,
    now: datetime,
    heard: datetime | None = None,
    persons: int | None = None,
    again: bool = False,
) -> Grant:
    """The grant for a signed job that `sender` passed on; nothing is recorded.

    heard: when the message that brought the job was signed. persons: from `count`. again: the job was admitted before
    and is looked at once more (its nonce is known by then, and its age no longer matters).
    """
    document = job["document"]
    key = str(document.get("agreement"))
    try:
        agreement = agreements.state(key)
        request = agreements.request_of(key)
        case: BoardCase = ledger.load(board, request)
        kid = _signed_by(job, agreement)
    except Problem as problem:
        return Grant(False, [problem])
    terms = agreement.current["terms"]
    facts = Facts(
        holder=site().id,
        agreement=agreement,
        board=case,
        signer=kid,
        members=trust.member_list(terms["user"]["id"]),
        members_seq=_seq(f"members:{terms['user']['id']}"),
        designations=trust.designations(),
        designations_seq=_seq("designations"),
        irb_needed=screening.irb_needed(request),
        persons=persons,
        last_entry=Event.objects.order_by("-seq").values_list("at", flat=True).first() or clock.iso(now),
        # A signed message cannot be older than its time: if it is ahead of this clock, this clock is behind.
        reference=heard.isoformat() if heard and heard > now else "",
        skew=site().skew_seconds,
        nonces=frozenset() if again else _seen(document),
        outside=outside,
    )
    if again:
        facts = replace(facts, max_age=10 * 365 * 24 * 3600)
    grant = decide_grant(facts, document, now)
    expected = terms["place"]["centre"] if document.get("mode") == "federated" else terms["user"]["id"]
    if sender != expected:
        strange = Problem(
            "sender", N_("Such a job comes from {expected}, not from {sender}."), expected=expected, sender=sender
        )
        return Grant(False, [*grant.reasons, strange])
    return grant


def admit(job: dict, *, sender: str, now: datetime, heard: datetime | None = None, persons: int | None = None) -> Grant:
    """Decide, and record: an admitted job's nonce is used up; a refusal's reasons go to the ledger and its bare fact to
    the desk that asked. One transaction with whatever the caller does upon it."""
    with transaction.atomic():
        name = name_of(job)
        grant = decide(job, sender=sender, now=now, heard=heard, persons=persons)
        document = job["document"]
        if grant.allowed:
            Record.objects.create(
                kind=NONCE, key=_nonce_key(document), status="used", data={"job": name}, updated=clock.iso(now)
            )
            ledger.note(
                f"job:{name}", "job.admitted", actor=document["member"], agreement=document["agreement"],
                mode=document["mode"], job=ledger.keep(job, "job"),
            )  # fmt: skip
        else:
            refuse(job, grant, sender=sender)
    return grant


def refuse(job: dict, grant: Grant, *, sender: str) -> None:
    """All reasons for the steward; the same words for everybody else."""
    name, document = name_of(job), job["document"]
    reasons = [{"code": each.code, "message": str(each)} for each in grant.reasons]
    ledger.note(
        f"job:{name}", "job.refused", actor=sender, agreement=str(document.get("agreement"))[:100],
        mode=str(document.get("mode"))[:20], member=str(document.get("member"))[:100], reasons=reasons,
    )  # fmt: skip
    facts = {
        "job": name, "agreement": str(document.get("agreement"))[:100], "mode": str(document.get("mode"))[:20],
        "member": str(document.get("member"))[:100], "sender": sender, "at": clock.iso(clock.now()), "reasons": reasons,
    }  # fmt: skip
    ledger.record("refusal", name, facts, status="refused")
    desk = _desk(document, sender)
    if desk:
        post.send("job.refused", {"job": name, "reason": str(grant.public_reason)}, to=desk, sealed=True)


def _desk(document: dict, sender: str) -> str:
    """Who hears of a refusal: the organisation of the agreement, else a sender that is a desk."""
    try:
        return agreements.state(str(document.get("agreement"))).current["terms"]["user"]["id"]
    except Problem:
        known = {each["id"] for each in trust.directory().of_kind("user")}
        return sender if sender in known else ""


def _signed_by(job: dict, agreement: Agreement) -> dict | None:
    """The agreement's key for this member, if it signed the job."""
    member = job["document"].get("member")
    entry = next((each for each in agreement.current["terms"]["members"] if each["id"] == member), None)
    if entry is None:
        return None
    return entry["key"] if signed.signers(job, [entry["key"]]) else None


def _seq(name: str) -> int:
    return Notice.objects.filter(name=name).values_list("seq", flat=True).first() or 0


def _nonce_key(document: dict) -> str:
    return hashlib.sha256(f"{document['member']}\n{document['nonce']}".encode()).hexdigest()


def _seen(document: dict) -> frozenset[str]:
    """The job's nonce, if this member used it before."""
    try:
        used = Record.objects.filter(kind=NONCE, key=_nonce_key(document)).exists()
    except KeyError:
        return frozenset()
    return frozenset({document["nonce"]}) if used else frozenset()
