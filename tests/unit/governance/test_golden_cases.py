"""The golden cases: what a lawyer reads in the two tables beside this file is what the engine says.

Facts that a case does not mention are those of the plain case: research without consent, human subjects, one holder,
nothing linked, nothing special, no genome, text, image or number, a closed environment, a designated linker.
"""

import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance import rules
from ansim.governance.rules.risk import tier
from ansim.governance.rules.route import FACTS, route

HERE = Path(__file__).parent
PLAIN = {
    "consent": False,
    "purpose": "scientific research",
    "human_subjects": True,
    "exemption": False,
    "sites": 1,
    "shared_board": False,
    "linkage": False,
    "designated_linker": True,
    "special": [],
    "override": False,
    "genome": False,
    "closed": True,
    "free_text": False,
    "images": False,
    "numbers": False,
}
WORDS = {
    "consent": "consent",
    "human subjects": "human_subjects",
    "exemption": "exemption",
    "holders": "sites",
    "shared board": "shared_board",
    "linkage": "linkage",
    "linker": "designated_linker",
    "override": "override",
    "genome": "genome",
    "closed": "closed",
    "free text": "free_text",
    "images": "images",
    "numbers": "numbers",
    "purpose": "purpose",
    "special": "special",
}


def rows(name):
    with open(HERE / name, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def facts(text):
    """The plain case with what the words of one row change."""
    found = dict(PLAIN)
    for word in filter(None, (part.strip() for part in text.split(";"))):
        first, _, rest = word.partition(" ")
        if word.endswith(" unknown"):
            found[WORDS[word.removesuffix(" unknown")]] = None
        elif first.isdigit():
            found["sites"] = int(first)
        elif first == "purpose":
            found["purpose"] = {"statistics": "statistics", "archiving": "archiving"}.get(rest, rest)
        elif first == "special":
            found["special"] = rest.split()
        elif first in ("no", "not"):
            found[WORDS[rest]] = False
        elif word == "linker not designated":
            found["designated_linker"] = False
        else:
            found[WORDS[word]] = True
    return found


def said(found, editions):
    """What a route says, in the words of the table."""
    words = [
        f"{each['review']}@{each['rule']['edition']}"
        if f"{each['review']}@{each['rule']['edition']}" in editions
        else each["review"]
        for each in found.reviews
    ]
    words += [f"BLOCK:{each['block']}" for each in found.blocks]
    words += [f"IF:{each['condition']}" for each in found.conditions]
    return sorted(words + [f"ASK:{name}" for name in found.ask])


@pytest.mark.parametrize("row", rows("golden_cases.csv"), ids=lambda row: f"case-{row['case']}")
def test_a_route(row):
    on = date.fromisoformat(row["day"])
    expected = row["expected"].split()
    found = route(facts(row["facts"]), on)
    assert said(found, expected) == sorted(expected), row["why"]
    assert found.final == (not any(word.startswith("ASK:") for word in expected))
    for each in (*found.reviews, *found.blocks, *found.conditions):
        assert each["rule"]["edition"] == rules.at(on)[each["rule"]["id"]]["edition"]


@pytest.mark.parametrize("row", rows("golden_tiers.csv"), ids=lambda row: f"tier-{row['case']}")
def test_a_tier(row):
    raised, lowered = row["raised by"].split(), row["lowered by"].split()
    names = ("sensitive", "peculiar", "unstructured", "repeat", "designated_body")
    given_facts = {name: name in raised + lowered for name in names}
    for name in ("recipient", "place"):
        if row[name]:
            given_facts[name] = row[name]
    found = tier(given_facts, date(2026, 3, 10))
    assert found.level == row["tier"], row["why"]
    assert (found.reviewers is None) == (row["tier"] == "ask")


def test_there_are_enough_cases_and_none_stands_twice():
    cases = rows("golden_cases.csv")
    told = [(row["day"], row["facts"]) for row in cases]
    assert len(told) == len(set(told))
    assert len(cases) + len(rows("golden_tiers.csv")) >= 120
    reached = {word.partition("@")[0] for row in cases for word in row["expected"].split()}
    assert {"consent", "drb", "shared-drb", "irb", "irb-exemption", "linkage", "export-review"} <= reached


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    known=st.fixed_dictionaries(
        {
            name: st.sampled_from([None, [], ["aids"]])
            if name == "special"
            else st.sampled_from([None, 1, 3])
            if name == "sites"
            else st.sampled_from([None, "statistics", "marketing"])
            if name == "purpose"
            else st.sampled_from([None, True, False])
            for name in FACTS
        }
    ),
    on=st.dates(date(2020, 8, 5), date(2027, 1, 1)),
)
def test_what_is_told_in_spite_of_an_unknown_fact_is_never_taken_back(known, on):
    """Monotone: whatever an unknown fact turns out to be, blocks and reviews told before stay."""
    before = route(known, on)
    asked = [name for name in before.ask if name in FACTS]
    if not asked:
        return
    name = asked[0]
    options = {"special": [[], ["aids"]], "sites": [1, 3], "purpose": ["statistics", "marketing"]}
    for value in options.get(name, [True, False]):
        after = route({**known, name: value}, on)
        assert [each for each in before.blocks if each not in after.blocks] == []
        assert [each for each in before.reviews if each not in after.reviews] == []
