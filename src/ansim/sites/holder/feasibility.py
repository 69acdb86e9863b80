"""Answering the hub's questions of how many people fit: a protected number, or one refusal that never says why.

The set of people behind each answer stays in this node's memory, so that near questions show the same number. Question,
memory, budget and answer change in one transaction, and the answer leaves at the next tick of a time grid, whatever it
is: neither how long it took nor how it ended tells more than the answer.
"""

import math
import time
from datetime import datetime
from functools import cache
from typing import Any

import pyarrow as pa
from pyroaring import BitMap

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.disclosure.budget import Budget
from ansim.privacy.disclosure.feasibility import answer as protected
from ansim.privacy.disclosure.memory import Asker
from ansim.privacy.disclosure.policy import Policy
from ansim.research.cohort.compile import cohort, missing
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import memory, reviews, source
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

GRID_SECONDS = 0.5


@post.receives("feasibility.ask")
def _on_ask(message: post.Message) -> None:
    """A question, from the hub only. A question that came before keeps its first answer."""
    given, key = message.payload, str(message.payload["id"])
    if message.sender != site().hub:
        raise Problem("not-the-hub", N_("Only the hub asks for counts."))
    if not reviews.ID.fullmatch(key):
        raise Problem("bad-id", N_("The question's id is no plain name."))
    if Record.objects.filter(kind="feasibility", key=key).exists():
        return
    facts = {"id": key, "query": given["query"], "purpose": str(given.get("purpose", ""))[:300]}
    facts |= {"requester": str(given["requester"])[:200], "asked": clock.iso(clock.now()), "status": "waiting"}
    ledger.record("feasibility", key, facts, status="waiting")
    ledger.note(f"feasibility:{key}", "feasibility.asked", actor=message.sender, requester=facts["requester"])
    jobs.queue("feasibility", key, {"id": key})


def _count(payload: dict) -> tuple[pa.Array | None, Problem | None]:
    """The people that fit, or why the question cannot be answered."""
    question = Record.objects.get(kind="feasibility", key=payload["id"]).data
    try:
        query = parse(question["query"])
        with source.connect() as con:
            if absent := missing(con, query):
                raise Problem(
                    "no-table", N_("There are no records of this kind here: {kinds}."), kinds=", ".join(absent)
                )
            return cohort(con, query).column("person_id").combine_chunks(), None
    except Problem as problem:
        return None, problem


def _answer(payload: dict, found: tuple[pa.Array | None, Problem | None]) -> None:
    """Decide the answer and put it on the record; it leaves at the next tick of the grid."""
    people, problem = found
    policy, now = Policy.from_data(site().policy), clock.now()
    held = memory.memory(policy)  # from here on nobody else answers until this transaction ends
    row = Record.objects.get(kind="feasibility", key=payload["id"])
    if row.status != "waiting":
        return
    question = row.data
    organisation, _, requester = question["requester"].rpartition("/")
    if problem is None and not _budget(policy, now).spend(requester, organisation, now):
        problem = Problem("budget", N_("{requester} has no answers left today."), requester=question["requester"])
    told: dict[str, Any] = {"status": "refused", "shown": None}
    facts: dict[str, Any] = {}
    if problem is None:
        assert people is not None
        name = digest({"query": question["query"], "data": source.version()})
        asker = Asker(requester, organisation)
        given = protected(BitMap(held.codes(people)), policy, held, _secret(), now, question=name, asker=asker)
        told = {"status": "answered", "shown": given.shown}
        facts = {"low": given.low, "fresh": given.fresh, "worn": given.worn}
    else:
        facts = {"reason": problem.code, "why": str(problem)}
    ledger.record(
        "feasibility",
        payload["id"],
        {**question, **told, **facts, "at": clock.iso(now), "organisation": organisation, "person": requester},
        status=told["status"],
    )
    ledger.note(f"feasibility:{payload['id']}", f"feasibility.{told['status']}", shown=told["shown"], **facts)
    jobs.queue("feasibility-answer", payload["id"], {"id": payload["id"], **told}, after=_until_tick())


jobs.job("feasibility", finish=_answer)(_count)


@jobs.job("feasibility-answer")
def _send(payload: dict) -> None:
    post.send("feasibility.answer", payload, to=site().hub)


def _until_tick() -> float:
    """Seconds until the grid's next tick, by the machine's clock."""
    grid = float(site().options.get("feasibility_grid_seconds", GRID_SECONDS))
    moment = time.time()
    return (math.floor(moment / grid) + 1) * grid - moment if grid > 0 else 0.0


def _budget(policy: Policy, now: datetime) -> Budget:
    """Today's use, counted again from the answers that were given."""
    budget = Budget(policy)
    today = clock.iso(now)[:10]
    for row in Record.objects.filter(kind="feasibility", status="answered", data__at__startswith=today):
        at = datetime.fromisoformat(row.data["at"])
        budget.used[at.date(), row.data["organisation"], row.data["person"]] = (
            budget.used.get((at.date(), row.data["organisation"], row.data["person"]), 0) + 1
        )
    return budget


@cache
def _secret() -> bytes:
    return bytes.fromhex(post.keeper().call("node_secret", purpose="feasibility"))
