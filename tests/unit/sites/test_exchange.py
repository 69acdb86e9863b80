"""Envelopes, signed documents, notices, bulk: what is refused, and what each refusal rests on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OKPKey

from ansim.errors import Problem
from ansim.sites.exchange import bulk, envelope, notices, signed
from ansim.sites.keeper.keystore import Keystore, new_key, public, signing_key
from ansim.sites.keeper.server import Verbs

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SKEW = timedelta(minutes=5)
A, B, MALLORY = new_key("sig"), new_key("sig"), new_key("sig")
SEAL = new_key("enc")


def directory(**keys):
    valid = {"not_before": "2026-01-01T00:00:00+00:00", "not_after": "2029-01-01T00:00:00+00:00"}
    sites = [
        {
            "id": name,
            "kind": "holder",
            "keys": [{"kid": k["kid"], "use": k["use"], "jwk": public(k), **valid} for k in held],
        }
        for name, held in keys.items()
    ]
    return notices.Directory({"ansim": "directory/1", "sites": sites})


HERE = directory(a=[A], b=[B, SEAL])


def write(payload, key=A, iss="a", **options):
    options = {"aud": "b", "now": NOW, "seq": 1, **options}
    return envelope.write("x.ask", payload, iss=iss, kid=key["kid"], sign=signing_key(key).sign, **options)


def read(wire, now=NOW, me="b"):
    return envelope.read(wire, directory=HERE, me=me, now=now, skew=SKEW)


def code(function, *arguments, **options):
    with pytest.raises(Problem) as found:
        function(*arguments, **options)
    return found.value.code


def test_an_envelope_arrives_as_it_was_sent():
    found = read(write({"n": 1}, irt="before"))
    assert (found.typ, found.iss, found.aud, found.irt, found.payload) == ("x.ask", "a", "b", "before", '{"n":1}')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: {**w, "payload": '{"n":2}'}, "changed-payload"),
        (lambda w: {**w, "jws": w["jws"][:-6] + "AAAAAA"}, "bad-signature"),
        (lambda w: {**w, "jws": "nonsense"}, "bad-signature"),
        (lambda w: {}, "bad-signature"),
        (lambda w: None, "bad-signature"),
    ],
)
def test_a_changed_envelope_is_refused(change, reason):
    assert code(read, change(write({"n": 1}))) in {reason, "bad-envelope"}


def test_an_envelope_is_for_one_receiver_and_a_time():
    wire = write({})
    assert code(read, wire, me="c") == "wrong-receiver"
    assert code(read, wire, now=NOW + envelope.LIFETIME + 2 * SKEW) == "out-of-time"
    assert code(read, wire, now=NOW - 2 * SKEW) == "out-of-time"


def test_only_the_senders_own_valid_key_counts():
    assert code(read, write({}, key=MALLORY)) == "unknown-key"
    assert code(read, write({}, key=B, iss="a")) == "unknown-key"  # another site's good key
    old = notices.Directory({**HERE.document, "revoked": [A["kid"]]})
    assert code(envelope.read, write({}), directory=old, me="b", now=NOW, skew=SKEW) == "unknown-key"
    late = datetime(2030, 1, 1, tzinfo=UTC)
    assert code(HERE.key, "a", A["kid"], late) == "unknown-key"


def test_a_sealed_payload_is_read_by_its_receiver_only():
    wire = write({"secret": "부비동염"}, encrypt_to=public(SEAL))
    assert read(wire).sealed
    assert "secret" not in wire["payload"]


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_rubbish_is_a_problem_and_never_a_crash(junk):
    text = junk.decode("latin1")
    for wire in ({"jws": text, "payload": text}, {"jws": f"{text}.{text}.{text}", "payload": ""}):
        with pytest.raises(Problem):
            read(wire)


def test_documents_need_their_signatures():
    document = {"ansim": "x/1", "n": 1}
    one = signed.sign_document(document, A["kid"], signing_key(A).sign)
    two = signed.sign_document(document, B["kid"], signing_key(B).sign, one["signatures"])
    keys = [public(A), public(B)]
    assert signed.open_document(two, keys, threshold=2) == document
    assert code(signed.open_document, one, keys, threshold=2) == "too-few-signatures"
    assert code(signed.open_document, {**two, "document": {**document, "n": 2}}, keys) == "bad-signature"
    twice = {"document": document, "signatures": one["signatures"] * 2}
    assert code(signed.open_document, twice, keys, threshold=2) == "too-few-signatures"  # one key counts once


def test_notices_only_go_forward_and_grow_stale():
    trust = notices.Trust((public(A), public(B), public(MALLORY)), 2, {}, demo=True)
    document = {**HERE.document, "seq": 2, "demo": True, "issued": NOW.isoformat(), "expires": (NOW + SKEW).isoformat()}
    one = signed.sign_document(document, A["kid"], signing_key(A).sign)
    two = signed.sign_document(document, B["kid"], signing_key(B).sign, one["signatures"])
    assert notices.accept(two, 1, trust, None, NOW) == ("directory", document)
    assert code(notices.accept, two, 2, trust, None, NOW) == "old-notice"
    assert code(notices.accept, one, 1, trust, None, NOW) == "too-few-signatures"
    real = notices.Trust(trust.roots, 2, {}, demo=False)
    assert code(notices.accept, two, 1, real, None, NOW) == "demo-root"
    assert notices.fresh(document, "directory", NOW) == document
    assert code(notices.fresh, document, "directory", NOW + 2 * SKEW) == "stale-notice"
    assert code(notices.fresh, None, "directory", NOW) == "no-notice"


@pytest.mark.parametrize("size", [0, 1, bulk.CHUNK - 1, bulk.CHUNK, bulk.CHUNK + 1, 2 * bulk.CHUNK])
def test_bulk_round_trip(tmp_path, size):
    source = tmp_path / "source"
    source.write_bytes(bytes(index % 251 for index in range(size)))
    name, key = bulk.encrypt(source, tmp_path / "out")
    assert bulk.digest(tmp_path / "out" / name) == name
    bulk.decrypt(tmp_path / "out" / name, key, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("harm", ["flip", "cut", "drop first", "swap"])
def test_harmed_bulk_is_refused_and_leaves_nothing(tmp_path, harm):
    source = tmp_path / "source"
    source.write_bytes(b"x" * (2 * bulk.CHUNK + 5))
    name, key = bulk.encrypt(source, tmp_path)
    blob = (tmp_path / name).read_bytes()
    step = bulk.CHUNK + bulk.TAG
    head, first, second, last = blob[:7], blob[7 : 7 + step], blob[7 + step : 7 + 2 * step], blob[7 + 2 * step :]
    harmed = {
        "flip": blob[:100] + bytes([blob[100] ^ 1]) + blob[101:],
        "cut": head + first + second,
        "drop first": head + second + last,
        "swap": head + second + first + last,
    }[harm]
    (tmp_path / "bad").write_bytes(harmed)
    assert code(bulk.decrypt, tmp_path / "bad", key, tmp_path / "target") == "bad-blob"
    assert not (tmp_path / "target").exists()


def test_a_destroyed_project_stays_destroyed(tmp_path):
    store = Keystore.create(tmp_path / "keys", b"a long passphrase", {"site": "sig"})
    secret = store.project_secret("agr-1")
    assert Keystore(tmp_path / "keys", b"a long passphrase").project_secret("agr-1") == secret
    assert store.project_secret("agr-2") != secret
    store.destroy("agr-1")
    for again in (store, Keystore(tmp_path / "keys", b"a long passphrase")):
        assert code(again.project_secret, "agr-1") == "key-destroyed"
    assert secret not in b"".join(file.read_bytes() for file in (tmp_path / "keys").iterdir())


def test_keys_are_wrapped(tmp_path):
    store = Keystore.create(tmp_path / "keys", b"a long passphrase", {"site": "sig"})
    assert store.keys["site"]["d"].encode() not in (tmp_path / "keys" / "keys.sealed").read_bytes()
    assert code(Keystore, tmp_path / "keys", b"another passphrase") == "wrong-passphrase"
    assert code(Keystore.create, tmp_path / "weak", b"short", {}) == "weak-passphrase"
    assert code(Keystore.create, tmp_path / "keys", b"a long passphrase", {}) == "keys-exist"
    assert code(store.project_secret, "../outside") == "bad-project"
    assert (tmp_path / "keys" / "keys.sealed").stat().st_mode & 0o077 == 0


def test_the_linkage_salt_goes_to_holders_of_the_signed_directory_only(tmp_path):
    """A web process in wrong hands names a key of its own: the key process looks into the signed directory itself."""
    store = Keystore.create(tmp_path / "keys", b"a long passphrase", {"site": "sig", "receive": "enc"})
    root = new_key("sig")
    verbs = Verbs(store, notices.Trust((public(root),), 1, {}, demo=True))
    genuine = signed.sign_document(HERE.document, root["kid"], signing_key(root).sign)
    forged = signed.sign_document(directory(b=[B, new_key("enc")]).document, MALLORY["kid"], signing_key(MALLORY).sign)
    token = verbs.salt_for("agr-1", "b", genuine)
    assert jwe.decrypt_compact(token, OKPKey.import_key(SEAL)).plaintext == store.project_secret("agr-1.link")
    assert code(verbs.salt_for, "agr-1", "b", forged) == "too-few-signatures"
    assert code(verbs.salt_for, "agr-1", "mallory", genuine) == "unknown-site"
    assert code(Verbs(store).salt_for, "agr-1", "b", genuine) == "no-trust"
