"""The doctor finds each thing that it claims to find, and says nothing of a healthy site but "ok"."""

import contextlib
import json
import os
import socket
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ansim.cli.main import app
from ansim.sites import doctor, doctor_site, init
from ansim.sites.exchange import signed
from ansim.sites.keeper import keystore

GOOD = b"Kx7vTqLw2mZ9rBd4HsYp"
NOW = datetime.now(UTC)


def _notice(document: dict, *keys: dict) -> dict:
    notice: dict = {"document": document, "signatures": []}
    for key in keys:
        notice = signed.sign_document(document, key["kid"], keystore.signing_key(key).sign, notice["signatures"])
    return notice


class World:
    """One holder with its trust, made by hand, so that each test can spoil one thing."""

    def __init__(self, base: Path):
        self.folder, self.secret = base / "holder-1", base / "secret"
        self.roots = [keystore.new_key("sig") for _ in range(3)]
        self.ministry = keystore.new_key("sig")
        keystore.write_private(self.secret, GOOD)
        self.keys = self.make(self.folder, GOOD)
        self.dated(NOW - timedelta(hours=1), NOW + timedelta(days=400))

    def make(self, folder: Path, passphrase: bytes, **values) -> dict:
        trust = {
            "roots": [keystore.public(root) for root in self.roots],
            "threshold": 2,
            "ministry": keystore.public(self.ministry),
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        values = {"port": port, "policy": {"threshold": 10}, **values}
        name = {"ko": "병원", "en": "Hospital"}
        return init.make(folder, id=folder.name, kind="holder", name=name, passphrase=passphrase, trust=trust, **values)

    def dated(self, issued: datetime, expires: datetime, *, keys_until: datetime | None = None, demo: bool = False):
        """Fresh notices beside the site, as they come with the pairing."""
        valid = {
            "not_before": (NOW - timedelta(days=900)).isoformat(),
            "not_after": (keys_until or NOW + timedelta(days=400)).isoformat(),
        }
        listed = [
            {"kid": self.keys[name]["kid"], "use": use, "jwk": self.keys[name], **valid}
            for name, use in (("site", "sig"), ("receive", "enc"))
        ]
        dates = {"seq": 1, "issued": issued.isoformat(), "expires": expires.isoformat()}
        entry = {"id": "holder-1", "kind": "holder", "name": {}, "keys": listed}
        directory = {"ansim": "directory/1", "demo": demo, "sites": [entry], "revoked": [], **dates}
        target = self.folder / "notices"
        target.mkdir(exist_ok=True)
        (target / "directory.json").write_text(json.dumps(_notice(directory, *self.roots[:2])))
        designations = {"ansim": "designations/1", "designations": [], **dates}
        (target / "designations.json").write_text(json.dumps(_notice(designations, self.ministry)))

    def fails(self) -> dict[str, str]:
        """{check: detail} of what must be mended."""
        _, found = doctor_site.examine(self.folder)
        return {each.check: each.detail for each in found if each.state == "fail"}


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    made = World(tmp_path)
    monkeypatch.setenv("ANSIM_PASSPHRASE_FILE", str(made.secret))
    return made


def test_a_healthy_site_has_nothing_to_mend(world):
    kind, found = doctor_site.examine(world.folder)
    assert kind == "holder"
    assert world.fails() == {}
    said = {each.check for each in found if each.state == "ok"}
    assert {"settings", "passphrase", "key files", "directory", "designations", "key site", "key receive"} <= said


@pytest.mark.parametrize(
    "weak",
    [b"short", b"aaaaaaaaaaaaaaaaaaaaaaaa", b"password123456password", b"P@ssw0rdP@ssw0rd!!", b"ansim-hospital-2026"],
)
def test_a_weak_passphrase_is_refused(world, weak, monkeypatch, tmp_path):
    assert doctor.weakness(weak)
    keystore.write_private(world.secret, weak)
    assert "passphrase" in world.fails()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(min_size=24, max_size=24).map(lambda raw: raw.hex().encode()))
def test_random_passphrases_stand_and_short_ones_never(random):
    assert doctor.weakness(random[:15])
    assert not doctor.weakness(random) or len(set(random)) < 6


def test_a_passphrase_beside_its_keys_is_refused(world, monkeypatch):
    inside = world.folder / "passphrase"
    keystore.write_private(inside, GOOD)
    monkeypatch.setenv("ANSIM_PASSPHRASE_FILE", str(inside))
    assert "lies in the folder" in world.fails()["passphrase"]


def test_one_passphrase_for_two_sites_is_refused(world):
    world.make(world.folder.with_name("holder-2"), GOOD)
    assert "holder-2" in world.fails()["passphrase"]


def test_a_wrong_passphrase_and_loose_files_are_refused(world):
    world.secret.chmod(0o644)
    (world.folder / "keys" / "web.key").chmod(0o640)
    assert "others may read" in world.fails()["passphrase"]
    assert "web.key" in world.fails()["key files"]
    keystore.write_private(world.secret, GOOD + b"x")
    assert "does not open" in world.fails()["passphrase"]


def test_no_passphrase_is_said_and_not_guessed(world, monkeypatch):
    monkeypatch.delenv("ANSIM_PASSPHRASE_FILE")
    _, found = doctor_site.examine(world.folder)
    assert [each.state for each in found if each.check == "passphrase"] == ["warn"]


def test_stale_and_forged_notices_are_refused(world):
    world.dated(NOW - timedelta(days=500), NOW - timedelta(days=1))
    assert {"directory", "designations"} <= set(world.fails())
    world.dated(NOW - timedelta(hours=1), NOW + timedelta(days=400))
    file = world.folder / "notices" / "directory.json"
    notice = json.loads(file.read_text())
    notice["signatures"] = notice["signatures"][:1]
    file.write_text(json.dumps(notice))
    assert "1 of the 2" in world.fails()["directory"]


def test_keys_that_ended_or_are_not_in_the_directory_are_found(world):
    world.dated(NOW - timedelta(hours=1), NOW + timedelta(days=400), keys_until=NOW - timedelta(days=1))
    assert {"key site", "key receive"} <= set(world.fails())
    world.keys = {**world.keys, "site": keystore.public(keystore.new_key("sig"))}
    world.dated(NOW - timedelta(hours=1), NOW + timedelta(days=400))
    assert set(world.fails()) == {"key site"}


def test_a_demo_directory_and_a_real_site_do_not_go_together(world):
    world.dated(NOW - timedelta(hours=1), NOW + timedelta(days=400), demo=True)
    assert "demo" in world.fails()


def test_a_wrong_setting_is_named(world):
    file = world.folder / "site.toml"
    file.write_text(file.read_text().replace("threshold = 10", "treshold = 10"))
    assert any("treshold" in detail or "policy" in check for check, detail in world.fails().items())
    file.write_text("id = 'holder-1'\nkind = 'castle'\nname = {}\n")
    assert set(world.fails()) == {"bad-kind"}


def test_a_port_in_use_by_another_program_is_found(world):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(0.1)
        file = world.folder / "site.toml"
        text = file.read_text()
        line = next(line for line in text.splitlines() if line.startswith("port"))
        file.write_text(text.replace(line, f"port = {other.getsockname()[1]}"))

        def answer() -> None:  # the doctor's probe, then its question: closed without a word
            for _ in range(2):
                with contextlib.suppress(OSError):
                    other.settimeout(5)
                    other.accept()[0].close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert "port" in world.fails()
        thread.join()


def _database(folder: Path, dead: int) -> None:
    with sqlite3.connect(folder / "site.sqlite3") as database:
        database.executescript(
            """CREATE TABLE store_job (state TEXT); CREATE TABLE store_notice (name TEXT, body TEXT);
            CREATE TABLE ledger_event (seq, stream, version, type, at, actor, data, salt, leaf);
            CREATE TABLE ledger_checkpoint (size, root, note); CREATE TABLE ledger_cosignature (size, witness, line);
            CREATE TABLE ledger_witnessed (origin, size, root, note);"""
        )
        database.executemany("INSERT INTO store_job VALUES (?)", [("dead",)] * dead)
    database.close()


def test_dead_jobs_and_a_changed_ledger_are_found(world):
    _database(world.folder, dead=2)
    _, found = doctor_site.examine(world.folder)
    jobs = next(each for each in found if each.check == "jobs")
    assert (jobs.state, jobs.detail) == ("warn", "0 waiting, 2 failed for good")
    assert world.fails() == {}
    with sqlite3.connect(world.folder / "site.sqlite3") as database:
        late = (NOW + timedelta(days=2)).isoformat()
        row = (0, "s", 1, "t", late, "a", "{}", "00", "00" * 32)
        database.execute("INSERT INTO ledger_event VALUES (?,?,?,?,?,?,?,?,?)", row)
    database.close()
    assert "was changed" in world.fails()["ledger"]
    assert "behind the ledger" in world.fails()["clock"]


def test_a_broken_database_is_a_finding(world):
    (world.folder / "site.sqlite3").write_bytes(b"not a database" * 100)
    assert any("could not be examined" in detail for detail in world.fails().values())


def test_an_unreachable_server_is_one_finding_and_tells_no_password(world):
    file = world.folder / "site.toml"
    file.chmod(0o600)
    file.write_text('database = "postgresql://ansim:hunter2hunter2@127.0.0.1:1/ansim"\n' + file.read_text())
    fails = world.fails()
    assert set(fails) == {"database"}
    assert "hunter2" not in str(fails)
    file.chmod(0o644)
    assert "site.toml" in world.fails()["key files"]


def test_the_command_exits_with_1_when_something_must_be_mended(world, tmp_path):
    run = CliRunner()
    answer = run.invoke(app, ["doctor", str(tmp_path / "nowhere"), "--json"])
    assert answer.exit_code == 1
    assert not json.loads(answer.output)["ok"]
    assert "no-site" in answer.output


def test_a_check_that_breaks_is_a_finding_and_hides_no_other(monkeypatch):
    def broken():
        raise OSError("gone")

    assert [each.state for each in doctor._safely("machine", broken)] == ["fail"]
    monkeypatch.setattr(doctor, "_font", broken)
    found = doctor.machine(Path(os.sep), sandbox=False)
    assert {"Python", "disk", "clock"} <= {each.check for each in found}
    assert not doctor.healthy(found)


def test_a_full_disk_and_an_old_python_are_found(monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (99, 0))
    monkeypatch.setattr(doctor, "DISK_FAIL", 1 << 60)
    found = {each.check: each.state for each in doctor.machine(Path(os.sep), sandbox=False)}
    assert (found["Python"], found["disk"]) == ("fail", "fail")
