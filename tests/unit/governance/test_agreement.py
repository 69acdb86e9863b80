"""Agreement: terms checked field by field; in force only by all signatures over one digest; v1 never returns."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.documents import digest
from ansim.errors import Problem, Problems
from ansim.governance import agreement as ag
from ansim.governance.agreement import Agreement, agreement, unsigned, unusable
from ansim.governance.terms import FIELDS, parse_terms, parties


def draft(terms):
    return ag.Draft(by="company-legal", terms=terms)


def codes(problems):
    return [problem.code for problem in problems]


def test_in_force_only_when_every_party_signed_the_same_terms(world):
    terms = world.terms()
    state = world.play(agreement, Agreement(), draft(terms), world.sign(terms, "company"), world.sign(terms, "claims"))
    assert (state.status, unsigned(state)) == ("signing", ["hospital-a"])
    assert "agreement-not-in-force" in codes(unusable(state, 1, digest(terms), world.NOW))
    other = world.terms(max_persons=10**6)
    world.refused("other-terms", agreement, state, world.sign(other, "hospital-a"))
    world.refused("not-a-party", agreement, state, world.sign(terms, "rival"))
    world.refused("signed-already", agreement, state, world.sign(terms, "company"))
    state = world.play(agreement, state, world.sign(terms, "hospital-a"))
    assert state.status == "in force"
    assert unusable(state, 1, digest(terms), world.NOW) == []


def test_a_counter_offer_drops_the_signatures(world):
    terms, counter = world.terms(), world.terms(max_persons=5)
    state = world.play(agreement, Agreement(), draft(terms), world.sign(terms, "company"), draft(counter))
    assert state.pending["signatures"] == {}
    world.refused("other-terms", agreement, state, world.sign(terms, "claims"))


def test_an_amendment_supersedes_and_the_old_version_never_returns(world):
    first = world.terms()
    state = world.signed(first)
    world.refused("wrong-version", agreement, state, draft(first))
    world.refused("wrong-version", agreement, state, draft(world.terms(version=3, supersedes=digest(first))))
    world.refused("wrong-predecessor", agreement, state, draft(world.terms(version=2, supersedes="b" * 64)))
    second = world.terms(version=2, supersedes=digest(first), max_persons=2000)
    state = world.play(agreement, state, draft(second), world.sign(second, "company"))
    assert unusable(state, 1, digest(first), world.NOW) == []  # until all have signed, version 1 holds
    assert codes(unusable(state, 2, digest(second), world.NOW)) == ["version-superseded", "terms-differ"]
    state = world.play(agreement, state, world.sign(second, "claims"), world.sign(second, "hospital-a"))
    assert unusable(state, 2, digest(second), world.NOW) == []
    assert "version-superseded" in codes(unusable(state, 1, digest(first), world.NOW))
    world.refused("wrong-version", agreement, state, draft(first))
    world.refused("nothing-to-sign", agreement, state, world.sign(first, "company"))
    assert state.history == [digest(first), digest(second)]


def test_an_amendment_does_not_lift_a_suspension(world):
    first = world.terms()
    second = world.terms(version=2, supersedes=digest(first), max_persons=2000)
    state = world.play(
        agreement,
        world.signed(first),
        ag.Suspend(by="hospital-a-dpo", reason="incident"),
        draft(second),
        *(world.sign(second, party) for party in parties(second)),
    )
    assert (state.status, state.current["version"]) == ("suspended", 2)
    world.refused("no-reason", agreement, state, ag.Resume(by="dpo", reason=""))
    assert world.play(agreement, state, ag.Resume(by="dpo", reason="resolved")).status == "in force"


def test_a_removed_member_stays_removed(world):
    first = world.terms()
    state = world.play(agreement, world.signed(first), ag.RemoveMember(by="hospital-a", member="ann", reason="left"))
    world.refused("member-removed", agreement, state, draft(world.terms(version=2, supersedes=digest(first))))
    world.refused("not-a-member", agreement, state, ag.RemoveMember(by="x", member="eve", reason=""))
    world.refused("removed-already", agreement, state, ag.RemoveMember(by="x", member="ann", reason=""))


def test_ending_needs_the_day_and_closing_the_certificate(world):
    state = world.signed(world.terms())
    world.refused("not-over", agreement, state, ag.End(by="clock"))
    later = world.NOW + timedelta(days=400)
    assert codes(unusable(state, 1, digest(world.terms()), later)) == ["period-over"]  # without anybody's act
    state = world.play(agreement, state, ag.End(by="clock"), now=later)
    world.refused("not-a-digest", agreement, state, ag.Close(by="custodian"), now=later)
    state = world.play(agreement, state, ag.Close(by="custodian", certificate=world.LETTER), now=later)
    assert state.status == "closed"
    never = world.play(agreement, Agreement(), draft(world.terms()), ag.Terminate(by="company", reason="no"))
    assert world.play(agreement, never, ag.Close(by="custodian")).status == "closed"


def test_terms_over_before_the_last_signature_do_not_come_into_force(world):
    terms = world.terms()
    state = world.play(agreement, Agreement(), draft(terms), world.sign(terms, "company"), world.sign(terms, "claims"))
    later = world.NOW + timedelta(days=400)
    world.refused("period-over", agreement, state, world.sign(terms, "hospital-a"), now=later)
    world.refused("period-over", agreement, Agreement(), draft(terms), now=later)


WRONG = {
    "id": "",
    "version": 0,
    "supersedes": "x",
    "title": {"en": "only"},
    "user": {"id": "hospital-a", "name": "same as a holder"},
    "holders": [],
    "members": [{"id": "a", "name": "a", "role": "r", "key": {"kty": "oct"}}],
    "purpose": "marketing",
    "areas": ["magic"],
    "query": {"ansim": "query/9"},
    "modes": ["download"],
    "place": {"centre": "", "remote": "no"},
    "linkage": {"key_agency": "same", "linker": "same", "holders": ["hospital-a", "claims"]},
    "max_persons": 0,
    "not_before": "2026-02-30",
    "not_after": "2020-01-01",
    "output": {"threshold": 10, "rounding": 5, "checkers": 1},
    "reidentification": "allowed",
    "destruction": {"within_days": -1},
}


@pytest.mark.parametrize("field", WRONG)
def test_each_field_of_the_terms_is_checked(field, world):
    assert parse_terms(world.terms()) == world.terms()
    with pytest.raises(Problems) as caught:
        parse_terms(world.terms(**{field: WRONG[field]}))
    wheres = {problem.where.split(".")[0] for problem in caught.value.problems}
    assert {"user": "holders"}.get(field, field) in wheres
    assert str(caught.value)


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "ansim"])
def test_each_field_is_needed_and_no_other_is_taken(field, world):
    with pytest.raises(Problems, match=field):
        parse_terms({key: value for key, value in world.terms().items() if key != field})
    with pytest.raises(Problems, match="surprise"):
        parse_terms(world.terms(surprise=1))


def test_terms_keys_and_query(world):
    private = {**world.key("A"), "d": "secret"}
    people = [{"id": name, "name": name, "role": "r", "key": world.key("A")} for name in ("a", "b")]
    with pytest.raises(Problems, match="share one key"):
        parse_terms(world.terms(members=people))
    with pytest.raises(Problems, match="private"):
        parse_terms(world.terms(members=[{**people[0], "key": private}]))

    def no_query(query):
        raise Problem("bad-query", "The query is wrong.")

    with pytest.raises(Problem, match="query is wrong"):
        parse_terms(world.terms(), no_query)
    with pytest.raises(Problem, match="agreement/1"):
        parse_terms({"ansim": "agreement/2"})
    with pytest.raises(Problem):
        parse_terms(None)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "key", "x", "centre", "holders"]), inner)
    ),
    max_leaves=4,
)


KEYED = [{"id": "a", "name": "a", "role": "r", "key": {"kty": "OKP", "crv": "Ed25519", "x": []}}] * 2


@pytest.mark.parametrize(
    "field", ["holders", "members", "areas", "modes", "linkage", "place", "user", "output", "query"]
)
@pytest.mark.parametrize(
    "junk",
    [[{}], [[]], {"key_agency": "k", "linker": "l", "holders": [{}]}, {"id": []}, [{"id": []}, {"id": {}}], KEYED],
)
def test_nested_junk_is_a_problem(field, junk, world):
    with pytest.raises(Problem, match=r"."):
        parse_terms(world.terms(**{field: junk}))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(field=st.sampled_from([field for field in FIELDS if field != "ansim"]), junk=JUNK)
def test_junk_in_any_field_is_a_problem_and_never_a_crash(field, junk, world):
    free = {"max_persons": 0, "publication": 1, "fees": 1, "linkage": None, "supersedes": None}
    document = world.terms(**{field: junk})
    if field in free or (field == "id" and isinstance(junk, str) and junk.strip()):
        with contextlib.suppress(Problem):
            parse_terms(document)
    else:
        with pytest.raises(Problem, match=r"."):
            parse_terms(document)


@pytest.mark.parametrize("kind", ["query/1", "query/2"])
def test_terms_take_either_query(world, kind):
    terms = world.terms(query={**world.terms()["query"], "ansim": kind})
    assert parse_terms(terms) == terms
