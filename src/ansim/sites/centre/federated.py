"""Federated analyses: the centre sends parameters, holders send sums, and only the checked result ever leaves.

A run is bound to the member's signed job; each answer to its run, round and sender. Intermediates live in records of
their own that are deleted the moment the result is made or the run fails. Where three holders or more take part, their
sums come masked, and only the pool can be read here. A holder that refuses fails the run for everybody in the same
words, unless the job says that a part will do: then the round is asked again of the rest, who see its signed word.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from ansim import documents
from ansim.errors import N_, Problem
from ansim.governance.board_case import BoardCase
from ansim.governance.grant import CHECKS, Facts
from ansim.research.analysis import masks, methods, sums
from ansim.research.cohort.query import parse
from ansim.research.cohort.scope import outside
from ansim.sites import clock
from ansim.sites.centre import agreements, outputs, results
from ansim.sites.config import site
from ansim.sites.exchange import post, signed, trust
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Event, Record

KIND, SECRET = "federated", "federated-sums"
OURS = (
    "form", "agreement", "member", "attestation", "area", "investigation", "mode", "place", "query", "designation",
    "clock", "nonce",
)  # fmt: skip
NOT_RUN = N_("This centre does not run this request under the agreement.")
NOT_ALL = N_("Not every holder ran this analysis.")


def get(run: str) -> dict:
    found = Record.objects.filter(kind=KIND, key=run).first()
    if found is None:
        raise Problem("no-run", N_("There is no such federated run here."))
    return found.data


def every(key: str = "") -> list[dict]:
    found = Record.objects.filter(kind=KIND).order_by("-updated")
    return [each.data for each in (found.filter(data__agreement=key) if key else found)]


def status_of(data: dict) -> str:
    """The run's state; after its result was submitted, that of the output check."""
    if data["status"] != "checking":
        return data["status"]
    found = outputs.get(data["output"])["status"]
    return found if found in ("released", "refused") else "refused" if found == "withdrawn" else "checking"


def title_of(data: dict) -> Any:
    return data["spec"].get("title") or data["method"]


@post.receives("fed.start")
def _on_start(message: post.Message) -> None:
    """A member's signed job. Every reason against it goes to the ledger; the desk hears one sentence."""
    job = message.payload["job"]
    document = documents.kind(job["document"], "job/1")
    run = documents.digest(document)
    try:
        reasons = refusals(job, message.sender)
        if not reasons:
            _checked_spec(document)
    except Problem as problem:
        reasons = [problem]
    if reasons:
        ledger.note(
            f"federated:{run}",
            "federated.refused",
            actor=message.sender,
            reasons=[{"code": each.code, "message": str(each)} for each in reasons],
        )
        post.send("job.refused", {"job": run, "reason": NOT_RUN}, to=message.sender)
        return
    terms = agreements.terms(document["agreement"])
    holders = sorted(document.get("holders") or [holder["id"] for holder in terms["holders"]])
    data = {
        "id": run,
        "agreement": document["agreement"],
        "by": document["member"],
        "method": document["method"],
        "spec": document["spec"],
        "query": documents.digest(document["query"]),
        "job": ledger.keep(job, "job"),
        "nonce": document["nonce"],
        "holders": holders,
        "partial": document.get("partial") is True,
        "masked": len(holders) >= masks.LEAST,
        "outs": [],
        "answers": dict.fromkeys(holders, "waiting"),
        "left_out": [],
        "round": 0,
        "rounds": [],
        "status": "running",
        "output": "",
        "message": "",
        "desk": message.sender,
        "started": clock.iso(clock.now()),
    }
    ledger.note(f"federated:{run}", "federated.started", actor=document["member"], job=data["job"], holders=holders)
    _round(data, methods.start(document["method"], document["spec"]), job)


def refusals(job: dict, sender: str) -> list[Problem]:
    """Why this job may not run here now: the grant's own checks, those that a centre can make."""
    document = job["document"]
    state = agreements.state(str(document.get("agreement")))
    terms = state.current["terms"]
    member = next((each for each in terms["members"] if each["id"] == document.get("member")), None)
    signer = _signer(job, member)
    last = Event.objects.order_by("-seq").values_list("at", flat=True).first() or clock.iso(clock.now())
    nonces = Record.objects.filter(kind=KIND, data__by=document.get("member")).values_list("data__nonce", flat=True)
    facts = Facts(
        holder=site().id,
        agreement=state,
        board=BoardCase(),
        signer=signer,
        members=trust.member_list(terms["user"]["id"]),
        designations=trust.designations(),
        last_entry=last,
        skew=site().skew_seconds,
        nonces=frozenset(nonces),
        outside=lambda asked, agreed: outside(parse(asked), parse(agreed)),
    )
    found = [problem for name in OURS for problem in _one(name, facts, document)]
    if sender != terms["user"]["id"]:
        found.append(Problem("not-the-user", N_("The job does not come from the agreement's user.")))
    strangers = set(document.get("holders") or []) - {holder["id"] for holder in terms["holders"]}
    if strangers or document.get("mode") != "federated" or terms["place"]["centre"] != site().id:
        found.append(Problem("not-ours", N_("The job is not for this centre and these holders.")))
    return found


def _signer(job: dict, member: dict | None) -> dict | None:
    """The member's key, if the job is signed with it."""
    try:
        return member["key"] if member and signed.signers(job, [member["key"]]) else None
    except Problem:
        return None


def _one(name: str, facts: Facts, document: dict) -> list[Problem]:
    """One check of the grant, fail closed as the grant itself does."""
    try:
        return list(CHECKS[name](facts, document, clock.now()))
    except Problem as problem:
        return [problem]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return [
            Problem(
                "unreadable-fact",
                N_("The facts for '{check}' cannot be read: {detail}."),
                check=name,
                detail=repr(error),
            )
        ]


def _checked_spec(document: dict) -> None:
    methods.start(document["method"], document["spec"])
    if document["method"] == "table" and document["spec"].get("measure", {"kind": "count"})["kind"] not in (
        "count",
        "share",
    ):
        raise Problem("counts-only", N_("Pooled tables are of counts and shares."), where="measure")


def _round(data: dict, state: dict, job: dict | None = None, *, again: bool = False) -> None:
    """Ask every holder that still takes part for its sums at this state. job: in the first round. again: the same
    round anew, for fewer holders."""
    asked = [holder for holder in data["holders"] if holder not in data["left_out"]]
    run, number = data["id"], data["round"] + (not again)
    data.update(round=number, answers=dict.fromkeys(asked, "waiting"))
    if not again:
        data["rounds"].append({"round": number, "asked": clock.iso(clock.now()), "answered": ""})
    ledger.record(KIND, run, data, status="running")
    _sums(run).delete()
    ledger.record(SECRET, run, {"state": state})
    content = {"run": run, "round": number, "state": methods.public(data["method"], data["spec"], state)}
    content |= {"job": job} if job else {}
    content |= {"together": asked} if data["masked"] else {}
    content |= {"outs": data["outs"]} if data["outs"] else {}
    post.send_all("fed.round", content, to=asked, sealed=True)


def _secret(run: str) -> dict:
    found = Record.objects.filter(kind=SECRET, key=run).first()
    return found.data if found else {}


def _sums(run: str) -> QuerySet[Record]:
    """What holders answered in this round, by key."""
    return Record.objects.filter(kind=SECRET, key__startswith=f"{run}:").order_by("key")


def _forget(run: str) -> None:
    Record.objects.filter(kind=SECRET, key=run).delete()
    _sums(run).delete()


@post.receives("fed.answer", quick=True)
def _on_answer(message: post.Message) -> None:
    given, sender = message.payload, message.sender
    run = str(given["run"])
    found = Record.objects.select_for_update().filter(kind=KIND, key=run).first()
    data = found.data if found else {}
    if data.get("status") == "running" and data["masked"] and _outdated(data, given, sender):
        return
    if data.get("status") != "running" or data["round"] != given["round"] or data["answers"].get(sender) != "waiting":
        raise Problem("not-asked", N_("{sender} was not asked for this round."), sender=sender)
    refused = bool(given.get("refused")) or not isinstance(given.get("aggregate"), dict)
    data["answers"][sender] = "refused" if refused else "answered"
    if not refused and isinstance(given.get("dataset"), dict):
        data["datasets"] = {**data.get("datasets", {}), sender: given["dataset"]}
    ledger.note(f"federated:{run}", "federated.answered", actor=sender, round=data["round"], refused=refused)
    if refused:
        _without(data, sender, given)
        return
    ledger.record(SECRET, f"{run}:{sender}", given["aggregate"])
    ledger.record(KIND, run, data, status="running")
    if "waiting" not in data["answers"].values():
        _combine(data)


def _outdated(data: dict, given: dict, sender: str) -> bool:
    """Masked for a set of holders that has become smaller since: of no use to anybody."""
    return (
        given.get("round") == data["round"]
        and sender in data["answers"]
        and given.get("together") != sorted(data["answers"])
        and not given.get("refused")
    )


def _without(data: dict, sender: str, given: dict) -> None:
    """A holder refuses. Unless a part will do, that ends the run; else the rest is waited for, or asked once more."""
    run = data["id"]
    data["left_out"].append(sender)
    left = [holder for holder in data["holders"] if holder not in data["left_out"]]
    ledger.record(KIND, run, data, status="running")
    if not data["partial"] or not left or (data["masked"] and len(left) < masks.LEAST):
        fail(run, NOT_ALL, "holder-refused")
    elif data["masked"]:
        data["outs"].append(given.get("out"))
        job = ledger.document(data["job"]) if data["round"] == 1 else None
        _round(data, _secret(run)["state"], job, again=True)
    elif "waiting" not in data["answers"].values():
        _combine(data)


def _combine(data: dict) -> None:
    """All sums are here: the next round, or the result."""
    run = data["id"]
    chosen = methods.method(data["method"])
    try:
        agreements.require_in_force(data["agreement"])
        answers = list(_sums(run).values_list("data", flat=True))
        if not answers:
            raise Problem("nobody", N_("No holder answered."))
        masked = data["masked"] and not any("union" in each for each in answers)
        pooled = masks.unmasked(answers) if masked else sums.pool(answers)
        state, done, result = chosen.combine(pooled, data["spec"], _secret(run)["state"])
    except Problem as problem:
        fail(run, NOT_ALL if problem.code == "aggregate-shape" else str(problem), problem.code)
        return
    data["rounds"][-1]["answered"] = clock.iso(clock.now())
    if not done:
        _round(data, state)
        return
    data["status"] = "finishing"
    ledger.record(KIND, run, data, status="finishing")
    _forget(run)
    ledger.record(SECRET, run, {"result": result})
    jobs.queue("federated-result", run, {"run": run})


def _result(payload: dict) -> dict[str, Any]:
    """The result as files that may leave, under the same rules as a pooled table or model."""
    data, secret = get(payload["run"]), _secret(payload["run"])
    terms = agreements.terms(data["agreement"])
    rules = agreements.policy(terms)
    part = [holder for holder in data["holders"] if holder not in data["left_out"]]
    try:
        files, findings = results.files(data, part, secret["result"], rules)
    except Problem as problem:
        return {"problem": str(problem), "code": problem.code}
    return {"files": {name: body.decode() for name, body in files.items()}, "findings": findings}


def _made(payload: dict, found: dict) -> None:
    run = payload["run"]
    data = get(run)
    if data["status"] != "finishing":
        return
    try:
        agreements.require_in_force(data["agreement"])
    except Problem as problem:
        found = {"problem": str(problem), "code": problem.code}
    if "problem" in found:
        fail(run, found["problem"], found["code"])
        return
    title = data["spec"].get("title") or {}
    context = str(title.get("ko") or title.get("en") or data["method"])
    bodies = {name: body.encode() for name, body in found["files"].items()}
    output = outputs.submit(
        data["agreement"],
        data["by"],
        bodies,
        context,
        {"run": run, "parts": {}, "tables": {}},
        machine=found["findings"],
    )
    _forget(run)
    ledger.note(f"federated:{run}", "federated.ended", output=output, rounds=data["round"])
    ledger.record(
        KIND, run, {**data, "status": "checking", "output": output, "ended": clock.iso(clock.now())}, status="checking"
    )


jobs.job("federated-result", finish=_made)(_result)


def fail(run: str, message: str, code: str) -> None:
    """The run ends without a result, and its sums are deleted. Who caused it is for the centre's own pages only."""
    data = get(run)
    with transaction.atomic():
        _forget(run)
        ledger.note(f"federated:{run}", "federated.failed", code=code)
        data |= {"status": "failed", "message": message, "code": code, "ended": clock.iso(clock.now())}
        ledger.record(KIND, run, data, status="failed")
        post.send("job.refused", {"job": run, "reason": message}, to=data["desk"])


def give_up() -> None:
    """Runs that a holder never answered end after the site's limit (a day, unless set)."""
    limit = clock.now() - timedelta(seconds=float(site().options.get("federated_seconds", 86400)))
    for data in every():
        if data["status"] == "running" and data["rounds"][-1]["asked"] < clock.iso(limit):
            fail(data["id"], NOT_ALL, "no-answer")
