"""Agreement: drafted, signed by every party over one terms hash, in force, amended, suspended, ended.

`terms` (see terms.py) are the policy. A version is in force at this site only when this site has recorded a verified
signature of every party over that version's digest; who calls `Sign` has verified the signature against the party's
pinned key (the papers module does). A newer version supersedes the older at that moment; the older never comes back.
An amendment is signed again by those whom it touches (amendment.py); each version keeps who had to sign it.
Removing a member takes effect at once and needs no new signatures, since it only narrows.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.amendment import signers
from ansim.governance.core import Aggregate, Command, Event, State, civil_day, day, require, require_digest, stamp
from ansim.governance.terms import parse_terms, parties


class Agreement(State):
    """current and pending: {version, digest, terms, needed, signatures: {party: {key, paper, at}}} or empty.
    needed: the parties that must sign this version. counter: {party, reason, proposal} of the last counter-offer."""

    id: str = ""
    current: dict = field(default_factory=dict)
    pending: dict = field(default_factory=dict)
    history: list = field(default_factory=list)  # digests that were in force, oldest first
    removed: list = field(default_factory=list)  # member ids
    drafted_by: str = ""
    counter: dict = field(default_factory=dict)
    reason: str = ""


agreement = Aggregate(
    "agreement", Agreement, ("none", "signing", "countered", "in force", "suspended", "ended", "terminated", "closed")
)
OPEN = ("signing", "countered", "in force", "suspended")


def unsigned(state: Agreement) -> list[str]:
    """Parties whose signature the pending version still waits for."""
    if not state.pending:
        return []
    return [party for party in state.pending["needed"] if party not in state.pending["signatures"]]


def unusable(state: Agreement, version: int, terms_digest: str, now: datetime) -> list[Problem]:
    """Why nobody can act under this version of the agreement now; empty if it is in force."""
    found = []
    if state.status != "in force":
        found.append(
            Problem("agreement-not-in-force", N_("The agreement is '{status}', not in force."), status=state.status)
        )
    current = state.current
    if not current:
        return [*found, Problem("no-agreement", N_("No version of the agreement is in force."))]
    missing = [party for party in current["needed"] if party not in current["signatures"]]
    if missing:
        found.append(Problem("signature-missing", N_("Signatures are missing: {parties}."), parties=", ".join(missing)))
    if version != current["version"]:
        found.append(
            Problem(
                "version-superseded",
                N_("Version {asked} is not the one in force ({version})."),
                asked=version,
                version=current["version"],
            )
        )
    if terms_digest != current["digest"] or digest(current["terms"]) != current["digest"]:
        found.append(Problem("terms-differ", N_("The terms named are not the terms that were signed.")))
    today = civil_day(now)
    if today < day(current["terms"]["not_before"], "not_before"):
        found.append(Problem("not-yet", N_("The agreement begins on {day}."), day=current["terms"]["not_before"]))
    if today > day(current["terms"]["not_after"], "not_after"):
        found.append(Problem("period-over", N_("The agreement ended on {day}."), day=current["terms"]["not_after"]))
    return found


class Drafted(Event, of=agreement, schema=2):
    terms: dict
    digest: str
    needed: list

    def evolve(self, state: Agreement) -> Agreement:
        offer = {"version": self.terms["version"], "digest": self.digest, "terms": self.terms, "signatures": {}}
        offer["needed"] = self.needed
        status = "signing" if state.status in ("none", "signing", "countered") else state.status
        return replace(state, status=status, id=self.terms["id"], pending=offer, drafted_by=self.by, counter={})


@agreement.upcast("agreement.drafted", 1)
def _all_signed(data: dict) -> dict:
    """Before amendments were compared, every party signed every version."""
    return {**data, "needed": parties(data["terms"])}


class Draft(Command, of=agreement, source=("none", *OPEN), target=OPEN, role="party's legal officer"):
    """Offer terms: the first version, a counter-offer before it is signed, or an amendment of the version in force.
    An offer drops the signatures on the offer before it.

    query_within, joining: as `amendment.signers` takes them, found out by the site that records this."""

    terms: dict
    query_within: bool = False
    joining: str = ""

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        terms = parse_terms(self.terms)
        require(not state.id or terms["id"] == state.id, "other-agreement", N_("The terms name another agreement."))
        expected = state.current["version"] + 1 if state.current else 1
        joins = bool(self.joining) and not state.current and terms["version"] > 1
        require(
            terms["version"] == expected or joins,
            "wrong-version",
            N_("Version {version} cannot follow; {expected} is next."),
            where="version",
            version=terms["version"],
            expected=expected,
        )
        require(
            joins or terms["supersedes"] == (state.current["digest"] if state.current else None),
            "wrong-predecessor",
            N_("The terms must name the digest of the version that they supersede."),
            where="supersedes",
        )
        returning = {member["id"] for member in terms["members"]} & set(state.removed)
        require(
            not returning,
            "member-removed",
            N_("Removed members cannot be listed again: {members}."),
            where="members",
            members=", ".join(sorted(returning)),
        )
        require(
            day(terms["not_after"], "not_after") >= civil_day(now),
            "period-over",
            N_("The period is over already."),
            where="not_after",
        )
        before = state.current["terms"] if state.current else None
        needed = signers(before, terms, query_within=self.query_within, joining=self.joining)
        return [Drafted(at=stamp(now), by=self.by, terms=terms, digest=digest(terms), needed=needed)]


class OfferWithdrawn(Event, of=agreement):
    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, pending={})


class WithdrawOffer(Command, of=agreement, source=("in force", "suspended"), role="party's legal officer"):
    """Give up an amendment that is not yet signed by all."""

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(state.pending, "no-offer", N_("There is no offer to withdraw."))
        return [OfferWithdrawn(at=stamp(now), by=self.by)]


class Countered(Event, of=agreement):
    party: str
    reason: str
    proposal: dict

    def evolve(self, state: Agreement) -> Agreement:
        status = "countered" if state.status == "signing" else state.status
        said = {"party": self.party, "reason": self.reason, "proposal": self.proposal}
        return replace(state, status=status, pending={}, counter=said)


class Counter(Command, of=agreement, source=OPEN, target=OPEN, role="party's legal officer"):
    """A party does not sign the offer and says what it would sign instead. The offer and its signatures fall; whoever
    drafted it takes the proposal up with a new draft, or does not. proposal: {field of the terms: what it should say}.
    """

    party: str
    reason: str
    proposal: dict = field(default_factory=dict)

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(state.pending, "nothing-to-sign", N_("No version waits for signatures."))
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        terms = state.pending["terms"]
        require(self.party in parties(terms), "not-a-party", N_("{party} is not a party."), party=self.party)
        unknown = sorted(set(self.proposal) - set(terms))
        require(not unknown, "unknown-field", N_("The terms have no field {names}."), names=", ".join(unknown))
        said = Countered(at=stamp(now), by=self.by, party=self.party, reason=self.reason, proposal=self.proposal)
        return [said]


class Signed(Event, of=agreement):
    party: str
    digest: str
    key: str
    paper: str

    def evolve(self, state: Agreement) -> Agreement:
        signature = {"key": self.key, "paper": self.paper, "at": self.at}
        signatures = {**state.pending["signatures"], self.party: signature}
        return replace(state, pending={**state.pending, "signatures": signatures})


class InForce(Event, of=agreement):
    version: int
    digest: str

    def evolve(self, state: Agreement) -> Agreement:
        status = "suspended" if state.status == "suspended" else "in force"
        return replace(
            state, status=status, current=state.pending, pending={}, history=[*state.history, self.digest]
        )  # an amendment does not lift a suspension


class Sign(Command, of=agreement, source=OPEN, target=OPEN, role="party's signatory"):
    """Record a party's signature that this site has verified.

    digest: of the machine terms inside the signed paper; key: id of the party's pinned key; paper: SHA-256 of the PDF.
    """

    party: str
    digest: str
    key: str
    paper: str

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(state.pending, "nothing-to-sign", N_("No version waits for signatures."))
        require(
            self.digest == state.pending["digest"],
            "other-terms",
            N_("The signature is over other terms than version {version} on offer."),
            where="digest",
            version=state.pending["version"],
        )
        terms = state.pending["terms"]
        require(self.party in parties(terms), "not-a-party", N_("{party} is not a party."), party=self.party)
        require(
            self.party not in state.pending["signatures"],
            "signed-already",
            N_(
                "{party} has signed.",
            ),
            party=self.party,
        )
        require(self.key, "no-key", N_("The signing key is not named."), where="key")
        require_digest(self.paper, "paper")
        signed = Signed(at=stamp(now), by=self.by, party=self.party, digest=self.digest, key=self.key, paper=self.paper)
        if set(unsigned(state)) - {self.party}:
            return [signed]
        require(
            civil_day(now) <= day(terms["not_after"], "not_after"),
            "period-over",
            N_("The period was over before all had signed."),
        )
        return [signed, InForce(at=stamp(now), by=self.by, version=terms["version"], digest=self.digest)]


class MemberRemoved(Event, of=agreement):
    member: str
    reason: str

    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, removed=[*state.removed, self.member])


class RemoveMember(Command, of=agreement, source=OPEN, role="any party"):
    member: str
    reason: str

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        listed = {entry["id"] for part in (state.current, state.pending) if part for entry in part["terms"]["members"]}
        require(self.member in listed, "not-a-member", N_("{member} is not a member."), member=self.member)
        require(self.member not in state.removed, "removed-already", N_("{member} was removed."), member=self.member)
        return [MemberRemoved(at=stamp(now), by=self.by, member=self.member, reason=self.reason)]


class Suspended(Event, of=agreement):
    reason: str

    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, status="suspended", reason=self.reason)


class Suspend(Command, of=agreement, source=("in force",), target=("suspended",), role="any party"):
    """At once and by any party alone, such as after an incident (L8)."""

    reason: str

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [Suspended(at=stamp(now), by=self.by, reason=self.reason)]


class Resumed(Event, of=agreement):
    reason: str

    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, status="in force", reason=self.reason)


class Resume(Command, of=agreement, source=("suspended",), target=("in force",), role="privacy officer"):
    reason: str

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [Resumed(at=stamp(now), by=self.by, reason=self.reason)]


class Ended(Event, of=agreement):
    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, status="ended", pending={})


class End(Command, of=agreement, source=OPEN, target=("ended",), role="site's clock"):
    """The period is over. Access had ended by itself (`unusable`); this puts it on the record."""

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(state.current or state.pending, "no-agreement", N_("No version of the agreement is in force."))
        terms = (state.current or state.pending)["terms"]
        require(
            civil_day(now) > day(terms["not_after"], "not_after"),
            "not-over",
            N_("The agreement runs until {day}."),
            day=terms["not_after"],
        )
        return [Ended(at=stamp(now), by=self.by)]


class Terminated(Event, of=agreement):
    reason: str

    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, status="terminated", pending={}, reason=self.reason)


class Terminate(Command, of=agreement, source=OPEN, target=("terminated",), role="any party"):
    reason: str

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        require(self.reason, "no-reason", N_("Give a reason."), where="reason")
        return [Terminated(at=stamp(now), by=self.by, reason=self.reason)]


class Closed(Event, of=agreement):
    certificate: str

    def evolve(self, state: Agreement) -> Agreement:
        return replace(state, status="closed")


class Close(Command, of=agreement, source=("ended", "terminated"), target=("closed",), role="custodian"):
    """Data are destroyed. certificate: SHA-256 of the destruction certificate, empty only if nothing was in force."""

    certificate: str = ""

    def decide(self, state: Agreement, now: datetime) -> list[Event]:
        if state.history or self.certificate:
            require_digest(self.certificate, "certificate")
        return [Closed(at=stamp(now), by=self.by, certificate=self.certificate)]
