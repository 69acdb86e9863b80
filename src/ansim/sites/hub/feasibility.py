"""Feasibility: one question to every holder; each answers by its own policy, or does not.

The hub asks in its own name, so a stolen hub can ask too: each holder keeps a budget per requester and answers nothing
that would tell one person apart.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.feasibility import BY, MOST_YEARS
from ansim.research.cohort.query import parse
from ansim.sites import clock
from ansim.sites.exchange import post, trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

PART = re.compile(r"(sex|age_band|year)=[A-Z0-9-]{1,9}")
VERSION = re.compile(r"[0-9a-f]{64}")
SHOWN = re.compile(r"[<≥>]?\d{1,9}")
ANSWERS = {"answered", "refused"}  # what a holder says; else it is waiting or was cancelled


def ask(*, query: object, purpose: str, person: str, organisation: str, by: Sequence[str] = (), quorum: int = 1) -> str:
    """Send the question to every holder; gives its id. Raises Problem naming the path in the query that is wrong.

    by: parts to count too (of BY). quorum: how many holders must have answered before a sum is shown.
    """
    asked = parse(query)  # type: ignore[arg-type]
    if not purpose.strip():
        raise Problem("missing", N_("Please say what the count is for."), where="purpose")
    if not set(by) <= set(BY):
        raise Problem("bad-by", N_("Counts are split by {known} only."), where="by", known=", ".join(BY))
    if "year" in by and asked.period.last.year - asked.period.first.year >= MOST_YEARS:
        raise Problem(
            "too-many-years", N_("Counts by year are for at most {most} years."), where="period", most=MOST_YEARS
        )
    key = f"fea-{secrets.token_hex(6)}"
    holders = [holder["id"] for holder in trust.directory().of_kind("holder")]
    if not 1 <= quorum <= max(len(holders), 1):
        raise Problem("bad-quorum", N_("From 1 to {most} hospitals can answer."), where="quorum", most=len(holders))
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
            "by": list(by),
            "quorum": quorum,
            "answers": {holder: {"status": "waiting"} for holder in holders},
        }
        ledger.record("feasibility", key, data, status="waiting")
        for holder in holders:
            question = {"id": key, "query": asked.document(), "purpose": purpose, "by": list(by)}
            post.send("feasibility.ask", question | {"requester": f"{organisation}/{person}"}, to=holder)
    return key


def cancel(key: str, person: str) -> None:
    """Take the question back from every holder that has not answered; answers that came stay."""
    with transaction.atomic():
        found = Record.objects.select_for_update().get(kind="feasibility", key=key)
        open_ = [holder for holder, each in found.data["answers"].items() if each["status"] == "waiting"]
        if not open_:
            raise Problem("nothing-open", N_("Every hospital has answered this already."))
        answers = {**found.data["answers"], **{holder: {"status": "cancelled"} for holder in open_}}
        ledger.note(f"feasibility:{key}", "feasibility.cancelled", actor=person, holders=open_)
        ledger.record("feasibility", key, {**found.data, "answers": answers}, status="complete")
        for holder in open_:
            post.send("feasibility.cancel", {"id": key}, to=holder)


def total(data: dict) -> tuple[int, int, int] | None:
    """(sum of the numbers shown, holders with a number, holders with too few for one), once the quorum has answered.
    People who went to two hospitals are in it twice: holders do not compare people."""
    shown = [each["shown"] for each in data["answers"].values() if each["status"] == "answered"]
    if len(shown) < data.get("quorum", 1):
        return None
    numbers = [int(one) for one in shown if one.isdigit()]
    return sum(numbers), len(numbers), len(shown) - len(numbers)


def dataset_named(given: Any) -> dict | None:
    """The version of the data as a holder names it: {"number", "sha256"}; None when it says nothing readable."""
    if not isinstance(given, dict) or not VERSION.fullmatch(str(given.get("sha256"))):
        return None
    number = given.get("number")
    return {"number": number if isinstance(number, int) else None, "sha256": given["sha256"]}


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
    parts = message.payload.get("parts") or {}
    if not isinstance(parts, dict) or not all(
        PART.fullmatch(part) and isinstance(each, str) and SHOWN.fullmatch(each) for part, each in parts.items()
    ):
        raise Problem("bad-answer", N_("This is no answer to a feasibility question."))
    if found.data["answers"][message.sender]["status"] != "waiting":
        return  # the first answer stands, and a question taken back stays so
    answer = {"status": message.payload["status"], "shown": shown, "at": clock.iso(clock.now())}
    answer["dataset"] = dataset_named(message.payload.get("dataset"))
    if parts:
        answer["parts"] = parts
    data = {**found.data, "answers": {**found.data["answers"], message.sender: answer}}
    waiting = any(each["status"] == "waiting" for each in data["answers"].values())
    ledger.note(f"feasibility:{found.key}", "feasibility.answered", actor=message.sender, status=answer["status"])
    ledger.record("feasibility", found.key, data, status="waiting" if waiting else "complete")
