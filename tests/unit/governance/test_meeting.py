"""A board that meets: minutes bind only when enough who were there have confirmed them; recusals count for nothing."""

from dataclasses import replace

import pytest

from ansim.governance import board as bd
from ansim.governance.board import BoardCase, board

NAMES = ("chair", "m1", "m2", "m3", "out")
MEMBERS = [{"id": n, "name": n, "org": "u" if n == "out" else "h", "kind": "outsider" if n == "out" else "internal"}
           for n in NAMES]  # fmt: skip
MEETING = bd.RecordMeeting(
    by="secretary", held="2026-11-20", agenda="One application", present=["chair", "m1", "out"], outcome="approved"
)


def docketed(world, conflicted=()):
    docket = bd.Docket(
        by="secretary", case="c1", application={"id": "a"}, applicant_org="company", chair="chair", members=MEMBERS
    )
    said = [bd.DeclareConflict(by=n, conflict=n in conflicted, about="kin" if n in conflicted else "") for n in NAMES]
    return world.play(board, BoardCase(), docket, *said)


def decide(outcome="approved", **more):
    return bd.Decide(by="chair", outcome=outcome, letter="a" * 64, expires="2027-12-31", **more)


def test_confirmed_minutes_decide(world):
    state = world.play(board, docketed(world), MEETING)
    assert state.status == "meeting"
    world.refused("no-quorum", board, state, decide())
    state = world.play(board, state, bd.ConfirmMinutes(by="m1"), bd.ConfirmMinutes(by="out"))
    world.refused("no-quorum", board, state, decide())  # two of three
    state = world.play(board, state, bd.ConfirmMinutes(by="chair"))
    world.refused("against-the-votes", board, state, decide("rejected"))
    world.refused("not-the-chair", board, state, replace(decide(), by="m1"))
    assert world.play(board, state, decide()).status == "approved"
    assert world.play(board, state, decide("approved with conditions", conditions=["c"])).outcome == bd.CONDITIONS


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"held": "2026-12-24"}, "future-meeting"),
        ({"held": "2026-02-30"}, "not-a-date"),
        ({"agenda": " "}, "no-agenda"),
        ({"present": ["m1", "m2", "out"]}, "no-chair"),
        ({"present": ["chair", "m1"]}, "no-quorum"),
        ({"present": ["chair", "m1", "m1"]}, "no-quorum"),  # nobody is counted twice
        ({"present": ["chair", "m1", "eve"]}, "not-a-member"),
        ({"outcome": "fine"}, "unknown-outcome"),
        ({"outcome": "approved with conditions"}, "conditions-mismatch"),
    ],
)
def test_wrong_minutes(change, code, world):
    world.refused(code, board, docketed(world), replace(MEETING, **change))


def test_who_has_a_conflict_is_recused_and_not_counted(world):
    state = docketed(world, conflicted=("m1",))
    world.refused("no-quorum", board, state, MEETING)
    state = world.play(board, state, replace(MEETING, present=["chair", "m1", "m2", "out"]))
    assert state.minutes["recused"] == ["m1"]
    world.refused("not-present", board, state, bd.ConfirmMinutes(by="m1"))
    world.refused("not-present", board, state, bd.ConfirmMinutes(by="m3"))


def test_nobody_confirms_twice_or_the_own_minutes(world):
    state = world.play(board, docketed(world), replace(MEETING, by="m1"))
    world.refused("same-person", board, state, bd.ConfirmMinutes(by="m1"))
    state = world.play(board, state, bd.ConfirmMinutes(by="out"))
    world.refused("confirmed-already", board, state, bd.ConfirmMinutes(by="out"))


def test_an_objection_takes_the_minutes_back(world):
    state = world.play(board, docketed(world), MEETING, bd.ConfirmMinutes(by="m1"))
    world.refused("no-reason", board, state, bd.ObjectToMinutes(by="out", reason=""))
    state = world.play(board, state, bd.ObjectToMinutes(by="out", reason="we deferred it"))
    assert (state.status, state.minutes) == ("docketed", {})
    world.refused("illegal-transition", board, state, decide())
    assert world.play(board, state, bd.OpenVoting(by="secretary")).status == "voting"


def test_everybody_declares_before_a_meeting_counts(world):
    docket = bd.Docket(
        by="secretary", case="c1", application={"id": "a"}, applicant_org="company", chair="chair", members=MEMBERS
    )
    world.refused("conflict-undeclared", board, world.play(board, BoardCase(), docket), MEETING)
