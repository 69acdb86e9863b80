"""Dated rules, risk tiers and routes, areas of research, and the clause table."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.governance import areas, rules
from ansim.governance.clauses import CLAUSES, CONTENT_ONLY
from ansim.governance.rules.risk import ASK, tier
from ansim.governance.terms import FIELDS, OPTIONAL

TODAY = date(2026, 11, 23)
FACTS = {"sensitive": False, "peculiar": False, "unstructured": False, "repeat": False, "designated_body": False}
GOOD = """[[rule]]
id="X"
edition="1"
from=2020-01-01
source="s"
article="a"
tag="V"
severity="block"
title={ko="가",en="a"}
parameters={n=1}
"""


@pytest.mark.parametrize(
    ("day", "edition"),
    [
        (date(2020, 9, 1), "2020.9"),
        (date(2022, 11, 30), "2020.9"),
        (date(2022, 12, 1), "2022.12"),
        (date(2025, 11, 30), "2022.12"),
        (date(2025, 12, 1), "2025.12"),
    ],
)
def test_the_edition_of_the_day(day, edition):
    assert rules.at(day)["G6"]["edition"] == edition


def test_every_rule_is_cited_and_unverified_ones_say_so():
    assert {"L1", "L3", "L4", "L7", "G1", "G6", "P2", "P3"} <= rules.at(TODAY).keys()
    assert {rule["tag"] for rule in rules.packs()} <= {"V", "S", "R"}
    assert "marketing" not in rules.at(TODAY)["L1"]["parameters"]["purposes"]
    with pytest.raises(Problem, match="No rule pack"):
        rules.at(date(2000, 1, 1))


def test_differences_between_two_editions():
    found = {entry["id"]: entry for entry in rules.differences(date(2022, 1, 1), TODAY)}
    assert found.keys() == {"G2", "G3", "G4", "G6", "G7"}
    assert found["G7"]["before"] is None
    assert found["G6"]["before"]["parameters"]["outside_majority"] is True
    assert rules.differences(TODAY, TODAY) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tag="V"', 'tag="X"'),
        ("from=2020-01-01", 'from="2020"'),
        ('source="s"\n', ""),
        ('ko="가",', ""),
        ("{n=1}", "{}"),
        ("{n=1}", "{n=1}\nextra=1"),
        ('"block"', '"hmm"'),
        ("from=2020-01-01", "from=2020-01-01\nto=2019-01-01"),
        ('id="X"', "id="),
    ],
)
def test_a_wrong_pack_is_refused(old, new):
    assert len(rules.parse(GOOD, "x.toml")) == 1
    with pytest.raises(Problem, match=r"x\.toml"):
        rules.parse(GOOD.replace(old, new), "x.toml")


def test_overlapping_editions_are_refused():
    with pytest.raises(Problem, match="overlap"):
        rules.no_overlap(rules.parse(GOOD + GOOD.replace('edition="1"', 'edition="2"'), "x.toml"))


def test_records_are_kept_three_years():
    assert rules.keep_until(date(2026, 11, 23)) == date(2029, 11, 23)
    assert rules.keep_until(date(2028, 2, 29)) == date(2031, 3, 1)


@pytest.mark.parametrize(
    ("facts", "level", "reviewers"),
    [
        ({"recipient": "own"}, "low", 1),
        ({"recipient": "own", "sensitive": True}, "medium", 2),
        ({"recipient": "own", "sensitive": True, "unstructured": True}, "high", 3),
        ({"recipient": "own", "repeat": True}, "low", 1),
        ({"recipient": "third-party", "place": "controlled"}, "medium", 2),
        ({"recipient": "third-party", "place": "controlled", "repeat": True}, "low", 1),
        ({"recipient": "third-party", "place": "controlled", "peculiar": True}, "high", 3),
        ({"recipient": "third-party", "place": "elsewhere"}, "high", 3),
        ({"recipient": "third-party", "place": "elsewhere", "designated_body": True}, "medium", 2),
        ({"recipient": "third-party", "place": "elsewhere", "designated_body": True, "sensitive": True}, "high", 3),
    ],
)
def test_the_tier_follows_the_guide(facts, level, reviewers):
    found = tier({**FACTS, **facts}, TODAY)
    assert (found.level, found.reviewers, found.in_person) == (level, reviewers, level == "high")
    assert all(reason["rule"]["id"] == "P2" for reason in found.reasons)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(missing=st.sampled_from(sorted([*FACTS, "recipient", "place"])), junk=st.sampled_from([None, "yes", 1]))
def test_an_unknown_fact_asks_and_gives_no_verdict(missing, junk):
    known = {**FACTS, "recipient": "third-party", "place": "elsewhere"}
    for facts in ({**known, missing: junk}, {name: fact for name, fact in known.items() if name != missing}):
        found = tier(facts, TODAY)
        assert (found.level, found.reviewers, found.ask) == (ASK, None, [missing])


def test_areas_cover_themselves_and_what_lies_under_them():
    assert areas.covers(["respiratory"], "sinusitis")
    assert areas.covers(["sinusitis"], "sinusitis")
    assert not areas.covers(["sinusitis"], "respiratory")
    assert not areas.covers(["cardiovascular", "oncology"], "sinusitis")
    assert not areas.covers([], "sinusitis")
    assert not areas.covers(["magic"], "magic")
    assert areas.label("sinusitis") == {"ko": "부비동염", "en": "Sinusitis"}
    with pytest.raises(Problem, match="no known area"):
        areas.lineage("magic")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(agreed=st.lists(st.sampled_from(sorted(areas.tree())), max_size=3), asked=st.sampled_from(sorted(areas.tree())))
def test_covering_is_the_same_as_walking_up(agreed, asked):
    def under(area):
        return area in agreed or ("under" in areas.tree()[area] and under(areas.tree()[area]["under"]))

    assert areas.covers(agreed, asked) == under(asked)


def test_a_broken_tree_is_refused():
    node = {"ko": "가", "en": "a"}
    with pytest.raises(Problem, match="no way to the root"):
        areas.check({"a": {**node, "under": "b"}, "b": {**node, "under": "a"}})
    with pytest.raises(Problem, match="label"):
        areas.check({"a": {"en": "a"}})


def test_every_field_of_the_terms_is_a_clause_and_its_control_and_test_exist():
    import importlib

    assert sorted([clause.field for clause in CLAUSES] + list(CONTENT_ONLY)) == sorted(FIELDS + OPTIONAL)
    for clause in CLAUSES:
        assert clause.enforced == bool(clause.test)
        if clause.enforced:
            module, name = clause.control.split(".")
            assert hasattr(importlib.import_module(f"ansim.governance.{module}"), name), clause.control
            file, test = clause.test.split("::")
            root = Path(__file__).parents[3]
            assert f"def {test}(" in (root / file).read_text(encoding="utf-8"), clause.test
