"""Secure aggregation: sums leave a site under masks that cancel in the pool and nowhere else.

Every two sites share a secret (X25519 between the keys that the signed directory names, made in each one's key
process; HKDF-SHA256, RFC 5869, binds it to the run). From it both derive, for each round and set of participants, the
same ChaCha20 key stream (RFC 8439); the one whose name sorts first adds it to its numbers, the other subtracts it. So
the sum over all participants is the true sum, and the sum over any fewer looks like random bits (Bonawitz et al., CCS
2017, section 4: the pairwise masks).

Numbers are fixed-point whole numbers modulo 2^192 with 96 bits after the point. A float above 2^-43 is carried without
any error, so the pooled sum is exact and rounded once. What the protocol does when a site drops out, and what it does
not hold back, stands in docs/research/leakage.md.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ansim.documents import canonical, digest
from ansim.errors import N_, Problem
from ansim.research.analysis import sums

LIMBS, POINT = 3, 96  # 64-bit limbs a number, the lowest first; bits after the point
LARGEST = 2.0**80  # of one site's number: a thousand sites together stay far from the modulus
LEAST = 3  # participants: of two, either one learns the other's sums from the result
WIDTH = 8 * LIMBS


def label(run: str, one: str, other: str) -> str:
    """What two sites' common secret of a run is for: the key process derives one by it (HKDF's info)."""
    return canonical(["ansim mask/1", run, *sorted((one, other))]).decode()


def masked(aggregate: dict, me: str, secrets: Mapping[str, bytes], run: str, number: int, state: str = "") -> dict:
    """The aggregate as it leaves: {"shape", "masked"}. secrets: that shared with each other participant. state: digest
    of the round's state; sites that were given different ones give nothing away, for their masks do not cancel.

    Raises Problem for fewer participants than three, and for a number too large to carry.
    """
    if len(secrets) + 1 < LEAST:
        raise Problem("few-sites", N_("Masked sums need at least {least} sites."), least=LEAST)
    form, values = sums.shape(aggregate), encode(sums.numbers(aggregate))
    context = digest({"run": run, "round": number, "state": state, "sites": sorted([me, *secrets]), "shape": form})
    for other, key in secrets.items():
        stream = _stream(key, context, len(values))
        values = add(values, stream if me < other else negated(stream))
    return {"shape": form, "masked": base64.b64encode(values.astype("<u8").tobytes()).decode()}


def unmasked(answers: Sequence[dict]) -> dict:
    """The pooled aggregate of all participants' answers.

    Raises Problem if they are not of one shape, or if the masks do not cancel (somebody is missing or answered for
    another round): then whole numbers come out broken.
    """
    form = answers[0].get("shape") if answers else None
    if not isinstance(form, dict) or any(each.get("shape") != form for each in answers):
        raise _shape()
    kinds: list[Any] = sums.numbers(form)
    total = np.zeros((len(kinds), LIMBS), np.uint64)
    for each in answers:
        total = add(total, _bytes(each.get("masked"), len(kinds)))
    return sums.filled(form, [_number(kind, row) for kind, row in zip(kinds, total.tolist(), strict=True)])


def encode(values: Iterable[int | float]) -> np.ndarray:
    """n × 3 limbs of the numbers, two's complement. Bits below 2^-96 are cut off."""
    given = np.array(list(values), dtype=float)
    if not np.isfinite(given).all() or (np.abs(given) > LARGEST).any():
        raise Problem("too-large", N_("A sum is too large to be masked."), remedy=N_("Scale the variables down."))
    fraction, exponent = np.frexp(given)
    digits = np.abs(np.ldexp(fraction, 53)).astype(np.uint64)
    shift = exponent.astype(np.int64) - 53 + POINT
    digits >>= np.clip(-shift, 0, 63).astype(np.uint64)
    digits[shift < -63] = 0
    shift = np.maximum(shift, 0)
    limb, bits = shift // 64, (shift % 64).astype(np.uint64)
    low = digits << bits
    high = np.where(bits > 0, digits >> ((np.uint64(64) - bits) % np.uint64(64)), np.uint64(0))
    made = np.zeros((len(given), LIMBS), np.uint64)
    rows = np.arange(len(given))
    made[rows, limb] = low
    inside = limb + 1 < LIMBS
    made[rows[inside], limb[inside] + 1] = high[inside]
    return np.where((given < 0)[:, None], negated(made), made)


def add(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Limb by limb with carry, modulo 2^192."""
    total = np.empty_like(one)
    carry = np.zeros(len(one), np.uint64)
    for limb in range(LIMBS):
        part = one[:, limb] + other[:, limb]
        total[:, limb] = part + carry
        carry = ((part < one[:, limb]) | (total[:, limb] < part)).astype(np.uint64)
    return total


def negated(values: np.ndarray) -> np.ndarray:
    one = np.zeros_like(values)
    one[:, 0] = 1
    return add(~values, one)


def _number(kind: str, limbs: list[int]) -> int | float:
    whole = sum(limb << (64 * place) for place, limb in enumerate(limbs))
    if whole >> (64 * LIMBS - 1):
        whole -= 1 << (64 * LIMBS)
    if kind == "f":
        value = whole / (1 << POINT)
        if abs(value) > LARGEST * 1024:
            raise _shape()
        return value
    number, rest = divmod(whole, 1 << POINT)
    if kind != "i" or rest or abs(number) > 2**53:
        raise _shape()
    return number


def _stream(key: bytes, context: str, count: int) -> np.ndarray:
    """count × 3 uniform limbs; a key stream is used for one round, set of sites and shape only."""
    round_key = HKDFExpand(hashes.SHA256(), 32, info=context.encode()).derive(key)
    stream = Cipher(algorithms.ChaCha20(round_key, bytes(16)), mode=None).encryptor().update(bytes(WIDTH * count))
    return np.frombuffer(stream, "<u8").astype(np.uint64).reshape(count, LIMBS)


def _bytes(given: Any, count: int) -> np.ndarray:
    try:
        raw = base64.b64decode(given, validate=True)
    except (ValueError, TypeError):
        raise _shape() from None
    if len(raw) != WIDTH * count:
        raise _shape()
    return np.frombuffer(raw, "<u8").astype(np.uint64).reshape(count, LIMBS)


def _shape() -> Problem:
    return Problem("aggregate-shape", N_("A site's answer is not of the agreed form."))
