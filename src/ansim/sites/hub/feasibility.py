"""Feasibility: one question to every holder; each answers by its own policy, or does not.

The hub asks in its own name, so a stolen hub can ask too: each holder keeps a budget per requester and answers nothing
that would tell one person apart.
"""

import re
import secrets

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

SHOWN = re.compile(r"[<≥>]?\d{1,9}")
ANSWERS = {"answered", "refused"}


def ask(*, query: object, purpose: str, person: str, organisation: str) -> str:
    """Send the question to every holder; gives its id. Raises Problem naming the path in the query that is wrong."""
    asked = parse(query)  # type: ignore[arg-type]
    if not purpose.strip():
        raise Problem("missing", N_("Please say what the count is for."), where="purpose")
    key = f"fea-{secrets.token_hex(6)}"
    holders = [holder["id"] for holder in trust.directory().of_kind("holder")]
    with transaction.atomic():
        digest = ledger.keep(asked.document(), "query")
        ledger.note(
            f"feasibility:{key}", "feasibility.asked", actor=person, query=digest, purpose=purpose, holders=holders
        )
        data = {
            "id": key,
            "query": asked.document(),
            "purpose": purpose,
            "person": person,
            "organisation": organisation,
            "asked": clock.iso(clock.now()),
            "answers": {holder: {"status": "waiting"} for holder in holders},
        }
        ledger.record("feasibility", key, data, status="waiting")
        for holder in holders:
            post.send(
                "feasibility.ask",
                {"id": key, "query": asked.document(), "purpose": purpose, "requester": f"{organisation}/{person}"},
                to=holder,
            )
    return key


@post.receives("feasibility.answer")
def _on_answer(message: post.Message) -> None:
    found = Record.objects.select_for_update().filter(kind="feasibility", key=message.payload["id"]).first()
    if found is None or message.sender not in found.data["answers"]:
        raise Problem("not-asked", N_("{holder} was not asked this."), holder=message.sender)
    if message.payload["status"] not in ANSWERS:
        raise Problem("bad-answer", N_("This is no answer to a feasibility question."))
    shown = message.payload.get("shown")
    if shown is not None and not (isinstance(shown, str) and SHOWN.fullmatch(shown)):
        raise Problem("bad-answer", N_("This is no answer to a feasibility question."))
    if found.data["answers"][message.sender]["status"] in ANSWERS:
        return  # the first answer stands
    answer = {
        "status": message.payload["status"],
        "shown": shown,
        "at": clock.iso(clock.now()),
    }
    data = {**found.data, "answers": {**found.data["answers"], message.sender: answer}}
    waiting = any(each["status"] == "waiting" for each in data["answers"].values())
    ledger.note(f"feasibility:{found.key}", "feasibility.answered", actor=message.sender, status=answer["status"])
    ledger.record("feasibility", found.key, data, status="waiting" if waiting else "complete")
