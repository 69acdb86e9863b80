"""C2SP forms, and the questions a witness asks."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ansim.errors import Problem
from ansim.governance.ledger import checkpoint, tree, witness
from ansim.governance.ledger.checkpoint import BadNote, Checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OTHER_PUBLIC = OTHER.public_key().public_bytes_raw()
LEAVES = [tree.leaf_hash(bytes([index])) for index in range(20)]


def head(size, leaves=LEAVES, origin="hospital-a", key=KEY):
    found = Checkpoint(origin, size, tree.root(leaves, 0, size))
    return checkpoint.sign_checkpoint(found, key.public_key().public_bytes_raw(), key.sign)


def test_the_specifications_own_example_reads_and_writes_back():
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
        "zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0"
        "xUe+mbIUBkBIfZ+qnA==\n"
    )
    text, lines = checkpoint.split_note(note)
    found = Checkpoint.parse(text)
    assert (found.origin, found.size, found.text()) == ("example.com/behind-the-sofa", 20852163, text)
    assert text + "\n" + "".join(line.text() for line in lines) == note
    assert int.from_bytes(lines[1].signature[:8], "big") == 1679315147  # the time the specification shows
    assert len(lines[1].signature) == 72


def test_form_of_a_signed_checkpoint():
    note = head(3)
    text, line = note.split("\n\n")
    assert text.split("\n")[:2] == ["hospital-a", "3"]
    value = base64.b64decode(line.split(" ")[2])
    assert value[:4] == hashlib.sha256(b"hospital-a\n\x01" + PUBLIC).digest()[:4]
    KEY.public_key().verify(value[4:], (text + "\n").encode())
    assert checkpoint.open_checkpoint(note, "hospital-a", [OTHER_PUBLIC, PUBLIC]).size == 3


def test_extension_lines_are_signed():
    found = Checkpoint("hospital-a", 1, LEAVES[0], ("version 2",))
    note = checkpoint.sign_checkpoint(found, PUBLIC, KEY.sign)
    assert checkpoint.open_checkpoint(note, "hospital-a", [PUBLIC]) == found
    with pytest.raises(BadNote):
        checkpoint.open_checkpoint(note.replace("version 2", "version 3"), "hospital-a", [PUBLIC])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.replace("\n3\n", "\n4\n"),
        lambda note: note.replace("\n3\n", "\n03\n"),
        lambda note: note.replace("hospital-a\n", "hospital-b\n", 1),
        lambda note: note.replace("— ", "- "),
        lambda note: note.rstrip("\n"),
        lambda note: note.replace("\n\n", "\n\n\t"),
        lambda note: note[: note.index("\n\n") + 2],
        lambda note: note + "— hospital-a AAAA\n",
    ],
)
def test_a_spoilt_note_is_refused(spoil):
    with pytest.raises(BadNote):
        checkpoint.open_checkpoint(spoil(head(3)), "hospital-a", [PUBLIC])


def test_a_known_key_that_signed_wrongly_spoils_the_note_and_an_unknown_one_does_not():
    note = head(3)
    unknown = checkpoint.SignatureLine("someone", b"1234", b"nonsense").text()
    assert checkpoint.open_checkpoint(note + unknown, "hospital-a", [PUBLIC]).size == 3
    wrong = checkpoint.SignatureLine("hospital-a", checkpoint.key_id("hospital-a", OTHER_PUBLIC), bytes(64)).text()
    with pytest.raises(BadNote):
        checkpoint.open_checkpoint(note + wrong, "hospital-a", [PUBLIC, OTHER_PUBLIC])


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "cosignature/v1"])
def test_names_that_cannot_be(origin):
    with pytest.raises(BadNote):
        Checkpoint(origin, 0, bytes(32))


def test_cosignature_binds_time_head_witness_and_key():
    found = Checkpoint("hospital-a", 3, tree.root(LEAVES, 0, 3))
    line = checkpoint.cosign(found, "centre", OTHER_PUBLIC, OTHER.sign, 1_750_000_000)
    assert checkpoint.open_cosignature(line, found, "centre", [PUBLIC, OTHER_PUBLIC]) == 1_750_000_000
    value = base64.b64decode(line.strip().split(" ")[2])
    assert value[:4] == hashlib.sha256(b"centre\n\x04" + OTHER_PUBLIC).digest()[:4]
    OTHER.public_key().verify(value[12:], b"cosignature/v1\ntime 1750000000\n" + found.text().encode())
    later = base64.b64encode(value[:4] + (1_750_000_001).to_bytes(8, "big") + value[12:]).decode()
    for bad_line, head_, name, keys in [
        (line, Checkpoint("hospital-a", 4, found.root), "centre", [OTHER_PUBLIC]),
        (line, found, "hub", [OTHER_PUBLIC]),
        (line, found, "centre", [PUBLIC]),
        (f"— centre {later}\n", found, "centre", [OTHER_PUBLIC]),
    ]:
        with pytest.raises(BadNote):
            checkpoint.open_cosignature(bad_line, head_, name, keys)


def test_a_checkpoints_signature_is_no_cosignature():
    found = Checkpoint("hospital-a", 3, tree.root(LEAVES, 0, 3))
    line = checkpoint.split_note(checkpoint.sign_checkpoint(found, PUBLIC, KEY.sign))[1][0].text()
    with pytest.raises(BadNote):
        checkpoint.open_cosignature(line, found, "hospital-a", [PUBLIC])


def ask(known, note, old, leaves=LEAVES, proof=None):
    size = int(note.split("\n")[1])
    proof = tree.consistency_proof(old, leaves, size) if proof is None else proof
    return witness.admit(known, note, old=old, proof=proof, origin="hospital-a", public_keys=[PUBLIC])


def known(size):
    return size, tree.root(LEAVES, 0, size)


def test_a_witness_follows_a_growing_ledger():
    assert ask(None, head(4), 0).size == 4
    assert ask(known(4), head(4), 4).size == 4
    assert ask(known(4), head(11), 4).root == tree.root(LEAVES, 0, 11)


def test_a_witness_refuses_with_the_reason():
    forked = [tree.leaf_hash(b"forged"), *LEAVES[1:]]
    cases = [
        ("ledger-rollback", lambda: ask(known(9), head(4), 4)),
        ("ledger-fork", lambda: ask(known(4), head(4, forked), 4, forked)),
        ("ledger-proof", lambda: ask(known(4), head(9, forked), 4, forked)),
        ("ledger-proof", lambda: ask(known(4), head(9), 4, proof=[])),
        ("ledger-proof", lambda: ask(None, head(4), 0, proof=[LEAVES[0]])),
        ("ledger-stale", lambda: ask(known(4), head(9), 3)),
        ("ledger-unsigned", lambda: ask(None, head(4, key=OTHER), 0)),
        ("ledger-unsigned", lambda: ask(None, head(4, origin="hospital-b"), 0)),
    ]
    for code, attempt in cases:
        with pytest.raises(Problem) as refusal:
            attempt()
        assert refusal.value.code == code
        assert "hospital-a" in str(refusal.value)
