"""The incident desk: one click freezes a project here, and a clock runs for what the law asks.

A freeze suspends the agreement on this centre's ledger, which ends every grant under it at once; ends notebooks without
saving, stops scripts, and keeps sealed data shut. A breach is told to the people concerned and to the authority within
72 hours of its being known (PIPA article 34, decree article 39 and 40).
"""

import secrets
from datetime import datetime, timedelta

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance.agreement import Resume, Suspend, agreement
from ansim.sites import clock
from ansim.sites.centre import agreements, labs, runs
from ansim.sites.config import site
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND = "incident"
NOTIFY = timedelta(hours=72)


def freeze(key: str, actor: str, reason: str) -> str:
    """Freeze all of a project and open an incident; gives its name. Raises Problem where nothing is in force."""
    if not reason.strip():
        raise Problem("no-reason", N_("Give a reason."), where="reason")
    found, now = agreements.state(key), clock.now()
    if found.status not in ("in force", "suspended"):
        raise Problem("nothing-to-freeze", N_("Nothing is in force under this agreement."))
    name = f"inc-{secrets.token_hex(6)}"
    with transaction.atomic():
        if found.status == "in force":
            ledger.execute(agreement, key, Suspend(by=site().id, reason=reason), actor=actor)
        data = {"id": name, "agreement": key, "by": actor, "reason": reason[:2000], "opened": clock.iso(now)}
        data |= {"status": "open", "due": clock.iso(now + NOTIFY), "closed": "", "outcome": ""}
        ledger.note(f"incident:{name}", "incident.opened", actor=actor, agreement=key)
        ledger.record(KIND, name, data, status="open")
    ended = labs.stop_all(key, "frozen")
    runs.cancel(key)
    ledger.note(f"incident:{name}", "incident.frozen", actor=actor, agreement=key, sessions=ended)
    return name


def close(name: str, actor: str, outcome: str, *, resume: bool) -> None:
    """End an incident; resume: work goes on. Never by who opened it alone."""
    found = Record.objects.filter(kind=KIND, key=name, status="open").first()
    if found is None:
        raise Problem("no-incident", N_("There is no such open incident."))
    if found.data["by"] == actor:
        raise Problem("own-incident", N_("Somebody other than who opened it closes an incident."))
    if not outcome.strip():
        raise Problem("no-reason", N_("Give a reason."), where="outcome")
    key = found.data["agreement"]
    with transaction.atomic():
        others = Record.objects.filter(kind=KIND, status="open", data__agreement=key).exclude(key=name)
        if resume and not others.exists() and agreements.state(key).status == "suspended":
            ledger.execute(agreement, key, Resume(by=site().id, reason=outcome), actor=actor)
        data = {**found.data, "status": "closed", "closed": clock.iso(clock.now()), "outcome": outcome[:2000]}
        ledger.note(f"incident:{name}", "incident.closed", actor=actor, agreement=key, resumed=resume)
        ledger.record(KIND, name, data, status="closed")


def every() -> list[dict]:
    return [found.data for found in Record.objects.filter(kind=KIND).order_by("-updated")]


def late(incident: dict) -> bool:
    return incident["status"] == "open" and datetime.fromisoformat(incident["due"]) < clock.now()
