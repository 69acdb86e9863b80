"""Real sites as processes for the benchmarks: a hub, a centre and so many holders, an agreement in force between them.

Each site has its own keys, key process, database (durable writes on) and CDM. What people would have done before (the
signed paper, the board, the IRB) is written to each ledger by the aggregates' own rules, as the site's handlers would.
"""

import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx

from ansim.demo.nation import MEMBERS, PLACES, Nation, hospital
from ansim.demo.processes import Running
from ansim.documents import digest
from ansim.research.cohort.query import parse
from ansim.sites.exchange import envelope, signed
from ansim.sites.keeper.keystore import Keystore, public

KEY, REQUEST, MEMBER = "agr-bench", "req-bench", "researcher@company-x"
FLAGS = [f"drug{number}" for number in range(8)]
NOW = datetime.now(UTC)


def query() -> dict:
    """A cohort by its first condition; age, sex, eight drugs, two measurements and an outcome."""
    before = {"from_days": -365, "to_days": 0}
    drugs = [
        {"name": name, "kind": "flag", "event": "drug", "concepts": [11 + number], "window": before}
        for number, name in enumerate(FLAGS)
    ]
    values = [
        {"name": name, "kind": "value", "event": "measurement", "concepts": [concept], "pick": "last"}
        for name, concept in (("heat", 21), ("pulse", 22))
    ]
    later = {"from_days": 1, "to_days": 365}
    outcome = {"name": "ill", "kind": "flag", "event": "condition", "concepts": [2], "window": later}
    return parse(
        {
            "ansim": "query/1",
            "title": {"ko": "측정", "en": "Benchmark"},
            "cohort": {"entry": {"event": "condition", "concepts": [1], "which": "first"}},
            "variables": [{"name": "sex", "kind": "sex"}, {"name": "age", "kind": "age"}, *drugs, *values, outcome],
            "period": {"from": "2000-01-01", "to": "2019-12-31"},
        }
    ).document()


def cdm(file: Path, people: int, seed: int) -> None:
    """Synthetic people; whoever is older or has some drugs has the outcome more often."""
    with duckdb.connect(str(file)) as con:
        con.execute(f"SELECT setseed({(seed % 100) / 100})")
        con.execute(
            f"""CREATE TABLE person AS SELECT i AS person_id, CASE WHEN random() < 0.5 THEN 8507 ELSE 8532 END AS
                gender_concept_id, (1930 + 60 * random())::INT AS year_of_birth, 1 + i % 12 AS month_of_birth,
                1 + i % 28 AS day_of_birth FROM range(1, {people + 1}) t(i);
            CREATE TABLE drug_exposure AS SELECT i * 8 + n AS drug_exposure_id, i AS person_id,
                11 + n AS drug_concept_id, DATE '2009-10-01' AS drug_exposure_start_date,
                DATE '2009-10-08' AS drug_exposure_end_date
                FROM range(1, {people + 1}) t(i), range(8) u(n) WHERE hash(i * 8 + n + {seed} * 77777777) % 10 < 3;
            CREATE TABLE condition_occurrence AS SELECT row_number() OVER () AS condition_occurrence_id, * FROM (
                SELECT i AS person_id, 1 AS condition_concept_id, DATE '2010-01-01' AS condition_start_date,
                DATE '2010-01-02' AS condition_end_date FROM range(1, {people + 1}) t(i) UNION ALL
                SELECT person_id, 2, DATE '2010-03-01', DATE '2010-03-02' FROM person LEFT JOIN (SELECT person_id,
                count(*) AS n FROM drug_exposure WHERE drug_concept_id < 14 GROUP BY 1) USING (person_id)
                WHERE random() < 0.1 + (1990 - year_of_birth) / 200 + 0.05 * coalesce(n, 0));
            CREATE TABLE measurement AS SELECT i * 2 + n AS measurement_id, i AS person_id, 21 + n AS
                measurement_concept_id, DATE '2010-01-01' AS measurement_date, CASE WHEN n = 0 THEN 37 + random() + 2 *
                (i % 2) ELSE 60 + 20 * random() + 25 * (i % 3) END AS value_as_number FROM range(1, {people + 1}) t(i),
                range(2) u(n)"""
        )


class Sites:
    """The running network."""

    def __init__(self, folder: Path, holders: int, people: int, witness_seconds: float = 5.0):
        kept = [place for place in PLACES if place.id in ("hub", "centre-1", "company-x")]
        self.holders = [f"hospital-{number}" for number in range(holders)]
        self.nation = Nation(folder, _ports(holders + 3), [*kept, *(hospital(str(n)) for n in range(holders))])
        self.nation.found(witness_seconds=witness_seconds)
        self.people, self.running = people, Running(self.nation)
        self.terms = self._terms()
        self._seed()

    def store(self, site: str) -> Keystore:
        return Keystore(self.nation.site(site) / "keys", self.nation.passphrase_file(site).read_bytes())

    def _terms(self) -> dict:
        self.desk = self.store("company-x")
        members = [
            {"id": name, "name": who, "role": role, "key": public(self.desk.keys[name])}
            for name, (who, role) in MEMBERS.items()
        ]
        return {
            "ansim": "agreement/1", "id": KEY, "version": 1, "supersedes": None,
            "title": {"ko": "측정", "en": "Benchmark"}, "user": {"id": "company-x", "name": "Company X"},
            "holders": [{"id": name, "name": name} for name in self.holders], "members": members,
            "purpose": "scientific research", "areas": ["respiratory"], "query": query(), "modes": ["federated"],
            "place": {"centre": "centre-1", "remote": False}, "max_persons": None, "linkage": None,
            "not_before": (NOW - timedelta(days=2)).date().isoformat(),
            "not_after": (NOW + timedelta(days=90)).date().isoformat(),
            "output": {"threshold": 10, "rounding": 5, "checkers": 2}, "reidentification": "forbidden",
            "destruction": {"within_days": 30}, "publication": {}, "fees": [],
        }  # fmt: skip

    def _seed(self) -> None:
        """The centre's and one holder's ledger by a process each; the other holders begin with a copy."""
        facts = self.nation.folder / "terms.json"
        facts.write_text(json.dumps(self.terms))
        for site in ("centre-1", self.holders[0]):
            subprocess.run(
                [sys.executable, __file__, str(self.nation.site(site)), str(facts)],
                env={**os.environ, "ANSIM_PASSPHRASE_FILE": str(self.nation.passphrase_file(site))}, check=True,
            )  # fmt: skip
        first = self.nation.site(self.holders[0])
        for number, holder in enumerate(self.holders):
            if number:
                shutil.copyfile(first / "site.sqlite3", self.nation.site(holder) / "site.sqlite3")
            cdm(self.nation.site(holder) / "cdm.duckdb", self.people, number + 1)

    def start(self) -> None:
        self.running.start(only=["hub", "centre-1", *self.holders])

    def stop(self) -> None:
        self.running.stop()

    def ask(self, method: str, spec: dict, **more: object) -> str:
        """A member's signed job, posted to the centre as the desk would; gives the run."""
        document = {
            "ansim": "job/1", "agreement": KEY, "version": 1, "terms": digest(self.terms), "area": "respiratory",
            "mode": "federated", "method": method, "spec": spec, "query": self.terms["query"], "member": MEMBER,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"), "nonce": secrets.token_hex(16), **more,
        }  # fmt: skip
        job = signed.sign_document(document, self.desk.keys[MEMBER]["kid"], self.desk.private(MEMBER).private_key.sign)
        wire = envelope.write(
            "fed.start", {"job": job}, iss="company-x", aud="centre-1", kid=self.desk.keys["site"]["kid"],
            sign=self.desk.signing_key("site").sign, now=datetime.now(UTC), seq=1,
        )  # fmt: skip
        httpx.post(f"{self.nation.url('hub')}/exchange/envelopes", json=wire).raise_for_status()
        return digest(document)

    def run(self, method: str, spec: dict, seconds: float = 120, **more: object) -> dict:
        """Ask and wait for the end; the centre's record of the run."""
        run, until = self.ask(method, spec, **more), time.monotonic() + seconds
        while time.monotonic() < until:
            data = self.record(run)
            if data and data["status"] not in ("running", "finishing"):
                return data
            time.sleep(0.05)
        raise TimeoutError(f"{method} did not end in {seconds} s: {self.record(run)}")

    def record(self, run: str) -> dict:
        rows = self.rows("centre-1", "SELECT data FROM store_record WHERE kind = 'federated' AND key = ?", run)
        return json.loads(rows[0][0]) if rows else {}

    def rows(self, site: str, sql: str, *values: object) -> list[tuple]:
        database = sqlite3.connect(f"file:{self.nation.site(site)}/site.sqlite3?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each kind of process has used so far, key processes included."""
        ticks = os.sysconf("SC_CLK_TCK")
        used: dict[str, float] = {}
        for site, process in self.running.processes.items():
            for pid in (process.pid, *_children(process.pid)):
                try:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except FileNotFoundError:
                    continue
                kind = "holders" if site.startswith("hospital") else site
                used[kind] = used.get(kind, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
        return used


def _children(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in file.read_text().split()] if file.exists() else []


def _ports(count: int) -> int:
    for base in range(20000, 30000, 50):
        held = []
        try:
            for port in range(base, base + count):
                held.append(socket.create_server(("127.0.0.1", port)))
            return base
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
    raise RuntimeError("no free ports")


def seed(folder: Path, terms: dict) -> None:
    """Run in a process of its own: what this site would know after the agreement came into force."""
    os.environ["ANSIM_SITE"] = str(folder)
    from ansim.sites.keeper import client
    from ansim.sites.serve import prepare

    keeper = client.start(folder)
    try:
        prepare(folder)
        from ansim.governance.agreement import Draft, Sign, agreement
        from ansim.governance.terms import parties
        from ansim.sites.config import site
        from ansim.sites.exchange import trust
        from ansim.sites.store import ledger

        ledger.execute(agreement, KEY, Draft(by="company-x", terms=terms), actor="company-x")
        for party in parties(terms):
            kid = trust.directory().keys(party, NOW)[0]["kid"]
            signature = Sign(by="company-x", party=party, digest=digest(terms), key=kid, paper="0" * 64)
            ledger.execute(agreement, KEY, signature, actor=party)
        if site().kind == "centre":
            from ansim.sites.centre import workspaces

            workspaces.opened(KEY, terms, "0" * 64)
        else:
            _approved(terms)
        from django.db import connections

        connections.close_all()
        sqlite3.connect(folder / "site.sqlite3").execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    finally:
        client.end(keeper)


def _approved(terms: dict) -> None:
    from ansim.governance import board as b
    from ansim.governance import review as r
    from ansim.governance.irb import ConfirmIrb, EnterIrb
    from ansim.sites.store import ledger

    def on(aggregate, *commands) -> None:
        for command in commands:
            ledger.execute(aggregate, REQUEST, command, actor=command.by)

    who = [(f"in{n}", "internal") for n in range(3)] + [(f"out{n}", "outsider") for n in range(3)]
    members = [{"id": name, "name": name, "org": kind, "kind": kind} for name, kind in who]
    ends = terms["not_after"]
    on(
        r.review,
        r.Ask(by="company-x", request=REQUEST, applicant="company-x", title=terms["title"]),
        r.Reply(by="steward", answer="yes"),
        r.Receive(by="x", application="a" * 64, applicant="company-x", request=REQUEST, title=terms["title"]),
        r.Screen(by="steward"),
        r.SendToBoard(by="officer"),
    )
    on(
        b.board,
        b.Docket(by="secretary", case=REQUEST, application={"id": REQUEST, "digest": "a" * 64},
                 applicant_org="company-x", chair="in0", members=members),
        *[b.DeclareConflict(by=name, conflict=False) for name, _ in who],
        b.OpenVoting(by="secretary"),
        *[b.Vote(by=name, choice="approve") for name, _ in who],
        b.Decide(by="in0", outcome="approved", letter="b" * 64, expires=ends),
        EnterIrb(by="secretary", number="1", letter="c" * 64, decision="approved", expires=ends),
        ConfirmIrb(by="officer", letter="c" * 64),
    )  # fmt: skip
    decide = next(step.command for step in r.review.steps.values() if step.source == ("board",))
    on(r.review, decide(by="s", outcome="approved"), r.Negotiate(by="s", agreement=KEY), r.Prepare(by="s"))
    ledger.record("paper", KEY, {"id": KEY, "request": REQUEST, "terms": terms}, status="in force")
    ledger.record("screening", REQUEST, {"tier": {"level": "medium"}, "route": {"reviews": [{"review": "irb"}]}})


if __name__ == "__main__":
    seed(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
