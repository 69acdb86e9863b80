"""What the lives of a holder's back rooms and of the key agency share: a nation, an agreement, other sites' keys."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "privacy"))
import deid_world as world

from ansim.demo.nation import MEMBERS, Nation
from ansim.documents import digest
from ansim.governance.agreement import Draft, Sign, agreement
from ansim.governance.terms import parties
from ansim.research.cohort.query import parse
from ansim.sites.keeper.keystore import Keystore, public

HOLDERS = ("hospital-a", "hospital-b", "hospital-c", "public-body")
KEY, REQUEST = "agr-back-rooms", "req-back-rooms"
NOW = datetime.now(UTC)


class World:
    """A founded nation of which one site runs in this process."""

    def __init__(self, folder: Path, site: str):
        self.nation = Nation(folder)
        self.nation.found()
        self.folder = self.nation.site(site)
        os.environ["ANSIM_PASSPHRASE_FILE"] = str(self.nation.passphrase_file(site))
        os.environ["ANSIM_SITE"] = str(self.folder)
        if place := os.environ.get("ANSIM_TEST_POSTGRES"):  # the folder of a cluster's socket: a database of its own
            database = f"story_{os.getpid()}"
            make = ["psql", "-h", place, "-U", "ansim", "-d", "postgres", "-q", "-c", f"CREATE DATABASE {database}"]
            subprocess.run(make, check=True, capture_output=True)
            file = self.folder / "site.toml"
            url = f"postgresql://ansim@{quote(place, safe='')}/{database}"
            file.write_text(file.read_text("utf-8").replace("\nid = ", f'\ndatabase = "{url}"\nid = ', 1), "utf-8")

    def store(self, site: str) -> Keystore:
        return Keystore(self.nation.site(site) / "keys", self.nation.passphrase_file(site).read_bytes())

    def terms(self) -> dict:
        keys = self.store("company-x").keys
        return {
            "ansim": "agreement/1",
            "id": KEY,
            "version": 1,
            "supersedes": None,
            "title": {"ko": "결합 연구", "en": "Linked study"},
            "user": {"id": "company-x", "name": "Company X"},
            "holders": [{"id": name, "name": name} for name in HOLDERS],
            "members": [
                {"id": name, "name": who, "role": role, "key": public(keys[name])}
                for name, (who, role) in MEMBERS.items()
            ],
            "purpose": "scientific research",
            "areas": ["respiratory"],
            "query": parse(world.query()).document(),
            "modes": ["federated", "centre", "extract"],
            "place": {"centre": "centre-1", "remote": False},
            "max_persons": 1000,
            "linkage": {
                "key_agency": "keyagency-1",
                "linker": "centre-1",
                "holders": ["hospital-a", "public-body"],
            },
            "not_before": (NOW - timedelta(days=2)).date().isoformat(),
            "not_after": (NOW + timedelta(days=90)).date().isoformat(),
            "output": {"threshold": 10, "rounding": 5, "checkers": 2},
            "reidentification": "forbidden",
            "destruction": {"within_days": 30},
            "publication": {},
            "fees": [],
        }


def put_in_force(terms: dict) -> None:
    """The agreement as this site would have recorded it after verifying every signature of its paper."""
    from ansim.sites.exchange import trust
    from ansim.sites.store import ledger

    ledger.execute(agreement, KEY, Draft(by="company-x", terms=terms), actor="company-x")
    for party in parties(terms):
        kid = trust.directory().keys(party, datetime.now(UTC))[0]["kid"]
        command = Sign(by="company-x", party=party, digest=digest(terms), key=kid, paper="0" * 64)
        ledger.execute(agreement, KEY, command, actor=party)


class Post:
    """What this site sends, as it was before it was sealed."""

    def __init__(self) -> None:
        from ansim.sites.exchange import post

        self.sent: list[tuple[str, str, dict, bool]] = []
        self._send = post.send
        post.send = self._record  # type: ignore[assignment]

    def _record(self, typ: str, payload: dict, *, to: str, sealed: bool = False, **more: str) -> str:
        self.sent.append((typ, to, json.loads(json.dumps(payload)), sealed))
        return self._send(typ, payload, to=to, sealed=sealed, **more)

    def take(self, typ: str) -> list[tuple[str, dict, bool]]:
        """(receiver, payload, sealed) of the messages of this type since the last look."""
        found = [(to, payload, sealed) for name, to, payload, sealed in self.sent if name == typ]
        self.sent = [each for each in self.sent if each[0] != typ]
        return found


def deliver(typ: str, payload: dict, sender: str) -> None:
    """A message as the exchange hands it over once its envelope is verified; then the site's own jobs."""
    import secrets

    from django.db import transaction

    from ansim.sites.exchange import post

    message = post.Message(typ, sender, payload, secrets.token_hex(16), datetime.now(UTC))
    with transaction.atomic():
        post._handlers[typ](message)
    work()


def work() -> None:
    """Run this site's own jobs until none is due; messages stay in the outbox."""
    from ansim.sites.store import jobs

    while task := jobs.take([kind for kind in jobs._kinds if kind != "send"]):
        jobs.run(task)
        task.refresh_from_db()
        assert task.state in ("done", "queued"), (task.kind, task.error)


def refused(code: str, act, *arguments, **named) -> None:
    import pytest

    from ansim.errors import Problem

    with pytest.raises(Problem) as caught:
        act(*arguments, **named)
    assert code in {each.code for each in getattr(caught.value, "problems", [caught.value])}, str(caught.value)
