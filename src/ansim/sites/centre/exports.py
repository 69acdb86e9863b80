"""The export review of linked data (PIPA decree art. 29-3): before linked data are opened, and before outputs leave."""

from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance import rules
from ansim.governance.core import civil_day
from ansim.governance.separations import require_apart
from ansim.sites import clock, takes
from ansim.sites.centre import agreements, joining, vault, workspaces

FIELDS = {"related": "purpose-related", "not_identifiable": "nobody-identifiable", "safety_plan": "safety-plan"}
TAKES = {
    **{name: takes.yes_or_no() for name in FIELDS},
    **{f"{name}_reason": takes.text(required=False) for name in FIELDS},
    "reason": takes.text(required=False),
}


def truth(value: Any) -> bool:
    return value is True or str(value).lower() in {"true", "yes", "on", "1"}


def criteria(given: dict) -> dict[str, dict]:
    """{criterion of rule L4: {holds, reason}} from the form's fields; the rule in force today names the criteria.

    Each criterion has a reason of its own (`related_reason`, …) or else the common one."""
    wanted = rules.at(civil_day(clock.now()))["L4"]["parameters"]["criteria"]
    judged = {
        name: {
            "holds": truth(given.get(field)),
            "reason": str(given.get(f"{field}_reason") or given.get("reason") or "").strip(),
        }
        for field, name in FIELDS.items()
        if name in wanted
    }
    if not all(entry["reason"] for entry in judged.values()):
        raise Problem("no-reason", N_("Give a reason."), where="reason")
    return judged


def admit(key: str, person: str, given: dict) -> dict:
    """Open the held linked data to the project's members, or refuse to. Gives the workspace."""
    terms = agreements.require_in_force(key)
    reviewer = agreements.member_of(person, terms)
    require_apart(reviewer, "export-reviewer", {"project-member": [member["id"] for member in terms["members"]]})
    judged = criteria(given)
    with transaction.atomic():
        space = workspaces.get(key)
        if space["status"] != "held":
            raise Problem("nothing-held", N_("Nothing in this workspace waits for an export review."))
        holds = all(entry["holds"] for entry in judged.values())
        review = {"by": reviewer, "at": clock.iso(clock.now()), "criteria": judged, "admitted": holds}
        parts = {name: {**part, "admitted": part["admitted"] or holds} for name, part in space["parts"].items()}
        space = workspaces.change(
            key,
            "export.reviewed",
            reviewer,
            {"criteria": judged, "admitted": holds},
            review=review,
            parts=parts,
            status="open" if holds else "refused",
        )
        if holds:
            with vault.opened(key, change=True) as place:
                joining.offer(place, workspaces.readable(space))
    return space
