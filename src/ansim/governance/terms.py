"""agreement/1, the machine terms: the document whose digest every party signs and whose fields every node enforces."""

from collections.abc import Callable
from datetime import date
from typing import Any

from ansim.documents import kind
from ansim.errors import N_
from ansim.governance import areas, rules, uses
from ansim.governance.checks import Checks, is_public_key
from ansim.governance.core import is_digest

FIELDS = (
    "ansim",
    "id",
    "version",
    "supersedes",
    "title",
    "user",
    "holders",
    "members",
    "purpose",
    "areas",
    "query",
    "modes",
    "place",
    "linkage",
    "max_persons",
    "not_before",
    "not_after",
    "output",
    "reidentification",
    "destruction",
    "publication",
    "fees",
)
QUERIES = ("query/1", "query/2")  # both stay executable: agreements name the one that they were signed with
OPTIONAL = ("investigations",)  # without it, older agreements permit every kind within their areas
MODES = ("federated", "centre", "extract")


def parties(terms: dict) -> list[str]:
    """Who must sign: the user organisation and every holder."""
    return [terms["user"]["id"], *(holder["id"] for holder in terms["holders"])]


def parse_terms(document: Any, check_query: Callable[[dict], object] | None = None) -> dict:
    """The terms themselves if every field is in order, else Problems naming each field.

    check_query: the research library's parser, called with the query; what it raises is raised.
    """
    terms = kind(document, "agreement/1")
    see = Checks()
    if see.fields({name: terms[name] for name in terms if name not in OPTIONAL}, FIELDS):
        check_parties(see, terms)
        check_scope(see, terms)
        check_period(see, terms)
        check_duties(see, terms)
    see.done()
    if check_query is not None:
        check_query(terms["query"])
    return terms


def check_parties(see: Checks, terms: dict) -> None:
    see.text(terms["id"], "id")
    see.texts(terms["title"], "title")
    if see.whole(terms["version"], "version", 1):
        first = terms["version"] == 1
        holds = terms["supersedes"] is None if first else is_digest(terms["supersedes"])
        see.need(
            holds,
            "supersedes",
            "supersedes",
            N_("Version 1 supersedes nothing; a later one names the digest before it."),
        )
    user = terms["user"]
    if see.need(isinstance(user, dict), "user", "missing", N_("This is missing.")):
        see.text(user.get("id"), "user.id")
        see.text(user.get("name"), "user.name")
    if see.listed(terms["holders"], "holders", "id"):
        ids = [holder["id"] for holder in terms["holders"]]
        see.need(
            not isinstance(user, dict) or user.get("id") not in ids,
            "holders",
            "party-twice",
            N_("The user organisation cannot be a holder of the same agreement."),
        )
    if see.listed(terms["members"], "members", "id"):
        for number, member in enumerate(terms["members"]):
            see.text(member.get("name"), f"members.{number}.name")
            see.text(member.get("role"), f"members.{number}.role")
            see.key(member.get("key"), f"members.{number}.key")
        keys = [member["key"]["x"] for member in terms["members"] if is_public_key(member.get("key"))]
        see.need(len(set(keys)) == len(keys), "members", "key-shared", N_("Two members share one key."))


def check_scope(see: Checks, terms: dict) -> None:
    if see.listed(terms["areas"], "areas"):
        for number, area in enumerate(terms["areas"]):
            see.one_of(area, f"areas.{number}", list(areas.tree()))
    if "investigations" in terms and see.listed(terms["investigations"], "investigations"):
        for number, kind_of in enumerate(terms["investigations"]):
            see.one_of(kind_of, f"investigations.{number}", list(uses.investigations()))
    query = terms["query"]
    see.need(
        isinstance(query, dict) and query.get("ansim") in QUERIES,
        "query",
        "wrong-kind",
        N_("A query document is needed (query/1 or query/2)."),
    )
    if see.listed(terms["modes"], "modes"):
        for number, mode in enumerate(terms["modes"]):
            see.one_of(mode, f"modes.{number}", MODES)
    place = terms["place"]
    if see.need(isinstance(place, dict), "place", "missing", N_("This is missing.")) and see.fields(
        place, ("centre", "remote"), "place"
    ):
        see.text(place["centre"], "place.centre")
        see.need(type(place["remote"]) is bool, "place.remote", "not-a-truth", N_("Say yes or no."))
    check_linkage(see, terms)
    if terms["max_persons"] is not None:
        see.whole(terms["max_persons"], "max_persons", 1)


def check_linkage(see: Checks, terms: dict) -> None:
    linkage = terms["linkage"]
    if linkage is None or not see.need(isinstance(linkage, dict), "linkage", "missing", N_("This is missing.")):
        return
    if not see.fields(linkage, ("key_agency", "linker", "holders"), "linkage"):
        return
    both = see.text(linkage["key_agency"], "linkage.key_agency") & see.text(linkage["linker"], "linkage.linker")
    see.need(
        not both or linkage["key_agency"] != linkage["linker"],
        "linkage.linker",
        "roles-not-apart",
        N_("Who keeps the linkage keys cannot also join the records."),
    )
    if see.listed(linkage["holders"], "linkage.holders") and isinstance(terms["holders"], list):
        known = [holder.get("id") for holder in terms["holders"] if isinstance(holder, dict)]
        see.need(len(linkage["holders"]) > 1, "linkage.holders", "missing", N_("Linkage needs two holders or more."))
        see.need(
            all(one in known for one in linkage["holders"]),
            "linkage.holders",
            "not-a-party",
            N_("A linked holder is not a party."),
        )


def check_period(see: Checks, terms: dict) -> None:
    if see.date(terms["not_before"], "not_before") & see.date(terms["not_after"], "not_after"):
        start, end = date.fromisoformat(terms["not_before"]), date.fromisoformat(terms["not_after"])
        if see.need(start <= end, "not_after", "period", N_("The agreement ends before it begins.")):
            purposes = rules.at(start)["L1"]["parameters"]["purposes"]
            see.one_of(terms["purpose"], "purpose", purposes)


def check_duties(see: Checks, terms: dict) -> None:
    output = terms["output"]
    if see.need(isinstance(output, dict), "output", "missing", N_("This is missing.")) and see.fields(
        output, ("threshold", "rounding", "checkers"), "output"
    ):
        see.whole(output["threshold"], "output.threshold", 1)
        see.whole(output["rounding"], "output.rounding", 1)
        see.whole(output["checkers"], "output.checkers", 2)
    see.one_of(terms["reidentification"], "reidentification", ("forbidden",))
    destruction = terms["destruction"]
    if see.need(isinstance(destruction, dict), "destruction", "missing", N_("This is missing.")):
        see.whole(destruction.get("within_days"), "destruction.within_days", 0)
