"""Every way to alter a ledger, against the verifier; each attack is also shown to pass where nobody witnessed."""

import base64
import json
import random
import sqlite3
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance.ledger import checkpoint, reading, tree
from ansim.governance.ledger.checkpoint import Checkpoint
from ansim.governance.ledger.entry import ERASURE, canonical, commitment
from ansim.governance.ledger.verify import main, verify

SITES = ("hospital-a", "hospital-b", "hub")
KEYS = {site: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number, site in enumerate(SITES, 1)}
PUBLIC = {site: key.public_key().public_bytes_raw() for site, key in KEYS.items()}
DIRECTORY = {
    "sites": [
        {
            "id": site,
            "kind": "holder",
            "keys": [
                {
                    "kid": f"{site}-1",
                    "use": "sig",
                    "jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")},
                }
            ],
        }
        for site, raw in PUBLIC.items()
    ]
}
SCHEMA = """
CREATE TABLE ledger_event (seq INTEGER PRIMARY KEY, stream TEXT, version INTEGER, type TEXT, at TEXT, actor TEXT,
                           data TEXT, salt TEXT, leaf TEXT);
CREATE TABLE ledger_checkpoint (size INTEGER PRIMARY KEY, root TEXT, note TEXT);
CREATE TABLE ledger_cosignature (size INTEGER, witness TEXT, line TEXT);
CREATE TABLE ledger_witnessed (origin TEXT, size INTEGER, root TEXT, note TEXT, PRIMARY KEY (origin, size));
"""


def entry(seq, versions, chance, type="noted", data=None):
    stream = f"case-{chance.randrange(3)}"
    versions[stream] = versions.get(stream, 0) + 1
    data = {"n": chance.randrange(1000), "말": "가나다"} if data is None else data
    fields = {"stream": stream, "version": versions[stream], "type": type, "at": f"2026-01-05T09:{seq:02}:00+09:00"}
    return seal({"seq": seq, **fields, "actor": "kim", "data": data, "salt": chance.randbytes(32)})


def seal(row):
    """The row as stored, its leaf computed from its content."""
    data = json.loads(row["data"]) if isinstance(row["data"], str) else row["data"]
    salt = row["salt"] if isinstance(row["salt"], bytes) else bytes.fromhex(row["salt"])
    content = {name: row[name] for name in ("stream", "version", "type", "at", "actor")}
    leaf = commitment(salt=salt, data=data, **content)
    return {**row, "data": canonical(data).decode(), "salt": salt.hex(), "leaf": leaf.hex()}


class Network:
    """Site folders with real ledgers: hospital-a's entries, checkpointed at some sizes and witnessed by the others."""

    def __init__(self, root, entries, heads, seed=1, cosigned=True, kept=True):
        self.root, self.chance = root, random.Random(seed)
        versions = {}
        self.events = [entry(seq, versions, self.chance) for seq in range(entries)]
        self.notes = {size: self.note(size) for size in heads}
        for site in SITES:
            (root / site).mkdir()
            with self.open(site) as database:
                database.executescript(SCHEMA)
        self.write_events(self.events)
        for size, note in self.notes.items():
            self.write_checkpoint(size, note)
            if cosigned:
                line = checkpoint.cosign(self.head(size), "hub", PUBLIC["hub"], KEYS["hub"].sign, 1_770_000_000)
                self.run("INSERT INTO ledger_cosignature VALUES (?,?,?)", size, "hub", line)
            if kept:
                root_hex = self.head(size).root.hex()
                self.run("INSERT INTO ledger_witnessed VALUES (?,?,?,?)", "hospital-a", size, root_hex, note,
                         site="hospital-b")  # fmt: skip

    def open(self, site="hospital-a"):
        return sqlite3.connect(self.root / site / "site.sqlite3")

    def run(self, query, *values, site="hospital-a"):
        database = self.open(site)
        with database:
            database.execute(query, values)
        database.close()

    def head(self, size, events=None):
        leaves = [bytes.fromhex(row["leaf"]) for row in events or self.events]
        return Checkpoint("hospital-a", size, tree.root(leaves, 0, size))

    def note(self, size, events=None):
        return checkpoint.sign_checkpoint(self.head(size, events), PUBLIC["hospital-a"], KEYS["hospital-a"].sign)

    def write_events(self, events):
        database = self.open()
        with database:
            database.execute("DELETE FROM ledger_event")
            names = reading.TABLES["ledger_event"]
            marks = ", ".join("?" * len(names))
            rows = [tuple(row[name] for name in names) for row in events]
            database.executemany(f"INSERT INTO ledger_event VALUES ({marks})", rows)
        database.close()

    def write_checkpoint(self, size, note):
        root_hex = base64.b64decode(note.split("\n")[2]).hex()
        self.run("INSERT OR REPLACE INTO ledger_checkpoint VALUES (?,?,?)", size, root_hex, note)

    def resign(self, events):
        """What a thief of the site's key does: fresh checkpoints over the altered ledger, cosignatures thrown away."""
        self.run("DELETE FROM ledger_cosignature")
        self.run("DELETE FROM ledger_checkpoint")
        for size in self.notes:
            if size <= len(events):
                self.write_checkpoint(size, self.note(size, events))

    def report(self):
        return verify([self.root / "hospital-a"], DIRECTORY).sites[0]


def codes(report):
    return {finding.code for finding in report.findings}


def located(report, seq):
    return any(
        finding.seq is not None and finding.seq <= seq <= (finding.seq if finding.until is None else finding.until)
        for finding in report.findings
    )


@pytest.fixture
def network(tmp_path):
    return Network(tmp_path, 20, [7, 16])


def test_an_untouched_ledger_holds_and_says_since_when_it_is_unwitnessed(network):
    report = network.report()
    assert report.findings == []
    assert (report.site, report.entries, report.witnessed) == ("hospital-a", 20, 16)
    assert report.witnesses == ["hospital-b", "hub"]
    assert report.unwitnessed_since == {"seq": 16, "at": "2026-01-05T09:16:00+09:00"}


def test_a_fully_witnessed_ledger_has_no_tail(tmp_path):
    report = Network(tmp_path, 8, [8]).report()
    assert report.findings == []
    assert report.unwitnessed_since is None


def renumber(events):
    return [{**row, "seq": seq} for seq, row in enumerate(events)]


def alter(kind, events, at, chance):
    """The ledger with the entry at `at` altered; None where the alteration changes nothing."""
    events = [dict(row) for row in events]
    row = events[at]
    if kind == "data":
        row["data"] = canonical({"n": "forged"}).decode()
    elif kind == "data and leaf":
        row["data"] = canonical({"n": "forged"}).decode()
        events[at] = seal(row)
    elif kind == "leaf":
        row["leaf"] = chance.randbytes(32).hex()
    elif kind == "salt":
        row["salt"] = chance.randbytes(32).hex()
    elif kind in ("actor", "type", "at", "stream"):
        row[kind] = "forged"
    elif kind == "version":
        row["version"] += 1
    elif kind == "erase":
        row["data"] = row["salt"] = None
    elif kind == "drop":
        del events[at]
    elif kind == "drop and renumber":
        del events[at]
        events = renumber(events)
    elif kind == "reorder":
        other = (at + 1) % len(events)
        events[at], events[other] = events[other], events[at]
        events = renumber(events)
    elif kind == "insert":
        events.insert(at, seal({**row, "stream": "case-9", "version": 1, "salt": chance.randbytes(32)}))
        events = renumber(events)
    elif kind == "truncate":
        events = events[:at]
    return events


KINDS = ["data", "data and leaf", "leaf", "salt", "actor", "type", "at", "stream", "version", "erase", "drop"]
KINDS += ["drop and renumber", "reorder", "insert", "truncate"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.integers(1, 24), st.booleans(), st.booleans(), st.data())
def test_any_alteration_at_or_before_the_witnessed_head_is_found_and_located(tmp_path_factory, kind, entries, thief,
                                                                             cosigned, data):  # fmt: skip
    heads = data.draw(st.sets(st.integers(1, entries), min_size=1, max_size=4))
    at = data.draw(st.integers(0, max(heads) - 1))
    network = Network(tmp_path_factory.mktemp("net"), entries, sorted(heads), cosigned=cosigned)
    assert network.report().findings == []
    if kind == "reorder" and at + 1 >= entries:
        return
    altered = alter(kind, network.events, at, network.chance)
    network.write_events(altered)
    if thief:  # the thief also holds the site's key and signs new checkpoints; hospital-b still keeps the old heads
        network.resign(altered)
    report = network.report()
    assert report.findings, (kind, at)
    assert located(report, at), (kind, at, report.findings)


@pytest.mark.parametrize("kind", ["data and leaf", "drop and renumber", "truncate", "insert"])
def test_positive_control_without_witnesses_a_thief_of_the_key_rewrites_history(tmp_path, kind):
    """The same alterations pass where no other site keeps a head: so it is the witnessing that finds them."""
    network = Network(tmp_path, 20, [20], cosigned=False, kept=False)
    altered = alter(kind, network.events, 19, network.chance)
    network.write_events(altered)
    network.resign(altered)
    report = network.report()
    assert report.findings == []
    assert report.witnessed == 0
    assert report.unwitnessed_since["seq"] == 0


def test_a_rewritten_entry_is_located_between_the_heads_around_it(network):
    network.write_events(alter("data and leaf", network.events, 9, network.chance))
    finding = next(finding for finding in network.report().findings if finding.code == "rewritten")
    assert (finding.seq, finding.until) == (7, 15)


def test_a_change_in_the_tail_shows_as_unwitnessed_only(network):
    network.write_events(alter("data and leaf", network.events, 18, network.chance))
    report = network.report()
    assert report.findings == []
    assert report.unwitnessed_since["seq"] == 16


def test_a_fork_shown_to_one_witness_is_named(network):
    other = alter("data and leaf", network.events, 3, network.chance)
    head = network.head(7, other)
    network.run("UPDATE ledger_witnessed SET root=?, note=? WHERE size=7", head.root.hex(), network.note(7, other),
                site="hospital-b")  # fmt: skip
    found = [finding for finding in network.report().findings if finding.code == "rewritten"]
    assert "hospital-b" in found[0].text
    assert "two histories" in found[0].text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("UPDATE ledger_checkpoint SET root='00' WHERE size=7", "bad-checkpoint"),
        ("UPDATE ledger_checkpoint SET size=8 WHERE size=7", "bad-checkpoint"),
        ("UPDATE ledger_checkpoint SET note=replace(note, 'hospital-a', 'hospital-b')", "bad-checkpoint"),
        ("UPDATE ledger_checkpoint SET note=NULL", "bad-checkpoint"),
        ("DELETE FROM ledger_checkpoint WHERE size=7", "bad-cosignature"),
        ("UPDATE ledger_cosignature SET size=16 WHERE size=7", "bad-cosignature"),
        ("UPDATE ledger_cosignature SET witness='hospital-b'", "bad-cosignature"),
        ("UPDATE ledger_cosignature SET line='x'", "bad-cosignature"),
        ("DROP TABLE ledger_event", "unreadable"),
    ],
)
def test_altered_heads(network, query, code):
    network.run(query)
    assert code in codes(network.report())


def test_a_swapped_checkpoint_loses_its_cosignature(network):
    network.write_checkpoint(7, network.note(7, alter("data and leaf", network.events, 3, network.chance)))
    assert {"bad-cosignature", "rewritten"} <= codes(network.report())


def test_a_witness_whose_record_is_not_signed_frames_nobody(network):
    forged = network.notes[7].replace("hospital-a\n7", "hospital-a\n9", 1)
    network.run("UPDATE ledger_witnessed SET size=9, note=? WHERE size=7", forged, site="hospital-b")
    assert network.report().findings == []
    assert codes(verify([network.root / "hospital-b"], DIRECTORY).sites[0]) == {"bad-witnessed-head"}


def test_a_recorded_erasure_holds_and_is_told(tmp_path):
    network = Network(tmp_path, 5, [])
    events = [*network.events, entry(5, {}, random.Random(9), ERASURE, {"seqs": [2]})]
    events[5] = seal({**events[5], "stream": "erasures", "version": 1})
    events[2] = {**events[2], "data": None, "salt": None}
    network.write_events(events)
    report = network.report()
    assert (report.findings, report.erased) == ([], [2])


def test_an_exported_ledger_reads_the_same(network):
    folder = network.root / "hospital-a"
    rows = [(table, row) for table in reading.TABLES for row in reading.Folder(folder).rows(table)]
    assert reading.export(rows, folder / "ledger.jsonl") == len(rows)
    before = network.report()
    (folder / "site.sqlite3").unlink()
    assert network.report() == before
    text = (folder / "ledger.jsonl").read_text().replace('\\"n\\":', '\\"m\\":', 1)
    (folder / "ledger.jsonl").write_text(text)
    assert codes(network.report()) == {"changed"}
    (folder / "ledger.jsonl").write_text("not json\n")
    assert codes(network.report()) == {"unreadable"}


def test_the_command_prints_and_exits(network, capsys):
    path = network.root / "directory.json"
    path.write_text(json.dumps(DIRECTORY))
    folders = [str(network.root / site) for site in SITES]
    assert main([*folders, "--directory", str(path)]) == 0
    assert "unwitnessed since entry 16" in capsys.readouterr().out
    network.write_events(alter("data", network.events, 4, network.chance))
    assert main([*folders, "--directory", str(path), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["sites"][0]["findings"][0]["seq"] == 4
    assert main([*folders, "--directory", str(network.root / "none.json")]) == 1


def test_a_site_without_a_key_is_not_trusted(network):
    directory = {"sites": [site for site in DIRECTORY["sites"] if site["id"] != "hospital-a"]}
    assert {"unknown-site", "bad-checkpoint"} <= codes(verify([network.root / "hospital-a"], directory).sites[0])


def test_a_copied_folder_under_the_same_name_is_told(network):
    copy = network.root / "copy"
    copy.mkdir()
    (copy / "site.sqlite3").write_bytes((network.root / "hospital-a" / "site.sqlite3").read_bytes())
    report = verify([network.root / "hospital-a", copy], DIRECTORY)
    assert all("same-site" in codes(site) for site in report.sites)


def test_the_verifier_needs_none_of_the_sites_code():
    program = "import sys, ansim.governance.ledger.verify; print(*(n for n in sys.modules if n.startswith('ansim.')))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    modules = {name.removeprefix("ansim.governance.ledger.") for name in found if ".ledger." in name}
    assert modules == {"verify", "reading", "tree", "entry", "checkpoint"}
    assert set(found) - {f"ansim.governance.ledger.{name}" for name in modules} == {
        "ansim.governance",
        "ansim.governance.ledger",
    }


def bounded(site, **bounds):
    """The directory with bounds on the keys of one site."""
    sites = [
        {**each, "keys": [{**key, **bounds} for key in each["keys"]]} if each["id"] == site else each
        for each in DIRECTORY["sites"]
    ]
    return {**DIRECTORY, "sites": sites}


def test_a_key_counts_for_its_own_time_only(network):
    def found(directory):
        return verify([network.root / "hospital-a"], directory).sites[0]

    last = network.events[max(network.notes) - 1]["at"]
    after, before = "2027-01-01T00:00:00+00:00", "2026-01-05T08:00:00+09:00"
    assert found(bounded("hospital-a", not_after=after)) == found(DIRECTORY)  # rotated later: it signed in its time
    over = found(bounded("hospital-a", not_after=last))
    assert "retired-key" in codes(over)
    assert over.witnessed < found(DIRECTORY).witnessed
    assert found(bounded("hospital-a", not_after=before)).witnessed == 0
    late = found(bounded("hub", not_after="2026-02-01T00:00:00+00:00"))  # it cosigned on the second of February
    early = found(bounded("hub", not_before="2026-02-03T00:00:00+00:00"))
    assert codes(late) == codes(early) == {"bad-cosignature"}


def test_heads_of_a_revoked_key_vouch_for_nothing(network):
    revoked = verify([network.root / "hospital-a"], {**DIRECTORY, "revoked": ["hospital-a-1"]}).sites[0]
    assert (revoked.witnessed, codes(revoked)) == (0, set())
    other = verify([network.root / "hospital-a"], {**DIRECTORY, "revoked": ["hub-1"]}).sites[0]
    assert (other.witnessed, other.witnesses, codes(other)) == (16, ["hospital-b"], set())
