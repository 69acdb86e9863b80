"""What leaves: the adequacy review of an extract, and the output request of a centre."""

import pytest

from ansim.errors import Problem
from ansim.governance import extract_review as er
from ansim.governance import output as out
from ansim.governance.core import act
from ansim.governance.extract_review import ExtractReview, extract_review, subject, unusable
from ansim.governance.output import OutputRequest, output, view
from ansim.governance.separations import APART, READ_ONLY, ROLES, clashes, require_apart

PLAN, REPORT = "1" * 64, "2" * 64


def opened(world, **changes):
    facts = {"by": "op", "project": "p1", "plan": PLAN, "data_version": "v7", "report": REPORT, "tier": "medium"}
    command = er.Open(**{**facts, "operators": ["op2"], "users": ["ann"], **changes})
    return world.play(extract_review, ExtractReview(), command)


def opinion(state, person, **changes):
    return er.Review(**{"by": person, "adequate": True, "digest": subject(state), "key": f"{person}-key", **changes})


@pytest.mark.parametrize(("tier", "needed"), [("low", 1), ("medium", 2), ("high", 3)])
def test_the_tier_says_how_many_reviewers(tier, needed, world):
    state = opened(world, tier=tier)
    for number in range(needed):
        assert state.status == "reviewing"
        state = world.play(extract_review, state, opinion(state, f"r{number}", present=tier == "high"))
    assert state.status == "adequate"
    assert unusable(state, PLAN, "v7") == []


def test_nobody_involved_reviews_and_nobody_twice(world):
    state = opened(world)
    for person in ("op", "op2", "ann"):
        world.refused("roles-not-apart", extract_review, state, opinion(state, person))
    once = world.play(extract_review, state, opinion(state, "r1"))
    world.refused("reviewed-already", extract_review, once, opinion(once, "r1"))
    world.refused("key-shared", extract_review, once, opinion(once, "r2", key="r1-key"))
    world.refused("other-subject", extract_review, state, opinion(state, "r1", digest="3" * 64))
    world.refused("in-person", extract_review, opened(world, tier="high"), opinion(opened(world, tier="high"), "r1"))
    world.refused(
        "unknown-tier",
        extract_review,
        ExtractReview(),
        er.Open(by="op", project="p", plan=PLAN, data_version="v", report=REPORT, tier="ask", operators=[], users=[]),
    )


def test_a_change_of_data_or_plan_ends_the_decision(world):
    state = opened(world)
    old = subject(state)
    state = world.play(extract_review, state, opinion(state, "r1"), opinion(state, "r2"))
    assert [problem.code for problem in unusable(state, PLAN, "v8")] == ["data-changed"]
    assert [problem.code for problem in unusable(state, "9" * 64, "v7")] == ["plan-changed"]
    again = er.Open(
        by="op", project="p1", plan=PLAN, data_version="v8", report=REPORT, tier="medium", operators=[], users=[]
    )
    world.refused("unchanged", extract_review, state, er.Open(**{**vars(again), "data_version": "v7"}))
    state = world.play(extract_review, state, again)
    assert (state.decisions, state.status) == ({}, "reviewing")
    world.refused("other-subject", extract_review, state, opinion(state, "r1", digest=old))
    world.refused("roles-not-apart", extract_review, state, opinion(state, "op2"))  # remembered from the first round


def test_one_inadequate_settles_it(world):
    state = opened(world)
    world.refused("no-reason", extract_review, state, opinion(state, "r1", adequate=False))
    state = world.play(extract_review, state, opinion(state, "r1", adequate=False, reason="k too small"))
    assert state.status == "inadequate"
    assert unusable(state, PLAN, "v7")[0].code == "not-adequate"


FILES = [{"name": "table.csv", "sha256": "4" * 64, "size": 10}]
CRITERIA = {
    name: {"holds": True, "reason": "seen"} for name in ("purpose-related", "nobody-identifiable", "safety-plan")
}


def asked(world, linked=False, findings=()):
    return world.play(
        output,
        OutputRequest(),
        out.Submit(by="ann", project="p1", members=["ann", "bob"], files=FILES, purpose="paper", linked=linked),
        out.RecordFindings(by="site", findings=list(findings)),
    )


def check(person, release=True, reason="fine"):
    return out.Check(by=person, release=release, reason=reason)


def test_two_blind_checkers_release(world):
    state = world.play(output, asked(world), check("c1", reason="seen"))
    assert view(state, "c2")["views"] == {}
    assert view(state, "c1")["views"].keys() == {"c1"}
    assert view(state)["views_in"] == 1
    world.refused("illegal-transition", output, state, out.Release(by="operator", files=FILES))
    state = world.play(output, state, check("c2"))
    assert view(state, "x")["views"].keys() == {"c1", "c2"}
    world.refused("files-changed", output, state, out.Release(by="operator", files=[{**FILES[0], "sha256": "5" * 64}]))
    world.refused("roles-not-apart", output, state, out.Release(by="bob", files=FILES))
    state = world.play(output, state, out.Release(by="operator", files=FILES))
    assert state.status == "released"
    assert state.manifest["files"] == FILES


def test_author_and_project_members_do_not_check(world):
    state = asked(world)
    for person in ("ann", "bob"):
        world.refused("roles-not-apart", output, state, check(person))
    world.refused("checked-already", output, world.play(output, state, check("c1")), check("c1"))
    world.refused("no-reason", output, state, check("c1", release=False, reason=""))
    look = [{"file": "table.csv", "level": "look", "code": "people-unknown", "message": ""}]
    world.refused("no-reason", output, asked(world, findings=look), check("c1", reason=""))


def test_a_dispute_goes_to_a_third_person(world):
    state = world.play(output, asked(world), check("c1"), check("c2", release=False, reason="row 3"))
    assert state.status == "disputed"
    for person in ("ann", "bob", "c1"):
        world.refused("roles-not-apart", output, state, out.Settle(by=person, release=True, reason="x"))
    assert world.play(output, state, out.Settle(by="head", release=True, reason="x")).status == "agreed"
    assert world.play(output, state, out.Settle(by="head", release=False, reason="x")).status == "refused"


def test_both_against_refuses_and_so_does_the_automatic_check(world):
    state = world.play(output, asked(world), check("c1", release=False), check("c2", release=False))
    assert state.status == "refused"
    finding = [{"file": "table.csv", "level": "refuse", "code": "small-cell", "message": "row 2"}]
    state = asked(world, findings=finding)
    assert (state.status, output.possible(state.status)) == ("refused", [])
    start = world.play(
        output,
        OutputRequest(),
        out.Submit(by="ann", project="p", members=["ann"], files=FILES, purpose="x", linked=False),
    )
    world.refused(
        "finding", output, start, out.RecordFindings(by="site", findings=[{"file": "other", "level": "refuse"}])
    )


def test_linked_data_need_the_three_criteria(world):
    state = world.play(output, asked(world, linked=True), check("c1"), check("c2"))
    world.refused("no-export-review", output, state, out.Release(by="operator", files=FILES))
    world.refused("roles-not-apart", output, state, out.ReviewExport(by="bob", criteria=CRITERIA))
    world.refused(
        "criteria", output, state, out.ReviewExport(by="e", criteria={"safety-plan": CRITERIA["safety-plan"]})
    )
    good = world.play(output, state, out.ReviewExport(by="e", criteria=CRITERIA), out.Release(by="op", files=FILES))
    assert good.status == "released"
    bad = {**CRITERIA, "nobody-identifiable": {"holds": False, "reason": "one hospital"}}
    assert world.play(output, state, out.ReviewExport(by="e", criteria=bad)).status == "refused"
    plain = world.play(output, asked(world), check("c1"), check("c2"))
    world.refused("no-export-review", output, plain, out.ReviewExport(by="e", criteria=CRITERIA))


@pytest.mark.parametrize(
    "changes", [{"files": []}, {"files": [{"name": "a"}]}, {"files": FILES * 2}, {"purpose": " "}, {"members": ["bob"]}]
)
def test_an_incomplete_request_is_refused(changes, world):
    facts = {"by": "ann", "project": "p", "members": ["ann"], "files": FILES, "purpose": "x", "linked": False}
    with pytest.raises(Problem):
        act(output, OutputRequest(), out.Submit(**{**facts, **changes}), world.NOW)


@pytest.mark.parametrize(
    ("one", "other"), [(one, other) for one in (*ROLES, READ_ONLY) for other in (*ROLES, READ_ONLY)]
)
def test_the_matrix_of_roles_is_symmetric_and_enforced(one, other):
    pairs = {frozenset(row[:2]) for row in APART}
    must = frozenset((one, other)) in pairs or (READ_ONLY in (one, other) and one != other)
    assert (other in clashes(one)) == must == (one in clashes(other))
    if must:
        with pytest.raises(Problem, match="cannot act"):
            require_apart("kim", one, {other: ["kim"]})
    else:
        require_apart("kim", one, {other: ["kim"]})
    require_apart("kim", one, {other: ["lee"]})
