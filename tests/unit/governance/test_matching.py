"""The smallest set of hospitals: equal to trying every subset, with a reason for each hospital."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance.matching import Candidate, rank, smallest
from ansim.governance.purpose import ABSTAIN, APPROVE, DENY


def test_one_large_hospital_beats_two_small_ones_and_each_has_its_reason():
    found = smallest(
        [
            Candidate("a", 400, fit=APPROVE),
            Candidate("b", 300, fit=APPROVE),
            Candidate("c", 900, fit=APPROVE),
            Candidate("d", 2000, fit=DENY),
            Candidate("e", 2000, coverage=0.5),
            Candidate("f", None),
        ],
        wanted=650,
    )
    assert found.chosen == ("c",)
    assert found.enough
    assert found.reasons == {
        "a": "not-needed",
        "b": "not-needed",
        "c": "chosen",
        "d": "purpose",
        "e": "variables",
        "f": "no-count",
    }


def test_among_sets_of_one_size_the_better_hospitals_win():
    pair = [Candidate("slow", 500, quality=0.9, fit=APPROVE, days=50), Candidate("quick", 500, quality=0.9, days=5)]
    assert smallest(pair, 400).chosen == ("slow",)  # a purpose that fits weighs more than a quick answer
    pair[1] = Candidate("quick", 500, quality=0.9, fit=APPROVE, days=5)
    assert smallest(pair, 400).chosen == ("quick",)


def test_where_the_number_cannot_be_reached_all_who_can_take_part_are_named():
    found = smallest([Candidate("a", 40), Candidate("b", 30), Candidate("c", 0)], wanted=100)
    assert (found.chosen, found.total, found.enough) == (("a", "b"), 70, False)
    assert smallest([], 10).chosen == ()


def test_forty_hospitals():
    many = [Candidate(f"h{number:02}", 10 * number + 5, quality=(number % 7) / 7) for number in range(40)]
    found = smallest(many, 3000)
    assert found.enough
    assert len(found.chosen) == 9  # the eight largest have 2880


candidate = st.builds(
    Candidate,
    id=st.uuids().map(str),
    count=st.none() | st.integers(0, 200),
    coverage=st.sampled_from([0.5, 1.0]),
    quality=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    fit=st.sampled_from([APPROVE, ABSTAIN, DENY]),
    days=st.none() | st.integers(0, 90),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(every=st.lists(candidate, max_size=7), wanted=st.integers(1, 500))
def test_it_is_the_best_of_all_subsets(every, wanted):
    able = [one for one in every if one.fit != DENY and one.coverage >= 1 and one.count]
    good = [
        (size, sum(one.penalty for one in subset))
        for size in range(len(able) + 1)
        for subset in combinations(able, size)
        if sum(one.count for one in subset) >= wanted
    ]
    found = smallest(every, wanted)
    assert set(found.reasons) == {one.id for one in every}
    assert found.enough == bool(good)
    if good:
        chosen = [one for one in every if one.id in found.chosen]
        size, penalty = min(good)
        assert len(chosen) == size
        assert sum(one.penalty for one in chosen) == pytest.approx(penalty, abs=1e-6)


def test_the_ranking_puts_a_denial_last():
    assert [one.id for one in rank([Candidate("a", 9, fit=DENY), Candidate("b", 1), Candidate("c", None)])] == [
        "b",
        "c",
        "a",
    ]
