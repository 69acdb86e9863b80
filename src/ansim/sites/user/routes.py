"""Which reviews an application will need, told to the applicant before any hospital has looked at it.

The hospitals decide by their own data and judgement; what only they can find out is asked here, never guessed. As they
do, it is taken that nobody consented and that people are the subjects, which is the careful side.
"""

from datetime import date, datetime

from ansim.governance.attest import stale, undesignated
from ansim.governance.rules.route import Route, route
from ansim.sites.exchange import trust

CAREFUL = {"consent": False, "human_subjects": True}
PLAIN = dict.fromkeys(("genome", "free_text", "images", "numbers"), False)  # a query gives none of these


def of_case(case: dict, on: date, now: datetime) -> Route:
    """The route of a request, or of the application that followed it, under the rules of that day."""
    document = case["application"] or {}
    linkage = document.get("linkage")
    return route(
        {
            **CAREFUL,
            **PLAIN,
            "purpose": case["purpose"],
            "sites": len(document.get("holders") or case["holders"]),
            "shared_board": False,  # no hospital has opted in to one
            "linkage": linkage is not None,
            "designated_linker": _designated(linkage, now),
            "closed": True,
        },
        on,
    )


def _designated(linkage: dict | None, now: datetime) -> bool:
    if linkage is None:
        return True
    held = trust.designations()
    if stale(held, "designations", 0, now):
        return False
    bodies = ((linkage["key_agency"], "keyagency"), (linkage["linker"], "linker"))
    return not any(undesignated(held, body, role, now) for body, role in bodies)
