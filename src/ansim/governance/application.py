"""Application: what the hub knows of one request to several holders. Sole writer: the hub.

It holds the public part and, per holder, the status that this holder reported. The cohort, protocol and people travel
sealed to the holders and are never here. The order in which holders report makes no difference.
"""

from dataclasses import field, replace
from datetime import datetime

from ansim.errors import N_
from ansim.governance.core import Aggregate, Command, Event, State, require, require_digest, stamp
from ansim.governance.review import WAITING

FINISHED = ("unwilling", "rejected", "approved", "agreement", "preparing", "open", "closed")


class Application(State):
    """holders: {holder: {status, waiting_on, since, due, version}} as each reported last."""

    id: str = ""
    applicant: str = ""
    title: dict = field(default_factory=dict)
    areas: list = field(default_factory=list)
    digest: str = ""
    signature: dict = field(default_factory=dict)
    holders: dict = field(default_factory=dict)
    revision: int = 0
    reason: str = ""


application = Aggregate(
    "application", Application, ("none", "submitted", "in review", "returned", "decided", "withdrawn", "closed")
)
LIVE = ("submitted", "in review", "returned", "decided")


def overall(holders: dict) -> str:
    """Status of the whole from the parts: returned if any holder waits for a mended application, decided when every
    holder is through, in review when any has begun."""
    reported = [entry["status"] for entry in holders.values()]
    if "returned" in reported:
        return "returned"
    if all(status in FINISHED for status in reported):
        return "decided"
    return "in review" if any(status != "sent" for status in reported) else "submitted"


class Submitted(Event, of=application):
    id: str
    applicant: str
    title: dict
    areas: list
    digest: str
    signature: dict
    holders: dict  # holder -> due day

    def evolve(self, state: Application) -> Application:
        fresh = {
            holder: {"status": "sent", "waiting_on": holder, "since": self.at, "due": due, "version": -1}
            for holder, due in self.holders.items()
        }
        # A mended application goes anew to those who returned it; the others keep what they decided.
        kept = {name: entry for name, entry in state.holders.items() if entry["status"] not in ("sent", "returned")}
        holders = {name: kept.get(name, {**entry, "version": seen(state, name)}) for name, entry in fresh.items()}
        return replace(
            state,
            status=overall(holders),
            id=self.id,
            applicant=self.applicant,
            title=self.title,
            areas=self.areas,
            digest=self.digest,
            signature=self.signature,
            holders=holders,
            revision=state.revision + 1,
        )


def seen(state: Application, holder: str) -> int:
    return state.holders[holder]["version"] if holder in state.holders else -1


class Submit(
    Command,
    of=application,
    source=("none", "returned"),
    target=("submitted", "in review"),
    role="applicant",
):
    """Submit, or submit mended. digest: of the whole application; signature: {key, digest}, verified by the hub before;
    holders: {holder: ISO day by which its first answer is due}.
    """

    id: str
    applicant: str
    title: dict
    areas: list
    digest: str
    signature: dict
    holders: dict

    def decide(self, state: Application, now: datetime) -> list[Event]:
        require_digest(self.digest, "digest")
        require(
            self.signature.get("key") and self.signature.get("digest") == self.digest,
            "signature",
            N_("The applicant's signature is not over this application."),
            where="signature",
        )
        require(self.holders, "no-holders", N_("Choose at least one holder."), where="holders")
        require(self.areas, "no-area", N_("Choose an area of research."), where="areas")
        if state.id:
            require(
                (state.id, state.applicant) == (self.id, self.applicant),
                "other-application",
                N_("This is another application."),
            )
            require(
                state.digest != self.digest, "unchanged", N_("This is the application that was returned, unchanged.")
            )
            require(
                set(self.holders) >= set(state.holders),
                "holder-dropped",
                N_("A holder that has the application cannot be left out; withdraw instead."),
                where="holders",
            )
        facts = {
            key: getattr(self, key) for key in ("id", "applicant", "title", "areas", "digest", "signature", "holders")
        }
        return [Submitted(at=stamp(now), by=self.by, **facts)]


class Reported(Event, of=application):
    holder: str
    reported: str
    waiting_on: str
    since: str
    due: str
    holder_version: int

    def evolve(self, state: Application) -> Application:
        entry = {
            "status": self.reported,
            "waiting_on": self.waiting_on,
            "since": self.since,
            "due": self.due,
            "version": self.holder_version,
        }
        holders = {**state.holders, self.holder: entry}
        return replace(state, holders=holders, status=overall(holders))


class Report(Command, of=application, source=LIVE, target=LIVE, role="holder"):
    """A holder's own status (its HolderReview) with that review's version: older news cannot overwrite newer."""

    reported: str
    waiting_on: str
    since: str
    due: str
    holder_version: int

    def decide(self, state: Application, now: datetime) -> list[Event]:
        require(
            self.by in state.holders,
            "not-chosen",
            N_("{holder} was not chosen for this application."),
            holder=self.by,
        )
        require(self.reported in WAITING, "unknown-status", N_("{status} is no status."), status=self.reported)
        if self.holder_version <= state.holders[self.by]["version"]:
            return []  # late or repeated news
        return [
            Reported(
                at=stamp(now),
                by=self.by,
                holder=self.by,
                reported=self.reported,
                waiting_on=self.waiting_on,
                since=self.since,
                due=self.due,
                holder_version=self.holder_version,
            )
        ]


class Withdrawn(Event, of=application):
    reason: str

    def evolve(self, state: Application) -> Application:
        return replace(state, status="withdrawn", reason=self.reason)


class Withdraw(Command, of=application, source=LIVE, target=("withdrawn",), role="applicant"):
    reason: str = ""

    def decide(self, state: Application, now: datetime) -> list[Event]:
        return [Withdrawn(at=stamp(now), by=self.by, reason=self.reason)]


class Closed(Event, of=application):
    def evolve(self, state: Application) -> Application:
        return replace(state, status="closed")


class Close(Command, of=application, source=("decided", "withdrawn"), target=("closed",), role="coordinator"):
    """Every holder is through with it, or the applicant has withdrawn it."""

    def decide(self, state: Application, now: datetime) -> list[Event]:
        return [Closed(at=stamp(now), by=self.by)]
