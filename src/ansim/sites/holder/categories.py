"""Special categories at this holder (G1): the code sets in force, and overrides that a privacy officer answers for."""

from datetime import date
from typing import Any

from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.deid import special
from ansim.sites import clock
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

CODES, OVERRIDE = "special-codes", "special-override"
LISTS = ("icd", "snomed", "concepts")


def codes() -> dict[str, Any]:
    """The code sets in force: this site's own where it has changed any, else those of the software."""
    found = Record.objects.filter(kind=CODES, key="current").first()
    return found.data if found else special.load()


def own() -> bool:
    """Whether this site has changed the code sets."""
    return Record.objects.filter(kind=CODES, key="current").exists()


def change(category: str, lists: dict[str, str], complete: bool, person: str) -> None:
    """Set the codes of a category; each list is text with one code a line. The old sets stay on the ledger."""
    with transaction.atomic():
        held = codes()
        if category not in special.categories(held):
            raise Problem("no-category", N_("There is no special category {category}."), category=category)
        read = {
            name: sorted({line.strip() for line in lists.get(name, "").split("\n") if line.strip()}) for name in LISTS
        }
        read["icd"] = sorted({code.replace(".", "").upper() for code in read["icd"]})
        if not all(concept.isascii() and concept.isdigit() for concept in read["concepts"]):
            raise Problem("not-concepts", N_("Concept ids are whole numbers, one a line."), where="concepts")
        if not any(read.values()):
            raise Problem("no-codes", N_("A category without codes would block nothing."), where="icd")
        entry = {**held[category], **read, "concepts": [int(c) for c in read["concepts"]], "complete": complete}
        now = clock.iso(clock.now())
        changed = {**held, category: entry, "date": now[:10]}
        ledger.record(CODES, "current", changed)
        ledger.note("special-codes", "special.codes-changed", actor=person, category=category, codes=ledger.keep(
            changed, CODES), before=digest(held))  # fmt: skip


def overrides(agreement: str) -> list[dict[str, Any]]:
    """The overrides given under an agreement: [{"category", "reason", "protection_plan", "approver", "expires"}].

    Expired ones are among them: the run refuses those by its own time.
    """
    held = Record.objects.filter(kind=OVERRIDE, status=agreement).order_by("key")
    return [{name: each.data[name] for name in ("category", *special.OVERRIDE_FIELDS)} for each in held]


def allow(agreement: str, category: str, reason: str, protection_plan: str, expires: str, person: str) -> None:
    """Override the block of a category under one agreement until a day; the person signed in answers for it."""
    try:
        last = date.fromisoformat(expires)
    except ValueError as error:
        raise Problem("no-day", N_("Give the last day of the override."), where="expires") from error
    if last < clock.now().date():
        raise Problem("past-day", N_("The last day of the override has passed."), where="expires")
    facts = {"category": category, "reason": reason.strip(), "protection_plan": protection_plan.strip(),
             "approver": person, "expires": expires}  # fmt: skip
    for name in ("reason", "protection_plan"):
        if not facts[name]:
            raise Problem("missing", N_("Please fill in this field."), where=name)
    with transaction.atomic():
        data = {**facts, "agreement": agreement, "at": clock.iso(clock.now())}
        ledger.record(OVERRIDE, f"{agreement}:{category}", data, status=agreement)
        ledger.note(f"special:{agreement}", "special.override-given", actor=person, **facts)


def withdraw(agreement: str, category: str, person: str) -> None:
    """Take an override back: from now on the category is blocked again."""
    with transaction.atomic():
        gone, _ = Record.objects.filter(kind=OVERRIDE, key=f"{agreement}:{category}").delete()
        if not gone:
            raise Problem("no-override", N_("There is no override to take back."))
        ledger.note(f"special:{agreement}", "special.override-withdrawn", actor=person, category=category)


def given() -> list[dict[str, Any]]:
    """Every override, the newest first."""
    return [each.data for each in Record.objects.filter(kind=OVERRIDE).order_by("-updated")]
