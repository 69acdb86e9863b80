"""Circe JSON and our own form: read, written, refused with the path."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from ansim import documents
from ansim.errors import Problem
from ansim.research.cohort.definition import circe, circe_write, form, reading
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.domains import DOMAINS
from ansim.research.cohort.definition.explain import explain
from ansim.research.cohort.definition.words import WORDS

ORACLES = Path(__file__).parents[4] / "shared" / "oracles" / "circe"
SMALL = {
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0, "Age": {"Op": "gte", "Value": 18}}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "All"},
    },
    "ConceptSets": [
        {"id": 0, "name": "a", "expression": {"items": [{"concept": {"CONCEPT_ID": 1}, "includeDescendants": True}]}}
    ],
    "QualifiedLimit": {"Type": "First"},
    "ExpressionLimit": {"Type": "All"},
    "InclusionRules": [
        {
            "name": "r",
            "expression": {
                "Type": "ALL",
                "CriteriaList": [
                    {
                        "Criteria": {"DrugExposure": {"CodesetId": 0}},
                        "StartWindow": {"Start": {"Days": 30, "Coeff": -1}, "End": {"Coeff": 1}},
                        "Occurrence": {"Type": 2, "Count": 1},
                    }
                ],
                "DemographicCriteriaList": [],
                "Groups": [],
            },
        }
    ],
    "EndStrategy": {"DateOffset": {"DateField": "EndDate", "Offset": 7}},
    "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
    "CensorWindow": {},
}
ITEM = ("ConceptSets", 0, "expression", "items", 0)
ENTRY = ("PrimaryCriteria", "CriteriaList", 0, "ConditionOccurrence")
AT_ENTRY = "PrimaryCriteria.CriteriaList[0].ConditionOccurrence"
AT_RULE = "InclusionRules[0].expression.CriteriaList[0]"
RULE = ("InclusionRules", 0, "expression", "CriteriaList", 0)


def changed(path, value):
    document = copy.deepcopy(SMALL)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("Unheard",), 1, "Unheard"),
        ((*ENTRY, "Sex"), [], f"{AT_ENTRY}.Sex"),
        (("PrimaryCriteria", "CriteriaList", 0), {"Diagnosis": {}}, "PrimaryCriteria.CriteriaList[0].Diagnosis"),
        (("PrimaryCriteria", "CriteriaList"), [], "PrimaryCriteria"),
        (("PrimaryCriteria", "PrimaryCriteriaLimit"), {"Type": "Best"}, "PrimaryCriteria.PrimaryCriteriaLimit.Type"),
        ((*ENTRY, "CodesetId"), 9, f"{AT_ENTRY}.CodesetId"),
        ((*ENTRY, "Age", "Op"), "about", f"{AT_ENTRY}.Age.Op"),
        ((*ENTRY, "Age", "Value"), 1.5, f"{AT_ENTRY}.Age.Value"),
        ((*ITEM, "isExcluded"), "no", "ConceptSets[0].expression.items[0].isExcluded"),
        ((*RULE, "Occurrence", "Kind"), 3, f"{AT_RULE}.Occurrence.Kind"),
        ((*RULE, "StartWindow", "Start", "Coeff"), 2, f"{AT_RULE}.StartWindow.Start.Coeff"),
        ((*RULE, "Criteria"), {"DrugExposure": {"Modifier": []}}, f"{AT_RULE}.Criteria.DrugExposure.Modifier"),
        ((*RULE[:-2], "Type"), "NONE", "InclusionRules[0].expression.Type"),
        ((*RULE[:-2], "Type"), "AT_LEAST", "InclusionRules[0].expression"),
        (("EndStrategy",), {"Never": {}}, "EndStrategy.Never"),
        (("CensorWindow",), {"StartDate": "2020-13-01"}, "CensorWindow.StartDate"),
        (("ConceptSets",), [SMALL["ConceptSets"][0]] * 2, "sets[1].id"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_an_error_with_its_path(path, value, where):
    circe.read(SMALL)  # the control: as it stands it is read
    with pytest.raises(Problem) as caught:
        circe.read(changed(path, value))
    assert caught.value.where == where


def test_what_circe_tells_apart_stays_apart():
    empty = {"Type": "ALL", "CriteriaList": [], "DemographicCriteriaList": [], "Groups": []}
    without, with_empty = circe.read(SMALL), circe.read(SMALL | {"AdditionalCriteria": empty})
    assert without.where is None
    assert with_empty.where == m.Group()
    assert "AdditionalCriteria" not in circe_write.write(without)
    assert form.read(form.document(with_empty)) == with_empty
    absent = {key: value for key, value in SMALL.items() if key != "ExpressionLimit"}
    assert circe.read(absent).limit == "first"
    assert circe.read(SMALL | {"ExpressionLimit": {"Type": None}}).limit == "all"
    end = changed((*RULE, "EndWindow"), {"Start": {"Coeff": -1}, "End": {"Days": 3, "Coeff": 1}})
    assert circe.read(end).rules[0].where.criteria[0].end_window.event == "end"
    assert circe.read(SMALL).rules[0].where.criteria[0].window.event == "start"


def test_null_and_absent_are_one():
    criterion = {"CodesetId": 0, "Age": {"Op": "gte", "Value": 18.0, "Extent": None}, "First": None, "Gender": []}
    written = changed(ENTRY, criterion)
    assert circe.read(written | {"EndStrategy": SMALL["EndStrategy"], "CensoringCriteria": None}) == circe.read(SMALL)


def test_our_form_names_its_path_too():
    good = form.document(circe.read(SMALL))
    assert form.read(yaml.safe_dump(good)) == circe.read(SMALL)
    for change, where in (
        ({"entri": {}}, "entri"),
        ({"entry": {"events": [{"diagnosis": {}}]}}, "entry.events[0].diagnosis"),
        ({"entry": {"events": [{"death": {"first": True}}]}}, "entry.events[0].death"),
        ({"entry": {"events": [{"death": {"concepts": "b"}}]}}, "entry.events[0].death.concepts"),
        ({"entry": {"events": [{"measurement": {"value": {"gte": "much"}}}]}}, "entry.events[0].measurement.value.gte"),
        ({"where": {"all": [{"of": {"death": {}}, "window": {"from": 3, "until": 9}}]}}, "where.all[0].window.until"),
        ({"where": {"some": []}}, "where.some"),
        ({"limit": "best"}, "limit"),
    ):
        with pytest.raises(Problem) as caught:
            form.read(good | change)
        assert caught.value.where == where


def test_a_document_is_neither_guessed_nor_mixed():
    assert reading.read(json.dumps(SMALL)) == reading.read(yaml.safe_dump(form.document(circe.read(SMALL))))
    for text in ("entry: {}", "[1]", '{"ansim": "query/1"}'):
        with pytest.raises(Problem):
            reading.read(text)


def test_the_builder_checks_itself():
    with pytest.raises(Problem) as caught:
        m.Definition(m.Entry((m.Criterion("death", concepts=3),)))
    assert caught.value.where == "entry.criteria[0].concepts"
    with pytest.raises(Problem) as caught:
        m.Criterion("measurement", attributes=(("value", m.TextFilter("contains", "x")),))
    assert caught.value.where == "value"


def test_everything_has_its_words():
    assert set(WORDS["ko"]) == set(WORDS["en"])
    for domain in DOMAINS:
        for attribute in domain.attributes:
            assert f"a_{attribute.name.removesuffix('_set')}" in WORDS["en"]
        for column in m.countable(domain):
            assert f"by_{column}" in WORDS["en"]


def test_a_text_says_what_makes_a_difference():
    said = explain(circe.read(SMALL), "en")
    assert "30 days before" in said
    assert "age at least 18" in said
    assert "7 days after the event's end" in said
    assert "18 이상" in explain(circe.read(SMALL), "ko")
    with pytest.raises(Problem):
        explain(circe.read(SMALL), "fr")


@pytest.mark.skipif(not ORACLES.exists(), reason="needs ../shared/oracles/circe")
def test_public_definitions_are_carried_without_loss():
    paths = sorted((ORACLES / "definitions").glob("*.json"))
    assert len(paths) == 65
    for path in paths:
        given = json.loads(path.read_bytes())
        read = circe.read(path.read_bytes())
        written = circe_write.write(read)
        assert plain(written) == plain(given), path.name
        assert form.read(form.document(read)) == read
        documents.canonical(form.document(read))
        assert explain(read, "ko")


def plain(value):
    """Without what says nothing: null, false, empty, and the sign of zero days."""
    if isinstance(value, dict):
        found = {key: plain(one) for key, one in value.items()}
        if found.get("Days") == 0:
            found.pop("Coeff")
        return {key: one for key, one in found.items() if one not in (None, False, [], {})}
    return [plain(one) for one in value] if isinstance(value, list) else value
