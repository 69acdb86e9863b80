"""Answering the hub's questions of how many people fit: a protected number, or one refusal that never says why.

The set of people behind each answer stays in this node's memory, so that near questions show the same number. Question,
memory, budget and answer change in one transaction, and the answer leaves at the next tick of a time grid, whatever it
is: neither how long it took nor how it ended tells more than the answer.
"""

import math
import time
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.disclosure.budget import Budget
from ansim.privacy.disclosure.feasibility import BY, MOST_YEARS
from ansim.privacy.disclosure.feasibility import answer as protected
from ansim.privacy.disclosure.memory import Asker
from ansim.privacy.disclosure.policy import Policy
from ansim.research.cohort.compile import cohort, frame, missing
from ansim.research.cohort.query import Query, Variable, parse
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
    by = given.get("by") or []
    if not isinstance(by, list) or not set(map(str, by)) <= set(BY) or len(set(by)) != len(by):
        raise Problem("bad-by", N_("Counts are split by {known} only."), known=", ".join(BY))
    facts |= {
        "by": by,
        "requester": str(given["requester"])[:200],
        "asked": clock.iso(clock.now()),
        "status": "waiting",
    }
    ledger.record("feasibility", key, facts, status="waiting")
    ledger.note(f"feasibility:{key}", "feasibility.asked", actor=message.sender, requester=facts["requester"])
    jobs.queue("feasibility", key, {"id": key})


@post.receives("feasibility.cancel")
def _on_cancel(message: post.Message) -> None:
    """The hub takes a question back: what was not answered yet is not answered any more and costs nothing."""
    if message.sender != site().hub:
        raise Problem("not-the-hub", N_("Only the hub asks for counts."))
    key = str(message.payload["id"])
    found = Record.objects.select_for_update().filter(kind="feasibility", key=key, status="waiting").first()
    if found is not None:
        ledger.record("feasibility", key, {**found.data, "status": "cancelled"}, status="cancelled")
        ledger.note(f"feasibility:{key}", "feasibility.cancelled", actor=message.sender)


Groups = dict[str, pa.Array]  # "" for everybody, "sex=F", "age_band=30-39", "year=2015": person ids


def _count(payload: dict) -> tuple[Groups, Problem | None, dict[str, Any]]:
    """The people that fit, as a whole and in the parts asked for, or why the question cannot be answered; then which
    data were asked, and how many people patients' lists left out."""
    question = Record.objects.get(kind="feasibility", key=payload["id"]).data
    try:
        query = parse(question["query"])
        with source.connect("") as con:  # without those whom patients' lists leave out
            if absent := missing(con, query):
                raise Problem(
                    "no-table", N_("There are no records of this kind here: {kinds}."), kinds=", ".join(absent)
                )
            found = groups(con, query, question.get("by", []))
        return found, None, {"dataset": source.named(), "left_out": source.left_out(query, "")}
    except Problem as problem:
        return {}, problem, {}


def groups(con: duckdb.DuckDBPyConnection, query: Query, by: list[str]) -> Groups:
    """Everybody of the cohort and each part. Which parts there are follows from the question alone, never from the
    data: both sexes, bands of ten years up to 109, all years of the period; of too many years, raises Problem."""
    people = cohort(con, query)
    found: Groups = {"": people.column("person_id").combine_chunks()}
    labels: dict[str, tuple[pa.Array, list]] = {}
    if {"sex", "age_band"} & set(by):
        asked = (Variable("sex", "sex"), Variable("age_band", "age_band", width=10))
        frame_ = frame(con, replace(query, variables=asked))
        labels["sex"] = frame_.column("sex"), ["F", "M"]
        labels["age_band"] = frame_.column("age_band"), [f"{age}-{age + 9}" for age in range(0, 110, 10)]
    if "year" in by:
        years = range(query.period.first.year, query.period.last.year + 1)
        if len(years) > MOST_YEARS:
            raise Problem("too-many-years", N_("Counts by year are for at most {most} years."), most=MOST_YEARS)
        labels["year"] = pc.year(people.column("start_date")), list(years)
    for kind in by:
        values, known = labels[kind]
        for label in known:
            found[f"{kind}={label}"] = found[""].filter(pc.equal(values, label).combine_chunks())
    return found


def _answer(payload: dict, found: tuple[Groups, Problem | None, dict[str, Any]]) -> None:
    """Decide the answer and put it on the record; it leaves at the next tick of the grid."""
    counted, problem, about = found
    policy, now = Policy.from_data(site().policy), clock.now()
    held = memory.memory(policy)  # from here on nobody else answers until this transaction ends
    row = Record.objects.get(kind="feasibility", key=payload["id"])
    if row.status != "waiting":
        return
    question = row.data
    organisation, _, requester = question["requester"].rpartition("/")
    by = question.get("by", [])
    if problem is None and not _budget(policy, now).spend(requester, organisation, now, 1 + len(by)):
        problem = Problem("budget", N_("{requester} has no answers left today."), requester=question["requester"])
    told: dict[str, Any] = {"status": "refused", "shown": None}
    facts: dict[str, Any] = {}
    if problem is None:
        name = digest({"query": question["query"], "data": source.edition("")})
        asker = Asker(requester, organisation)
        given = {
            part: protected(
                BitMap(held.codes(people)), policy, held, _secret(), now, question=f"{name}/{part}", asker=asker
            )
            for part, people in counted.items()
        }
        whole = given.pop("")
        told = {"status": "answered", "shown": whole.shown, "dataset": about["dataset"]}
        if given:
            told["parts"] = {part: each.shown for part, each in given.items()}
        facts = {"low": whole.low, "fresh": whole.fresh, "worn": whole.worn, "left_out": about["left_out"]}
    else:
        facts = {"reason": problem.code, "why": str(problem)}
    ledger.record(
        "feasibility",
        payload["id"],
        {**question, **told, **facts, "at": clock.iso(now), "organisation": organisation, "person": requester},
        status=told["status"],
    )
    ledger.note(
        f"feasibility:{payload['id']}",
        f"feasibility.{told['status']}",
        shown=told["shown"],
        dataset=told.get("dataset"),
        **facts,
    )
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
        place = (at.date(), row.data["organisation"], row.data["person"])
        budget.used[place] = budget.used.get(place, 0) + 1 + len(row.data.get("by", []))
    return budget


@cache
def _secret() -> bytes:
    return bytes.fromhex(post.keeper().call("node_secret", purpose="feasibility"))
