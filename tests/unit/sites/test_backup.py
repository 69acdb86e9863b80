"""Backups: encrypted, incremental, whole; and who can open them."""

import json
import secrets
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.sites import config, doctor_backup, init
from ansim.sites.keeper import keystore
from ansim.sites.operate import backup, chunks, escrow

GOOD = b"Kx7vTqLw2mZ9rBd4HsYp"
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> config.Site:
    trust = {"roots": [keystore.public(keystore.new_key("sig"))], "threshold": 1}
    folder = tmp_path / "site"
    init.make(folder, id="one", kind="holder", name={"ko": "", "en": ""}, passphrase=GOOD, trust=trust)
    with closing(sqlite3.connect(folder / "site.sqlite3")) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE store_ledgerhead (id INTEGER, size INTEGER)")
        database.execute("INSERT INTO store_ledgerhead VALUES (1, 7)")
    (folder / "extracts").mkdir()
    (folder / "extracts" / "large").write_bytes(secrets.token_bytes(3 * chunks.PIECE + 5))
    (folder / "extracts" / "patient.csv").write_text("900101-1234567")
    return config.read(folder)


@pytest.fixture
def shares(site) -> list[str]:
    return escrow.make(site.path("keys"), shares=3, threshold=2)


def make(site, target, days=0):
    return backup.make(site, target, GOOD, NOW + timedelta(days=days))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_is_restored_is_what_was_there(site, shares, tmp_path):
    make(site, tmp_path / "backup")
    opened = backup.unseal(tmp_path / "backup", shares[1:])
    assert opened["passphrase"].encode() == GOOD
    key = bytes.fromhex(opened["key"])
    assert backup.verify(tmp_path / "backup", key)["ledger"] == {"size": 7}
    backup.restore(tmp_path / "backup", key, tmp_path / "anew")
    was, now = everything(site.folder), everything(tmp_path / "anew")
    assert json.loads(now.pop("restored.json"))["ledger"] == {"size": 7}
    for name in [name for name in was if name.startswith("site.sqlite3")]:
        was.pop(name)
    with closing(sqlite3.connect(tmp_path / "anew" / "site.sqlite3")) as database:
        assert database.execute("SELECT size FROM store_ledgerhead").fetchall() == [(7,)]
    assert {name: body for name, body in now.items() if not name.startswith("site.sqlite3")} == was
    modes = {(tmp_path / "anew" / name).stat().st_mode & 0o777 for name in now if name.startswith("keys/")}
    assert modes == {0o600}
    assert keystore.Keystore(tmp_path / "anew" / "keys", GOOD).keys


def test_only_what_is_new_is_written(site, shares, tmp_path):
    first = make(site, tmp_path / "backup")
    again = make(site, tmp_path / "backup", days=1)
    assert first["added"] > 3 * chunks.PIECE
    assert again["added"] == 0
    with (site.folder / "extracts" / "large").open("r+b") as stream:
        stream.seek(2 * chunks.PIECE)
        stream.write(b"changed")
    third = make(site, tmp_path / "backup", days=2)
    assert 0 < third["added"] < chunks.PIECE + 1000
    key = bytes.fromhex((site.path("keys", "backup.key")).read_text())
    for name in backup.snapshots(tmp_path / "backup"):
        backup.verify(tmp_path / "backup", key, name)


def test_nothing_of_it_can_be_read_without_the_key(site, shares, tmp_path):
    made = make(site, tmp_path / "backup")
    whole = b"".join(everything(tmp_path / "backup").values())
    for secret in (b"900101", GOOD, b"patient.csv", b"extracts", site.web_key.read_bytes()):
        assert secret not in whole
    assert made["name"] in everything(tmp_path / "backup").keys().__str__()


def test_one_person_alone_opens_nothing(site, shares, tmp_path):
    make(site, tmp_path / "backup")
    for few in ([shares[0]], [shares[0], shares[0]], [], ["no words at all", shares[0]]):
        with pytest.raises(Problem) as found:
            backup.unseal(tmp_path / "backup", few)
        assert found.value.code == "bad-shares"
    strangers = tmp_path / "keys"
    strangers.mkdir()
    with pytest.raises(Problem) as found:
        backup.unseal(tmp_path / "backup", escrow.make(strangers, shares=3, threshold=2)[:2])
    assert found.value.code == "wrong-shares"
    for pair in ([0, 1], [1, 2], [2, 0]):
        assert backup.unseal(tmp_path / "backup", [shares[each] for each in pair])["site"] == "one"
    with pytest.raises(Problem):
        escrow.make(strangers.parent / "none", shares=3, threshold=1)


def test_without_people_in_escrow_there_is_no_backup(site, tmp_path):
    with pytest.raises(Problem) as found:
        make(site, tmp_path / "backup")
    assert found.value.code == "no-escrow"
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("spoil", ["missing", "changed", "swapped", "snapshot"])
def test_whatever_is_spoilt_is_found(site, shares, tmp_path, spoil):
    target = tmp_path / "backup"
    made = make(site, target)
    key = bytes.fromhex(site.path("keys", "backup.key").read_text())
    backup.verify(target, key)
    pieces = sorted((target / "pieces").glob("*/*"))
    if spoil == "missing":
        pieces[0].unlink()
    elif spoil == "swapped":
        pieces[0].write_bytes(pieces[1].read_bytes())
    else:
        file = target / "snapshots" / made["name"] if spoil == "snapshot" else pieces[-1]
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    with pytest.raises(Problem) as found:
        backup.verify(target, key)
    assert found.value.code in {"missing-piece", "changed-piece"}
    with pytest.raises(Problem):
        backup.restore(target, key, tmp_path / "anew")
    assert not (tmp_path / "anew").exists() or (tmp_path / "anew" / "restored.json").exists()


def test_the_doctor_says_how_it_stands(site, tmp_path):
    """Nobody in escrow, no backup, a fresh one, an old one, a restore that is not agreed with."""

    def said(here, now=NOW) -> list[tuple[str, str]]:
        return [(each.check, each.state) for each in doctor_backup.examine(here, now)]

    assert said(site) == [("backup", "warn")]
    shares = escrow.make(site.path("keys"), shares=2, threshold=2)
    assert [each.detail for each in doctor_backup.examine(site, NOW)] == ["none was made yet"]
    make(site, tmp_path / "backup")
    site.path("backup.json").write_text(json.dumps({"at": NOW.isoformat()}))
    assert said(site) == [("backup", "ok")]
    assert said(site, NOW + timedelta(hours=51)) == [("backup", "warn")]
    key = bytes.fromhex(backup.unseal(tmp_path / "backup", shares)["key"])
    backup.restore(tmp_path / "backup", key, tmp_path / "anew")
    assert said(config.read(tmp_path / "anew"))[0] == ("restore", "warn")


def test_a_backup_does_not_lie_in_what_it_keeps(site, shares):
    with pytest.raises(Problem) as found:
        make(site, site.folder / "backup")
    assert found.value.code == "bad-target"


def test_a_restore_lays_over_nothing(site, shares, tmp_path):
    make(site, tmp_path / "backup")
    key = bytes.fromhex(site.path("keys", "backup.key").read_text())
    with pytest.raises(Problem) as found:
        backup.restore(tmp_path / "backup", key, site.folder)
    assert found.value.code == "folder-not-empty"


def test_a_path_that_leads_out_is_refused(site, shares, tmp_path):
    """Whoever has the key could write such a snapshot."""
    made = make(site, tmp_path / "backup")
    key = bytes.fromhex(site.path("keys", "backup.key").read_text())
    store, snapshot = backup.read(tmp_path / "backup", key)
    snapshot["files"] = {"../outside": next(iter(snapshot["files"].values()))}
    file = tmp_path / "backup" / "snapshots" / made["name"]
    file.write_bytes(store.seal(json.dumps(snapshot).encode(), f"snapshot {made['name']}".encode()))
    with pytest.raises(Problem) as found:
        backup.restore(tmp_path / "backup", key, tmp_path / "deep" / "anew")
    assert found.value.code == "bad-path"
    assert not (tmp_path / "deep" / "outside").exists()


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_for_a_piece_is_refused_as_such(content):
    store = chunks.Store(Path("/nonexistent"), bytes(32))
    with pytest.raises(Problem) as found:
        store.open(content, b"name")
    assert found.value.code == "changed-piece"
