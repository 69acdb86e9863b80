"""Amendments: whom each change touches, who signs again, and that nobody is left out whom a change takes more from."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.documents import digest
from ansim.governance import agreement as ag
from ansim.governance.amendment import changes, signers
from ansim.governance.terms import parties

ALL = ["company", "hospital-a", "claims"]
USER = ["company"]
OUTPUT = {"threshold": 10, "rounding": 5, "checkers": 2}
LINKAGE = {"key_agency": "keyagency", "linker": "centre", "holders": ["hospital-a", "claims"]}


def holder(name):
    return {"id": name, "name": {"hospital-a": "A", "claims": "Claims"}.get(name, name)}


# what changes, who signs again; the terms before are those of the world of the tests
CASES = {
    "earlier end": ({"not_after": "2027-01-31"}, USER),
    "renewal": ({"not_after": "2028-10-31"}, ALL),
    "later begin": ({"not_before": "2026-11-15"}, USER),
    "fewer people": ({"max_persons": 500}, USER),
    "more people": ({"max_persons": 1001}, ALL),
    "no limit of people": ({"max_persons": None}, ALL),
    "narrower area": ({"areas": ["sinusitis"]}, USER),
    "wider area": ({"areas": ["respiratory"]}, ALL),
    "another area": ({"areas": ["upper-respiratory", "stroke"]}, ALL),
    "kinds named": ({"investigations": ["DCR"]}, USER),
    "fewer modes": ({"modes": ["federated"]}, USER),
    "another mode": ({"modes": ["federated", "centre"]}, ALL),
    "only on site": ({"place": {"centre": "centre", "remote": False}}, USER),
    "another centre": ({"place": {"centre": "centre-2", "remote": False}}, ALL),
    "stricter output": ({"output": {**OUTPUT, "threshold": 20}}, USER),
    "laxer output": ({"output": {**OUTPUT, "rounding": 1}}, ALL),
    "stricter and laxer output": ({"output": {"threshold": 20, "rounding": 1, "checkers": 2}}, ALL),
    "destroyed sooner": ({"destruction": {"within_days": 7}}, USER),
    "destroyed later": ({"destruction": {"within_days": 60}}, ALL),
    "another query": ({"query": {"ansim": "query/1", "cohort": {"entry": 2}, "variables": []}}, ALL),
    "a holder joins, unlinked": ({"holders": [*map(holder, ("hospital-a", "claims", "hospital-c"))]},
                                 ["company", "hospital-c"]),
    "a holder leaves, with the linkage": ({"holders": [holder("hospital-a")], "linkage": None}, USER),
    "linkage ends": ({"linkage": None}, USER),
    "another linker": ({"linkage": {**LINKAGE, "linker": "other"}}, ALL),
    "one holder's fee": ({"fees": [{"holder": "claims", "amount": 3}]}, ["company", "claims"]),
    "fees in words": ({"fees": "as agreed by letter"}, ALL),
    "another purpose": ({"purpose": "statistics"}, ALL),
    "other title": ({"title": {"ko": "다른", "en": "Other"}}, ALL),
    "other duty to publish": ({"publication": {"lay_summary_within_days": 30}}, ALL),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_who_signs_again(case, world):
    change, wanted = CASES[case]
    before = world.terms()
    after = {**before, **change, "version": 2, "supersedes": digest(before)}
    assert signers(before, after) == wanted
    assert {found.field for found in changes(before, after)} == set(change)


def test_a_member_who_leaves_and_one_who_joins(world):
    before = world.terms()
    ann, bob = before["members"]
    assert signers(before, {**before, "members": [ann]}) == USER
    assert signers({**before, "members": [ann]}, {**before, "members": [ann, bob]}) == ALL
    swapped = {**bob, "key": world.key("Q")}
    assert signers(before, {**before, "members": [ann, swapped]}) == ALL


def test_a_query_that_is_found_to_lie_within_touches_nobody(world):
    before = world.terms()
    after = {**before, "query": {**before["query"], "variables": []}}
    assert signers(before, after) == ALL
    assert signers(before, after, query_within=True) == USER


def test_the_first_version_is_signed_by_all_and_a_joining_holder_counts_its_own_neighbours(world):
    terms = world.terms()
    assert signers(None, terms) == ALL
    assert signers(None, terms, joining="hospital-a") == ALL  # version 1: nobody joins later
    second = {**terms, "version": 2, "supersedes": "a" * 64}
    assert signers(None, second) == ALL
    assert signers(None, second, joining="hospital-a") == ALL  # it is linked with the other
    assert signers(None, {**second, "linkage": None}, joining="hospital-a") == ["company", "hospital-a"]
    assert signers(None, {**second, "linkage": None}, joining="centre") == ALL  # the user's word alone opens no room
    assert signers(None, second, joining="keyagency") == ALL
    third = {**second, "holders": [*second["holders"], holder("hospital-c")]}
    assert signers(None, third, joining="keyagency") == ALL  # the unlinked third is nothing to it
    assert signers(None, third, joining="centre") == [*ALL, "hospital-c"]


def test_in_force_with_the_signatures_of_those_touched(world):
    before = world.terms()
    state = world.signed(before)
    after = {**before, "version": 2, "supersedes": digest(before), "fees": [{"holder": "claims", "amount": 1}]}
    state = world.play(ag.agreement, state, ag.Draft(by="legal", terms=after), world.sign(after, "company"))
    assert ag.unsigned(state) == ["claims"]
    assert state.current["version"] == 1  # control: the touched holder's signature is needed
    state = world.play(ag.agreement, state, world.sign(after, "claims"))
    assert state.current["version"] == 2
    assert ag.unusable(state, 2, digest(after), world.NOW) == []
    wider = {**after, "version": 3, "supersedes": digest(after), "areas": ["health"]}
    state = world.play(ag.agreement, state, ag.Draft(by="legal", terms=wider))
    for party in ("company", "claims"):
        state = world.play(ag.agreement, state, world.sign(wider, party))
    assert state.current["version"] == 2
    assert ag.unsigned(state) == ["hospital-a"]


def test_an_offer_drafted_before_amendments_were_compared_still_needs_all(world):
    terms = world.terms()
    old = {"v": 1, "at": world.NOW.isoformat(), "by": "x", "terms": terms, "digest": digest(terms)}
    state = ag.agreement.replay([("agreement.drafted", json.loads(json.dumps(old)))])
    assert ag.unsigned(state) == ALL


def test_a_counter_offer_drops_the_offer_and_says_what_would_be_signed(world):
    terms = world.terms()
    state = world.play(ag.agreement, ag.Agreement(), ag.Draft(by="legal", terms=terms), world.sign(terms, "company"))
    counter = ag.Counter(by="claims-legal", party="claims", reason="too long", proposal={"not_after": "2027-03-31"})
    world.refused("no-reason", ag.agreement, state, ag.Counter(by="x", party="claims", reason=""))
    world.refused("not-a-party", ag.agreement, state, ag.Counter(by="x", party="eve", reason="r"))
    unknown = ag.Counter(by="x", party="claims", reason="r", proposal={"colour": 1})
    world.refused("unknown-field", ag.agreement, state, unknown)
    state = world.play(ag.agreement, state, counter)
    assert (state.status, state.pending, state.counter["party"]) == ("countered", {}, "claims")
    world.refused("nothing-to-sign", ag.agreement, state, world.sign(terms, "claims"))
    again = {**terms, **state.counter["proposal"]}
    state = world.play(ag.agreement, state, ag.Draft(by="legal", terms=again))
    assert (state.status, state.counter) == ("signing", {})
    assert ag.unsigned(state) == ALL


def test_a_countered_amendment_leaves_the_version_in_force(world):
    before = world.terms()
    after = {**before, "version": 2, "supersedes": digest(before), "areas": ["health"]}
    state = world.play(ag.agreement, world.signed(before), ag.Draft(by="legal", terms=after))
    state = world.play(ag.agreement, state, ag.Counter(by="x", party="claims", reason="no"))
    assert state.status == "in force"
    assert ag.unusable(state, 1, digest(before), world.NOW) == []


@settings(max_examples=60, deadline=None)
@given(first=st.sampled_from(sorted(CASES)), second=st.sampled_from(sorted(CASES)))
def test_two_changes_together_are_signed_by_all_whom_either_touches(first, second, world):
    """Touching is additive: hiding a widening change beside narrowing ones spares nobody's signature."""
    one, other = CASES[first], CASES[second]
    if set(one[0]) & set(other[0]) or {"holders", "linkage"} & (set(one[0]) | set(other[0])):
        return
    before = world.terms()
    after = {**before, **one[0], **other[0], "version": 2, "supersedes": digest(before)}
    assert signers(before, after) == [party for party in parties(after) if party in one[1] or party in other[1]]
