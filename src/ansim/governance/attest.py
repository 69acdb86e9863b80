"""Signed, dated statements about others: an organisation's members, the ministry's designations.

Who calls has verified the signature; here is decided whether the statement says what is needed and is still fresh.
Stale is refused: a withheld newer list must fail closed.

members/1:       {org, seq, issued, expires, members: [{id, key}]}
designations/1:  {seq, issued, expires, designations: [{id, roles: [centre | linker | keyagency], not_before, not_after,
                  suspended}]}
"""

from datetime import datetime
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance.core import civil_day, day


def moment(text: Any, where: str) -> datetime:
    """An aware moment from ISO text."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise Problem("not-a-time", N_("{value} is not a time with its zone."), where=where, value=repr(text))
    return found


def stale(statement: dict | None, what: str, least_seq: int, now: datetime) -> list[Problem]:
    """Why a statement cannot be relied upon: absent, not yet or no longer valid, or older than one seen before."""
    if not statement:
        return [Problem(f"{what}-missing", N_("There is no signed list of {what}."), what=what)]
    found = []
    if now < moment(statement["issued"], f"{what}.issued"):
        found.append(Problem(f"{what}-future", N_("The list of {what} is dated in the future."), what=what))
    if now >= moment(statement["expires"], f"{what}.expires"):
        found.append(
            Problem(
                f"{what}-stale",
                N_("The list of {what} expired on {expires}."),
                remedy=N_("Wait for a fresh one."),
                what=what,
                expires=statement["expires"],
            )
        )
    if type(statement["seq"]) is not int or statement["seq"] < least_seq:
        found.append(Problem(f"{what}-older", N_("A newer list of {what} was seen before."), what=what))
    return found


def member_key(statement: dict | None, member: str) -> dict | None:
    """The member's key by the attestation, or None."""
    entries = statement["members"] if statement else []
    return next((entry["key"] for entry in entries if entry["id"] == member), None)


def undesignated(statement: dict | None, body: str, role: str, now: datetime) -> list[Problem]:
    """Why the body is not designated for the role now; empty if it is."""
    facts = {"body": body, "role": role}
    entry = next((one for one in (statement or {}).get("designations", []) if one["id"] == body), None)
    if entry is None or role not in entry["roles"]:
        return [Problem("not-designated", N_("{body} is not designated as {role}."), where=role, **facts)]
    found, today = [], civil_day(now)
    if entry["suspended"] is not False:
        found.append(
            Problem(
                "designation-suspended", N_("The designation of {body} as {role} is suspended."), where=role, **facts
            )
        )
    if not day(entry["not_before"], "not_before") <= today <= day(entry["not_after"], "not_after"):
        found.append(
            Problem("designation-expired", N_("The designation of {body} as {role} has ended."), where=role, **facts)
        )
    return found
