"""A study's way through many hospitals, seen from the company's desk: requests, replies, threads, applications."""

import base64
import secrets
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem, Problems
from ansim.governance import uses
from ansim.governance.prescreen import prescreen, public_part
from ansim.research.cohort.query import parse
from ansim.research.cohort.written import question
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.user import signing


def get(key: str) -> dict:
    """The case as the desk knows it."""
    found = Record.objects.filter(kind="case", key=key).first()
    if found is None:
        raise Problem("no-case", N_("There is no request {key} at this desk."), key=key)
    return found.data


def put(case: dict) -> None:
    ledger.record("case", case["id"], case, status=case["status"])


def _change(message: post.Message, **facts: Any) -> dict:
    """A holder's part of a case, changed by that holder's message."""
    found = Record.objects.select_for_update().filter(kind="case", key=message.payload["id"]).first()
    if found is None or message.sender not in found.data["holders"]:
        raise Problem("not-asked", N_("{holder} was not asked this."), holder=message.sender)
    case = found.data
    case["holders"][message.sender] = {**case["holders"][message.sender], **facts}
    put(case)
    return case


def open_request(
    *,
    title: dict,
    areas: list[str],
    purpose: str,
    text: str,
    query: Any,
    holders: list[str],
    person: str,
    use: dict | None = None,
) -> str:
    """One request to several holders, each with its own state, thread and clock; gives the case's id.

    use: what the study does (governance.uses), matched by each hospital with its conditions; None: not said."""
    if use is not None and (problems := uses.check(use)):
        raise Problems(problems)
    document = question(query, name=title.get("en", "")).document()
    known = {holder["id"] for holder in trust.directory().of_kind("holder")}
    wrong = sorted(set(holders) - known)
    if wrong or not holders:
        raise Problem(
            "no-holder",
            N_("Choose hospitals from the directory ({wrong})."),
            where="holders",
            wrong=", ".join(wrong) or "-",
        )
    key = f"req-{secrets.token_hex(6)}"
    member = signing.member_of(person)
    with transaction.atomic():
        put(
            {
                "id": key,
                "title": title,
                "areas": areas,
                "purpose": purpose,
                "text": text,
                "query": document,
                "use": use,
                "person": member,
                "opened": clock.iso(clock.now()),
                "status": "open",
                "application": None,
                "agreement": "",
                "holders": {
                    holder: {
                        "status": "sent",
                        "answer": "",
                        "thread": [],
                        "waiting_on": holder,
                        "due": "",
                        "version": -1,
                    }
                    for holder in holders
                },
            }
        )
        ledger.note(
            f"case:{key}", "request.opened", actor=person, holders=holders, query=ledger.keep(document, "query")
        )
        whole = {
            "id": key,
            "applicant": {"org": site().id, "person": member},
            "title": title,
            "areas": areas,
            "purpose": purpose,
            "text": text,
            "query": document,
            "use": use,
        }
        for holder in holders:
            post.send("request.ask", whole, to=holder, sealed=True)
        public = {"id": key, "title": title, "areas": areas, "holders": holders, "org": site().id, "person": person}
        post.send("request.opened", public, to=site().hub)
    return key


@post.receives("request.reply")
def _on_reply(message: post.Message) -> None:
    given = message.payload
    _change(message, answer=given["answer"], conditions=given["conditions"], reason=given["reason"])
    ledger.note(f"case:{given['id']}", "request.replied", actor=message.sender, answer=given["answer"])


@post.receives("review.status")
def _on_status(message: post.Message) -> None:
    given = message.payload
    held = get(given["id"])["holders"].get(message.sender, {})
    if given["version"] > held.get("version", -1):
        _change(message, **{name: given[name] for name in ("status", "waiting_on", "since", "due", "version")})


@post.receives("thread.message")
def _on_message(message: post.Message) -> None:
    if not all(isinstance(message.payload.get(name), str) for name in ("id", "text", "by")):
        raise Problem("no-message", N_("Write a message to a hospital of this request."), where="text")
    thread = get(message.payload["id"])["holders"].get(message.sender, {}).get("thread", [])
    entry = {
        "at": clock.iso(clock.now()),
        "by": message.payload["by"],
        "text": message.payload["text"],
        "side": "holder",
    }
    _change(message, thread=[*thread, entry])


def write(key: str, holder: str, text: str, person: str) -> None:
    """A message in the case's thread with one holder."""
    case = get(key)
    if holder not in case["holders"] or not text.strip():
        raise Problem("no-message", N_("Write a message to a hospital of this request."), where="text")
    with transaction.atomic():
        entry = {"at": clock.iso(clock.now()), "by": person, "text": text, "side": "applicant"}
        case["holders"][holder]["thread"] = [*case["holders"][holder]["thread"], entry]
        put(case)
        post.send("thread.message", {"id": key, "text": text, "by": person}, to=holder, sealed=True)


def check(document: dict, member: str = "") -> list[Problem]:
    """Everything that the hospitals would send back, found before it is sent."""
    problems = prescreen(document, clock.now(), signed_by=member or None)
    try:
        parse(document.get("query") or {})
    except Problem as problem:
        problems.append(problem)
    return problems


def apply(key: str, document: dict, person: str) -> str:
    """Sign the application with the member's key and send it: sealed to the hospitals, its public part to the hub."""
    case, member = get(key), signing.member_of(person)
    if problems := check(document, member):
        raise Problems(problems)
    if not set(document["holders"]) <= set(case["holders"]):
        raise Problem("no-holder", N_("The application names a hospital that was not asked."), where="holders")
    signed_one = signing.sign(document, member)
    with transaction.atomic():
        name = ledger.keep(document, "application")
        case.update(application=document, status="applied", signed=signed_one["signatures"])
        put(case)
        ledger.note(f"case:{key}", "application.sent", actor=person, digest=name, holders=document["holders"])
        for holder in document["holders"]:
            post.send("application.submit", {"application": signed_one, "request": key}, to=holder, sealed=True)
        public = {
            "public": public_part(document),
            "request": key,
            "signature": {"kid": signed_one["signatures"][0]["kid"]},
            "digest": digest(document),
        }
        post.send("application.submit", public, to=site().hub)
    return document["id"]


@post.receives("board.outcome")
def _on_outcome(message: post.Message) -> None:
    given = message.payload
    letter = (
        ledger.keep_bytes(base64.b64decode(given["letter_pdf"]), "letter", "application/pdf")
        if given.get("letter_pdf")
        else ""
    )
    if letter and letter != given["letter"]:
        raise Problem("letter-differs", N_("The letter is not the one that the decision names."))
    _change(
        message,
        outcome=given["outcome"],
        conditions=given.get("conditions", []),
        letter=given["letter"],
        expires=given.get("expires", ""),
    )
    ledger.note(
        f"case:{given['id']}", "board.outcome", actor=message.sender, outcome=given["outcome"], letter=given["letter"]
    )


@post.receives("fees.quote", sealed=True)
def _on_quote(message: post.Message) -> None:
    """What a hospital would charge; it goes into the agreement that is drafted."""
    quote = message.payload["quote"]
    if not isinstance(quote, dict) or not isinstance(quote.get("lines"), list):
        raise Problem("bad-quote", N_("This is no quote."))
    _change(message, quote=quote)


def quoted(case: dict, holders: list[str]) -> list[dict]:
    """The fees of these hospitals as terms of an agreement: one entry for each that quoted a price."""
    quotes = {holder: case["holders"].get(holder, {}).get("quote") or {} for holder in sorted(holders)}
    return [
        {"holder": holder, "currency": quote["currency"], "total": quote["total"], "lines": quote["lines"]}
        for holder, quote in quotes.items()
        if quote.get("total") is not None
    ]
