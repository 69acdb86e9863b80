"""An agreement as ODRL: read back as RDF it says what the terms say, and each rule has what the model asks for."""

import json

import pytest
from rdflib import RDF, XSD, Graph, Literal, Namespace, URIRef

from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance.odrl import party, policy

ODRL = Namespace("http://www.w3.org/ns/odrl/2/")
OURS = Namespace("urn:ansim:terms:")


def read(terms):
    return Graph().parse(data=json.dumps(policy(terms)), format="json-ld")


def constraint(graph, rule, left):
    """Operator and right operands of the rule's constraint on this left operand."""
    return {
        (graph.value(one, ODRL.operator), right)
        for one in graph.objects(rule, ODRL.constraint)
        if graph.value(one, ODRL.leftOperand) == left
        for right in graph.objects(one, ODRL.rightOperand)
    }


def test_it_says_what_the_terms_say(world):
    terms = world.terms(max_persons=500)
    graph = read(terms)
    agreement = URIRef(f"urn:ansim:agreement:{digest(terms)}")
    assert (agreement, RDF.type, ODRL.Agreement) in graph
    assert graph.value(agreement, ODRL.conflict) == ODRL.prohibit
    permissions = list(graph.objects(agreement, ODRL.permission))
    assert len(permissions) == len(terms["modes"]) * len(terms["holders"])
    for rule in permissions:
        assert (ODRL.lteq, Literal(terms["not_after"], datatype=XSD.date)) in constraint(graph, rule, ODRL.dateTime)
        assert (ODRL.gteq, Literal(terms["not_before"], datatype=XSD.date)) in constraint(graph, rule, ODRL.dateTime)
        assert constraint(graph, rule, OURS.persons) == {(ODRL.lteq, Literal("500", datatype=XSD.integer))}
        named = {str(right) for _, right in constraint(graph, rule, OURS.researchArea)}
        assert named == {f"urn:ansim:area:{area}" for area in terms["areas"]}
        members = {str(right) for _, right in constraint(graph, rule, OURS.member)}
        assert members == {party(f"{terms['user']['id']}:{member['id']}") for member in terms["members"]}
    (ban,) = graph.objects(agreement, ODRL.prohibition)
    assert graph.value(ban, ODRL.action) == OURS.reidentify
    (duty,) = graph.objects(agreement, ODRL.obligation)
    assert graph.value(graph.value(duty, ODRL.action), RDF.value) == ODRL["delete"]


def test_each_rule_has_parties_target_and_action(world):
    graph = read(world.terms())
    rules = [one for kind in ("permission", "prohibition", "obligation") for one in graph.objects(None, ODRL[kind])]
    assert rules
    for rule in rules:
        for part in ("assigner", "assignee", "target", "action"):
            assert graph.value(rule, ODRL[part], any=True) is not None, part
    for one in set(graph.objects(None, ODRL.constraint)) | set(graph.objects(None, ODRL.refinement)):
        for part in ("leftOperand", "operator", "rightOperand"):
            assert graph.value(one, ODRL[part], any=True) is not None, part


def test_a_bound_that_is_not_agreed_is_not_told(world):
    text = json.dumps(policy(world.terms(max_persons=None, linkage=None)))
    assert "persons" not in text
    assert "linkageBody" not in text


def test_a_version_names_the_one_it_replaces(world):
    first = world.terms()
    second = world.terms(version=2, supersedes=digest(first))
    assert policy(second)["dct:replaces"] == policy(first)["uid"]
    assert "dct:replaces" not in policy(first)


def test_an_area_that_nobody_knows_is_not_exported(world):
    with pytest.raises(Problem, match="no known area"):
        policy({**world.terms(), "areas": ["magic"]})
