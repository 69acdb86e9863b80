"""Signing with a key file: only the right passphrase, only this document, only this key."""

import json

import pytest
from typer.testing import CliRunner

from ansim.cli import signing
from ansim.cli.main import app
from ansim.errors import Problem
from ansim.sites.exchange import signed

PASSPHRASE = b"Kx7vTqLw2mZ9rBd4HsYp"
DOCUMENT = {"ansim": "protocol/1", "title": {"ko": "연구", "en": "Study"}, "items": [1, 2]}
run = CliRunner()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(signing, "ROUNDS", 1000)
    (tmp_path / "pass").write_bytes(PASSPHRASE + b"\n")
    (tmp_path / "document.json").write_text(json.dumps(DOCUMENT))
    signing.make(tmp_path / "key.json", PASSPHRASE)
    return tmp_path


def _sign(place, *more, key="key.json", file="document.json"):
    wanted = ["sign", str(place / file), "--key", str(place / key), "--passphrase-file", str(place / "pass"), *more]
    return run.invoke(app, wanted)


def _verify(place, file="document.signed.json", key="key.json"):
    return run.invoke(app, ["verify", str(place / file), "--key", str(place / key)])


def test_a_signed_document_verifies_and_a_changed_one_does_not(place):
    answer = _sign(place, "--yes")
    assert answer.exit_code == 0, answer.output
    assert signing.fingerprint(json.loads((place / "key.json").read_text())["public"]) in answer.output
    assert _verify(place).exit_code == 0
    file = place / "document.signed.json"
    held = json.loads(file.read_text())
    assert held["document"] == DOCUMENT
    held["document"]["items"] = [1, 3]
    file.write_text(json.dumps(held))
    assert isinstance(_verify(place).exception, Problem)


def test_two_people_sign_one_document_and_a_third_did_not(place):
    for name in ("second.json", "third.json"):
        signing.make(place / name, PASSPHRASE)
    _sign(place, "--yes")
    _sign(place, "--yes", "--out", str(place / "both.json"), key="second.json", file="document.signed.json")
    assert _verify(place, "both.json").exit_code == 0
    assert _verify(place, "both.json", "second.json").exit_code == 0
    refused = _verify(place, "both.json", "third.json")
    assert refused.exception.code == "unsigned"


def test_nothing_is_signed_without_consent_and_all_of_it_is_shown(place):
    answer = run.invoke(app, ["sign", str(place / "document.json"), "--key", str(place / "key.json")], input="n\n")
    assert answer.exit_code != 0
    assert "연구" in answer.output
    assert not (place / "document.signed.json").exists()


def test_the_key_opens_for_its_passphrase_only(place):
    assert signing.unwrap(place / "key.json", PASSPHRASE)["d"]
    with pytest.raises(Problem, match="does not open"):
        signing.unwrap(place / "key.json", PASSPHRASE + b"x")
    assert '"d"' not in (place / "key.json").read_text()


def test_a_swapped_public_half_is_noticed(place):
    signing.make(place / "other.json", PASSPHRASE)
    held = json.loads((place / "key.json").read_text())
    held["public"] = json.loads((place / "other.json").read_text())["public"]
    (place / "key.json").write_text(json.dumps(held))
    with pytest.raises(Problem, match="is not that of"):
        signing.unwrap(place / "key.json", PASSPHRASE)


def test_a_loose_key_file_a_weak_passphrase_and_overwriting_are_refused(place):
    with pytest.raises(Problem, match="there already"):
        signing.make(place / "key.json", PASSPHRASE)
    with pytest.raises(Problem, match="common word"):
        signing.make(place / "weak.json", b"password12345678")
    (place / "key.json").chmod(0o644)
    with pytest.raises(Problem, match="Others may read"):
        signing.unwrap(place / "key.json", PASSPHRASE)


def test_what_is_no_document_is_not_signed(place):
    (place / "loose.json").write_text('{"a": 1}')
    assert _sign(place, "--yes", file="loose.json").exception.code == "no-kind"
    (place / "broken.json").write_text("{")
    assert _sign(place, "--yes", file="broken.json").exception.code == "unreadable"


def test_a_site_of_the_directory_vouches(place):
    jwk = signing.unwrap(place / "key.json", PASSPHRASE)
    key = {"kid": jwk["kid"], "use": "sig", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]}}
    dates = {"not_before": "2020-01-01T00:00:00+00:00", "not_after": "2999-01-01T00:00:00+00:00"}
    directory = {"ansim": "directory/1", "sites": [{"id": "a", "kind": "holder", "keys": [{**key, **dates}]}]}
    (place / "directory.json").write_text(json.dumps(directory))
    notice = signed.sign_document(DOCUMENT, jwk["kid"], signing.signing_key(jwk).sign)
    (place / "s.json").write_text(json.dumps(notice))
    wanted = ["verify", str(place / "s.json"), "--directory", str(place / "directory.json"), "--site"]
    assert run.invoke(app, [*wanted, "a"]).exit_code == 0
    assert run.invoke(app, [*wanted, "b"]).exception.code == "unknown-site"


def test_verifying_ledgers_gives_the_verdict_as_exit_code(place):
    (place / "directory.json").write_text(json.dumps({"sites": []}))
    empty = place / "site"
    empty.mkdir()
    answer = run.invoke(app, ["verify", "ledger", str(empty), "--directory", str(place / "directory.json")])
    assert answer.exit_code == 1
    assert run.invoke(app, ["verify", "ledger"]).exception.code == "no-directory"
