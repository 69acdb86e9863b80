"""An agreement as an ODRL 2.2 policy in JSON-LD, for systems that read policies (W3C Recommendation, 15 February 2018).

What a node enforces is the agreement's own terms; this is a faithful view of them for others. ODRL has words for
parties, dates, purposes, places and duties; what it lacks (research areas, members, modes, output rules) stands under
this project's own names as constraints of the permissions, so a reader that does not know them cannot take more from
them than is agreed, and `conflict` is prohibit.
"""

from ansim.documents import digest
from ansim.governance import areas, uses

# Spelled out instead of linked, so that the document reads the same without a network.
CONTEXT = {
    "@vocab": "http://www.w3.org/ns/odrl/2/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct": "http://purl.org/dc/terms/",
    "ansim": "urn:ansim:terms:",
    "uid": "@id",
    **{name: {"@type": "@vocab"} for name in ("action", "leftOperand", "operator", "conflict")},
    **{name: {"@type": "@id"} for name in ("assigner", "assignee", "target", "profile", "dct:replaces")},
}
PERMISSION = {"federated": "ansim:analyseFederated", "centre": "ansim:analyseInCentre", "extract": "ansim:extract"}


def policy(terms: dict) -> dict:
    """The JSON-LD document of agreement/1 terms. uid names the version by the digest that every party signed."""
    uid = f"urn:ansim:agreement:{digest(terms)}"
    both = {
        "assigner": [party(holder["id"]) for holder in terms["holders"]],
        "assignee": party(terms["user"]["id"]),
        "target": [dataset(terms, holder["id"]) for holder in terms["holders"]],
    }
    return {
        "@context": CONTEXT,
        "@type": "Agreement",
        "uid": uid,
        "profile": "urn:ansim:odrl-profile:1",
        "conflict": "prohibit",
        "dct:title": [{"@value": text, "@language": language} for language, text in sorted(terms["title"].items())],
        "dct:identifier": f"{terms['id']} v{terms['version']}",
        **({"dct:replaces": f"urn:ansim:agreement:{terms['supersedes']}"} if terms["supersedes"] else {}),
        "permission": [
            _permission(terms, mode, holder["id"]) for mode in terms["modes"] for holder in terms["holders"]
        ],
        "prohibition": [{**both, "action": "ansim:reidentify"}],
        "obligation": [
            {**both, "action": {"rdf:value": {"@id": "odrl:delete"}, "refinement": _destruction(terms)}},
        ],
    }


def party(id: str) -> str:
    return f"urn:ansim:party:{id}"


def dataset(terms: dict, holder: str) -> str:
    """The target: what the agreed query gives at a holder."""
    return f"urn:ansim:query:{digest(terms['query'])}:{holder}"


def _permission(terms: dict, mode: str, holder: str) -> dict:
    return {
        "target": dataset(terms, holder),
        "assigner": party(holder),
        "assignee": party(terms["user"]["id"]),
        "action": PERMISSION[mode],
        "constraint": _constraints(terms),
        "duty": [{"action": "ansim:outputCheck", "constraint": _output(terms)}],
    }


def _constraints(terms: dict) -> list[dict]:
    period, most, linkage = terms["query"].get("period"), terms["max_persons"], terms["linkage"]
    found = [
        _is("dateTime", "gteq", terms["not_before"], "xsd:date"),
        _is("dateTime", "lteq", terms["not_after"], "xsd:date"),
        _any("purpose", [f"urn:ansim:purpose:{terms['purpose'].replace(' ', '-')}"]),
        _any("ansim:researchArea", [_area(area) for area in terms["areas"]]),
        _any("ansim:member", [party(f"{terms['user']['id']}:{member['id']}") for member in terms["members"]]),
        _any("spatial", [party(terms["place"]["centre"])]),
    ]
    if kinds := terms.get("investigations"):
        found.append(_any("ansim:investigation", [_investigation(kind) for kind in kinds]))
    if period is not None:
        found.append(_is("ansim:dataFrom", "gteq", period["from"], "xsd:date"))
        found.append(_is("ansim:dataTo", "lteq", period["to"], "xsd:date"))
    if not terms["place"]["remote"]:
        found.append(_is("ansim:remoteAccess", "eq", "false", "xsd:boolean"))
    if most is not None:
        found.append(_is("ansim:persons", "lteq", most, "xsd:integer"))
    if linkage is not None:
        found.append(_any("ansim:linkageBody", [party(linkage[body]) for body in ("key_agency", "linker")]))
    return found


def _area(area: str) -> str:
    areas.lineage(area)  # an area that nobody knows is not exported as if it meant something
    return f"urn:ansim:area:{area}"


def _investigation(kind: str) -> str:
    """DUO's own name of a kind of investigation."""
    return f"http://purl.obolibrary.org/obo/{uses.investigations()[kind]['duo'].replace(':', '_')}"


def _output(terms: dict) -> list[dict]:
    return [_is(f"ansim:{name}", "gteq", terms["output"][name], "xsd:integer") for name in sorted(terms["output"])]


def _destruction(terms: dict) -> dict:
    days = terms["destruction"]["within_days"]
    return _is("delayPeriod", "lteq", f"P{days}D", "xsd:duration")


def _is(left: str, operator: str, value: object, kind: str) -> dict:
    return {"leftOperand": left, "operator": operator, "rightOperand": {"@value": str(value), "@type": kind}}


def _any(left: str, values: list[str]) -> dict:
    return {"leftOperand": left, "operator": "isAnyOf", "rightOperand": [{"@id": value} for value in values]}
