"""What the attack tests share: a nation's keys and notices in memory, and a granted job that attacks then bend.

Attacks are functions that try something and say whether they got it. `off` switches one defence off, so that each
attack's positive control runs the same code with only that defence missing.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from ansim.governance import grant
from ansim.sites.exchange import notices, signed
from ansim.sites.keeper.keystore import new_key, public, signing_key

_spec = importlib.util.spec_from_file_location(
    "world", Path(__file__).parents[1] / "unit" / "governance" / "conftest.py"
)
assert _spec
assert _spec.loader
world = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(world)

NOW: datetime = world.NOW
SKEW = timedelta(minutes=5)
HUB, COMPANY, HOSPITAL, ROOT1, ROOT2, ROOT3 = (new_key("sig") for _ in range(6))
ANN = new_key("sig")


@contextmanager
def off(target: Any, name: str, instead: Any) -> Iterator[None]:
    """With this one defence replaced."""
    with mock.patch.object(target, name, instead):
        yield


@contextmanager
def check_off(name: str) -> Iterator[None]:
    """With one check of the grant left out."""
    with mock.patch.dict(grant.CHECKS, clear=True, values={k: v for k, v in grant.CHECKS.items() if k != name}):
        yield


def sign(document: dict, *keys: dict) -> dict:
    notice: dict = {"document": document, "signatures": []}
    for key in keys:
        notice = signed.sign_document(document, key["kid"], signing_key(key).sign, notice["signatures"])
    return notice


def directory_document(seq: int = 1, **keys: dict) -> dict:
    held = {"hub": HUB, "company": COMPANY, "hospital-a": HOSPITAL, **keys}
    valid = {"not_before": "2026-01-01T00:00:00+00:00", "not_after": "2029-01-01T00:00:00+00:00"}
    sites = [
        {"id": name, "kind": "holder", "keys": [{"kid": k["kid"], "use": "sig", "jwk": public(k), **valid}]}
        for name, k in held.items()
    ]
    return {
        "ansim": "directory/1",
        "seq": seq,
        "demo": True,
        "issued": (NOW - timedelta(days=1)).isoformat(),
        "expires": (NOW + timedelta(days=900)).isoformat(),
        "sites": sites,
    }


TRUST = notices.Trust((public(ROOT1), public(ROOT2), public(ROOT3)), 2, {}, demo=True)
DIRECTORY = notices.Directory(directory_document())


def member_list(
    issued: datetime = NOW - timedelta(days=1), members: tuple[str, ...] = ("ann", "bob"), seq: int = 3
) -> dict:
    keys = {"ann": public(ANN), "bob": {**world.key("E"), "kid": "bob"}}
    return {
        "ansim": "members/1",
        "org": "company",
        "seq": seq,
        "issued": issued.isoformat(),
        "expires": (issued + timedelta(days=14)).isoformat(),
        "members": [{"id": name, "key": keys.get(name, public(HUB))} for name in members],
    }


@dataclass(frozen=True)
class Scene:
    """Everything in order: a job that this holder grants."""

    facts: grant.Facts
    job: dict
    now: datetime = NOW

    def granted(self) -> bool:
        return grant.decide_grant(self.facts, self.job, self.now).allowed

    def bend(self, **changes: Any) -> "Scene":
        """Another job, or other facts where the name is a fact's."""
        facts = {name: value for name, value in changes.items() if hasattr(self.facts, name)}
        job = {name: value for name, value in changes.items() if name not in facts and name != "now"}
        return Scene(replace(self.facts, **facts), {**self.job, **job}, changes.get("now", self.now))


def scene(**terms: Any) -> Scene:
    """A granted job under terms in force between a company and two holders."""
    members = [
        {"id": "ann", "name": "Ann", "role": "analyst", "key": public(ANN)},
        {"id": "bob", "name": "Bob", "role": "analyst", "key": world.key("E")},
    ]
    agreed = world.terms(members=members, **terms)
    signed_by = {"members": member_list(), "signer": public(ANN)}
    return Scene(*world.in_order(agreed, **signed_by, lasts=timedelta(days=900), designated_until="2028-12-31"))
