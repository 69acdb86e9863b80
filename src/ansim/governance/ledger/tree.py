"""Merkle trees of RFC 9162, section 2.1: leaves, roots, and proofs.

Hashes are SHA-256, 32 bytes. A tree is a sequence of leaf hashes; appending needs only its frontier (`Frontier`), the
roots of the perfect subtrees that the size's binary digits name, so the caller keeps at most log2(n) + 1 hashes.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): the domain byte keeps a leaf from being read as a node."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """Enough of a tree to append to it and to know its root.

    size: number of leaves. hashes: roots of its perfect subtrees, widest first, one for each 1 in the binary size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.hashes)} perfect subtrees")

    def append(self, leaf: bytes, width: int = 1) -> "Frontier":
        """The frontier after one more leaf hash, or the root of `width` leaves at once (a power of two that divides the
        size): each trailing 1 of the size merges two subtrees of equal width."""
        count, rest = divmod(self.size, width)
        if rest:
            raise ValueError(f"{width} leaves do not lie beside {self.size} in a tree")
        hashes = list(self.hashes)
        while count & 1:
            leaf = node_hash(hashes.pop(), leaf)
            count >>= 1
        return Frontier(self.size + width, (*hashes, leaf))

    def root(self) -> bytes:
        """The Merkle tree hash: the subtrees folded from the narrowest to the widest."""
        if not self.hashes:
            return EMPTY_ROOT
        result = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            result = node_hash(left, result)
        return result

    def as_data(self) -> dict:
        """Plain JSON to keep beside the ledger."""
        return {"size": self.size, "hashes": [value.hex() for value in self.hashes]}

    @classmethod
    def from_data(cls, data: dict) -> "Frontier":
        return cls(data["size"], tuple(bytes.fromhex(value) for value in data["hashes"]))


class Tiles(Sequence[bytes]):
    """The leaf hashes of a ledger that grows. Roots of whole runs of 256 leaves are kept once computed: a proof in a
    long ledger then reads few leaves.

    read: (start, end) -> leaf hashes start..end-1, which never change. size: set by the caller as the ledger grows.
    """

    WIDTH = 256

    def __init__(self, read: Callable[[int, int], list[bytes]], size: int = 0):
        self._read, self.size = read, size
        self._roots: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, at):
        return self._read(at, at + 1)[0]

    def parts(self, start: int, end: int) -> Iterator[tuple[bytes, int]]:
        """(hash, width) of what leaves start..end-1 consist of: whole tiles where they lie within, else leaves."""
        while start < end:
            tile, inside = divmod(start, self.WIDTH)
            stop = min(end, (tile + 1) * self.WIDTH)
            if inside or stop - start < self.WIDTH:
                yield from ((leaf, 1) for leaf in self._read(start, stop))
            else:
                if tile not in self._roots:
                    self._roots[tile] = root(self._read(start, stop))
                yield self._roots[tile], self.WIDTH
            start = stop


def root(leaves: Sequence[bytes], start: int = 0, end: int | None = None) -> bytes:
    """The Merkle tree hash of leaf hashes start..end-1 taken as a tree of their own."""
    end = len(leaves) if end is None else end
    parts = leaves.parts(start, end) if isinstance(leaves, Tiles) else ((leaves[at], 1) for at in range(start, end))
    frontier = Frontier()
    for part, width in parts:
        frontier = frontier.append(part, width)
    return frontier.root()


def inclusion_proof(index: int, leaves: Sequence[bytes], size: int | None = None) -> list[bytes]:
    """PATH(index, D_size) of section 2.1.3.1, leaf to root; IndexError when the tree has no such leaf."""
    size = len(leaves) if size is None else size
    if not 0 <= index < size <= len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(root(leaves, middle, end))
            end = middle
        else:
            path.append(root(leaves, start, middle))
            start = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Does the proof carry the leaf hash at this index up to the expected root (section 2.1.3.2)?"""
    if not 0 <= index < size:
        return False
    position, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and current == expected


def consistency_proof(old: int, leaves: Sequence[bytes], size: int | None = None) -> list[bytes]:
    """PROOF(old, D_size) of section 2.1.4.1: that the first `old` leaves are still the same.

    Empty for old = 0 and old = size, which need no proof beyond comparing roots.
    """
    size = len(leaves) if size is None else size
    if not 0 <= old <= size <= len(leaves):
        raise IndexError(f"no tree of {old} leaves before one of {size}")
    if old in (0, size):
        return []
    proof, start, end, whole = [], 0, size, True
    # Walk down to the subtree that ends exactly where the old tree ended, noting what stands beside the way.
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(root(leaves, middle, end))
            end = middle
        else:
            proof.append(root(leaves, start, middle))
            start, whole = middle, False
    if not whole:  # the verifier knows the old root already when that subtree is the whole old tree
        proof.append(root(leaves, start, end))
    return proof[::-1]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Is the tree (new, new_root) the tree (old, old_root) with leaves appended (section 2.1.4.2)?"""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_hash = new_hash = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_hash, new_hash = node_hash(sibling, old_hash), node_hash(sibling, new_hash)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_hash = node_hash(new_hash, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_hash == old_root and new_hash == new_root


def _split(width: int) -> int:
    """The largest power of two below width: where RFC 9162 splits a tree."""
    return 1 << (width - 1).bit_length() - 1
