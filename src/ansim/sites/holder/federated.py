"""Federated rounds: the agreed centre asks, this node computes over its own people and answers with sums alone.

The first round admits the job as any other: once a job. Later rounds must be of the same job, the next in number, and
under an agreement still in force. Every answer passes this node's own guard; the people that it is about are compared
with those of all that was answered before, and remembered. Where three holders or more take part, sums leave masked.
"""

import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.grant import Grant
from ansim.privacy.disclosure import protect as disclosure
from ansim.privacy.disclosure.memory import Asker
from ansim.privacy.disclosure.table import TableSpec, tabulate
from ansim.research.analysis import about, methods
from ansim.research.cohort.query import parse
from ansim.sites import clock, standing
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import agreements, closing, grants, rounds, source
from ansim.sites.holder.memory import memory
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "federated"


@post.receives("fed.round", quick=True, before=rounds.at_once)
def _on_round(message: post.Message) -> None:
    """Only from the centre that the terms name; the payload's own claims count for nothing."""
    given, sender = message.payload, message.sender
    run, number = str(given["run"])[:64], given["round"]
    if type(number) is not int or not isinstance(given.get("state"), dict):
        raise Problem("bad-round", N_("This is not a round of a federated run."))
    found = Record.objects.select_for_update().filter(kind=KIND, key=run).first()
    known = found.data if found else None
    job = given.get("job") or (ledger.document(known["paper"]) if known else None)
    if known and (known["job"] != grants.name_of(job) or known["centre"] != sender):
        raise Problem("other-run", N_("The run {run} is of another job or another centre."), run=run)
    if known and known["status"] == "over":
        raise Problem("run-over", N_("The agreement of the run {run} is over."), run=run)
    payload = {"run": run, "round": number, "job": job, "state": given["state"], "sender": sender}
    payload |= {"together": given.get("together"), "outs": given.get("outs"), "heard": clock.iso(message.at)}
    if known and known["round"] == number and _repeated(known, payload):
        return
    if known and message.found is not None:
        _finish(payload, {"persons": known["persons"], "version": known["version"], **message.found})
    else:
        jobs.queue("fed-round", f"{sender}:{message.jti}", payload)


def _repeated(known: dict, payload: dict) -> bool:
    """Whether this very round was answered: the same answer goes out again. Another state for it is refused."""
    before = known["answer"]
    if before["state"] != digest(payload["state"]):
        raise Problem("other-state", N_("This round was answered for another state."))
    if before["together"] != payload["together"]:
        return False
    _answer(known, payload["round"], before["aggregate"], before["together"])
    return True


def _compute(payload: dict) -> dict[str, Any]:
    """The aggregate of this round, for a job that nothing speaks against; refusals come out as reasons."""
    run, job = payload["run"], payload["job"]
    known = Record.objects.filter(kind=KIND, key=run).first()
    heard = datetime.fromisoformat(payload["heard"])
    persons = grants.count(job) if known is None else known.data["persons"]
    grant = grants.decide(
        job, sender=payload["sender"], now=clock.now(), heard=heard, persons=persons, again=known is not None
    )
    if not grant.allowed:
        return {"persons": persons}
    document = job["document"]
    version = source.edition(document["agreement"])
    try:
        _fits(known.data if known else None, payload, document, version)
        session = rounds.opened(run, document, payload["sender"])
        session.looked = time.monotonic()
        told = {"version": version, "dataset": source.named(), "left_out": _left_out(known, document)}
        return {"persons": persons, **told, "aggregate": rounds.compute(session, payload)}
    except Problem as problem:
        return {"persons": persons, "reasons": getattr(problem, "problems", [problem])}


def _left_out(known: Record | None, document: dict) -> str:
    """How many of the cohort patients' own lists leave out: counted in the first round, and it stays so."""
    return known.data["left_out"] if known else source.left_out(parse(document["query"]), document["agreement"])


def _fits(known: dict | None, payload: dict, document: dict, version: str) -> None:
    """A first round starts where the method starts; a later one is the next, over the same data and the same sites.

    The last round may be asked again for fewer sites, if each that left has signed so: the masks are then new ones.
    """
    number, together = payload["round"], payload["together"]
    if known is None:
        if payload["state"] != methods.start(document["method"], document["spec"]) or number not in (0, 1):
            raise Problem("not-first", N_("The run does not begin with its first round."))
        return
    again = number == known["round"] and together != known["together"]
    if known["status"] != "running" or not (again or number == known["round"] + 1):
        raise Problem("not-next", N_("Round {round} does not follow round {last}."), round=number, last=known["round"])
    if known["rounds"] >= rounds.policy().rounds:
        raise Problem("too-many-rounds", N_("At most {rounds} rounds are answered."), rounds=rounds.policy().rounds)
    if version != known["version"]:
        raise Problem("data-changed", N_("The data have changed since the run began."))
    if together != known["together"]:
        left = set(known["together"] or ()) - set(together or ())
        if not together or not known["together"] or not set(together) < set(known["together"]):
            raise Problem("participants", N_("The sites of a run may only become fewer."))
        rounds.check_out(payload["outs"], payload["run"], number, left)


def _finish(payload: dict, made: dict) -> None:
    """Admit (or look again), compare with what was answered before, remember, answer: one transaction."""
    run, job, number = payload["run"], payload["job"], payload["round"]
    found = Record.objects.select_for_update().filter(kind=KIND, key=run).first()
    known = found.data if found else None
    if known and known["round"] == number and _repeated(known, payload):
        return  # the same round came twice at once; the repeat is answered from the record
    document, sender, now = job["document"], payload["sender"], clock.now()
    reasons = list(made.get("reasons", []))
    if known is None and not reasons:
        heard = datetime.fromisoformat(payload["heard"])
        grant = grants.admit(job, sender=sender, now=now, heard=heard, persons=made["persons"])
        if not grant.allowed:
            _say_no(payload)
            return
    elif not reasons:
        reasons = _still(known or {}, payload, document, now)
    if not reasons and "aggregate" not in made:
        reasons = [Problem("not-computed", N_("The facts changed while the round was computed."))]
    if not reasons and known is None:
        reasons = _compare(run, document)
    data = known or _fresh(payload, made)
    if reasons:
        grants.refuse(job, Grant(False, reasons), sender=sender)
        ledger.record(KIND, run, {**data, "status": "refused"}, status="refused")
        _say_no(payload)
        return
    aggregate, state = made["aggregate"], digest(payload["state"])
    answer = {"state": state, "together": payload["together"], "aggregate": aggregate}
    data |= {"round": number, "rounds": data["rounds"] + 1, "together": payload["together"], "answer": answer}
    ledger.record(KIND, run, {**data, "at": clock.iso(now)}, status="running")
    ledger.note(
        f"federated:{run}", "round.answered", actor=sender, round=number, job=data["job"], state=state,
        answer=digest(aggregate), together=payload["together"], dataset=data["dataset"], left_out=data["left_out"],
    )  # fmt: skip
    _answer(data, number, aggregate, payload["together"])


def _still(known: dict, payload: dict, document: dict, now: datetime) -> list[Problem]:
    """Why an admitted run may not go on: the agreement, and the order of rounds."""
    try:
        _fits(known, payload, document, source.edition(document["agreement"]))
    except Problem as problem:
        return [problem]
    if document["member"] in standing.state(document["agreement"]).removed:
        return [Problem("member-removed", N_("{member} left the agreement."), member=document["member"])]
    return standing.not_in_force(document["agreement"], document["version"], document["terms"], now)


jobs.job("fed-round", finish=_finish)(_compute)


def _fresh(payload: dict, made: dict) -> dict:
    document = payload["job"]["document"]
    return {
        "id": payload["run"],
        "job": grants.name_of(payload["job"]),
        "paper": ledger.keep(payload["job"], "job"),
        "centre": payload["sender"],
        "agreement": str(document.get("agreement")),
        "member": str(document.get("member")),
        "method": str(document.get("method")),
        "title": (document.get("spec") or {}).get("title") or {},
        "status": "running",
        "version": made.get("version", ""),
        "dataset": made.get("dataset"),
        "left_out": made.get("left_out", "0"),
        "persons": made["persons"],
        "round": payload["round"],
        "rounds": 0,
        "together": payload["together"],
        "answer": {},
        "began": clock.iso(clock.now()),
    }


def _answer(data: dict, number: int, aggregate: dict, together: list[str] | None) -> None:
    content = {"run": data["id"], "round": number, "aggregate": aggregate, "dataset": data["dataset"]}
    post.send("fed.answer", content | ({"together": together} if together else {}), to=data["centre"], sealed=True)


def _say_no(payload: dict) -> None:
    """Refused in the same words for all; in a masked run with this site's signed word that the rest may go on."""
    content = {"run": payload["run"], "round": payload["round"], "refused": True}
    if payload["together"]:
        content |= {"together": payload["together"], "out": rounds.out(payload["run"], payload["round"])}
    post.send("fed.answer", content, to=payload["sender"], sealed=True)


@closing.destroys
def _destroy(agreement: str) -> list[dict]:
    """The sums answered under an agreement; that it was answered, and how often, stays on the record."""
    for record in Record.objects.filter(kind=KIND, data__agreement=agreement).exclude(status="over"):
        ledger.record(KIND, record.key, {**record.data, "answer": {}, "status": "over"}, status="over")
    return []


def _compare(run: str, document: dict) -> list[Problem]:
    """Why this result, with what was shown of these people before, would single somebody out; if nothing, remember it.

    Compared and remembered are the counts of people that the result goes with (`analysis.about`), as far as this node
    alone could show them; smaller ones go to the centre only inside the pooled sums, which it protects by the strictest
    policy of the agreement. A site may compare tables alone (`federated_compare = "tables"`).
    """
    method = document["method"]
    if method not in ("table", "crosstab") and site().options.get("federated_compare", "all") != "all":
        return []
    terms = agreements.state(document["agreement"]).current["terms"]
    asker = Asker(document["member"], terms["user"]["id"])
    try:
        given = about.people(method, document["spec"], digest(document["query"]))
        held, spec = memory(), TableSpec.parse(given)
        query = parse(document["query"])
        needed = tuple(each for each in query.variables if each.name in about.variables(given))
        table = tabulate(source.frame(replace(query, variables=needed), document["agreement"]), spec, held.codes)
        released = disclosure.protect(table, held.policy, held.for_asker(asker))
    except Problem as problem:
        return list(getattr(problem, "problems", [problem]))
    if found := [each for each in released.findings if each.rule == "difference"]:
        return [Problem("difference", N_("{cells} cells differ too little from an earlier answer."), cells=len(found))]
    held.remember(table, released, asker, clock.now(), id=run)
    return []
