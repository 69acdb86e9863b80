"""Merkle trees against RFC 9162's recursive definitions, and proofs that must not hold for anything else."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance.ledger import tree

LEAVES = [tree.leaf_hash(f"entry {index}".encode()) for index in range(130)]
sized = settings(max_examples=60, deadline=None, derandomize=True)


def naive(leaves):
    """MTH of section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def test_known_answer_of_certificate_transparency():
    # Leaves and roots that Certificate Transparency implementations use as their shared test vector.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [tree.leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert tree.root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_frontier_agrees_with_the_recursion_at_every_size(size):
    frontier = tree.Frontier()
    for leaf in LEAVES[:size]:
        frontier = frontier.append(leaf)
    assert frontier.root() == naive(LEAVES[:size])
    assert len(frontier.hashes) <= max(1, size.bit_length())
    assert tree.Frontier.from_data(frontier.as_data()) == frontier


def test_frontier_refuses_hashes_that_do_not_fit_its_size():
    with pytest.raises(ValueError, match="perfect subtrees"):
        tree.Frontier(3, (LEAVES[0],))


@sized
@given(st.data())
def test_inclusion_holds_for_the_entry_and_for_nothing_else(data):
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    proof, root = tree.inclusion_proof(index, LEAVES, size), naive(LEAVES[:size])
    assert tree.verify_inclusion(LEAVES[index], index, size, proof, root)
    assert not tree.verify_inclusion(tree.leaf_hash(b"other"), index, size, proof, root)
    assert not tree.verify_inclusion(LEAVES[index], index, size, [*proof, LEAVES[0]], root)
    assert not tree.verify_inclusion(LEAVES[index], size, size, proof, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda value: value != index)) if size > 1 else size
    assert not tree.verify_inclusion(LEAVES[index], other, size, proof, root)
    if proof:
        assert not tree.verify_inclusion(LEAVES[index], index, size, proof[:-1], root)


@sized
@given(st.data())
def test_consistency_holds_for_a_longer_ledger_and_not_for_a_changed_one(data):
    size = data.draw(st.integers(1, 130))
    old = data.draw(st.integers(0, size))
    proof = tree.consistency_proof(old, LEAVES, size)
    before, after = naive(LEAVES[:old]), naive(LEAVES[:size])
    assert tree.verify_consistency(old, size, before, after, proof)
    if old == 0:
        return
    changed = data.draw(st.integers(0, old - 1))
    forked = [*LEAVES[:changed], tree.leaf_hash(b"forged"), *LEAVES[changed + 1 : size]]
    forged = tree.consistency_proof(old, forked)
    assert not tree.verify_consistency(old, size, before, naive(forked), forged)
    assert not tree.verify_consistency(old, size, before, naive(forked), proof)
    assert not tree.verify_consistency(old, size, before, after, [*proof, LEAVES[0]])
    if proof:
        assert not tree.verify_consistency(old, size, before, after, proof[1:])
        assert not tree.verify_consistency(old, size, before, after, proof[:-1])


def test_all_small_consistency_proofs_verify():
    for size in range(1, 40):
        for old in range(size + 1):
            proof = tree.consistency_proof(old, LEAVES, size)
            assert tree.verify_consistency(old, size, naive(LEAVES[:old]), naive(LEAVES[:size]), proof), (old, size)
            assert len(proof) <= size.bit_length() + 1


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 131)])
def test_inclusion_of_an_entry_that_is_not_there(index, size):
    with pytest.raises(IndexError):
        tree.inclusion_proof(index, LEAVES, size)


def test_consistency_from_the_future():
    with pytest.raises(IndexError):
        tree.consistency_proof(5, LEAVES, 4)
    assert not tree.verify_consistency(5, 4, naive(LEAVES[:5]), naive(LEAVES[:4]), [])
    assert not tree.verify_consistency(4, 7, naive(LEAVES[:4]), naive(LEAVES[:7]), [])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 700, 1024, 1500])
def test_kept_roots_give_the_same_proofs_and_read_less(size):
    leaves = [tree.leaf_hash(str(index).encode()) for index in range(size)]
    read: list[int] = []

    def some(start, end):
        read.append(end - start)
        return leaves[start:end]

    tiles = tree.Tiles(some, size)
    assert tree.root(tiles) == tree.root(leaves)
    read.clear()
    for old in {1, size // 3 or 1, size // 2 or 1, max(1, size - 1), size}:
        assert tree.consistency_proof(old, tiles, size) == tree.consistency_proof(old, leaves, size)
        assert tree.inclusion_proof(old - 1, tiles, size) == tree.inclusion_proof(old - 1, leaves, size)
        assert sum(read) <= 4 * tree.Tiles.WIDTH
        read.clear()


def test_a_run_of_leaves_lies_only_where_its_width_divides_the_size():
    with pytest.raises(ValueError, match="do not lie beside"):
        tree.Frontier().append(LEAVES[0]).append(LEAVES[1], 2)
