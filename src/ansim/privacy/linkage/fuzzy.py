"""The fuzzy leg: for records that no token matched, encodings that stay near when an item is mistyped.

Outside the official flow, and labelled so: tokens come first, encodings are made only of what is left, compared once,
and deleted. Each *pass* takes some items as exact and compares the others:
- the exact items seed a mask of 512 pseudo-random bits and a block tag, both under the project's key;
- the other items become a Bloom filter of character pairs (Schnell, Bachteler, Reiher: BMC Med Inform Decis Mak
  2009;9:41), 1,024 bits XOR-folded to 512 (Schnell, Borgs: 2016), and the mask is XORed over it.
Two records with equal exact items have one mask, so the number of bits in which their encodings differ is that of their
filters; any other two look unrelated. That hides what plain Bloom filters show: how many bits are set, and which bits
go together over the whole file (pattern mining: Christen et al., 2018). What stays: within one block (people of one
birth date, say) differences are those of the filters: who knows one person of a block learns something of the others.
A pass therefore takes items with many values as exact, and blocks larger than `MOST_BLOCK` are not compared.

Hangul is compared by its jamo, so that 경 and 영 are near; Latin by upper-case letters; digits by their place.
"""

import hmac
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ansim.privacy.deid.keys import derive
from ansim.privacy.linkage.keys import ITEMS

BITS, WORDS = 512, 8  # of an encoding
_LOWER = (1 << BITS) - 1
HASHES = 8  # bits that one character pair sets, before folding
MOST_BLOCK = 500  # people of one block at one institution


@dataclass(frozen=True)
class Pass:
    """exact: items that must agree to the letter. compared: items whose filters are compared."""

    name: str
    exact: tuple[str, ...]
    compared: tuple[str, ...]


PASSES = (
    Pass("birth", ("birth_date",), ("name", "phone", "sex")),
    Pass("phone", ("phone",), ("name", "birth_date", "sex")),
    Pass("name", ("name", "sex"), ("birth_date", "phone")),
)


@dataclass(frozen=True)
class Encoded:
    """One institution's records in one pass. rows: places in its list; blocks: uint64 tags; bits: (n, 8) uint64.
    strangers: share of bits in which two of its own people's filters differ, on average over a sample; spread: how much
    more that varies from pair to pair than independent bits would (0: not at all, 1: all bits go together)."""

    rows: np.ndarray
    blocks: np.ndarray
    bits: np.ndarray
    strangers: float
    spread: float = 0.0


def pairs_of(text: str, positional: bool) -> list[str]:
    """Character pairs of a text with its edges; of numbers each digit with its place, so 12 and 21 share nothing."""
    if positional:
        return [f"{place}{letter}" for place, letter in enumerate(text)]
    letters = f" {unicodedata.normalize('NFD', text)} "
    return [letters[place : place + 2] for place in range(len(letters) - 1)]


def encode(
    key: bytes,
    rows: Sequence[Mapping],
    one: Pass,
    items: Mapping[str, Callable[[object], str | None]] = ITEMS,
    positional: Iterable[str] = ("birth_date", "phone"),
    masked: bool = True,
) -> Encoded:
    """The rows that have every exact item and at least one compared item. key: 32 bytes, the project's, shared by the
    applicants. masked: False leaves the mask off (for tests that show what it is for)."""
    tag_key, bit_key = derive(key, f"link-mask-{one.name}"), derive(key, f"link-bits-{one.name}")
    exact = [_normal(rows, item, items[item]) for item in one.exact]
    compared = [_normal(rows, item, items[item]) for item in one.compared]
    numbers = set(positional)
    places = [
        place
        for place, (own, others) in enumerate(zip(zip(*exact, strict=True), zip(*compared, strict=True), strict=True))
        if all(own) and any(others)
    ]
    seeds: dict[tuple, tuple[bytes, bytes]] = {}  # people of one birth date share mask and tag
    masks, tags = [], []
    for place in places:
        own = tuple(column[place] for column in exact)
        if own not in seeds:
            seed = hmac.digest(tag_key, "\x1f".join(map(str, own)).encode(), "sha512")
            seeds[own] = seed, hmac.digest(tag_key, seed, "sha256")[:8]
        masks.append(seeds[own][0])
        tags.append(seeds[own][1])
    whole = np.zeros((len(places), 2 * WORDS), np.uint64)
    for item, column in zip(one.compared, compared, strict=True):
        whole |= _filters(bit_key, item, [column[place] for place in places], item in numbers)
    words = whole[:, WORDS:] ^ whole[:, :WORDS]
    neighbours = _apart(words, np.roll(words, 1, axis=0)).astype(float) if len(words) > 1 else np.array([BITS / 4])
    unlike = float(neighbours.mean()) / BITS
    blocks = np.frombuffer(b"".join(tags), np.uint64)
    return Encoded(np.array(places, np.int64), blocks, words ^ _words(masks) if masked else words, unlike,
                   _spread(unlike, float(neighbours.var())))  # fmt: skip


def _normal(rows: Sequence[Mapping], item: str, form: Callable[[object], str | None]) -> list[str | None]:
    """The item of each row in its agreed form; each value is brought into it once."""
    memo: dict[object, str | None] = {}
    found = []
    for row in rows:
        value = row.get(item)
        if value not in memo:
            memo[value] = form(value)
        found.append(memo[value])
    return found


def _filters(key: bytes, item: str, column: list[str | None], positional: bool) -> np.ndarray:
    """(rows, 16) uint64: the 1,024 bits of each row's item, none where it is missing; made once for each value."""
    texts: dict[str | None, int] = {None: 0}
    known: dict[str, int] = {}
    parts, starts = [0], [0]  # the empty filter comes first, for what is missing
    for text in column:
        if text and text not in texts:
            texts[text] = len(starts)
            starts.append(len(parts))
            parts += [known.setdefault(pair, len(known) + 1) for pair in pairs_of(text, positional)]
    bits = [0, *(_bits(key, item, pair) for pair in known)]
    table = np.frombuffer(b"".join(each.to_bytes(BITS // 4, "little") for each in bits), np.uint64)
    one_each = np.bitwise_or.reduceat(table.reshape(-1, 2 * WORDS)[parts], starts, axis=0)
    return one_each[[texts[text or None] for text in column]]


def _words(parts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(parts), np.uint64).reshape(-1, WORDS)


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Bits in which the rows of both differ."""
    return np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)


def _bits(key: bytes, item: str, pair: str) -> int:
    """The bits that one character pair sets, of 1,024."""
    drawn = hmac.digest(key, f"{item}\x1f{pair}".encode(), "sha512")
    places = (int.from_bytes(drawn[2 * n : 2 * n + 2], "little") % (2 * BITS) for n in range(HASHES))
    return reduce(lambda bits, place: bits | 1 << place, places, 0)


def distances(left: Encoded, right: Encoded, most_block: int = MOST_BLOCK) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row left, row right, bits in which they differ) of every pair within a block, set-based."""
    tags, starts_l, counts_l, order_l = _grouped(left.blocks)
    tags_r, starts_r, counts_r, order_r = _grouped(right.blocks)
    _, at_l, at_r = np.intersect1d(tags, tags_r, return_indices=True)
    small = (counts_l[at_l] <= most_block) & (counts_r[at_r] <= most_block)
    at_l, at_r = at_l[small], at_r[small]
    widths = counts_r[at_r]
    pairs = counts_l[at_l] * widths
    block = np.repeat(np.arange(len(pairs)), pairs)
    within = np.arange(pairs.sum()) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    one = order_l[starts_l[at_l][block] + within // widths[block]]
    other = order_r[starts_r[at_r][block] + within % widths[block]]
    apart = np.empty(len(one), np.int64)
    for start in range(0, len(one), 1 << 20):  # bounded memory: 128 MB of words at a time
        part = slice(start, start + (1 << 20))
        apart[part] = _apart(left.bits[one[part]], right.bits[other[part]])
    return left.rows[one], right.rows[other], apart


def _grouped(tags: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(tags, kind="stable")
    found, starts, counts = np.unique(tags[order], return_index=True, return_counts=True)
    return found, starts, counts, order


def threshold(apart: np.ndarray, strangers: float, spread: float = 0.0, rounds: int = 100) -> float:
    """The number of differing bits up to which a pair is rather one person than two, estimated without any truth.

    Two beta-binomials over the 512 bits: pairs of one person, whose rate, spread and share are fitted by expectation
    and maximisation (Dempster, Laird, Rubin 1977; moments in place of a maximum, Griffiths 1973), and strangers, whose
    rate and spread each institution knows from its own people. The spread is what makes a pair with one item mistyped
    and one with a whole item missing both look like one person. The threshold is where a pair is of either kind with
    equal chance; -1 where nothing looks like one person.
    """
    if not len(apart) or not strangers:
        return -1.0
    counts = np.bincount(apart, minlength=BITS + 1)[: BITS + 1].astype(float)
    bits = np.arange(BITS + 1)
    far = _log_chance(strangers, spread)
    share, near, wide = 0.1, strangers / 10, 0.0
    for _ in range(rounds):
        odds = np.log(share) - np.log1p(-share) + _log_chance(near, wide) - far
        weight = np.where(bits < strangers * BITS, 1 / (1 + np.exp(-np.clip(odds, -500, 500))), 0.0) * counts
        both = weight.sum()
        if both < 1e-6:
            return -1.0
        share = float(np.clip(both / counts.sum(), 1e-9, 1 - 1e-9))
        mean = float((weight * bits).sum() / both)
        near = float(np.clip(mean / BITS, 1e-3, strangers / 2))
        wide = _spread(near, float((weight * (bits - mean) ** 2).sum() / both))
    odds = np.log(share) - np.log1p(-share) + _log_chance(near, wide) - far
    return float(np.flatnonzero((odds >= 0) & (bits < strangers * BITS)).max(initial=-1))


def _spread(rate: float, variance: float) -> float:
    """The correlation of bits that gives a count of 512 of them this variance, none where it is that of a binomial."""
    alone = BITS * rate * (1 - rate)
    return float(np.clip((variance / alone - 1) / (BITS - 1), 0.0, 0.9)) if alone else 0.0


def _log_chance(rate: float, spread: float) -> np.ndarray:
    """Logarithm of the chance of 0 … 512 differing bits, of a binomial or (with a spread) a beta-binomial, but for the
    number of ways, which is the same for both sides."""
    bits = np.arange(BITS + 1)
    if spread < 1e-6:
        return bits * np.log(rate) + (BITS - bits) * np.log1p(-rate)
    ones, zeros = rate * (1 / spread - 1), (1 - rate) * (1 / spread - 1)
    rising = [
        np.concatenate(([0.0], np.cumsum(np.log(start + np.arange(BITS))))) for start in (ones, zeros, ones + zeros)
    ]
    return rising[0] + rising[1][::-1] - rising[2][-1]


def one_to_one(one: np.ndarray, other: np.ndarray, apart: np.ndarray) -> list[tuple[int, int]]:
    """Nearest pairs first, each record once; a record with two equally near partners has none."""
    order = np.lexsort((other, one, apart))
    best: dict[tuple[str, int], int] = {}
    tied: set[tuple[str, int]] = set()
    found = []
    for place in order:
        ends = (("l", int(one[place])), ("r", int(other[place])))
        distance = int(apart[place])
        if any(best.get(end, distance) < distance for end in ends):
            continue
        for end in ends:
            if end in best:
                tied.add(end)
            best[end] = distance
        found.append(ends)
    return [(left[1], right[1]) for left, right in found if not {left, right} & tied]


def match(
    key: bytes,
    left: Sequence[Mapping],
    right: Sequence[Mapping],
    passes: Sequence[Pass] = PASSES,
    **options,
) -> tuple[list[tuple[int, int]], dict[str, float]]:
    """(pairs of places in the two lists, {pass: threshold}). Both lists: records that tokens did not match.

    A pair that several passes find counts at its smallest share of the pass's threshold.
    """
    found: dict[tuple[int, int], int] = {}
    limits = {}
    for one in passes:
        code_l, code_r = encode(key, left, one, **options), encode(key, right, one, **options)
        rows_l, rows_r, apart = distances(code_l, code_r)
        limits[one.name] = limit = threshold(
            apart, min(code_l.strangers, code_r.strangers), max(code_l.spread, code_r.spread)
        )
        near = apart <= limit
        for first, second, bits in zip(rows_l[near], rows_r[near], apart[near], strict=True):
            share = int(1000 * bits / max(limit, 1))
            pair = (int(first), int(second))
            found[pair] = min(found.get(pair, share), share)
    if not found:
        return [], limits
    ends = np.array(list(found), np.int64)
    return one_to_one(ends[:, 0], ends[:, 1], np.array(list(found.values()), np.int64)), limits
