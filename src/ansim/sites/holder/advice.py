"""Asking the expert desk about a case, and what becomes of the advice: taken or declined, for the board to see."""

import secrets
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance import advice as core
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.holder import reviews
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND = "advice"


def ask(key: str, *, rule: str, expertise: str, about: dict, question: str, person: str) -> str:
    """Send a question about a case to the expert desk; gives its id. The rules of the aggregate are checked here first,
    so that nothing leaves that the desk would refuse."""
    review = reviews.get(key)
    facts: dict[str, Any] = {
        "case": key,
        "applicant": review.applicant,
        "rule": rule,
        "expertise": expertise,
        "question": question,
    }
    core.advice.decide(core.Advice(), core.Ask(by=person, holder=site().id, about=about, **facts), clock.now())
    number = f"adv-{secrets.token_hex(6)}"
    with transaction.atomic():
        data = {"id": number, **facts, "about": about, "status": "asked", "asked": clock.iso(clock.now()), "by": person}
        ledger.record(KIND, number, data, status="asked")
        ledger.note(f"review:{key}-advice", "advice.asked", actor=person, id=number, rule=rule, about=about)
        post.send("advice.ask", {"id": number, **facts, "about": about}, to=site().hub)
    return number


@post.receives("advice.given", sealed=True)
def _on_given(message: post.Message) -> None:
    if message.sender != site().hub:
        raise Problem("not-the-hub", N_("Advice comes from the expert desk."))
    found = _get(message.payload["id"])
    if found["status"] != "asked":
        return
    answer = {name: str(message.payload["answer"].get(name, ""))[: core.LONGEST] for name in ("by", "text", "change")}
    ledger.record(KIND, found["id"], {**found, "status": "answered", "answer": answer}, status="answered")
    ledger.note(f"review:{found['case']}-advice", "advice.given", actor=message.sender, id=found["id"])


def settle(key: str, number: str, *, taken: bool, reason: str, person: str) -> None:
    """The owner of the object takes the proposed change or declines it with a reason."""
    found = _get(number)
    if found["case"] != key or found["status"] != "answered":
        raise Problem("nothing-to-settle", N_("No advice waits here."))
    if not taken and not reason.strip():
        raise Problem("no-reason", N_("Give a reason."), where="reason")
    status = "taken" if taken else "declined"
    with transaction.atomic():
        ledger.record(KIND, number, {**found, "status": status, "reason": reason, "settled_by": person}, status=status)
        ledger.note(f"review:{key}-advice", f"advice.{status}", actor=person, id=number, reason=reason)
        post.send("advice.settled", {"id": number, "taken": taken, "reason": reason}, to=site().hub)


def of(key: str) -> list[dict[str, Any]]:
    """Every question about a case, oldest first."""
    rows = Record.objects.filter(kind=KIND, data__case=key).values_list("data", flat=True)
    return sorted(rows, key=lambda data: data["asked"])


def _get(number: str) -> dict:
    found = Record.objects.select_for_update().filter(kind=KIND, key=number).first()
    if found is None:
        raise Problem("no-question", N_("There is no such question."))
    return found.data
