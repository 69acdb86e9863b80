"""Requests and applications at this holder: each has one review, its own thread, and its own clock.

`moved` is the only way in which a review goes on: whatever moves it tells the hub and the applicant's desk who must act
next and by when, in the same transaction.
"""

import re
from dataclasses import replace
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem, Problems
from ansim.governance import review as core
from ansim.governance import uses
from ansim.governance.attest import member_key, stale
from ansim.governance.core import Command, civil_day
from ansim.governance.grant import same_key
from ansim.governance.prescreen import prescreen
from ansim.governance.review import HolderReview, review
from ansim.research.cohort.query import parse
from ansim.sites import clock, office_mail
from ansim.sites.config import site
from ansim.sites.daysoff import days_off
from ansim.sites.exchange import post, signed, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")  # ids name streams, pages and folders


def get(key: str) -> HolderReview:
    """The review's state; raises Problem for a request that never came here."""
    found = ledger.load(review, key)
    if found.status == "none":
        raise Problem("no-review", N_("There is no request {key} here."), key=key)
    return found


def case(key: str) -> dict:
    """What was asked and applied for: {id, org, person, title, areas, purpose, text, query, use, opened, application}.

    application: name of the kept signed application, "" before it came."""
    found = Record.objects.filter(kind="case", key=key).first()
    if found is None:
        raise Problem("no-review", N_("There is no request {key} here."), key=key)
    return found.data


def application(key: str) -> dict:
    """The application as its member signed it; raises Problem before it came."""
    name = case(key)["application"]
    if not name:
        raise Problem("no-application", N_("There is no application for this request yet."))
    return ledger.document(name)["document"]


def moved(key: str, command: Command, actor: str) -> HolderReview:
    """Move the review on and tell the hub and the desk. Raises Problem where the rules refuse it."""
    board = site().board
    if isinstance(command, core.Step):
        command = replace(command, days=board.get("days", {}), holidays=days_off())
    with transaction.atomic():
        state = ledger.execute(review, key, command, actor=actor)
        status = {name: getattr(state, name) for name in ("status", "waiting_on", "since", "due", "version")}
        for receiver in (site().hub, state.applicant):
            post.send("review.status", {"id": key, **status}, to=receiver)
    return state


def _user_site(name: str) -> None:
    if trust.directory().site(name)["kind"] != "user":
        raise Problem("not-a-user", N_("{name} is no organisation that asks for data."), name=name)


@post.receives("request.ask", sealed=True)
def _on_ask(message: post.Message) -> None:
    """A request to this holder. Its clock starts here; the organisation is the sender, whatever the payload says."""
    given, org = message.payload, message.sender
    _user_site(org)
    key = str(given["id"])
    if not ID.fullmatch(key) or given["applicant"]["org"] != org:
        raise Problem("bad-request", N_("The request does not come from its own applicant."))
    facts: dict[str, Any] = {name: given[name] for name in ("title", "areas", "purpose", "text")}
    facts |= {"id": key, "org": org, "person": given["applicant"]["person"], "query": parse(given["query"]).document()}
    facts["use"] = given.get("use")
    if facts["use"] is not None and (problems := uses.check(facts["use"])):
        raise Problems(problems)
    moved(key, core.Ask(by=org, request=key, applicant=org, title=given["title"]), org)
    ledger.record("case", key, {**facts, "opened": clock.iso(clock.now()), "application": ""})


def reply(key: str, answer: str, conditions: list[str], reason: str, person: str) -> None:
    """Yes, no, or conditions. The reason of a no stays here."""
    with transaction.atomic():
        state = moved(key, core.Reply(by=person, answer=answer, conditions=conditions, reason=reason), person)
        told = {"id": key, "answer": answer, "conditions": conditions, "reason": "" if answer == "no" else reason}
        shown = core.shown_to_applicant(state)
        post.send("request.reply", {**told, "state": shown}, to=state.applicant, sealed=True)


@post.receives("thread.message", sealed=True)
def _on_message(message: post.Message) -> None:
    key = message.payload["id"]
    if get(key).applicant != message.sender:
        raise Problem("not-yours", N_("{site} is not the applicant of this request."), site=message.sender)
    by = str(message.payload["by"])[:100]
    command = core.Write(by=by, text=str(message.payload["text"]), side="applicant")
    ledger.execute(review, key, command, actor=message.sender)


def write(key: str, text: str, person: str, *, internal: bool = False) -> None:
    """A message in the thread; an internal one stays here."""
    with transaction.atomic():
        command = core.Write(by=person, text=text, side="internal" if internal else "holder")
        state = ledger.execute(review, key, command, actor=person)
        if not internal:
            post.send("thread.message", {"id": key, "text": text, "by": person}, to=state.applicant, sealed=True)


@post.receives("application.submit", sealed=True)
def _on_submit(message: post.Message) -> None:
    """The whole application, sealed. The member's signature is verified against the fresh member list of the sender."""
    given, org = message.payload, message.sender
    key, document = given["request"], given["application"]["document"]
    known = case(key)
    if known["org"] != org or document["applicant"]["id"] != org:
        raise Problem("not-yours", N_("{site} is not the applicant of this request."), site=org)
    if site().id not in document["holders"]:
        raise Problem("not-asked", N_("The application does not name this holder."))
    member = signer(given["application"], org)
    if problems := prescreen(document, clock.now(), member):
        raise Problems(problems)
    _people_are_attested(document, org)
    parse(document["query"])
    name = ledger.keep(given["application"], "application")
    command = core.Receive(by=member, application=digest(document), applicant=org, request=key, title=document["title"])
    moved(key, command, org)
    ledger.record("case", key, {**known, "title": document["title"], "application": name})


def signer(application: dict, org: str) -> str:
    """The member of the organisation who signed, by its attested and fresh list; raises Problem if nobody did."""
    held = trust.member_list(org)
    if reasons := stale(held, "members", 0, clock.now()):
        raise reasons[0]
    assert held is not None
    by_kid = {each["key"]["kid"]: each["id"] for each in held["members"]}
    found = signed.signers(application, [each["key"] for each in held["members"]])
    if not found:
        raise Problem("unsigned", N_("No member of {org} signed the application."), org=org)
    return by_kid[min(found)]


def _people_are_attested(document: dict, org: str) -> None:
    held = trust.member_list(org)
    wrong = [each["id"] for each in document["people"] if not same_key(each["key"], member_key(held, each["id"]))]
    if wrong:
        raise Problem("not-attested", N_("{org} does not list these people: {names}."), org=org, names=", ".join(wrong))


def send_back(key: str, reason: str, person: str) -> None:
    """Back to the applicant for mending, with what to mend."""
    with transaction.atomic():
        moved(key, core.Return(by=person, reason=reason), person)
        write(key, reason, person)


def to_board(key: str, person: str) -> None:
    """The privacy officer's screening is done: the board's clock starts."""
    moved(key, core.SendToBoard(by=person), person)


@beat("reminders", lambda: 3.0)
def _remind() -> None:
    """Put each reminder that is due on the record; the inbox shows it."""
    today, holidays = civil_day(clock.now()), days_off()
    for found in Record.objects.filter(kind="review").exclude(status="closed"):
        state = get(found.key) if found.data.get("due") else None
        if state and core.reminder_due(state, today, holidays):
            _reminded(ledger.execute(review, found.key, core.Remind(by="clock", holidays=holidays), actor="clock"))


OFFICES = {
    "contact desk": {"steward"},
    "privacy officer": {"officer"},
    "board secretary": {"secretary"},
    "legal": {"signatory"},
    "parties": {"signatory"},
    "data team": {"operator"},
}


def _reminded(state: HolderReview) -> None:
    """A letter to the office that is waited for; from the third on also to the head ([board] escalate_to)."""
    roles = set(OFFICES.get(state.waiting_on, ()))
    if state.reminders > 2:
        roles |= set(site().board.get("escalate_to", ["admin"]))
    occasion = f"review:{state.request}:{state.status}:{state.since}:{state.reminders}"
    text = N_("A request waits for your office and is due. Please look at it.")
    office_mail.tell(roles, occasion, N_("A request waits for you"), text, f"/reviews/{state.request}/")


def clock_stands(key: str, reason: str, person: str) -> None:
    """Stop the clock of a review for a reason of `core.STOPS`; everybody who watches is told."""
    moved(key, core.StopClock(by=person, reason=reason, holidays=days_off()), person)


def clock_goes_on(key: str, person: str) -> None:
    moved(key, core.StartClock(by=person, holidays=days_off()), person)
