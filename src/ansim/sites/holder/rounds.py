"""A federated run as this node computes it: its people prepared once, then sums for each state, masked where agreed.

Nothing here writes. What is held in memory is made anew after a restart.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.research.analysis import guard, masks, methods
from ansim.research.cohort.query import parse
from ansim.sites import clock, standing
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust
from ansim.sites.holder import source

HELD = 4  # runs whose data are held in memory
LONG = 0.5  # seconds of computing from which a round is a job of its own
LOOK_AGAIN = 600.0  # seconds after which a job is looked at in full once more


@dataclass
class Session:
    """One run: the job's document, the version of the data and what the method prepared from them."""

    document: dict
    centre: str
    version: str
    data: Any
    secrets: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    looked: float = field(default_factory=time.monotonic)


_sessions: OrderedDict[str, Session] = OrderedDict()
_lock = threading.Lock()


def held(run: str) -> Session | None:
    with _lock:
        return _sessions.get(run)


def opened(run: str, document: dict, centre: str) -> Session:
    """The run's session; prepared from the CDM (which may take long) if it is not in memory."""
    version = source.edition(document["agreement"])
    found = held(run)
    if found and found.version == version and found.document == document:
        return found
    frame = source.frame(parse(document["query"]), document["agreement"])
    data = methods.method(document["method"]).prepare(frame, document["spec"])
    made = Session(document, centre, version, data)
    with _lock:
        _sessions[run] = made
        while len(_sessions) > HELD:
            _sessions.popitem(last=False)
    return made


def at_once(sender: str, payload: dict) -> dict | None:
    """The round's sums if they can be had now: the run is in memory and its rounds are short. None: as a job."""
    try:
        session = held(str(payload["run"]))
        if session is None or session.centre != sender or session.seconds > LONG:
            return None
        if time.monotonic() - session.looked > LOOK_AGAIN:
            return None
        if source.edition(session.document["agreement"]) != session.version:
            return None
        return {"aggregate": compute(session, payload)}
    except Problem as problem:
        return {"reasons": getattr(problem, "problems", [problem])}
    except (KeyError, TypeError, ValueError):
        return None  # the handler says what is wrong with it


def compute(session: Session, payload: dict) -> dict:
    """The aggregate as it leaves. Raises Problem where the guard or the set of participants forbids it."""
    started, state = time.monotonic(), payload["state"]
    name, spec, together = session.document["method"], session.document["spec"], payload.get("together")
    if together:
        check_participants(together, session.document["agreement"])
    reasons = guard.admissible(name, session.data, spec, policy(), state, masked=bool(together))
    if reasons:
        raise reasons[0]
    aggregate = methods.method(name).local(session.data, spec, state)
    if together and "union" not in aggregate:
        secrets = _secrets(session, payload["run"], together)
        aggregate = masks.masked(aggregate, site().id, secrets, payload["run"], payload["round"], digest(state))
    session.seconds = time.monotonic() - started
    return aggregate


def policy() -> guard.Policy:
    own = Policy.from_data(site().policy)
    return guard.Policy(
        threshold=own.threshold, freedom=own.min_degrees_of_freedom, **site().options.get("federated", {})
    )


def check_participants(together: Any, agreement: str) -> None:
    """Three or more different holders of the agreement, this one among them."""
    known = {each["id"] for each in standing.state(agreement).current["terms"]["holders"]}
    sound = isinstance(together, list) and all(isinstance(each, str) for each in together)
    if not sound or len(set(together)) < max(masks.LEAST, len(together)) or not {site().id} <= set(together) <= known:
        raise Problem(
            "participants", N_("Masked sums need three or more holders of the agreement, this one among them.")
        )


def _secrets(session: Session, run: str, together: list[str]) -> dict[str, bytes]:
    """What this site shares with each other participant, from its key process: once a run."""
    others = [each for each in together if each != site().id]
    missing = [each for each in others if each not in session.secrets]
    if missing:
        directory, now = trust.directory(), clock.now()
        peers = {each: directory.receive_key(each, now) for each in missing}
        labels = {each: masks.label(run, site().id, each) for each in missing}
        made = post.keeper().call("agree", peers=peers, labels=labels)
        session.secrets |= {each: bytes.fromhex(secret) for each, secret in made.items()}
    return {each: session.secrets[each] for each in others}


# --- leaving a masked round -------------------------------------------------------------------------------------------


def out(run: str, number: int) -> dict:
    """This site's signed word that it gives no sums in this round or any later one: the rest may go on without it."""
    document = {"ansim": "fed-out/1", "run": run, "round": number, "site": site().id}
    return signed.sign_document(document, post.own_kid(), post.sign)


def check_out(proofs: Any, run: str, number: int, left: set[str]) -> None:
    """Raises Problem unless each site that left has signed that it did."""
    directory, now, seen = trust.directory(), clock.now(), set()
    for proof in proofs if isinstance(proofs, list) else []:
        who = str(proof["document"].get("site"))
        document = signed.open_document(proof, directory.keys(who, now))
        if document["ansim"] == "fed-out/1" and document["run"] == run and document["round"] <= number:
            seen.add(who)
    if not left <= seen:
        raise Problem("no-proof", N_("A smaller set of sites needs the signed word of each one that left."))
