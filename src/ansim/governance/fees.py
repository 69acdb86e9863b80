"""What a holder charges: a schedule as data, and the quote that follows from it for one application.

schedule: {"currency": "KRW", "items": [{"id", "ko", "en", "per", "amount", "free"?, "modes"?}]}. per: what is counted
(`UNITS`); free: how many of them cost nothing; modes: only where one of these modes is applied for. Amounts are whole
numbers of the smallest unit of the currency. The software charges nobody: the quote goes into the agreement.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance.checks import Checks
from ansim.governance.terms import MODES

UNITS = ("case", "person", "variable", "month", "member")
NO_LIMIT = "max_persons"


def check(schedule: Any, where: str = "fees") -> list[Problem]:
    """What is wrong with a schedule, field by field."""
    see = Checks()
    items = schedule.get("items") if isinstance(schedule, dict) else None
    see.need(isinstance(items, list), where, "missing", N_("A schedule has a currency and a list of items."))
    if not isinstance(items, list):
        return see.found
    see.text(schedule.get("currency"), f"{where}.currency")
    for number, item in enumerate(items):
        place = f"{where}.items.{number}"
        if not see.need(isinstance(item, dict), place, "missing", N_("This is missing.")):
            continue
        for name in ("id", "ko", "en"):
            see.text(item.get(name), f"{place}.{name}")
        see.one_of(item.get("per"), f"{place}.per", UNITS)
        see.whole(item.get("amount"), f"{place}.amount", 0)
        see.whole(item.get("free", 0), f"{place}.free", 0)
        for mode in item.get("modes", []):
            see.one_of(mode, f"{place}.modes", MODES)
    return see.found


def counts(application: Mapping[str, Any]) -> dict[str, int | None]:
    """How much of each unit an application asks for; None where it sets no limit."""
    first, last = (date.fromisoformat(application[name]) for name in ("not_before", "not_after"))
    months = (last.year - first.year) * 12 + last.month - first.month + (last.day >= first.day)
    return {
        "case": 1,
        "person": application["max_persons"],
        "variable": len(application["query"]["variables"]),
        "month": max(months, 1),  # a month that has begun counts
        "member": len(application["people"]),
    }


def quote(schedule: dict, application: Mapping[str, Any]) -> dict[str, Any]:
    """{currency, total, lines: [{id, ko, en, per, count, free, amount, sum}]} of an application.

    Raises Problem if a price is by the person and the application names no most: a quote is never open-ended."""
    known, lines = counts(application), []
    for item in schedule["items"]:
        if item.get("modes") and not set(item["modes"]) & set(application["modes"]):
            continue
        count = known[item["per"]]
        if count is None:
            raise Problem(
                "no-limit",
                N_("A price by the person needs a most of people."),
                where=NO_LIMIT,
                remedy=N_("Say in the application how many people at most."),
            )
        charged = max(count - item.get("free", 0), 0)
        line = {name: item[name] for name in ("id", "ko", "en", "per", "amount")}
        lines.append({**line, "count": count, "free": item.get("free", 0), "sum": charged * item["amount"]})
    return {"currency": schedule["currency"], "total": sum(line["sum"] for line in lines), "lines": lines}
