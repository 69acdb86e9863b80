"""What kind of case an application is: its route and its risk tier, each with the rule that says so.

What the documents tell is read from them. What they cannot tell is taken at its most careful, and the officer may
correct it; who said which stands in the record.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import Problem, Problems
from ansim.governance import fees
from ansim.governance import review as core
from ansim.governance.attest import stale, undesignated
from ansim.governance.core import civil_day
from ansim.governance.rules import risk
from ansim.governance.rules.route import IRB_STEPS, route
from ansim.privacy.deid import plan, special
from ansim.research.cohort.tables import available_tables
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post, trust
from ansim.sites.holder import categories as codes
from ansim.sites.holder import reviews, source
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

# Facts that an officer may state. Unsaid, the value below holds: the more careful one.
JUDGED: dict[str, bool] = {
    "sensitive": True,
    "peculiar": False,
    "repeat": False,
    "consent": False,
    "human_subjects": True,
}


def facts(document: dict, judged: dict[str, bool]) -> dict[str, Any]:
    """The facts that tier and route rest on, of an application and an officer's judgement."""
    held, now = trust.designations(), clock.now()
    centre = document["place"]["centre"]  # working from afar is still working in its space
    designated = not (stale(held, "designations", 0, now) or undesignated(held, centre, "centre", now))
    return {
        **JUDGED,
        **judged,
        "recipient": "third-party",
        "place": "controlled" if designated else "elsewhere",
        "designated_body": designated,
        "unstructured": False,  # a query gives flags, counts and values, never texts or pictures
        "purpose": document["purpose"],
        "linkage": document["linkage"] is not None,
        "designated_linker": _linker_designated(document["linkage"], held, now),
        "sites": len(document["holders"]),
        "shared_board": False,  # no holder here has opted in to one
        "special": categories(document["query"]),
        "closed": True,  # a query runs at the holder or in a centre, nowhere else
        **dict.fromkeys(("genome", "free_text", "images", "numbers"), False),  # nor does a query give any of these
    }


def _linker_designated(linkage: dict | None, held: dict | None, now: datetime) -> bool:
    """Whether both bodies of the linkage are designated now; True where nothing is linked."""
    if linkage is None:
        return True
    if stale(held, "designations", 0, now):
        return False
    bodies = ((linkage.get("key_agency"), "keyagency"), (linkage.get("linker"), "linker"))
    return not any(undesignated(held, str(body), role, now) for body, role in bodies)


def categories(query: dict) -> list[str]:
    """Special categories (G1) that the query touches in this holder's data."""
    with source.connect() as con:
        tables = available_tables(con)
        found = special.find(con, plan.scope(query), codes.codes(), tables, plan.chosen_by(query))
    return [each["category"] for each in found["blocked"]]


def assess(key: str, judged: dict[str, bool]) -> dict:
    """{facts, judged, tier, route, application, at}: what the officer sees before deciding."""
    document, today = reviews.application(key), civil_day(clock.now())
    found = facts(document, judged)
    return {
        "facts": found,
        "judged": judged,
        "tier": risk.tier(found, today).as_data(),
        "route": route(found, today).as_data(),
        "application": digest(document),
        "at": clock.iso(clock.now()),
    }


def screen(key: str, judged: dict[str, bool], person: str) -> dict:
    """Take the application into screening, or judge it anew; gives the assessment."""
    found = assess(key, judged)
    with transaction.atomic():
        if reviews.get(key).status == "received":
            reviews.moved(key, core.Screen(by=person), person)
        ledger.record("screening", key, {**found, "by": person}, status=found["tier"]["level"])
        ledger.note(
            f"review:{key}-screening",
            "screening.assessed",
            actor=person,
            tier=found["tier"]["level"],
            judged=judged,
            reviews=[each["review"] for each in found["route"]["reviews"]],
        )
        if (quoted := quote(key)) is not None:
            post.send("fees.quote", {"id": key, "quote": quoted}, to=reviews.get(key).applicant, sealed=True)
    return found


def quote(key: str) -> dict | None:
    """What this holder charges for the application by its schedule ([options.fees] of site.toml); None without one.

    An application that the schedule cannot price is quoted nothing: {"currency", "total": None, "reason"}."""
    schedule = site().options.get("fees")
    if not schedule:
        return None
    if problems := fees.check(schedule):
        raise Problems(problems)
    try:
        return fees.quote(schedule, reviews.application(key))
    except Problem as problem:
        return {"currency": schedule["currency"], "total": None, "lines": [], "reason": problem.code}


def of(key: str) -> dict | None:
    """The last assessment of a request, None before the screening."""
    found = Record.objects.filter(kind="screening", key=key).first()
    return found.data if found else None


def irb_needed(key: str) -> bool:
    """Whether the route asks for an IRB; before the screening it does."""
    found = of(key)
    return found is None or any(each["review"] in IRB_STEPS for each in found["route"]["reviews"])


def tier(key: str) -> str:
    """The risk tier of a request: low, medium or high; high while it is not known."""
    found = of(key)
    level = found["tier"]["level"] if found else "high"
    return level if level in ("low", "medium", "high") else "high"
