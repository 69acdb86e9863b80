"""Purpose matching: every term approves, abstains and denies as the ontology says, and nothing unknown is approved."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance.purpose import ABSTAIN, APPROVE, DENY, RULES, check, fit, terms

# term, what it carries, a request that it lets pass, one that it refuses (None: it refuses nothing)
CASES = [
    ("NRES", {}, {}, None),
    ("GRU", {}, {"clinical_care": False}, {"clinical_care": True}),
    ("HMB", {}, {"area": "copd", "ancestry": False, "clinical_care": False}, {"area": "copd", "ancestry": True}),
    ("DS", {"areas": ["oncology"]}, {"area": "lung-cancer", "clinical_care": False}, {"area": "stroke"}),
    ("POA", {}, {"ancestry": True}, {"ancestry": False}),
    ("NMDS", {}, {"methods": False}, {"methods": True}),
    ("GSO", {}, {"genetic": True}, {"genetic": False}),
    ("NPUNCU", {}, {"not_for_profit": True, "commercial": False}, {"not_for_profit": True, "commercial": True}),
    ("NPUNCU", {}, {"not_for_profit": True, "commercial": False}, {"not_for_profit": False}),
    ("PUB", {}, {"publishes": True}, {"publishes": False}),
    ("COL", {}, {"collaborates": True}, {"collaborates": False}),
    ("IRB", {}, {"ethics_approval": True}, {"ethics_approval": False}),
    ("GS", {"countries": ["KR", "JP"]}, {"countries": ["KR"]}, {"countries": ["KR", "US"]}),
    ("MOR", {"until": "2027-01-01"}, {"publication_from": "2027-01-01"}, {"publication_from": "2026-12-31"}),
    ("MOR", {"until": "2027-01-01"}, {"publishes": False}, {"publishes": True, "publication_from": "2026-01-01"}),
    ("TS", {"until": "2027-01-01"}, {"to": "2027-01-01"}, {"to": "2027-01-02"}),
    ("US", {"users": ["kim", "lee"]}, {"users": ["lee"]}, {"users": ["lee", "park"]}),
    ("PS", {"projects": ["p1"]}, {"project": "p1"}, {"project": "p2"}),
    ("IS", {"organisations": ["company-x"]}, {"organisation": "company-x"}, {"organisation": "company-y"}),
    ("RTN", {}, {"returns_results": True}, {"returns_results": False}),
    ("NPOA", {}, {"ancestry": False}, {"ancestry": True}),
    ("NPU", {}, {"not_for_profit": True}, {"not_for_profit": False}),
    ("NCU", {}, {"commercial": False}, {"commercial": True}),
    ("CC", {}, {}, None),
]


def conditions(term, carried):
    if terms()[term]["kind"] == "permission":
        return {"permission": term, **carried}
    return {"permission": "NRES", "modifiers": [{"term": term, **carried}]}


@pytest.mark.parametrize(("term", "carried", "good", "bad"), CASES)
def test_a_term(term, carried, good, bad):
    asked = conditions(term, carried)
    assert check(asked) == []
    assert fit(asked, good).verdict == APPROVE
    if bad is not None:
        found = fit(asked, bad)
        assert found.verdict == DENY
        assert [reason.term for reason in found.reasons if reason.verdict == DENY] == [term]
    if terms()[term]["asks"]:
        open_reason = next(reason for reason in fit(asked, {}).reasons if reason.term == term)
        assert open_reason.verdict == ABSTAIN
        assert open_reason.unknown


def test_every_term_has_a_rule_and_a_case():
    assert RULES.keys() == terms().keys()
    assert {case[0] for case in CASES} | {"RS"} == terms().keys()
    assert len({term["duo"] for term in terms().values()}) == len(terms())


def test_free_text_and_strange_terms_are_for_a_person():
    words = {"permission": "NRES", "modifiers": [{"term": "RS", "text": "only with our school"}]}
    assert fit(words, {}).verdict == ABSTAIN
    assert fit({"permission": "NRES", "modifiers": [{"term": "XYZ"}]}, {}).verdict == ABSTAIN
    assert fit({}, {"area": "copd"}).verdict == ABSTAIN
    swapped = {"permission": "CC", "modifiers": [{"term": "NRES"}]}
    assert [reason.verdict for reason in fit(swapped, {}).reasons] == [ABSTAIN, ABSTAIN]


def test_clinical_care_is_let_in_by_its_modifier_only():
    care = {"area": "copd", "clinical_care": True, "ancestry": False}
    assert fit({"permission": "HMB"}, care).verdict == DENY
    assert fit({"permission": "HMB", "modifiers": [{"term": "CC"}]}, care).verdict == APPROVE


def test_methods_are_of_no_disease():
    asked = {"area": "methods", "clinical_care": False, "ancestry": False}
    assert fit({"permission": "DS", "areas": ["oncology"]}, asked).verdict == ABSTAIN
    assert fit({"permission": "GRU"}, asked).verdict == APPROVE


def test_every_reason_is_told_not_only_the_first():
    both = {
        "permission": "DS",
        "areas": ["oncology"],
        "modifiers": [{"term": "NCU"}, {"term": "GS", "countries": ["KR"]}],
    }
    found = fit(both, {"area": "stroke", "commercial": True, "countries": None, "clinical_care": False})
    assert [reason.verdict for reason in found.reasons] == [DENY, DENY, ABSTAIN]
    assert found.reasons[2].unknown == ("countries",)
    assert found.as_data()["reasons"][1]["label"]["ko"] == "비상업적 이용만"


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, "conditions.permission"),
        ({"permission": "GS"}, "conditions.permission"),
        ({"permission": "DS"}, "conditions.areas"),
        ({"permission": "DS", "areas": ["magic"]}, "conditions.areas"),
        ({"permission": "GRU", "modifiers": [{"term": "HMB"}]}, "conditions.modifiers.0"),
        ({"permission": "GRU", "modifiers": [{"term": "TS", "until": "2027-02-30"}]}, "conditions.modifiers.0.until"),
        ({"permission": "GRU", "modifiers": [{"term": "GS", "countries": []}]}, "conditions.modifiers.0.countries"),
        ({"permission": "GRU", "modifiers": [{"term": "RS"}]}, "conditions.modifiers.0.text"),
    ],
)
def test_conditions_that_are_wrong_are_named(wrong, place):
    assert [problem.where for problem in check(wrong)] == [place]
    willing = {"area": "copd", "clinical_care": False, "countries": ["KR"], "to": "2026-01-01"}
    assert fit(wrong, willing).verdict != APPROVE


FACTS = sorted({fact for term in terms().values() for fact in term["asks"]})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(case=st.sampled_from(CASES), hidden=st.sets(st.sampled_from(FACTS)))
def test_hiding_a_fact_never_turns_a_denial_into_approval(case, hidden):
    """Whoever leaves facts out gets at most an abstention where the truth would deny."""
    term, carried, _, bad = case
    if bad is None:
        return
    told = {name: value for name, value in bad.items() if name not in hidden}
    assert fit(conditions(term, carried), told).verdict != APPROVE
