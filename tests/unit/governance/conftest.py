"""A small world for the governance tests: terms, a signed agreement, an approved board case."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance import agreement as ag
from ansim.governance import board as bd
from ansim.governance.core import act
from ansim.governance.grant import Facts

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LETTER = "a" * 64


def key(letter):
    return {"kty": "OKP", "crv": "Ed25519", "x": letter * 43}


def terms(**changes):
    return {
        "ansim": "agreement/1",
        "id": "agr-1",
        "version": 1,
        "supersedes": None,
        "title": {"ko": "부비동염 연구", "en": "Sinusitis study"},
        "user": {"id": "company", "name": "Company"},
        "holders": [{"id": "hospital-a", "name": "A"}, {"id": "claims", "name": "Claims"}],
        "members": [
            {"id": "ann", "name": "Ann", "role": "analyst", "key": key("A")},
            {"id": "bob", "name": "Bob", "role": "analyst", "key": key("E")},
        ],
        "purpose": "scientific research",
        "areas": ["upper-respiratory"],
        "query": {"ansim": "query/1", "cohort": {"entry": 1}, "variables": [{"name": "sex", "kind": "sex"}]},
        "modes": ["federated", "extract"],
        "place": {"centre": "centre", "remote": True},
        "linkage": {"key_agency": "keyagency", "linker": "centre", "holders": ["hospital-a", "claims"]},
        "max_persons": 1000,
        "not_before": "2026-11-01",
        "not_after": "2027-10-31",
        "output": {"threshold": 10, "rounding": 5, "checkers": 2},
        "reidentification": "forbidden",
        "destruction": {"within_days": 30},
        "publication": None,
        "fees": None,
        **changes,
    }


def play(aggregate, state, *commands, now=NOW):
    """Run the commands; the same log read back from JSON must give the same state."""
    for command in commands:
        before = state
        state, events = act(aggregate, before, command, now)
        stored = [(event.type, json.loads(json.dumps(event.data()))) for event in events]
        assert aggregate.fold([aggregate.load(*row) for row in stored], before) == state
        json.dumps(state.as_data())
    return state


def refused(code, aggregate, state, command, now=NOW):
    with pytest.raises(Problem) as caught:
        aggregate.decide(state, command, now)
    assert caught.value.code == code
    assert str(caught.value)


def sign(document, party):
    return ag.Sign(by=f"{party}-legal", party=party, digest=digest(document), key=f"{party}-key", paper=LETTER)


def signed(document):
    parties = ("company", "hospital-a", "claims")
    commands = [ag.Draft(by="company-legal", terms=document), *(sign(document, party) for party in parties)]
    return play(ag.agreement, ag.Agreement(), *commands)


MEMBERS = [
    {"id": name, "name": name, "org": "hospital-a" if name != "out" else "university", "kind": kind}
    for name, kind in [
        ("chair", "internal"),
        ("m1", "internal"),
        ("m2", "internal"),
        ("m3", "internal"),
        ("out", "outsider"),
    ]
]


def approved():
    docket = bd.Docket(
        by="secretary", case="c1", application={"id": "app-1"}, applicant_org="company", chair="chair", members=MEMBERS
    )
    return play(
        bd.board,
        bd.BoardCase(),
        docket,
        *(bd.DeclareConflict(by=entry["id"], conflict=False) for entry in MEMBERS),
        bd.OpenVoting(by="secretary"),
        *(bd.Vote(by=person, choice="approve") for person in ("chair", "m1", "out")),
        bd.Decide(by="chair", outcome="approved", letter=LETTER, expires="2027-12-31"),
        bd.EnterIrb(by="secretary", number="1", letter=LETTER, decision="approved", expires="2027-12-31"),
        bd.ConfirmIrb(by="dpo", letter=LETTER),
    )


def outside(asked, agreed):
    extra = [each["name"] for each in asked["variables"] if each not in agreed["variables"]]
    return [Problem("variable-outside", "Not agreed: {extra}.", extra=", ".join(extra))] if extra else []


def in_order(agreed, *, members, signer, lasts=timedelta(days=6), designated_until="2027-12-31"):
    """(facts, job): everything in order for ann's job under these terms at hospital-a."""
    body = {"not_before": "2026-01-01", "not_after": designated_until, "suspended": False}
    designations = {
        "seq": 5,
        "issued": (NOW - timedelta(days=1)).isoformat(),
        "expires": (NOW + lasts).isoformat(),
        "designations": [
            {"id": "centre", "roles": ["centre", "linker"], **body},
            {"id": "keyagency", "roles": ["keyagency"], **body},
        ],
    }
    facts = Facts(
        holder="hospital-a",
        agreement=signed(agreed),
        board=approved(),
        signer=signer,
        members=members,
        members_seq=3,
        designations=designations,
        designations_seq=5,
        persons=500,
        last_entry=(NOW - timedelta(minutes=1)).isoformat(),
        reference=NOW.isoformat(),
        outside=outside,
    )
    job = {
        "ansim": "job/1",
        "agreement": agreed["id"],
        "version": 1,
        "terms": digest(agreed),
        "area": "sinusitis",
        "mode": "extract",
        "method": "extract",
        "query": agreed["query"],
        "spec": {},
        "member": "ann",
        "at": (NOW - timedelta(minutes=2)).isoformat(),
        "nonce": "0123456789abcdef",
    }
    return facts, job


@pytest.fixture(scope="session")
def world():
    return SimpleNamespace(
        NOW=NOW,
        LETTER=LETTER,
        key=key,
        terms=terms,
        play=play,
        refused=refused,
        sign=sign,
        signed=signed,
        approved=approved,
        in_order=in_order,
    )
