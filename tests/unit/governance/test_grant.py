"""The derived grant: allowed when every fact holds; each fact that is broken alone refuses with its own reason."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.governance import agreement as ag
from ansim.governance import board as bd
from ansim.governance.grant import CHECKS, Facts, decide_grant


@pytest.fixture(scope="module")
def scene(world):
    """(facts, request, now) with every fact in order; all frozen or never changed in place."""
    now = world.NOW
    members = {
        "org": "company",
        "seq": 3,
        "issued": (now - timedelta(days=1)).isoformat(),
        "expires": (now + timedelta(days=6)).isoformat(),
        "members": [{"id": "ann", "key": world.key("A")}],
    }
    return *world.in_order(world.terms(), members=members, signer=world.key("A")), now


def job(**changes):
    return lambda facts, request, now, world: (facts, {**request, **changes}, now)


def fact(**changes):
    return lambda facts, request, now, world: (replace(facts, **changes), request, now)


def state(name, **changes):
    """Change fields of the agreement or board state."""
    return lambda facts, request, now, world: (
        replace(facts, **{name: replace(getattr(facts, name), **changes)}),
        request,
        now,
    )


def irb(**changes):
    return lambda facts, request, now, world: (
        replace(facts, board=replace(facts.board, irb={**facts.board.irb, **changes})),
        request,
        now,
    )


def statement(name, **changes):
    return lambda facts, request, now, world: (
        replace(facts, **{name: {**getattr(facts, name), **changes}}),
        request,
        now,
    )


def designation(number, **changes):
    def change(facts, request, now, world):
        bodies = [dict(entry) for entry in facts.designations["designations"]]
        bodies[number].update(changes)
        return replace(facts, designations={**facts.designations, "designations": bodies}), request, now

    return change


def forged_terms(facts, request, now, world):
    """Somebody edits the stored terms and leaves the digest."""
    terms = {**facts.agreement.current["terms"], "max_persons": 10**9}
    current = {**facts.agreement.current, "terms": terms}
    return replace(facts, agreement=replace(facts.agreement, current=current)), request, now


def unsigned(facts, request, now, world):
    current = {**facts.agreement.current, "signatures": {"company": {"key": "k"}}}
    return replace(facts, agreement=replace(facts.agreement, current=current)), request, now


def signed_by_another(facts, request, now, world):
    return replace(facts, signer=world.key("Q")), request, now


def amended(facts, request, now, world):
    second = world.terms(version=2, supersedes=facts.agreement.current["digest"], max_persons=2000)
    commands = [
        ag.Draft(by="x", terms=second),
        *(world.sign(second, party) for party in ("company", "hospital-a", "claims")),
    ]
    return replace(facts, agreement=world.play(ag.agreement, facts.agreement, *commands)), request, now


def removed(facts, request, now, world):
    state = world.play(ag.agreement, facts.agreement, ag.RemoveMember(by="company-legal", member="ann", reason="left"))
    return replace(facts, agreement=state), request, now


def revoked(facts, request, now, world):
    return (
        replace(facts, board=world.play(bd.board, facts.board, bd.Revoke(by="chair", reason="incident"))),
        request,
        now,
    )


def other_query(facts, request, now, world):
    query = {**request["query"], "variables": [*request["query"]["variables"], {"name": "age", "kind": "age"}]}
    return facts, {**request, "query": query}, now


def permits(*kinds, asked=None):
    """The agreement names kinds of investigation; the job names one or none."""

    def change(facts, request, now, world):
        terms = {**facts.agreement.current["terms"], "investigations": list(kinds)}
        facts = replace(facts, agreement=world.signed(terms))
        named = {"investigation": asked} if asked else {}
        return facts, {**request, "terms": facts.agreement.current["digest"], **named}, now

    return change


def test_a_narrower_kind_of_investigation_is_covered(scene, world):
    facts, request, now = permits("BR", asked="DCR")(*scene, world)
    assert decide_grant(facts, request, now).allowed


NEW_KEY = [{"id": "ann", "key": {"kty": "OKP", "crv": "Ed25519", "x": "Z" * 43}}]
BROKEN = {
    "kind": (job(ansim="job/2"), {"wrong-kind"}),
    "agreement id": (job(agreement="agr-2"), {"other-agreement"}),
    "suspended": (state("agreement", status="suspended"), {"agreement-not-in-force"}),
    "ended": (state("agreement", status="ended"), {"agreement-not-in-force"}),
    "terms digest": (job(terms="b" * 64), {"terms-differ"}),
    "stored terms edited": (forged_terms, {"terms-differ"}),
    "signature missing": (unsigned, {"signature-missing"}),
    "old version": (amended, {"version-superseded", "terms-differ"}),
    "version": (job(version=2), {"version-superseded"}),
    "not a party": (fact(holder="hospital-b"), {"not-a-party"}),
    "member not agreed": (job(member="eve"), {"member-not-agreed", "signature", "member-not-attested"}),
    "poses as a member": (signed_by_another, {"signature", "key-not-attested"}),
    "no signature": (fact(signer=None), {"signature", "key-not-attested"}),
    "member removed": (removed, {"member-removed"}),
    "no member list": (fact(members=None), {"members-missing", "member-not-attested"}),
    "stale member list": (statement("members", expires="2026-11-22T00:00:00+00:00"), {"members-stale"}),
    "older member list": (fact(members_seq=4), {"members-older"}),
    "future member list": (statement("members", issued="2026-12-01T00:00:00+00:00"), {"members-future"}),
    "other organisation": (statement("members", org="rival"), {"members-other-org"}),
    "member left": (statement("members", members=[]), {"member-not-attested"}),
    "member's key changed": (statement("members", members=NEW_KEY), {"key-not-attested"}),
    "area": (job(area="oncology"), {"area-outside"}),
    "wider area": (job(area="respiratory"), {"area-outside"}),
    "unknown area": (job(area="magic"), {"area-outside"}),
    "kind of investigation": (permits("DCR"), {"investigation-outside"}),
    "wider kind of investigation": (permits("DCR", asked="BR"), {"investigation-outside"}),
    "mode": (job(mode="centre"), {"mode-outside"}),
    "place": (job(centre="elsewhere"), {"place-outside"}),
    "variable": (other_query, {"variable-outside"}),
    "no comparison": (fact(outside=None), {"query-unchecked"}),
    "too many people": (fact(persons=1001), {"too-many-persons"}),
    "people not counted": (fact(persons=None), {"persons-unknown"}),
    "board rejected": (state("board", status="rejected"), {"board"}),
    "board revoked": (revoked, {"board"}),
    "board expired": (state("board", expires="2026-11-22"), {"board-expired"}),
    "IRB absent": (state("board", irb={}), {"irb-missing"}),
    "IRB by one person": (irb(confirmed_by="secretary"), {"irb-missing"}),
    "IRB suspended": (irb(decision="suspended"), {"irb"}),
    "IRB expired": (irb(expires="2026-11-22"), {"irb-expired"}),
    "centre suspended": (designation(0, suspended=True), {"designation-suspended"}),
    "centre expired": (designation(0, not_after="2026-11-22"), {"designation-expired"}),
    "centre not linker": (designation(0, roles=["centre"]), {"not-designated"}),
    "key agency unknown": (designation(1, id="other"), {"not-designated"}),
    "suspension unreadable": (designation(1, suspended=None), {"designation-suspended"}),
    "designations stale": (statement("designations", expires="2026-11-22T00:00:00+00:00"), {"designations-stale"}),
    "designations older": (fact(designations_seq=6), {"designations-older"}),
    "clock behind ledger": (fact(last_entry="2026-11-23T09:00:01+00:00"), {"clock-behind"}),
    "clock skew": (fact(reference="2026-11-23T09:06:00+00:00"), {"clock-skew"}),
    "job from the future": (job(at="2026-11-23T10:00:00+00:00"), {"job-future"}),
    "job too old": (job(at="2026-11-01T10:00:00+00:00"), {"job-old"}),
    "replayed": (fact(nonces=frozenset({"0123456789abcdef"})), {"replayed"}),
    "short nonce": (job(nonce="1"), {"nonce"}),
}


def test_all_facts_hold(scene, world):
    facts, request, now = scene
    grant = decide_grant(facts, request, now)
    assert grant.as_data() == {"allowed": True, "reasons": []}
    assert grant.public_reason is None
    assert decide_grant(facts, {**request, "mode": "federated"}, now).allowed
    assert decide_grant(replace(facts, irb_needed=False, board=replace(facts.board, irb={})), request, now).allowed


@pytest.mark.parametrize("name", BROKEN)
def test_each_violated_bound_alone_refuses(name, scene, world):
    change, codes = BROKEN[name]
    grant = decide_grant(*change(*scene, world))
    assert not grant.allowed
    assert {reason.code for reason in grant.reasons} == codes
    assert all(str(reason) for reason in grant.reasons)
    assert grant.public_reason.code == "refused"
    with pytest.raises(Problem, match="does not run"):
        grant.require()


def test_the_period_bounds_are_days_in_korea(scene, world):
    facts, request, now = scene
    fresh = {"expires": "2028-01-01T00:00:00+00:00"}
    facts = replace(
        facts, members={**facts.members, **fresh}, designations={**facts.designations, **fresh}, reference=""
    )
    last = now.replace(year=2027, month=10, day=31, hour=14, minute=59)  # 23:59 in Seoul
    assert decide_grant(facts, {**request, "at": last.isoformat()}, last).allowed
    after = last + timedelta(minutes=1)
    assert [r.code for r in decide_grant(facts, {**request, "at": after.isoformat()}, after).reasons] == ["period-over"]
    early = [
        r.code
        for r in decide_grant(
            replace(facts, last_entry="2026-10-01T00:00:00+00:00"), request, now.replace(month=10, day=31, hour=14)
        ).reasons
    ]
    assert "not-yet" in early


def test_every_reason_is_reported_at_once(scene, world):
    facts, request, now = scene
    grant = decide_grant(replace(facts, persons=5000), {**request, "area": "oncology", "mode": "centre"}, now)
    assert [reason.code for reason in grant.reasons] == ["area-outside", "mode-outside", "too-many-persons"]


def test_an_empty_world_grants_nothing(scene, world):
    grant = decide_grant(Facts(holder="h", agreement=ag.Agreement(), board=bd.BoardCase()), {}, world.NOW)
    assert not grant.allowed
    assert "no-agreement" in {reason.code for reason in grant.reasons}


def test_the_public_text_is_the_same_whatever_the_reason(scene, world):
    texts = {str(decide_grant(*change(*scene, world)).public_reason) for change, _ in BROKEN.values()}
    assert len(texts) == 1


def test_every_check_is_needed(scene, world):
    """No check is idle: for each there is a broken fact that it alone, or among others, refuses."""
    seen = set()
    for change, _ in BROKEN.values():
        broken = change(*scene, world)
        for name, check in CHECKS.items():
            try:
                found = bool(list(check(*broken)))
            except Problem:
                found = True
            if found:
                seen.add(name)
    assert seen == set(CHECKS)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(names=st.sets(st.sampled_from(sorted(BROKEN)), min_size=1, max_size=4))
def test_no_combination_of_broken_facts_is_granted(names, scene, world):
    """Applying any of the breaks one after another never mends an earlier one into a grant."""
    broken = scene
    for name in sorted(names):
        try:
            broken = BROKEN[name][0](*broken, world)
        except (TypeError, Problem):
            continue  # this break needs what an earlier one took away
    assert not decide_grant(*broken).allowed


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    field=st.sampled_from(["agreement", "version", "terms", "area", "mode", "member", "at", "nonce", "query"]),
    junk=st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.none(), max_size=1), st.just({})
    ),
)
def test_junk_in_a_job_is_refused_and_never_crashes(field, junk, scene):
    facts, request, now = scene
    assert not decide_grant(facts, {**request, field: junk}, now).allowed
    assert not decide_grant(facts, {key: value for key, value in request.items() if key != field}, now).allowed
