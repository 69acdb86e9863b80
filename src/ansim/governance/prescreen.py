"""Pre-screen of an application: what is missing or contradicts itself, before any person spends time on it.

application/1, the whole as the holders see it (the hub sees `public_part` only):
{ansim, id, title{ko,en}, applicant{id,name}, purpose, areas[], query{query/1 or /2}, modes[], place{centre,remote},
 linkage|null, max_persons|null, not_before, not_after, holders[ids], people[{id,name,role,key}],
 protocol{name,sha256}, pledges{person id: ISO day}, summary{ko,en}, use{investigation, …} (uses.py; may be absent)}
"""

from datetime import date, datetime

from ansim.errors import N_, Problem
from ansim.governance import areas, rules, uses
from ansim.governance.checks import Checks
from ansim.governance.core import civil_day, is_digest
from ansim.governance.terms import MODES, QUERIES

FIELDS = (
    "ansim",
    "id",
    "title",
    "applicant",
    "purpose",
    "areas",
    "query",
    "modes",
    "place",
    "linkage",
    "max_persons",
    "not_before",
    "not_after",
    "holders",
    "people",
    "protocol",
    "pledges",
    "summary",
)


def prescreen(document: dict, now: datetime, signed_by: str | None = None) -> list[Problem]:
    """Everything to mend, each with its field; empty if complete. signed_by: id of the person whose signature over
    the document was verified (None: unsigned)."""
    see = Checks()
    if document.get("ansim") != "application/1":
        see.need(False, "ansim", "wrong-kind", N_("An application/1 is needed."))
        return see.found
    if document.get("use") is not None:  # what the study does, in DUO's words; hospitals match it with their conditions
        see.found += uses.check(document["use"])
    for name in FIELDS:
        see.need(name in document, name, "missing", N_("This is missing."))
    if any(name not in document for name in FIELDS):
        return see.found
    what(see, document, now)
    how(see, document)
    when(see, document, now)
    who(see, document, signed_by)
    return see.found


def what(see: Checks, document: dict, now: datetime) -> None:
    see.texts(document["title"], "title")
    see.texts(document["summary"], "summary")
    rule = rules.at(civil_day(now))["L1"]
    see.need(
        document["purpose"] in rule["parameters"]["purposes"],
        "purpose",
        "purpose",
        N_("The purpose {purpose} does not permit use without consent ({source} {article})."),
        remedy=N_("Permitted are: {allowed}."),
        purpose=repr(document["purpose"]),
        allowed=", ".join(rule["parameters"]["purposes"]),
        source=rule["source"],
        article=rule["article"],
    )
    if see.listed(document["areas"], "areas"):
        for number, area in enumerate(document["areas"]):
            see.need(
                area in areas.tree(),
                f"areas.{number}",
                "unknown-area",
                N_("{area} is no known area of research."),
                area=area,
            )
    query = document["query"]
    if see.need(
        isinstance(query, dict) and query.get("ansim") in QUERIES,
        "query",
        "wrong-kind",
        N_("A query document is needed (query/1 or query/2)."),
    ):
        see.need(query.get("cohort"), "query.cohort", "missing", N_("The cohort is not described."))
        see.need(query.get("variables"), "query.variables", "missing", N_("No variable is asked for."))


def how(see: Checks, document: dict) -> None:
    if see.listed(document["modes"], "modes"):
        for number, mode in enumerate(document["modes"]):
            see.one_of(mode, f"modes.{number}", MODES)
    place = document["place"]
    centre = place.get("centre") if isinstance(place, dict) else None
    see.need(
        centre,
        "place.centre",
        "no-centre",
        N_("A centre is needed: it receives extracts and combines federated rounds."),
    )
    linkage, holders = document["linkage"], document["holders"]
    see.listed(holders, "holders")
    if linkage is not None:
        linked = linkage.get("holders") if isinstance(linkage, dict) else None
        inside = isinstance(linked, list) and isinstance(holders, list) and all(one in holders for one in linked)
        see.need(
            inside and len(linked or []) > 1,
            "linkage.holders",
            "linkage",
            N_("Linkage needs at least two of the chosen holders."),
        )
        see.need(
            isinstance(document["modes"], list) and {"centre", "extract"} & set(map(str, document["modes"])),
            "modes",
            "contradiction",
            N_("Linked data are analysed in a centre, but only federated analysis is asked for."),
        )
    if document["max_persons"] is not None:
        see.whole(document["max_persons"], "max_persons", 1)


def when(see: Checks, document: dict, now: datetime) -> None:
    if see.date(document["not_before"], "not_before") & see.date(document["not_after"], "not_after"):
        start, end = date.fromisoformat(document["not_before"]), date.fromisoformat(document["not_after"])
        see.need(start <= end, "not_after", "contradiction", N_("The period ends before it begins."))
        see.need(end >= civil_day(now), "not_after", "contradiction", N_("The period is over already."))


def who(see: Checks, document: dict, signed_by: str | None) -> None:
    applicant = document["applicant"]
    see.text(applicant.get("id") if isinstance(applicant, dict) else None, "applicant.id")
    protocol = document["protocol"]
    see.need(
        isinstance(protocol, dict) and is_digest(protocol.get("sha256")),
        "protocol",
        "missing",
        N_("The protocol file is missing."),
    )
    ids: list[str] = []
    if see.listed(document["people"], "people", "id"):
        ids = [person["id"] for person in document["people"]]
        for number, person in enumerate(document["people"]):
            see.key(person.get("key"), f"people.{number}.key")
            see.text(person.get("role"), f"people.{number}.role")
    pledges = document["pledges"] if isinstance(document["pledges"], dict) else {}
    for person_id in ids:
        see.need(
            person_id in pledges,
            f"pledges.{person_id}",
            "no-pledge",
            N_("{person} has not given the security pledge."),
            person=person_id,
        )
    see.need(
        signed_by is not None and signed_by in ids,
        "signature",
        "unsigned",
        N_("One of the people named must sign the application."),
    )


def public_part(document: dict) -> dict:
    """What the hub may know of an application: title, area, holders, period. Nothing of cohort, people or protocol."""
    return {key: document[key] for key in ("id", "title", "areas", "holders", "not_before", "not_after")}
