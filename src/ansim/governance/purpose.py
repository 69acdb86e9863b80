"""Does a request fit the conditions of a dataset? Approve, abstain or deny, with every reason.

Conditions are terms of the GA4GH Data Use Ontology: one permission and any modifiers (duo.toml; Lawson et al., Cell
Genomics 2021;1(2):100028). Unlike matchers that decide by area and profit alone, geography, moratorium, institution,
user, project, time limit, ethics approval, collaboration, return of results and publication are decided too.
An unknown fact, a restriction in free text, or a term that nobody here knows is for a person: abstain, never approve.

conditions: {"permission": term, "areas": [area] (with DS), "modifiers": [{"term": term, …what it needs}]}.
request: facts by name, None or absent if unknown: area; ancestry, clinical_care, genetic, methods, commercial,
not_for_profit, publishes, collaborates, ethics_approval, returns_results (true or false); countries, users (lists);
organisation, project; publication_from, to (ISO days).
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from ansim.errors import N_, Problem
from ansim.governance import areas
from ansim.governance.checks import Checks

APPROVE, ABSTAIN, DENY = "approve", "abstain", "deny"
Verdict = bool | None  # holds, does not hold, a person must judge


@dataclass(frozen=True)
class Reason:
    """What one term says of a request. unknown: the facts that were missing."""

    term: str
    verdict: str
    unknown: tuple[str, ...] = ()

    def as_data(self) -> dict:
        known = terms().get(self.term, {"duo": "", "ko": self.term, "en": self.term})
        return {
            "term": self.term,
            "duo": known["duo"],
            "label": {"ko": known["ko"], "en": known["en"]},
            "verdict": self.verdict,
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True)
class Fit:
    """verdict: deny if any term denies, else abstain if any abstains, else approve."""

    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> str:
        said = {reason.verdict for reason in self.reasons}
        return next(verdict for verdict in (DENY, ABSTAIN, APPROVE) if verdict in said)

    def as_data(self) -> dict:
        return {"verdict": self.verdict, "reasons": [reason.as_data() for reason in self.reasons]}


@cache
def terms() -> dict[str, dict]:
    """Every term by its short name: {duo, ko, en, needs, asks, kind}."""
    return {
        name: {**term, "kind": kind}
        for kind, group in (("permission", data()["permissions"]), ("modifier", data()["modifiers"]))
        for name, term in group.items()
    }


@cache
def data() -> dict[str, dict]:
    """duo.toml: permissions, modifiers, investigations."""
    return tomllib.loads(resources.files("ansim.governance").joinpath("duo.toml").read_text(encoding="utf-8"))


def codes(conditions: dict) -> list[str]:
    """The DUO terms of conditions, the permission first, as catalogues list them."""
    known = terms()
    names = [str(conditions.get("permission")), *(str(each.get("term")) for each in conditions.get("modifiers") or [])]
    return [known[name]["duo"] for name in names if name in known]


def check(conditions: dict, where: str = "conditions") -> list[Problem]:
    """What is wrong with conditions before anybody publishes them; empty if nothing."""
    see = Checks()
    modifiers = conditions.get("modifiers") or [] if isinstance(conditions, dict) else None
    if not isinstance(modifiers, list) or not all(isinstance(each, dict) for each in modifiers):
        see.need(False, where, "missing", N_("Conditions are one permission and a list of modifiers."))
        return see.found
    permission = terms().get(str(conditions.get("permission")), {})
    if see.need(
        permission.get("kind") == "permission",
        f"{where}.permission",
        "no-permission",
        N_("One permission is needed: {known}."),
        known=", ".join(name for name, term in terms().items() if term["kind"] == "permission"),
    ):
        _carries(see, permission, conditions, where)
    for number, modifier in enumerate(modifiers):
        place = f"{where}.modifiers.{number}"
        term = terms().get(str(modifier.get("term")), {})
        if see.need(
            term.get("kind") == "modifier",
            place,
            "unknown-term",
            N_("{term} is no modifier of the Data Use Ontology."),
            term=repr(modifier.get("term")),
        ):
            _carries(see, term, modifier, place)
    return see.found


def _carries(see: Checks, term: dict, given: dict, where: str) -> None:
    for name in term.get("needs", ()):
        place = f"{where}.{name}"
        if name == "until":
            see.date(given.get(name), place)
        elif name == "text":
            see.text(given.get(name), place)
        elif see.need(
            isinstance(given.get(name), list) and given[name], place, "missing", N_("This condition needs a list here.")
        ):
            for area in given[name] if name == "areas" else ():
                see.one_of(area, place, list(areas.tree()))


def fit(conditions: dict, request: Mapping[str, Any]) -> Fit:
    """Every term's verdict on the request, permission first. Conditions that are not in order deny nothing and approve
    nothing: they abstain, and so does a request without them."""
    modifiers = list(conditions.get("modifiers") or [])
    clinical = any(modifier.get("term") == "CC" for modifier in modifiers)
    permission = {**conditions, "term": str(conditions.get("permission")), "clinical_care": clinical}
    reasons = [_reason(permission, "permission", request)]
    return Fit((*reasons, *(_reason(modifier, "modifier", request) for modifier in modifiers)))


def _reason(part: dict, kind: str, request: Mapping[str, Any]) -> Reason:
    name = str(part.get("term"))
    term = terms().get(name)
    if term is None or term["kind"] != kind or any(not part.get(need) for need in term["needs"]):
        return Reason(name, ABSTAIN)
    try:
        holds = RULES[name](part, request)
    except (TypeError, ValueError, AttributeError):  # a fact or a condition in a form that cannot be read
        holds = None
    if holds is None:
        return Reason(name, ABSTAIN, tuple(ask for ask in term["asks"] if request.get(ask) is None))
    return Reason(name, APPROVE if holds else DENY)


def _all(*verdicts: Verdict) -> Verdict:
    """One denial denies; else one open question leaves it open."""
    return False if False in verdicts else None if None in verdicts else True


def _no(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


def _truth(request: Mapping[str, Any], fact: str) -> Verdict:
    value = request.get(fact)
    return value if isinstance(value, bool) else None


def _within(asked: Any, allowed: list) -> Verdict:
    return None if not isinstance(asked, list) or not asked else set(asked) <= set(allowed)


def _research(part: dict, request: Mapping[str, Any]) -> Verdict:
    """Clinical care is no research; the modifier CC lets it in."""
    return True if part.get("clinical_care") else _no(_truth(request, "clinical_care"))


def _under(allowed: list, request: Mapping[str, Any]) -> Verdict:
    """The area lies under an allowed one. Methods are of no disease: a person judges."""
    area = request.get("area")
    return None if area is None or area == "methods" else areas.covers(allowed, area)


def _moratorium(part: dict, request: Mapping[str, Any]) -> Verdict:
    if _truth(request, "publishes") is False:
        return True
    day = request.get("publication_from")
    return None if day is None else date.fromisoformat(day) >= date.fromisoformat(part["until"])


def _in_time(part: dict, request: Mapping[str, Any]) -> Verdict:
    day = request.get("to")
    return None if day is None else date.fromisoformat(day) <= date.fromisoformat(part["until"])


def _named(fact: str, allowed: str) -> Callable[[dict, Mapping[str, Any]], Verdict]:
    return lambda part, request: None if request.get(fact) is None else request[fact] in part[allowed]


def _is(fact: str, wanted: bool = True) -> Callable[[dict, Mapping[str, Any]], Verdict]:
    return lambda part, request: _truth(request, fact) if wanted else _no(_truth(request, fact))


RULES: dict[str, Callable[[dict, Mapping[str, Any]], Verdict]] = {
    "NRES": lambda part, request: True,
    "GRU": _research,
    "HMB": lambda part, request: _all(
        _under(["health"], request), _no(_truth(request, "ancestry")), _research(part, request)
    ),
    "DS": lambda part, request: _all(_under(part["areas"], request), _research(part, request)),
    "POA": _is("ancestry"),
    "RS": lambda part, request: None,
    "NMDS": _is("methods", False),
    "GSO": _is("genetic"),
    "NPUNCU": lambda part, request: _all(_truth(request, "not_for_profit"), _no(_truth(request, "commercial"))),
    "PUB": _is("publishes"),
    "COL": _is("collaborates"),
    "IRB": _is("ethics_approval"),
    "GS": lambda part, request: _within(request.get("countries"), part["countries"]),
    "MOR": _moratorium,
    "TS": _in_time,
    "US": lambda part, request: _within(request.get("users"), part["users"]),
    "PS": _named("project", "projects"),
    "IS": _named("organisation", "organisations"),
    "RTN": _is("returns_results"),
    "CC": lambda part, request: True,
    "NPOA": _is("ancestry", False),
    "NPU": _is("not_for_profit"),
    "NCU": _is("commercial", False),
}
