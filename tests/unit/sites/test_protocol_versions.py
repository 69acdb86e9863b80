"""What the first release wrote is read today: its notices, its envelopes, what it sealed."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from ansim.errors import Problem
from ansim.sites.exchange import envelope, notices, signed

GIVEN = json.loads((Path(__file__).parents[2] / "fixtures" / "first_release" / "exchange.json").read_text("utf-8"))
AT = datetime.fromisoformat(GIVEN["at"])
SKEW = timedelta(minutes=5)


def directory() -> notices.Directory:
    return notices.Directory(signed.open_document(GIVEN["directory"], GIVEN["roots"], GIVEN["threshold"]))


def read(wire, now=AT):
    return envelope.read(wire, directory=directory(), me="hospital-a", now=now, skew=SKEW)


def test_its_directory_is_still_genuine():
    assert {"hub", "hospital-a", "company-x"} <= set(directory().sites)
    spoilt = {**GIVEN["directory"], "document": {**GIVEN["directory"]["document"], "seq": 2}}
    with pytest.raises(Problem):
        signed.open_document(spoilt, GIVEN["roots"], GIVEN["threshold"])


def test_its_envelopes_are_still_read():
    found = [read(wire) for wire in GIVEN["envelopes"]]
    assert [each.typ for each in found] == ["thread.message", "request.ask", "ledger.stale"]
    assert [each.sealed for each in found] == [False, True, False]
    assert [each.seq for each in found] == [1, 2, 3]
    assert json.loads(found[0].payload)["text"] == "hello"


def test_what_it_sealed_still_opens():
    token = GIVEN["envelopes"][1]["payload"]
    opened = jwe.decrypt_compact(token, OKPKey.import_key(GIVEN["receive"]), algorithms=signed.RECEIVE).plaintext
    assert json.loads(opened)["id"] == "req-2"
    assert "apu" not in signed.header(token)  # who sealed it came with the next commit: see the docs on upgrades


def test_a_version_that_is_not_known_is_refused():
    wire = GIVEN["envelopes"][0]
    head = {**signed.header(wire["jws"]), "typ": "ansim-2/thread.message"}
    changed = ".".join([signed.b64(json.dumps(head).encode()), *wire["jws"].split(".")[1:]])
    with pytest.raises(Problem) as found:
        read({**wire, "jws": changed})
    assert found.value.code == "bad-envelope"
    with pytest.raises(Problem) as found:
        read(wire, AT + timedelta(days=15))
    assert found.value.code == "out-of-time"
