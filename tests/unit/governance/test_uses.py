"""What a request does: kinds of investigation, the facts they imply, and the verdict over several areas."""

import pytest

from ansim.governance.purpose import ABSTAIN, APPROVE, DENY, codes
from ansim.governance.uses import check, covers, facts, fit, investigations


def test_a_broad_kind_covers_its_narrower_ones_and_never_the_other_way_round():
    assert covers(["BR"], "BR")
    assert covers(["BR"], "DCR")
    assert not covers(["DCR"], "BR")
    assert not covers(["DCR"], "GR")
    assert not covers(["BR"], "AR")
    assert not covers(["BR"], "nothing")
    assert not covers([], "BR")


def test_each_kind_has_a_term_of_its_own_and_a_known_parent():
    every = investigations()
    assert len({kind["duo"] for kind in every.values()}) == len(every)
    assert all(kind.get("under", "BR") in every for kind in every.values())
    assert all(kind["ko"] and kind["en"] for kind in every.values())


@pytest.mark.parametrize(
    ("use", "where"),
    [
        ({}, "use.investigation"),
        ({"investigation": "XX"}, "use.investigation"),
        ({"investigation": "BR", "commercial": "yes"}, "use.commercial"),
        ({"investigation": "BR", "countries": []}, "use.countries"),
        ({"investigation": "BR", "publication_from": "2027-02-30"}, "use.publication_from"),
        ({"investigation": "BR", "colour": "red"}, "use.colour"),
    ],
)
def test_a_wrong_use_names_its_field(use, where):
    assert where in {problem.where for problem in check(use)}


def test_a_use_in_order():
    assert check({"investigation": "DCR", "commercial": True, "genetic": None, "countries": ["KR"]}) == []


def test_the_kind_outweighs_an_answer_that_denies_it():
    assert facts({"investigation": "GR", "genetic": False})["genetic"] is True
    assert facts({"investigation": "BR", "genetic": None}) == {"investigation": "BR"}
    assert facts({"investigation": "BR"}, organisation="x")["organisation"] == "x"


def test_one_area_outside_denies_the_whole():
    conditions = {"permission": "DS", "areas": ["oncology"], "modifiers": [{"term": "IRB"}]}
    asked = facts({"investigation": "DCR", "clinical_care": False, "ethics_approval": True})
    assert fit(conditions, asked, ["lung-cancer"]).verdict == APPROVE
    both = fit(conditions, asked, ["lung-cancer", "stroke"])
    assert both.verdict == DENY
    assert [reason.term for reason in both.reasons if reason.verdict == DENY] == ["DS"]
    assert fit(conditions, facts({"investigation": "DCR"}), []).verdict == ABSTAIN


def test_codes_are_those_of_the_ontology():
    assert codes({"permission": "HMB", "modifiers": [{"term": "IRB"}, {"term": "??"}]}) == [
        "DUO:0000006",
        "DUO:0000021",
    ]
