"""Federated rounds: the agreed centre asks, this node computes over its own people and answers with sums alone.

The first round admits the job as any other. Later rounds must be of the same job, the next in number, and under an
agreement still in force. Every answer passes this node's own guard; tables are also compared with what was answered
before about these people, and remembered.
"""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.governance.grant import Grant
from ansim.privacy.disclosure import protect as disclosure
from ansim.privacy.disclosure.memory import Asker
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.table import TableSpec, tabulate
from ansim.research.analysis import guard, methods
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import agreements, closing, grants, source
from ansim.sites.holder.memory import memory
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "federated"
PREPARED = 4  # runs whose data are held in memory
_prepared: OrderedDict[tuple[str, str], Any] = OrderedDict()
_lock = threading.Lock()


@post.receives("fed.round")
def _on_round(message: post.Message) -> None:
    """Only from the centre that the terms name; the payload's own claims count for nothing."""
    given, sender = message.payload, message.sender
    run, number, name = str(given["run"])[:64], given["round"], grants.name_of(given["job"])
    if type(number) is not int or not isinstance(given.get("state"), dict):
        raise Problem("bad-round", N_("This is not a round of a federated run."))
    found = Record.objects.filter(kind=KIND, key=run).first()
    if found and (found.data["job"] != name or found.data["centre"] != sender):
        raise Problem("other-run", N_("The run {run} is of another job or another centre."), run=run)
    if found and found.data["status"] == "over":
        raise Problem("run-over", N_("The agreement of the run {run} is over."), run=run)
    if found and (before := found.data["answers"].get(str(number))):
        if before["state"] != digest(given["state"]):
            raise Problem("other-state", N_("This round was answered for another state."))
        _answer(found.data, number, before["aggregate"])
        return
    payload = {"run": run, "round": number, "job": given["job"], "state": given["state"], "sender": sender}
    jobs.queue("fed-round", f"{sender}:{message.jti}", {**payload, "heard": clock.iso(message.at)})


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
    document, state = job["document"], payload["state"]
    try:
        name, spec, version = document["method"], document["spec"], source.version()
        _fits(known.data if known else None, payload, methods.start(name, spec), version)
        data = _data(run, document, version)
        if reasons := guard.admissible(name, data, spec, _guard(), state):
            return {"persons": persons, "reasons": reasons}
        return {"persons": persons, "version": version, "aggregate": methods.method(name).local(data, spec, state)}
    except Problem as problem:
        return {"persons": persons, "reasons": getattr(problem, "problems", [problem])}


def _fits(known: dict | None, payload: dict, initial: dict, version: str) -> None:
    """A first round starts where the method starts; a later one is the next, over the same data."""
    if known is None:
        if payload["state"] != initial or payload["round"] not in (0, 1):
            raise Problem("not-first", N_("The run does not begin with its first round."))
        return
    if known["status"] != "running" or payload["round"] != known["round"] + 1:
        raise Problem(
            "not-next", N_("Round {round} does not follow round {last}."), round=payload["round"], last=known["round"]
        )
    if len(known["answers"]) >= _guard().rounds:
        raise Problem("too-many-rounds", N_("At most {rounds} rounds are answered."), rounds=_guard().rounds)
    if version != known["version"]:
        raise Problem("data-changed", N_("The data have changed since the run began."))


def _finish(payload: dict, made: dict) -> None:
    """Admit (or look again), compare with what was answered before, remember, answer: one transaction."""
    run, job, number = payload["run"], payload["job"], payload["round"]
    found = Record.objects.select_for_update().filter(kind=KIND, key=run).first()
    if found and str(number) in found.data["answers"]:
        return  # the same round came twice at once; the repeat is answered from the record
    document, sender, now = job["document"], payload["sender"], clock.now()
    heard, persons = datetime.fromisoformat(payload["heard"]), made["persons"]
    reasons = list(made.get("reasons", []))
    if found is None and not reasons:
        grant = grants.admit(job, sender=sender, now=now, heard=heard, persons=persons)
        if not grant.allowed:
            _say_no(payload)
            return
    elif not reasons:
        reasons = grants.decide(job, sender=sender, now=now, heard=heard, persons=persons, again=True).reasons
    if not reasons and "aggregate" not in made:
        reasons = [Problem("not-computed", N_("The facts changed while the round was computed."))]
    if not reasons and document["method"] == "table" and found is None:
        reasons = _compare(run, document)
    data = found.data if found else _fresh(payload, made)
    if reasons:
        grants.refuse(job, Grant(False, reasons), sender=sender)
        ledger.record(KIND, run, {**data, "status": "refused"}, status="refused")
        _say_no(payload)
        return
    answers = {**data["answers"], str(number): {"state": digest(payload["state"]), "aggregate": made["aggregate"]}}
    data = {**data, "round": number, "answers": answers, "at": clock.iso(now)}
    ledger.record(KIND, run, data, status="running")
    ledger.note(
        f"federated:{run}", "round.answered", actor=sender, round=number, job=data["job"],
        state=digest(payload["state"]), answer=digest(made["aggregate"]),
    )  # fmt: skip
    _answer(data, number, made["aggregate"])


jobs.job("fed-round", finish=_finish)(_compute)


def _fresh(payload: dict, made: dict) -> dict:
    document = payload["job"]["document"]
    return {
        "id": payload["run"],
        "job": grants.name_of(payload["job"]),
        "centre": payload["sender"],
        "agreement": str(document.get("agreement")),
        "member": str(document.get("member")),
        "method": str(document.get("method")),
        "title": (document.get("spec") or {}).get("title") or {},
        "status": "running",
        "version": made.get("version", ""),
        "persons": made["persons"],
        "round": payload["round"],
        "answers": {},
        "began": clock.iso(clock.now()),
    }


def _answer(data: dict, number: int, aggregate: dict) -> None:
    post.send(
        "fed.answer", {"run": data["id"], "round": number, "aggregate": aggregate}, to=data["centre"], sealed=True
    )


def _say_no(payload: dict) -> None:
    content = {"run": payload["run"], "round": payload["round"], "refused": True}
    post.send("fed.answer", content, to=payload["sender"], sealed=True)


@closing.destroys
def _destroy(agreement: str) -> list[dict]:
    """The sums answered under an agreement; that it was answered, and how often, stays on the record."""
    for record in Record.objects.filter(kind=KIND, data__agreement=agreement).exclude(status="over"):
        emptied = {number: {"state": each["state"]} for number, each in record.data["answers"].items()}
        ledger.record(KIND, record.key, {**record.data, "answers": emptied, "status": "over"}, status="over")
    return []


def _guard() -> guard.Policy:
    own = Policy.from_data(site().policy)
    return guard.Policy(
        threshold=own.threshold, freedom=own.min_degrees_of_freedom, **site().options.get("federated", {})
    )


def _data(run: str, document: dict, version: str) -> Any:
    """This site's data as the method prepared them; kept while the run goes on, made anew after a restart."""
    key = (run, version)
    with _lock:
        if key in _prepared:
            _prepared.move_to_end(key)
            return _prepared[key]
    frame = source.frame(parse(document["query"]))
    made = methods.method(document["method"]).prepare(frame, document["spec"])
    with _lock:
        _prepared[key] = made
        while len(_prepared) > PREPARED:
            _prepared.popitem(last=False)
    return made


def _compare(run: str, document: dict) -> list[Problem]:
    """Why this table, with what was shown of these people before, would single somebody out; if nothing, remember it.

    Compared and remembered are the cells that this node alone could show; smaller ones go to the centre only inside the
    pooled sums, which it protects by the strictest policy of the agreement.
    """
    spec = TableSpec.parse(_disclosure_spec(document["spec"]))
    terms = agreements.state(document["agreement"]).current["terms"]
    asker = Asker(document["member"], terms["user"]["id"])
    try:
        held = memory()
        table = tabulate(source.frame(parse(document["query"])), spec, held.codes)
        released = disclosure.protect(table, held.policy, held.for_asker(asker))
    except Problem as problem:
        return list(getattr(problem, "problems", [problem]))
    if found := [each for each in released.findings if each.rule == "difference"]:
        return [Problem("difference", N_("{cells} cells differ too little from an earlier answer."), cells=len(found))]
    held.remember(table, released, asker, clock.now(), id=run)
    return []


def _disclosure_spec(spec: dict) -> dict:
    """The same table in the words of the disclosure room: its measure is `of` a variable."""
    measure = dict(spec.get("measure") or {"kind": "count"})
    if "variable" in measure:
        measure["of"] = measure.pop("variable")
    return {**spec, "measure": measure}
