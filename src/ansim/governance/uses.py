"""What a request does with data: its kind of investigation (DUO) and the facts that conditions of use ask about.

use: {"investigation": short name, fact: true | false | text | list, …}; what is not said is unknown, and a condition
that needs it abstains. An agreement names the investigations that it permits; a request falls under one of the same
kind or a narrower one (biomedical research covers research on one disease, never the other way round).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance import purpose
from ansim.governance.checks import Checks
from ansim.governance.purpose import Fit, Reason

# Facts that a person answers with yes, no or nothing.
TRUTHS = (
    "commercial",
    "not_for_profit",
    "publishes",
    "collaborates",
    "ethics_approval",
    "returns_results",
    "clinical_care",
    "ancestry",
    "genetic",
    "methods",
)
FIELDS = ("investigation", "countries", "publication_from", *TRUTHS)
_ORDER = (purpose.DENY, purpose.ABSTAIN, purpose.APPROVE)  # of verdicts, the worst first


@cache
def investigations() -> dict[str, dict]:
    """Every kind of investigation by its short name: {duo, ko, en, says, under?}."""
    return purpose.data()["investigations"]


def covers(agreed: Iterable[str], asked: str) -> bool:
    """Whether a kind of investigation is one of the agreed ones or narrower. Unknown kinds are never covered."""
    known, allowed = investigations(), set(agreed)
    here: str | None = asked
    while here in known:
        if here in allowed:
            return True
        here = known[here].get("under")
    return False


def check(use: Any, where: str = "use") -> list[Problem]:
    """What is wrong with a use, field by field; empty if nothing."""
    see = Checks()
    if not see.need(isinstance(use, dict), where, "missing", N_("This is missing.")):
        return see.found
    for name in sorted(use.keys() - set(FIELDS)):
        see.need(False, f"{where}.{name}", "unknown-field", N_("This field is not known."), remedy=N_("Take it out."))
    see.one_of(use.get("investigation"), f"{where}.investigation", list(investigations()))
    for name in TRUTHS:
        see.need(use.get(name) in (None, True, False), f"{where}.{name}", "not-a-truth", N_("Say yes or no."))
    if use.get("countries") is not None:
        see.listed(use["countries"], f"{where}.countries")
    if use.get("publication_from") is not None:
        see.date(use["publication_from"], f"{where}.publication_from")
    return see.found


def facts(use: Mapping[str, Any], **case: Any) -> dict[str, Any]:
    """The request's facts as `purpose.fit` takes them: what the use says, what its investigation implies, and what the
    case adds (organisation, users, project, to). A kind of investigation outweighs an answer that denies it."""
    known = investigations().get(str(use.get("investigation")), {"says": {}})
    said = {name: value for name, value in use.items() if name in FIELDS and value is not None}
    return {**said, **{name: value for name, value in known["says"].items()}, **case}


def fit(conditions: dict, request: Mapping[str, Any], areas: Iterable[str]) -> Fit:
    """The verdict over all areas that a request names: each condition is as strict as its strictest area."""
    every = [purpose.fit(conditions, {**request, "area": area}) for area in areas]
    if not every:
        every = [purpose.fit(conditions, request)]
    return Fit(tuple(map(_worst, zip(*(one.reasons for one in every), strict=True))))


def _worst(reasons: tuple[Reason, ...]) -> Reason:
    worst = min(reasons, key=lambda one: _ORDER.index(one.verdict))
    unknown = tuple(dict.fromkeys(fact for one in reasons for fact in one.unknown))
    return replace(worst, unknown=unknown)
