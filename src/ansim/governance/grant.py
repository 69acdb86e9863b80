"""Grant: the derived view. May this holder run this job now? Computed from facts at each node, edited by nobody.

agreement AND board AND IRB AND holder AND member AND designation AND clock, and the job within what was agreed. Every
bound is looked at, so the steward sees all reasons; the requester gets one uniform text. What is missing, unreadable or
contradictory counts as a refusal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance import areas, uses
from ansim.governance.agreement import Agreement, unusable
from ansim.governance.attest import member_key, moment, stale, undesignated
from ansim.governance.board import APPROVED, CONDITIONS, BoardCase
from ansim.governance.core import civil_day, day

Outside = Callable[[dict, dict], list[Problem]]  # (asked query, agreed query) -> what the first has beyond the second


@dataclass(frozen=True)
class Facts:
    """What the node knows, gathered from its own database and from documents whose signatures it verified.

    holder: this site's id. agreement, board: states at this site. irb_needed: whether the route asks for an IRB.
    signer: JWK of the key that verified the job's signature, None if none did. members: the organisation's attestation
    (attest.py), members_seq: highest number seen. designations, designations_seq: the same for the ministry's list.
    persons: people in the cohort here (None: not counted). last_entry: time of the ledger's last entry.
    reference: a time heard from others lately, if any. skew: seconds allowed. nonces: seen before from this member.
    outside: the research library's comparison of queries; None refuses.
    """

    holder: str
    agreement: Agreement
    board: BoardCase
    signer: dict | None = None
    members: dict | None = None
    members_seq: int = 0
    designations: dict | None = None
    designations_seq: int = 0
    irb_needed: bool = True
    persons: int | None = None
    last_entry: str = ""
    reference: str = ""
    skew: int = 300
    max_age: int = 7 * 24 * 3600
    nonces: frozenset[str] = field(default_factory=frozenset)
    outside: Outside | None = None


@dataclass(frozen=True)
class Grant:
    """allowed, and for the steward each reason against it."""

    allowed: bool
    reasons: list[Problem]

    @property
    def public_reason(self) -> Problem | None:
        """What the requester hears: the same words whatever the reason."""
        if self.allowed:
            return None
        return Problem(
            "refused",
            N_("This holder does not run this request under the agreement."),
            remedy=N_("Ask the holder's contact desk."),
        )

    def require(self) -> None:
        if self.public_reason is not None:
            raise self.public_reason

    def as_data(self) -> dict:
        return {"allowed": self.allowed, "reasons": [reason.as_data() for reason in self.reasons]}


def decide_grant(facts: Facts, request: dict, now: datetime) -> Grant:
    """Look at every bound. A check that cannot read its facts refuses with "unreadable-fact" and its name."""
    reasons: list[Problem] = []
    for name, check in CHECKS.items():
        try:
            reasons += check(facts, request, now)
        except Problem as problem:
            reasons.append(problem)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            reasons.append(
                Problem(
                    "unreadable-fact",
                    N_("The facts for '{check}' cannot be read: {detail}."),
                    where=name,
                    check=name,
                    detail=repr(error),
                )
            )
    return Grant(not reasons, reasons)


def terms_of(facts: Facts) -> dict:
    """The terms in force; raises Problem if there are none."""
    if not facts.agreement.current:
        raise Problem("no-agreement", N_("No agreement is in force here."))
    return facts.agreement.current["terms"]


def form(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if request.get("ansim") != "job/1":
        yield Problem("wrong-kind", N_("A job/1 is needed."), where="ansim")
    if type(request["version"]) is not int:  # True == 1 in Python
        yield Problem("not-a-number", N_("The version must be a whole number."), where="version")


def under_agreement(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if request["agreement"] != facts.agreement.id or not facts.agreement.id:
        yield Problem("other-agreement", N_("The job names another agreement."), where="agreement")
    yield from unusable(facts.agreement, request["version"], request["terms"], now)


def holder_is_party(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if facts.holder not in [holder["id"] for holder in terms_of(facts)["holders"]]:
        yield Problem("not-a-party", N_("This holder is no party to the agreement."))


def member_listed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    member, terms = request["member"], terms_of(facts)
    agreed = next((entry["key"] for entry in terms["members"] if entry["id"] == member), None)
    if agreed is None:
        yield Problem("member-not-agreed", N_("{member} is not listed in the agreement."), member=member)
    if member in facts.agreement.removed:
        yield Problem("member-removed", N_("{member} was removed."), member=member)
    if not same_key(agreed, facts.signer):
        yield Problem("signature", N_("The job is not signed by the key that the agreement names."), where="signature")


def member_attested(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    yield from stale(facts.members, "members", facts.members_seq, now)
    if facts.members and facts.members["org"] != terms_of(facts)["user"]["id"]:
        yield Problem("members-other-org", N_("The member list is of another organisation."))
    attested = member_key(facts.members, request["member"])
    if attested is None:
        yield Problem("member-not-attested", N_("The organisation no longer lists {member}."), member=request["member"])
    elif not same_key(attested, facts.signer):
        yield Problem(
            "key-not-attested", N_("The organisation lists another key for {member}."), member=request["member"]
        )


def same_key(one: dict | None, other: dict | None) -> bool:
    return bool(one and other) and all(one.get(part) == other.get(part) for part in ("kty", "crv", "x"))  # type: ignore[union-attr]


def area_agreed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    agreed = terms_of(facts)["areas"]
    if not areas.covers(agreed, request["area"]):
        yield Problem(
            "area-outside",
            N_("The area {area} is not under the agreed areas ({agreed})."),
            where="area",
            area=request["area"],
            agreed=", ".join(agreed),
        )


def investigation_agreed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    """The kind of investigation (DUO) is an agreed one or narrower. Agreements that name none permit every kind."""
    agreed = terms_of(facts).get("investigations")
    if agreed is None:
        return
    if not uses.covers(agreed, request.get("investigation", "")):
        yield Problem(
            "investigation-outside",
            N_("Investigations of the kind {kind} are not under the agreed ones ({agreed})."),
            where="investigation",
            kind=request.get("investigation") or "-",
            agreed=", ".join(agreed),
        )


def mode_agreed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if request["mode"] not in terms_of(facts)["modes"]:
        yield Problem("mode-outside", N_("The mode {mode} is not agreed."), where="mode", mode=request["mode"])


def query_agreed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if facts.outside is None:
        yield Problem("query-unchecked", N_("The query could not be compared with the agreed one."), where="query")
        return
    yield from facts.outside(request["query"], terms_of(facts)["query"])


def few_enough(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    most = terms_of(facts)["max_persons"]
    if most is None:
        return
    if facts.persons is None:
        yield Problem("persons-unknown", N_("The people of the cohort were not counted."))
    elif facts.persons > most:
        yield Problem(
            "too-many-persons", N_("{persons} people; at most {most} are agreed."), persons=facts.persons, most=most
        )


def board_approved(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    board = facts.board
    if board.status not in (APPROVED, CONDITIONS):
        yield Problem("board", N_("The board's outcome is '{status}', not an approval."), status=board.status)
    elif civil_day(now) > day(board.expires, "board.expires"):
        yield Problem("board-expired", N_("The board's approval ended on {day}."), day=board.expires)


def irb_approved(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if facts.irb_needed is False:
        return
    irb = facts.board.irb
    if not irb or irb["confirmed_by"] == irb["entered_by"]:
        yield Problem("irb-missing", N_("No confirmed IRB decision is on file."))
    elif irb["decision"] not in ("approved", "exempt"):
        yield Problem("irb", N_("The IRB's decision is '{decision}'."), decision=irb["decision"])
    elif civil_day(now) > day(irb["expires"], "irb.expires"):
        yield Problem("irb-expired", N_("The IRB's decision ended on {day}."), day=irb["expires"])


def bodies_designated(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    """The centre combines federated rounds and receives extracts; linkage adds the key agency and the linker."""
    yield from stale(facts.designations, "designations", facts.designations_seq, now)
    terms = terms_of(facts)
    needed = [(terms["place"]["centre"], "centre")]
    linkage = terms["linkage"]
    if linkage and facts.holder in linkage["holders"] and request["mode"] == "extract":
        needed += [(linkage["key_agency"], "keyagency"), (linkage["linker"], "linker")]
    for body, role in needed:
        yield from undesignated(facts.designations, body, role, now)


def place_agreed(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    """A job may name its centre; then it must be the agreed one."""
    agreed = terms_of(facts)["place"]["centre"]
    if request.get("centre", agreed) != agreed:
        yield Problem(
            "place-outside", N_("The centre {centre} is not the agreed one."), where="centre", centre=request["centre"]
        )


def clock_right(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    if now < moment(facts.last_entry, "last_entry"):
        yield Problem("clock-behind", N_("This site's clock is behind its own ledger ({last})."), last=facts.last_entry)
    skew = timedelta(seconds=facts.skew)
    if facts.reference and abs(now - moment(facts.reference, "reference")) > skew:
        yield Problem(
            "clock-skew", N_("This site's clock differs too much from {reference}."), reference=facts.reference
        )
    asked = moment(request["at"], "at")
    if asked > now + skew:
        yield Problem("job-future", N_("The job is dated in the future."), where="at")
    if asked < now - timedelta(seconds=facts.max_age):
        yield Problem("job-old", N_("The job is too old to be run."), where="at", remedy=N_("Sign it anew."))


def asked_once(facts: Facts, request: dict, now: datetime) -> Iterator[Problem]:
    nonce: Any = request["nonce"]
    if not isinstance(nonce, str) or len(nonce) < 16:
        yield Problem("nonce", N_("The job needs a nonce of at least 16 characters."), where="nonce")
    elif nonce in facts.nonces:
        yield Problem("replayed", N_("This job was asked before."), where="nonce")


CHECKS: dict[str, Callable[[Facts, dict, datetime], Iterator[Problem]]] = {
    "form": form,
    "agreement": under_agreement,
    "holder": holder_is_party,
    "member": member_listed,
    "attestation": member_attested,
    "area": area_agreed,
    "investigation": investigation_agreed,
    "mode": mode_agreed,
    "place": place_agreed,
    "query": query_agreed,
    "persons": few_enough,
    "board": board_approved,
    "irb": irb_approved,
    "designation": bodies_designated,
    "clock": clock_right,
    "nonce": asked_once,
}
