"""A stolen hub, a bent request, a removed member, a suspended centre, an operator alone: each fails, and each would
succeed if its one defence were off."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

import pytest
import scenes
from scenes import DIRECTORY, HOSPITAL, HUB, NOW, ROOT1, SKEW, TRUST, check_off, off, scene, sign

from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance import agreement as ag
from ansim.governance import extract_review, grant
from ansim.privacy.disclosure.budget import Budget
from ansim.privacy.disclosure.policy import Policy
from ansim.sites.exchange import envelope, notices, signed
from ansim.sites.keeper.keystore import public, signing_key


@dataclass(frozen=True)
class Attack:
    """`attempt` says whether it got what it wanted; `without` switches the one defence off."""

    what: str
    defence: str
    attempt: Callable[[], bool]
    without: Callable[[], AbstractContextManager]


def accepted(notice: dict, held: int = 0) -> bool:
    try:
        notices.accept(notice, held, TRUST, DIRECTORY, NOW)
    except Problem:
        return False
    return True


def swap_a_key() -> bool:
    """The stolen hub publishes a directory in which a hospital's key is its own; one root's key was stolen with it."""
    return accepted(sign(scenes.directory_document(seq=2, **{"hospital-a": HUB}), HUB, ROOT1))


def add_a_member() -> bool:
    return accepted(sign(scenes.member_list(members=("ann", "mallory"), seq=4), HUB))


def anyone_signs(document, keys):
    return {each["kid"] for each in document["signatures"]}


def pose_as_member() -> bool:
    """In scope in every way, but signed with the hub's key."""
    return scene().bend(signer=public(HUB)).granted()


def forge_an_outcome() -> bool:
    """The hub writes a board's outcome in the hospital's name."""
    wire = envelope.write(
        "board.outcome", {"outcome": "approved"}, iss="hospital-a", aud="company", kid=HOSPITAL["kid"],
        sign=signing_key(HUB).sign, now=NOW, seq=1,
    )  # fmt: skip
    try:
        envelope.read(wire, directory=DIRECTORY, me="company", now=NOW, skew=SKEW)
    except Problem:
        return False
    return True


def no_signature_check(token, jwk):
    return signed.header(token), signed.unb64(token.split(".")[1])


def under_version_one() -> bool:
    """After version 2 is in force, the hub delivers version 1's job and its still valid signatures again."""
    first = scene()
    narrower = scenes.world.terms(
        members=first.facts.agreement.current["terms"]["members"], areas=["sinusitis"], version=2,
        supersedes=first.facts.agreement.current["digest"],
    )  # fmt: skip
    drafted = scenes.world.play(ag.agreement, first.facts.agreement, ag.Draft(by="company-legal", terms=narrower))
    signatures = [scenes.world.sign(narrower, party) for party in ag.unsigned(drafted)]  # of those whom it touches
    state = scenes.world.play(ag.agreement, drafted, *signatures)
    return first.bend(agreement=state).granted()


def withhold_a_removal() -> bool:
    """The organisation removed the member 15 days ago; the hub goes on delivering the list from before."""
    old = scenes.member_list(issued=NOW - timedelta(days=15))
    return scene().bend(members=old).granted()


def bring_back_an_old_list() -> bool:
    """The node saw number 4 without the member; the hub brings number 3 again."""
    return accepted(sign(scenes.member_list(seq=3), scenes.COMPANY), held=4)


def alter_a_dataset() -> bool:
    """The hub changes a number in a description that its holder signed."""
    genuine = sign({"ansim": "dataset/1", "holder": "hospital-a", "people": 560}, HOSPITAL)
    altered = {**genuine, "document": {**genuine["document"], "people": 56000}}
    try:
        signed.open_document(altered, DIRECTORY.keys("hospital-a", NOW))
    except Problem:
        return False
    return True


def flood() -> bool:
    """Thousands of questions in one requester's name: more than a day's budget gets answered."""
    policy = Policy()
    budget = Budget(policy)
    answered = sum(budget.spend("mallory", "company", NOW) for _ in range(5 * policy.feasibility_per_requester))
    return answered > policy.feasibility_per_requester


def flood_under_many_names() -> bool:
    """Each question in the name of another invented person of another invented company."""
    policy = Policy()
    budget = Budget(policy)
    names = range(3 * policy.feasibility_per_day)
    return sum(budget.spend(f"p{name}", f"o{name}", NOW) for name in names) > policy.feasibility_per_day


def another_area() -> bool:
    return scene(areas=["sinusitis"]).bend(area="cardiovascular").granted()


def more_variables() -> bool:
    asked = scene()
    query = {**asked.job["query"], "variables": [*asked.job["query"]["variables"], {"name": "hiv", "kind": "flag"}]}
    return asked.bend(query=query).granted()


def removed_member() -> bool:
    """The newest list, rightly signed, leaves the member out; the agreement still names the key."""
    return scene().bend(members=scenes.member_list(members=("bob",), seq=4), members_seq=4).granted()


def same_job_again() -> bool:
    return scene().bend(nonces=frozenset({"0123456789abcdef"})).granted()


def operator_alone() -> bool:
    """Who made the extract also judges it, with a second key of theirs."""
    d = "d" * 64
    opened = scenes.world.play(
        extract_review.extract_review, extract_review.ExtractReview(),
        extract_review.Open(by="operator", project="agr-1", plan=d, data_version="v", report=d,
            tier="medium", operators=["operator"], users=["ann"]),
    )  # fmt: skip
    try:
        scenes.world.play(
            extract_review.extract_review,
            opened,
            extract_review.Review(by="operator", adequate=True, digest=extract_review.subject(opened), key="k1"),
        )
    except Problem:
        return False
    return True


def suspended_centre() -> bool:
    asked = scene()
    bodies = [{**each, "suspended": each["id"] == "centre"} for each in asked.facts.designations["designations"]]
    return asked.bend(designations={**asked.facts.designations, "designations": bodies}).granted()


def after_the_end() -> bool:
    later = NOW + timedelta(days=400)
    fresh = scenes.member_list(issued=later - timedelta(days=1))
    return (
        scene()
        .bend(
            now=later,
            members=fresh,
            reference=later.isoformat(),
            last_entry=later.isoformat(),
            at=(later - timedelta(minutes=1)).isoformat(),
            board=scenes.replace(
                scenes.world.approved(),
                expires="2029-12-31",
                irb={**scenes.world.approved().irb, "expires": "2029-12-31"},
            ),
        )
        .granted()
    )


def move_the_clock_back() -> bool:
    """An operator sets the clock back into the agreement's period; the ledger remembers a later entry."""
    return scene().bend(last_entry=(NOW + timedelta(days=400)).isoformat()).granted()


# fmt: off
ATTACKS = [
    Attack("stolen hub swaps a hospital's key", "directory signed k of n by pinned roots", swap_a_key,
           lambda: off(signed, "signers", anyone_signs)),
    Attack("stolen hub adds a member", "member list signed by the organisation", add_a_member,
           lambda: off(signed, "signers", anyone_signs)),
    Attack("stolen hub poses as a member, in scope", "job signed by the member's key", pose_as_member,
           lambda: off(grant, "same_key", lambda one, other: True)),
    Attack("stolen hub forges a board's outcome", "envelope signed by the sender's key", forge_an_outcome,
           lambda: off(signed, "open_compact", no_signature_check)),
    Attack("stolen hub replays version 1 after version 2", "only the version in force counts", under_version_one,
           lambda: check_off("agreement")),
    Attack("stolen hub withholds a removal", "stale member lists are refused", withhold_a_removal,
           lambda: off(grant, "stale", lambda *a: [])),
    Attack("stolen hub brings an old member list back", "numbers of notices only rise", bring_back_an_old_list,
           lambda: off(notices, "newer", lambda seq, current: True)),
    Attack("stolen hub alters a dataset page", "description signed by its holder", alter_a_dataset,
           lambda: off(signed, "open_compact", lambda token, jwk: ({"typ": "ansim-document", "kid": jwk["kid"]}, b""))),
    Attack("stolen hub floods feasibility", "budget a requester and day at the holder", flood,
           lambda: off(Budget, "left", lambda *a: 1)),
    Attack("stolen hub floods feasibility under invented names", "budget a day for everybody at the holder",
           flood_under_many_names, lambda: off(Budget, "left", lambda *a: 1)),
    Attack("a request under another area of research", "area within the agreed ones", another_area,
           lambda: check_off("area")),
    Attack("a variable out of scope", "query within the agreed one", more_variables, lambda: check_off("query")),
    Attack("a removed member asks", "member attested in the newest list", removed_member,
           lambda: check_off("attestation")),
    Attack("the same signed job a second time", "nonces are used once", same_job_again, lambda: check_off("nonce")),
    Attack("an operator approves the own extract", "operator and reviewer are apart", operator_alone,
           lambda: off(extract_review, "require_apart", lambda *a: None)),
    Attack("a centre whose designation is suspended", "designation in force", suspended_centre,
           lambda: check_off("designation")),
    Attack("a request after the agreed period", "the node's own clock", after_the_end, lambda: check_off("agreement")),
    Attack("the clock is set back into the period", "no act behind the ledger's last entry", move_the_clock_back,
           lambda: check_off("clock")),
]
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.what)
def test_the_attack_fails(attack):
    assert attack.attempt() is False


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.what)
def test_it_would_succeed_without_its_defence(attack):
    with attack.without():
        assert attack.attempt() is True


def test_the_scene_itself_is_granted():
    assert scene().granted()
    assert digest(scene().facts.agreement.current["terms"]) == scene().job["terms"]
