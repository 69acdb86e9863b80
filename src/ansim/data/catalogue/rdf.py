"""RDF as JSON-LD and as Turtle, from one nested form, without an RDF library: what a description needs and no more.

A node is a dict: "@id" and "@type" as in JSON-LD, other keys prefixed names of `PREFIXES`. Values are nodes, literals
(`literal`, `each_language`), truths, or lists of those. A node without "@id" is a blank node. The test suite reads both
forms with rdflib and demands equal graphs. W3C: JSON-LD 1.1, Turtle 1.1 (RDF 1.1, 2014).
"""

import json
from collections.abc import Iterator
from typing import Any

PREFIXES = {
    "adms": "http://www.w3.org/ns/adms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "cv": "http://data.europa.eu/m8g/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "dqv": "http://www.w3.org/ns/dqv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geodcatap": "http://data.europa.eu/930/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "oa": "http://www.w3.org/ns/oa#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
Node = dict[str, Any]


def literal(value: Any, type: str = "") -> Node | str:
    return {"@value": str(value), "@type": type} if type else str(value)


def each_language(text: dict[str, str]) -> list[Node]:
    return [{"@value": text[code], "@language": code} for code in ("ko", "en") if text.get(code)]


def resource(iri: str, type: str = "", **properties: Any) -> Node:
    return {"@id": iri, **({"@type": type} if type else {}), **properties}


def jsonld(node: Node) -> str:
    return json.dumps({"@context": PREFIXES, **node}, ensure_ascii=False, indent=1)


def turtle(node: Node) -> str:
    """Named nodes one after another, blank nodes within them."""
    lines = [f"@prefix {prefix}: <{iri}> ." for prefix, iri in PREFIXES.items()]
    waiting, written = [node], set()
    while waiting:
        one = waiting.pop(0)
        body = _body(one, waiting)
        if body and (text := f"\n<{one['@id']}> {body} .") not in written:  # a node may be named in several places
            written.add(text)
            lines.append(text)
    return "\n".join(lines) + "\n"


def _body(node: Node, waiting: list[Node]) -> str:
    said = [f"a {node['@type']}"] if "@type" in node else []
    for name, value in node.items():
        if name[0] != "@" and (values := [_object(each, waiting) for each in _each(value)]):
            said.append(f"{name} {', '.join(values)}")
    return " ;\n  ".join(said)


def _each(value: Any) -> Iterator[Any]:
    if value is not None:
        yield from value if isinstance(value, list) else [value]


def _object(value: Any, waiting: list[Node]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if "@value" in value:
        suffix = f"@{value['@language']}" if "@language" in value else f"^^{value['@type']}"
        return _quoted(value["@value"]) + suffix
    if "@id" in value:
        if len(value) > 1:
            waiting.append(value)
        return f"<{value['@id']}>"
    return f"[ {_body(value, waiting)} ]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON's escapes are Turtle's
