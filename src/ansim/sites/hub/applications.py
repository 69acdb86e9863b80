"""What the hub knows of requests and applications: titles, areas, who must act next, by when. Nothing confidential."""

import re
from datetime import timedelta

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance.application import Report, Submit, application
from ansim.governance.core import civil_day
from ansim.sites import clock
from ansim.sites.exchange import post, trust
from ansim.sites.store import jobs, ledger
from ansim.sites.store.models import Record

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ANSWER_DAYS = 14


@post.receives("request.opened")
def _on_opened(message: post.Message) -> None:
    given = message.payload
    _check(given, message.sender)
    if Record.objects.filter(kind="request", key=given["id"]).exists():
        return
    data = {
        "id": given["id"],
        "title": given["title"],
        "areas": given["areas"],
        "organisation": message.sender,
        "person": given.get("person", ""),
        "opened": clock.iso(clock.now()),
        "application": "",
        "holders": {
            holder: {"status": "sent", "waiting_on": holder, "since": "", "due": "", "version": -1}
            for holder in given["holders"]
        },
    }
    ledger.note(f"request:{given['id']}", "request.opened", actor=message.sender, holders=given["holders"])
    ledger.record("request", given["id"], data, status="open")


def _check(given: dict, sender: str) -> None:
    """What others will see on their pages has the form that the pages rely on, and comes from an applicant's desk."""
    directory = trust.directory()
    title, holders = given.get("title"), given.get("holders")
    fit = (
        isinstance(given.get("id"), str)
        and ID.fullmatch(given["id"])
        and isinstance(title, dict)
        and {"ko", "en"} <= set(title)
        and all(isinstance(text, str) and len(text) <= 500 for text in title.values())
        and isinstance(given.get("areas"), list)
        and all(isinstance(area, str) for area in given["areas"])
        and isinstance(holders, list)
        and 0 < len(holders) <= len(directory.sites)
        and all(isinstance(each, str) and directory.site(each)["kind"] == "holder" for each in holders)
        and isinstance(given.get("person", ""), str)
    )
    if directory.site(sender)["kind"] != "user" or not fit:
        raise Problem("bad-request", N_("This is no request that the hub can show."))


@post.receives("review.status")
def _on_status(message: post.Message) -> None:
    """A holder's own news of its review; older news never overwrites newer."""
    given = message.payload
    found = Record.objects.select_for_update().filter(kind="request", key=given["id"]).first()
    if found is None:  # the desk and the hospital speak by ways of their own: one's news may overtake the other's
        raise jobs.Later(1.0, "the request has not been opened here yet")
    if message.sender not in found.data["holders"]:
        raise Problem("not-asked", N_("{holder} was not asked this."), holder=message.sender)
    texts = [given.get(name) for name in ("status", "waiting_on", "since", "due")]
    if type(given.get("version")) is not int or not all(isinstance(text, str) and len(text) <= 100 for text in texts):
        raise Problem("bad-status", N_("This is no state of a review."))
    if given["version"] <= found.data["holders"][message.sender]["version"]:
        return
    entry = {name: given[name] for name in ("status", "waiting_on", "since", "due", "version")}
    ledger.record(
        "request",
        found.key,
        {**found.data, "holders": {**found.data["holders"], message.sender: entry}},
        status=found.status,
    )
    ledger.note(
        f"request:{found.key}",
        "review.moved",
        actor=message.sender,
        status=given["status"],
        waiting_on=given["waiting_on"],
    )
    if Record.objects.filter(kind="application", key=found.key).exists():
        report = Report(
            by=message.sender,
            reported=given["status"],
            waiting_on=given["waiting_on"],
            since=given["since"],
            due=given["due"],
            holder_version=given["version"],
        )
        ledger.execute(application, found.key, report, actor=message.sender)


@post.receives("application.submit")
def _on_submit(message: post.Message) -> None:
    """The public part of an application whose whole went sealed to the holders."""
    public, key = message.payload["public"], message.payload["request"]
    found = Record.objects.select_for_update().filter(kind="request", key=key).first()
    if found and found.data["organisation"] != message.sender:
        raise Problem("not-yours", N_("This request is another organisation's."))
    due = (civil_day(clock.now()) + timedelta(days=ANSWER_DAYS)).isoformat()
    with transaction.atomic():
        submit = Submit(
            by=message.sender,
            id=key,
            applicant=message.sender,
            title=public["title"],
            areas=public["areas"],
            digest=message.payload["digest"],
            holders={holder: due for holder in public["holders"]},
            signature={"key": message.payload["signature"]["kid"], "digest": message.payload["digest"]},
        )
        ledger.execute(application, key, submit, actor=message.sender)
        if found:
            ledger.record(
                "request", key, {**found.data, "application": public["id"], "public": public}, status="applied"
            )


@post.receives("board.outcome")
def _on_outcome(message: post.Message) -> None:
    """A board's outcome, for the clocks and the page; the letter goes to the applicant, sealed."""
    found = Record.objects.select_for_update().filter(kind="request", key=message.payload["id"]).first()
    if found is None or message.sender not in found.data["holders"]:
        raise Problem("not-asked", N_("{holder} was not asked this."), holder=message.sender)
    entry = {**found.data["holders"][message.sender], "outcome": message.payload["outcome"]}
    ledger.note(f"request:{found.key}", "board.outcome", actor=message.sender, outcome=message.payload["outcome"])
    ledger.record(
        "request",
        found.key,
        {**found.data, "holders": {**found.data["holders"], message.sender: entry}},
        status=found.status,
    )
