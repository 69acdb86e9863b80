"""Every ordered pair of states of an output request, and every command by every person in every state."""

from datetime import UTC, datetime
from itertools import product

import pytest

from ansim.errors import Problem
from ansim.governance import output as out
from ansim.governance.core import act
from ansim.governance.output import STATUSES, OutputRequest, output

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
FILES = [{"name": "table.csv", "sha256": "4" * 64, "size": 10}]
GOOD = {name: {"holds": True, "reason": "seen"} for name in ("purpose-related", "nobody-identifiable", "safety-plan")}
BAD = {**GOOD, "safety-plan": {"holds": False, "reason": "none"}}
PEOPLE = ("author", "member", "first", "second", "senior", "board1", "board2", "operator")

# From each state where it may go in one step, and nowhere else. (A state may stay: a first view, a board's first vote.)
LEGAL = {
    "none": {"submitted"},
    "submitted": {"checking", "refused", "withdrawn"},
    "checking": {"checking", "agreed", "disputed", "refused", "withdrawn"},
    "disputed": {"agreed", "refused", "withdrawn"},
    "agreed": {"agreed", "exportable", "refused", "released", "withdrawn"},
    "exportable": {"released", "withdrawn"},
    "released": {"revoked"},
    "refused": set(),
    "withdrawn": set(),
    "revoked": set(),
}


def submit(linked=False, board=1):
    return out.Submit(
        by="author", project="p", members=["author", "member"], files=FILES, purpose="x", linked=linked, board=board
    )


def ways():
    """Command lists that lead to a state of each kind; several where what happened before matters."""
    found, check = out.RecordFindings(by="checks", findings=[]), out.Check
    yes = [check(by="first", release=True, reason="a"), check(by="second", release=True, reason="a")]
    no = [check(by="first", release=False, reason="a"), check(by="second", release=False, reason="a")]
    split = [yes[0], no[1]]
    refusing = out.RecordFindings(by="checks", findings=[{"file": "table.csv", "level": "refuse"}])
    yield []
    yield [submit()]
    yield [submit(), refusing]
    yield [submit(), out.Withdraw(by="author")]
    yield [submit(), found]
    yield [submit(), found, yes[0]]
    yield [submit(), found, no[0]]
    yield [submit(), found, *no]
    yield [submit(), found, *split]
    yield [submit(), found, *split, out.Settle(by="senior", release=True, reason="a")]
    released = [submit(), found, *yes, out.Release(by="operator", files=FILES)]
    yield released[:-1]
    yield released
    yield [*released, out.Revoke(by="senior", reason="a")]
    for board in (1, 2):
        linked = [submit(linked=True, board=board), found, *yes]
        yield linked
        yield [*linked, out.ReviewExport(by="board1", criteria=GOOD)]
    yield [*linked, out.ReviewExport(by="board1", criteria=GOOD), out.ReviewExport(by="board2", criteria=GOOD)]


def commands(person):
    yield submit().__class__(**{**vars(submit()), "by": person})
    for findings in ([], [{"file": "table.csv", "level": "refuse"}]):
        yield out.RecordFindings(by=person, findings=findings)
    for release in (True, False):
        yield out.Check(by=person, release=release, reason="a")
        yield out.Settle(by=person, release=release, reason="a")
    for criteria in (GOOD, BAD):
        yield out.ReviewExport(by=person, criteria=criteria)
    yield out.Release(by=person, files=FILES)
    yield out.Withdraw(by=person)
    yield out.Revoke(by=person, reason="a")


@pytest.fixture(scope="module")
def tried():
    """(state before, command, person, state after or None where it was refused) of everything."""
    results = []
    for way in ways():
        state = OutputRequest()
        for command in way:
            state, _ = act(output, state, command, NOW)
        for person in PEOPLE:
            for command in commands(person):
                try:
                    after, _ = act(output, state, command, NOW)
                except Problem:
                    after = None
                results.append((state, command, person, after))
    return results


def test_every_state_is_reached(tried):
    assert {state.status for state, *_ in tried} == set(STATUSES) == set(LEGAL)


@pytest.mark.parametrize(("one", "other"), list(product(STATUSES, STATUSES)))
def test_every_ordered_pair(tried, one, other):
    possible = any(after and after.status == other for state, _, _, after in tried if state.status == one)
    assert possible == (other in LEGAL[one])


def test_the_table_of_steps_says_the_same(tried):
    listed = {(one, other) for step in output.steps.values() for one in step.source for other in step.target}
    found = {(state.status, after.status) for state, _, _, after in tried if after}
    assert found <= listed
    assert {(one, other) for one in LEGAL for other in LEGAL[one]} == found


def test_final_states_admit_nothing(tried):
    assert not [1 for state, _, _, after in tried if state.status in output.final and after]


@pytest.mark.parametrize("name", ["check", "settle", "review-export", "release", "revoke"])
def test_nobody_of_the_project_decides_anything(tried, name):
    by = {person for _, command, person, after in tried if command.name == name and after}
    assert by
    assert not by & {"author", "member"}


def test_who_has_looked_decides_no_second_time(tried):
    for state, command, person, after in tried:
        if after and command.name in ("check", "settle", "review-export"):
            assert person not in state.views
            assert person not in state.export_views
            assert person != state.senior


def test_linked_files_never_leave_without_the_whole_board(tried):
    for state, command, _, after in tried:
        if after and command.name == "release" and state.linked:
            assert len(state.export_views) >= state.board
            assert all(entry["holds"] for view in state.export_views.values() for entry in view.values())
    lone = [state for state, *_ in tried if state.board == 2 and len(state.export_views) == 1]
    assert lone
    assert {state.status for state in lone} == {"agreed"}
