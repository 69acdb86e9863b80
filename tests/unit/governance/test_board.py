"""A board decides: composition by edition, conflicts, quorum, blinded votes, a bound chair, IRB by two people."""

import json
from datetime import UTC, date, datetime

import pytest

from ansim.errors import Problem
from ansim.governance import rules
from ansim.governance.board import (
    BoardCase,
    Close,
    ConfirmIrb,
    Decide,
    DeclareConflict,
    Docket,
    EnterIrb,
    OpenVoting,
    Revoke,
    Vote,
    advice,
    board,
    composition,
    tally,
    view,
)
from ansim.governance.core import act

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MEMBERS = [
    {"id": "chair", "name": "Kim", "org": "hospital-a", "kind": "internal"},
    {"id": "m1", "name": "Lee", "org": "hospital-a", "kind": "internal"},
    {"id": "m2", "name": "Park", "org": "hospital-a", "kind": "internal"},
    {"id": "m3", "name": "Choi", "org": "company", "kind": "internal"},
    {"id": "out", "name": "Jung", "org": "university", "kind": "outsider"},
]
LETTER = "a" * 64


def play(*commands, state=None):
    """Run the commands; the same log replayed from JSON must give the same state."""
    state = state or BoardCase()
    for command in commands:
        before = state
        state, events = act(board, before, command, NOW)
        stored = [(event.type, json.loads(json.dumps(event.data()))) for event in events]
        assert board.fold([board.load(*row) for row in stored], before) == state
    return state


def docket(**changes):
    facts = {"case": "c1", "application": {"id": "a1"}, "applicant_org": "company", "chair": "chair"}
    return Docket(**{"by": "secretary", "members": MEMBERS, **facts, **changes})


def declare(conflicts=()):
    return [
        DeclareConflict(by=entry["id"], conflict=entry["id"] in conflicts, about="funding" * (entry["id"] in conflicts))
        for entry in MEMBERS
    ]


def voting(conflicts=()):
    return play(docket(), *declare(conflicts), OpenVoting(by="secretary"))


def refused(code, state, command):
    with pytest.raises(Problem) as caught:
        board.decide(state, command, NOW)
    assert caught.value.code == code
    assert str(caught.value)


def test_a_board_approves():
    votes = [Vote(by=person, choice="approve") for person in ("chair", "m1", "out")]
    state = play(
        docket(),
        *declare(),
        OpenVoting(by="secretary"),
        *votes,
        Decide(by="chair", outcome="approved", letter=LETTER, expires="2027-12-31"),
    )
    assert (state.status, state.expires, state.edition) == ("approved", "2027-12-31", "2025.12")
    assert view(state, "m2")["votes"].keys() == {"chair", "m1", "out"}


def test_votes_are_blind_until_the_decision():
    state = play(Vote(by="m1", choice="approve"), Vote(by="out", choice="reject", reason="no"), state=voting())
    assert view(state, "m1")["votes"].keys() == {"m1"}
    assert view(state, "m2")["votes"] == {}
    assert view(state)["votes_in"] == 2
    assert view(play(Close(by="secretary", reason="withdrawn"), state=state), "m2")["votes"] == {}


def test_who_may_not_vote():
    state = voting(conflicts=["m1"])
    refused("conflict-of-interest", state, Vote(by="m1", choice="approve"))
    refused("applicants-member", state, Vote(by="m3", choice="approve"))
    refused("not-a-member", state, Vote(by="stranger", choice="approve"))
    voted = play(Vote(by="m2", choice="approve"), state=state)
    refused("voted-already", voted, Vote(by="m2", choice="approve"))
    refused("voted-already", voted, DeclareConflict(by="m2", conflict=True, about="late"))
    refused("unknown-choice", state, Vote(by="m2", choice="maybe"))
    refused("no-reason", state, Vote(by="m2", choice="reject"))
    refused("no-conditions", state, Vote(by="m2", choice="conditions"))
    proposed = play(docket(by="m2"), *declare(), OpenVoting(by="secretary"))
    refused("proposer-decides", proposed, Vote(by="m2", choice="approve"))


def test_no_decision_without_quorum_or_against_the_votes():
    state = play(Vote(by="m1", choice="approve"), Vote(by="m2", choice="approve"), state=voting())
    ask = Decide(by="chair", outcome="approved", letter=LETTER, expires="2027-12-31")
    refused("no-quorum", state, ask)
    split = play(
        Vote(by="out", choice="reject", reason="no"), Vote(by="chair", choice="reject", reason="no"), state=state
    )
    refused("against-the-votes", split, ask)
    assert play(Decide(by="chair", outcome="deferred", letter=LETTER), state=split).status == "deferred"
    full = play(Vote(by="chair", choice="approve"), state=state)
    refused("not-the-chair", full, Decide(by="m1", outcome="approved", letter=LETTER, expires="2027-12-31"))
    refused("not-a-digest", full, Decide(by="chair", outcome="approved", letter="?", expires="2027-12-31"))
    refused("expired", full, Decide(by="chair", outcome="approved", letter=LETTER, expires="2026-11-22"))
    refused("against-the-votes", full, Decide(by="chair", outcome="rejected", letter=LETTER))
    refused(
        "conditions-mismatch",
        full,
        Decide(by="chair", outcome="approved with conditions", letter=LETTER, expires="2027-12-31"),
    )


def test_voting_opens_only_when_all_declared_and_a_quorum_can_vote():
    refused("conflict-undeclared", play(docket(), *declare()[:-1]), OpenVoting(by="secretary"))
    refused("no-quorum-possible", play(docket(), *declare(["m1", "m2"])), OpenVoting(by="secretary"))
    refused("conflict-of-interest", play(docket(), *declare(["chair"])), OpenVoting(by="secretary"))
    assert play(docket(), *declare(["chair"]), OpenVoting(by="secretary", chair="out")).chair == "out"
    refused("conflict-unnamed", play(docket()), DeclareConflict(by="m1", conflict=True))


def test_an_approval_can_be_revoked_and_every_case_closed():
    state = play(*[Vote(by=person, choice="approve") for person in ("chair", "m1", "out")], state=voting())
    state = play(Decide(by="chair", outcome="approved", letter=LETTER, expires="2027-12-31"), state=state)
    refused("not-the-chair", state, Revoke(by="m1", reason="x"))
    refused("no-reason", state, Revoke(by="chair", reason=""))
    state = play(Revoke(by="chair", reason="incident"), state=state)
    assert (state.status, state.outcome) == ("revoked", "revoked")
    assert play(Close(by="secretary", reason="over"), state=state).status == "closed"


def test_a_deferred_case_is_voted_anew():
    state = play(*[Vote(by=m, choice="defer", reason="plan") for m in ("chair", "m1", "m2")], state=voting())
    state = play(Decide(by="chair", outcome="deferred", letter=LETTER), docket(), state=state)
    assert (state.round, state.votes, state.declared, state.status) == (2, {}, {}, "docketed")
    refused("illegal-transition", state, docket())


def test_the_irb_decision_needs_a_second_person_with_the_same_letter():
    irb = EnterIrb(by="secretary", number="2026-17", letter=LETTER, decision="exempt", expires="2027-06-30")
    state = play(docket(), irb)
    assert state.irb == {}
    refused("same-person", state, ConfirmIrb(by="secretary", letter=LETTER))
    refused("other-letter", state, ConfirmIrb(by="dpo", letter="b" * 64))
    state = play(ConfirmIrb(by="dpo", letter=LETTER), state=state)
    assert (state.irb["decision"], state.irb["confirmed_by"]) == ("exempt", "dpo")
    refused("nothing-to-confirm", state, ConfirmIrb(by="dpo", letter=LETTER))


@pytest.mark.parametrize(
    ("day", "codes"),
    [
        (date(2021, 1, 1), ["no-outside-majority"]),
        (date(2023, 1, 1), ["too-few-outsiders"]),
        (date(2026, 1, 1), []),
    ],
)
def test_composition_follows_the_edition_of_the_day(day, codes):
    assert [problem.code for problem in composition(MEMBERS, "chair", rules.at(day))] == codes
    assert "board-too-small" in [problem.code for problem in composition(MEMBERS[:4], "chair", rules.at(day))]
    for name in ("id", "org", "kind"):
        torn = [{**MEMBERS[0], name: None}, *MEMBERS[1:]]
        assert [problem.code for problem in composition(torn, "chair", rules.at(day))] == ["member-fields"]
    assert "no-chair" in [problem.code for problem in composition(MEMBERS, "x", rules.at(day))]


def test_an_outsider_is_advised_where_the_edition_recommends_one():
    inside = [{**entry, "kind": "internal"} for entry in MEMBERS]
    assert [problem.code for problem in advice(inside, rules.at(date(2026, 1, 1)))] == ["outsider-recommended"]
    assert composition(inside, "chair", rules.at(date(2026, 1, 1))) == []
    assert advice(MEMBERS, rules.at(date(2026, 1, 1))) == []


def test_tally_needs_more_than_half():
    def votes(*choices):
        return {str(number): {"choice": choice} for number, choice in enumerate(choices)}

    assert tally(votes("approve", "approve", "reject")) == "approved"
    assert tally(votes("approve", "conditions", "reject")) == "approved with conditions"
    assert tally(votes("approve", "reject")) == "deferred"
    assert tally(votes("reject", "reject", "approve")) == "rejected"
