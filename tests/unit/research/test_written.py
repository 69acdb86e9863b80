"""Questions as people write them: a query, our definitions, and OHDSI's."""

import json

import pytest

from ansim.errors import Problem
from ansim.research.cohort.definition.circe import read as circe
from ansim.research.cohort.written import ALWAYS, question

CIRCE = {
    "ConceptSets": [
        {"id": 0, "name": "asthma", "expression": {"items": [{"concept": {"CONCEPT_ID": 317009}}]}},
    ],
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "First"},
    },
    "InclusionRules": [],
}
OLD = {
    "ansim": "query/1",
    "title": {"ko": "가", "en": "a"},
    "cohort": {"entry": {"event": "death", "concepts": []}},
    "period": ALWAYS,
}


def test_an_atlas_cohort_becomes_the_cohort_of_a_query_2():
    found = question(json.dumps(CIRCE), name="Asthma at our hospitals")
    assert found.cohort == circe(CIRCE)
    assert (found.korean, found.english) == ("Asthma at our hospitals",) * 2
    assert [variable.name for variable in found.variables] == ["sex", "age_band"]
    own = {
        "title": {"ko": "천식", "en": "Asthma"},
        "variables": [],
        "period": {"from": "2018-01-01", "to": "2018-12-31"},
    }
    found = question(CIRCE, beside=own)
    assert (found.korean, found.variables, found.period.first.year) == ("천식", (), 2018)


def test_a_query_stays_what_it_is():
    assert question(OLD, name="x", beside={"variables": [{"name": "sex", "kind": "sex"}]}).variables == ()
    assert question(json.dumps(OLD)).document()["ansim"] == "query/1"
    for bad in ("{}", "[]", json.dumps(OLD | {"ansim": "query/3"}), json.dumps(CIRCE | {"Strange": 1})):
        with pytest.raises(Problem):
            question(bad)
