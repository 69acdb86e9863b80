"""Extracts: asked for by a member, pseudonymised by an operator, judged adequate by reviewers, sent, deleted here.

    waiting -> running -> in review -> leaving -> sent
    blocked | failed | not adequate | stopped

The grant is looked at when it is asked, when it is run and when it is sent. Files lie in FOLDER/extracts until then.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem, Problems
from ansim.governance.extract_review import ExtractReview, Open, Review, extract_review, subject
from ansim.privacy.deid import plan as plans
from ansim.privacy.deid import special
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, signed
from ansim.sites.holder import agreements, categories, extraction, grants, screening, source
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

KIND = "extract"
RUNNABLE = ("waiting", "failed", "in review", "not adequate", "stopped")
STATUS = {"reviewing": "in review", "adequate": "leaving", "inadequate": "not adequate"}
WITH_FILES = ("running", "in review", "leaving")


def get(key: str) -> dict:
    found = Record.objects.filter(kind=KIND, key=key).first()
    if found is None:
        raise Problem("no-extract", N_("There is no extract {key} here."), key=key)
    return found.data


def put(data: dict, event: str, actor: str, **facts: Any) -> None:
    """One change of an extract: the note on the ledger and the record, together."""
    with transaction.atomic():
        ledger.note(f"extract:{data['id']}", event, actor=actor, **facts)
        ledger.record(KIND, data["id"], data, status=data["status"])


def review_of(key: str) -> ExtractReview:
    return ledger.load(extract_review, key)


# --- asked -----------------------------------------------------------------------------------------------


@post.receives("extract.ask")
def _on_ask(message: post.Message) -> None:
    job = message.payload["job"]
    if grants.name_of(job) and job["document"].get("mode") != "extract":
        raise Problem("not-an-extract", N_("This is not a job of mode extract."))
    facts = {"job": job, "sender": message.sender, "heard": clock.iso(message.at)}
    jobs.queue("extract-ask", f"{message.sender}:{message.jti}", facts)


def _look(payload: dict) -> dict:
    """Count people and compile the plan, for jobs that nothing else speaks against."""
    job = payload["job"]
    grant = grants.decide(job, sender=payload["sender"], now=clock.now(), heard=_heard(payload))
    if {reason.code for reason in grant.reasons} - {"persons-unknown"}:
        return {}
    try:
        query, agreement = job["document"]["query"], job["document"]["agreement"]
        plan = extraction.plan_for(query, agreement)
        return {
            "persons": grants.count(job),
            "plan": plan,
            "before": extraction.before(query, plan, agreement),
        }
    except Problem as problem:
        return {"persons": grants.count(job), "problem": words(problem)}


def _asked(payload: dict, made: dict) -> None:
    job, now = payload["job"], clock.now()
    grant = grants.admit(job, sender=payload["sender"], now=now, heard=_heard(payload), persons=made.get("persons"))
    if not grant.allowed:
        return
    document, name = job["document"], grants.name_of(job)
    plan = made.get("plan")
    blocked = bool(plan and barred(plan))
    data = {
        "id": name[:16],
        "job": name,
        "kept": digest(job),
        "sender": payload["sender"],
        "agreement": document["agreement"],
        "version": document["version"],
        "title": agreements.state(document["agreement"]).current["terms"]["title"],
        "request": agreements.request_of(document["agreement"]),
        "member": document["member"],
        "area": document["area"],
        "status": "failed" if plan is None else "blocked" if blocked else "waiting",
        "asked": clock.iso(now),
        "attempt": 0,
        "operator": "",
        "plan": ledger.keep(plan, "plan") if plan else "",
        "before": made.get("before"),
        "problem": made.get("problem"),
    }
    put(data, "extract.asked", document["member"], job=name, plan=data["plan"], status=data["status"])


jobs.job("extract-ask", finish=_asked)(_look)


def barred(plan: dict) -> list[str]:
    """The special categories of a plan that no override in force allows."""
    found = []
    for each in plan["special"]["blocked"]:
        try:
            special.refuse({**plan, "special": {"blocked": [each]}}, clock.now())
        except Problem:
            found.append(each["category"])
    return found


def allow(key: str, person: str, category: str, *, reason: str, protection_plan: str, expires: str) -> dict:
    """A privacy officer overrides the block of a category for this extract's agreement; not who asked for it."""
    with transaction.atomic():
        data = get(key)
        if data["status"] != "blocked":
            raise Problem("not-now", N_("This extract is not blocked."), status=data["status"])
        plan = ledger.document(data["plan"])
        if category not in barred(plan):
            raise Problem("no-category", N_("There is no special category {category}."), category=category)
        categories.allow(data["agreement"], category, reason, protection_plan, expires, person)
        plan = {**plan, "overrides": categories.overrides(data["agreement"])}
        status = "blocked" if barred(plan) else "waiting"
        changed = {**data, "plan": ledger.keep(plan, "plan"), "status": status}
        put(changed, "extract.overridden", person, plan=changed["plan"], category=category, status=status)
    return changed


def _heard(payload: dict) -> datetime:
    return datetime.fromisoformat(payload["heard"])


def words(problem: Problem) -> dict:
    return {
        "code": problem.code,
        "message": str(problem),
        "lines": [str(each) for each in getattr(problem, "problems", [problem])],
    }


def again(data: dict) -> list[Problem]:
    """Why the admitted job may not go on now."""
    job = ledger.document(data["kept"])
    persons = (data.get("before") or {}).get("people")
    return grants.decide(job, sender=data["sender"], now=clock.now(), persons=persons, again=True).reasons


# --- run -------------------------------------------------------------------------------------------------


def run(key: str, person: str) -> dict:
    """An operator has the extract made; it can be made again until it has left."""
    with transaction.atomic():
        data = get(key)
        if data["status"] not in RUNNABLE:
            raise Problem("not-now", N_("An extract that is '{status}' cannot be made now."), status=data["status"])
        if reasons := again(data):
            raise Problems(reasons)
        data = {**data, "status": "running", "operator": person, "attempt": data["attempt"] + 1, "problem": None}
        put(data, "extract.started", person, attempt=data["attempt"])
        jobs.queue("extract", f"{key}:{data['attempt']}", {"id": key, "operator": person})
    return data


def _make(payload: dict) -> dict:
    key = payload["id"]
    data = get(key)
    query = ledger.document(data["kept"])["document"]["query"]
    try:
        plan = extraction.plan_for(query, data["agreement"])
        before = extraction.before(query, plan, data["agreement"])
        left_out = source.left_out(parse(query), data["agreement"])
        made = extraction.make(data["agreement"], query, plan, extraction.folder(key), clock.now())
        return {"plan": plan, "before": before, "left_out": left_out, "dataset": source.named(), **made}
    except Problem as problem:
        extraction.forget(key)
        return {"problem": words(problem)}


def _made(payload: dict, made: dict) -> None:
    key, operator = payload["id"], payload["operator"]
    data = get(key)
    if problem := made.get("problem"):
        put({**data, "status": "failed", "problem": problem}, "extract.failed", operator, problem=problem)
        return
    plan, manifest = made["plan"], made["manifest"]
    report = {
        "ansim": "risk/1",
        "extract": key,
        "agreement": data["agreement"],
        "plan": plans.digest(plan),
        "data_version": plan["data_version"],
        "dataset": made["dataset"],
        "left_out": made["left_out"],
        "manifest": digest(manifest),
        "before": made["before"],
        "after": made["after"],
        "variables": made["variables"],
        **{name: manifest[name] for name in ("suppressed", "age_width", "top_coded", "loss_permille", "shift_days")},
    }
    command = Open(
        by=operator,
        project=data["agreement"],
        plan=ledger.keep(plan, "plan"),
        data_version=plan["data_version"],
        report=ledger.keep(report, "risk"),
        tier=screening.tier(data["request"]),
        operators=[operator],
        users=_users(data["agreement"]),
    )
    try:
        state = ledger.execute(extract_review, key, command, actor=operator)
    except Problem as problem:
        if problem.code != "unchanged":
            raise
        state = review_of(key)  # the same plan, data and files as before: the decisions over them stand
    facts = {"plan": state.plan, "report": state.report, "data_version": state.data_version, "manifest": manifest}
    changed = {**data, **facts, "status": STATUS[state.status], "before": made["before"], "after": made["after"]}
    put(
        changed,
        "extract.made",
        operator,
        plan=state.plan,
        report=state.report,
        people=manifest["people"],
        k=manifest["k"],
        left_out=made["left_out"],
        dataset=made["dataset"],
    )
    _leave_if_adequate(changed)


jobs.job("extract", finish=_made)(_make)


def _users(agreement: str) -> list[str]:
    return [each["id"] for each in agreements.state(agreement).current["terms"]["members"]]


# --- reviewed --------------------------------------------------------------------------------------------


def decide(key: str, person: str, *, adequate: bool, reason: str, present: bool = False) -> ExtractReview:
    """A reviewer's decision over exactly this plan, data version and report, signed with a key of the reviewer's own in
    this site's key process and countersigned by the site."""
    with transaction.atomic():
        data, state = get(key), review_of(key)
        if data["status"] != "in review":
            raise Problem("not-now", N_("This extract is not under review."), status=data["status"])
        if source.edition(data["agreement"]) != state.data_version:
            raise Problem(
                "data-changed",
                N_("The data have changed since the extract was made: it cannot be judged any more."),
                remedy=N_("Have the operator make it again."),
            )
        name = f"reviewer.{person}"
        kid = post.keeper().call("add_key", name=name, use="sig")["kid"]
        document = {
            "ansim": "adequacy-decision/1",
            "subject": subject(state),
            "extract": key,
            "project": state.project,
            "plan": state.plan,
            "data_version": state.data_version,
            "report": state.report,
            "reviewer": person,
            "site": site().id,
            "decision": "adequate" if adequate else "not adequate",
            "reason": reason,
            "at": clock.iso(clock.now()),
        }
        paper = signed.sign_document(document, kid, lambda content: post.keeper().sign(content, key=name))
        paper = signed.sign_document(document, post.own_kid(), post.sign, paper["signatures"])
        command = Review(by=person, adequate=adequate, digest=subject(state), key=kid, reason=reason, present=present)
        state = ledger.execute(extract_review, key, command, actor=person)
        decisions = [
            *data.get("decisions", []),
            {"by": person, "round": state.round, "signed": ledger.keep(paper, "adequacy")},
        ]
        changed = {**data, "decisions": decisions, "status": STATUS[state.status]}
        put(changed, "extract.reviewed", person, signed=decisions[-1]["signed"])
        _leave_if_adequate(changed)
    return state


def _leave_if_adequate(data: dict) -> None:
    if data["status"] == "leaving":
        jobs.queue("extract-send", f"{data['id']}:{data['attempt']}", {"id": data["id"]})


def decisions_of(data: dict, state: ExtractReview) -> list[dict]:
    """The signed decisions of the present round: [{"by", "signed": {document, signatures}}]."""
    return [
        {"by": each["by"], "signed": ledger.document(each["signed"])}
        for each in data.get("decisions", [])
        if each["round"] == state.round
    ]
