"""Bent envelopes, tickets, notices and JSON: each with a good one beside it that passes."""

from datetime import UTC, datetime, timedelta

import pytest

from ansim.documents import canonical
from ansim.errors import Problem
from ansim.sites import fitness
from ansim.sites.exchange import envelope, notices, signed
from ansim.sites.keeper.keystore import Keystore, new_key, public, signing_key
from ansim.sites.keeper.server import Verbs

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
SKEW = timedelta(minutes=5)
A, SEAL = new_key("sig"), new_key("enc")
VALID = {"not_before": "2026-01-01T09:00:00+09:00", "not_after": "2029-01-01T00:00:00+00:00"}
SITE = {"id": "a", "kind": "user", "keys": [{"kid": A["kid"], "use": "sig", "jwk": public(A), **VALID}]}
DIRECTORY = notices.Directory({"ansim": "directory/1", "sites": [SITE]})
CLAIMS = {
    "iss": "a",
    "aud": "b",
    "jti": "0" * 32,
    "iat": NOW.isoformat(),
    "exp": (NOW + SKEW).isoformat(),
    "seq": 1,
    "irt": "",
    "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",  # of {}
}


def wire(typ="ansim-1/x.ask", body: bytes | None = None, **claims):
    content = body if body is not None else canonical({**CLAIMS, **claims})
    return {"jws": signed.compact({"kid": A["kid"], "typ": typ}, content, signing_key(A).sign), "payload": "{}"}


def read(given):
    return envelope.read(given, directory=DIRECTORY, me="b", now=NOW, skew=SKEW)


def code(call, *arguments, **named):
    with pytest.raises(Problem) as found:
        call(*arguments, **named)
    return found.value.code


def test_the_good_one_passes():
    assert read(wire()).jti == "0" * 32


@pytest.mark.parametrize(
    "claims",
    [
        {"jti": "x" * 65},
        {"jti": "../../etc/passwd-----"},
        {"jti": 7},
        {"iat": "2026-11-24T09:00:00"},  # no zone: it would not compare
        {"iat": None},
        {"seq": "1"},
        {"seq": True},
        {"irt": "y" * 101},
        {"sha256": None},
    ],
)
def test_validly_signed_but_misshapen_claims_are_a_problem_and_never_a_crash(claims):
    assert code(read, wire(**claims)) == "bad-envelope"


def test_missing_doubled_and_numberless_claims_are_refused():
    assert code(read, wire(body=b"[]")) == "bad-envelope"
    assert code(read, wire(body=b'{"iss":"a"}')) == "bad-envelope"
    assert code(read, wire(body=b'{"iss":"a","iss":"a"}')) == "bad-envelope"
    assert code(read, wire(body=b'{"iss":"a","seq":NaN}')) == "bad-envelope"
    assert code(read, wire(body=b"[" * 100_000)) == "bad-envelope"


def test_no_envelope_outlives_its_lifetime():
    assert code(read, wire(exp=(NOW + timedelta(days=4000)).isoformat())) == "out-of-time"


def test_a_ticket_is_no_envelope_and_a_document_neither():
    assert code(read, wire(typ="ansim-1/poll")) == "bad-envelope"
    assert code(read, wire(typ="ansim-document")) == "bad-envelope"


def test_an_envelope_signed_anew_still_acts_once():
    first = wire()
    later = NOW + timedelta(days=30)
    again = envelope.renew(first, kid=A["kid"], sign=signing_key(A).sign, now=later)
    found = envelope.read(again, directory=DIRECTORY, me="b", now=later, skew=SKEW)
    assert (found.jti, found.payload, found.typ) == ("0" * 32, "{}", "x.ask")


def test_a_key_is_valid_by_the_moment_and_not_by_the_text():
    assert DIRECTORY.keys("a", datetime(2026, 1, 1, 0, 30, tzinfo=UTC))  # 09:00+09:00 is midnight UTC
    assert not DIRECTORY.keys("a", datetime(2025, 12, 31, 23, 30, tzinfo=UTC))


def test_sealed_content_names_its_sender_inside_the_encryption(tmp_path):
    token = signed.encrypt(b"{}", public(SEAL), envelope.party("a", "x.ask"))
    assert signed.header(token)["apu"] == signed.b64(b"a x.ask")
    store = Keystore.create(tmp_path / "keys", b"a long passphrase", {"receive": "enc"})
    verbs = Verbs(store)
    mine = signed.encrypt(b"{}", public(store.keys["receive"]), "a x.ask")
    assert verbs.decrypt("receive", mine) == "e30="
    head = signed.b64(canonical({**signed.header(mine), "apu": signed.b64(b"mallory x.ask")}))
    with pytest.raises(Exception, match=r"."):  # another name gives another key
        verbs.decrypt("receive", f"{head}.{mine.partition('.')[2]}")


def test_a_members_key_signs_documents_only(tmp_path):
    store = Keystore.create(tmp_path / "keys", b"a long passphrase", {"site": "sig", "ann": "sig"})
    verbs = Verbs(store)

    def sign(key, head):
        return signed.compact(head, b"{}", lambda data: keeper_sign(verbs, key, data))

    assert sign("ann", {"typ": "ansim-document"})
    assert sign("site", {"typ": "ansim-1/x.ask"})
    assert code(sign, "ann", {"typ": "ansim-1/x.ask"}) == "not-a-document"
    assert code(sign, "mallory", {"typ": "ansim-document"}) == "no-key"


def keeper_sign(verbs, key, data):
    import base64

    return base64.b64decode(verbs.sign(key, base64.b64encode(data).decode()))


def notice(**changes):
    document = {
        "ansim": "members/1",
        "org": "a",
        "seq": 2,
        "issued": NOW.isoformat(),
        "expires": (NOW + timedelta(days=9)).isoformat(),
        "members": [{"id": "ann", "name": "Ann", "key": public(A)}],
        **changes,
    }
    document = {name: value for name, value in document.items() if value is not None}
    return signed.sign_document(document, A["kid"], signing_key(A).sign)


def accept(given):
    return notices.accept(given, 1, notices.Trust((), 1, {}, demo=True), DIRECTORY, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": None},
        {"seq": "3"},
        {"seq": 0},
        {"issued": None},
        {"issued": "soon"},
        {"issued": (NOW + timedelta(days=5)).isoformat()},
        {"members": None},
        {"members": [{"id": "ann"}]},
    ],
)
def test_a_signed_but_misshapen_notice_stops_nobody(changes):
    assert accept(notice())[0] == "members:a"
    assert code(accept, notice(**changes)) == "bad-notice"


@pytest.mark.parametrize("jws", ["", "..", "a.b.c.d", None, 7])
def test_a_broken_signature_is_a_problem(jws):
    broken = {**notice(), "signatures": [{"kid": A["kid"], "jws": jws}]}
    assert code(signed.open_document, broken, [public(A)]) == "bad-signature"


def test_one_process_a_site(tmp_path):
    held = fitness.lock(tmp_path, "site.lock")
    assert code(fitness.lock, tmp_path, "site.lock") == "runs-already"
    held.close()
    fitness.lock(tmp_path, "site.lock").close()
