"""Descriptions as HealthDCAT-AP: both forms are one graph, and hold the mandatory sets of the shapes."""

import sys
from importlib.resources import files
from pathlib import Path

import pytest
from pyshacl import validate
from rdflib import Graph, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, SH

sys.path.insert(0, str(Path(__file__).parent))
import catalogue_world

from ansim.data.catalogue import check_description, dcat, rdf

BASE = "https://portal.example/catalogue/"
NAME = {"ko": "국가 의료데이터 중개 포털", "en": "National health data portal"}
SHAPES = files("ansim.data.catalogue").joinpath("shapes.ttl").read_text("utf-8")
HARD = 'Diabetes "type 2" \\ 당뇨\n<b>&amp;</b> \u2028'


@pytest.fixture(scope="module")
def descriptions():
    made = catalogue_world.descriptions()[:4]
    for one in made:
        one["variables"] = one["variables"][:6]  # canonical blank nodes take their time
    made[0]["title"]["en"] = made[0]["variables"][0]["name"] = HARD
    made[1] = {**made[1], "variables": [], "people": None, "coverage": None, "keywords": {"ko": [], "en": []}}
    made[2]["access"] = {
        "duo": ["DUO:0000006", "DUO:0000021"], "areas": ["diabetes"], "contact": "https://hospital.example/ask?a=1",
    }  # fmt: skip
    made[2]["categories"] = ["HRAD", "MRMR"]
    for one in made:
        check_description(one, 10)
    return made


def feed(descriptions, page=1, pages=1):
    nodes = [dcat.dataset(one, f"{BASE}{one['id']}/") for one in descriptions]
    return dcat.catalogue(nodes, BASE, name=NAME, page=page, pages=pages, total=len(nodes), modified="")


def problems(graph):
    """The properties that break a shape."""
    fine, report, _ = validate(graph, shacl_graph=Graph().parse(data=SHAPES, format="turtle"))
    found = set(report.objects(None, SH.resultPath))
    assert fine == (not found)
    return found


@pytest.fixture(scope="module")
def graph(descriptions):
    return Graph().parse(data=rdf.turtle(feed(descriptions)), format="turtle")


def test_both_forms_are_one_graph(descriptions, graph):
    other = Graph().parse(data=rdf.jsonld(feed(descriptions)), format="json-ld")
    assert len(graph) > 400
    assert isomorphic(graph, other)


def test_what_is_hard_to_write_comes_back(descriptions, graph):
    title = {str(text) for text in graph.objects(URIRef(f"{BASE}{descriptions[0]['id']}/#dataset"), DCTERMS.title)}
    assert title == set(descriptions[0]["title"].values())
    assert HARD in title


def test_no_violation(graph):
    assert problems(graph) == set()


MANDATORY = [
    DCTERMS.title, DCTERMS.description, DCTERMS.identifier, DCAT.theme, DCTERMS.accessRights, DCAT.distribution,
    DCAT.contactPoint, DCAT.keyword, DCTERMS.type, DCTERMS.provenance,
    *(URIRef(f"http://healthdataportal.eu/ns/health#{name}")
      for name in ("hdab", "healthCategory", "hasStructuredData", "hasVariables")),
    URIRef("http://data.europa.eu/r5r/applicableLegislation"),
]  # fmt: skip


@pytest.mark.parametrize("missing", MANDATORY, ids=lambda iri: str(iri).split("/")[-1])
def test_the_shapes_see_what_is_missing(descriptions, missing):
    """Positive control: the shapes find each mandatory property that is taken away."""
    page = f"{BASE}{descriptions[3]['id']}/"
    one = Graph().parse(data=rdf.turtle(dcat.dataset(descriptions[3], page)), format="turtle")
    assert problems(one) == set()
    one.remove((URIRef(f"{page}#dataset"), missing, None))
    assert missing in problems(one)


def test_pages_of_the_feed_lead_on(descriptions):
    second = Graph().parse(data=rdf.turtle(feed(descriptions[:1], page=2, pages=3)), format="turtle")
    hydra = "http://www.w3.org/ns/hydra/core#"
    ways = {name: second.value(URIRef(f"{BASE}?page=2"), URIRef(hydra + name)) for name in ("previous", "next", "last")}
    assert {name: str(iri)[-1] for name, iri in ways.items()} == {"previous": "1", "next": "3", "last": "3"}
