"""An oblivious pseudo-random function: who asks learns F(key, input) without the key, the key's holder never the input.

RFC 9497 (December 2023), mode OPRF, suite ristretto255-SHA512; the group operations are libsodium's (through rbcl).
Elements and scalars are 32 bytes; a batch is their concatenation. A blinded element is uniformly distributed whatever
the input, so the key holder learns nothing from it, not even with unlimited time.
"""

import hashlib
from collections.abc import Callable, Iterable

import rbcl

from ansim.errors import N_, Problem

ELEMENT = SCALAR = 32  # bytes
OUTPUT = 64  # bytes of F
_CONTEXT = b"OPRFV1-\x00-ristretto255-SHA512"
_HASH_TO_GROUP = b"HashToGroup-" + _CONTEXT
_DERIVE = b"DeriveKeyPair" + _CONTEXT
_HASH_TO_SCALAR = b"HashToScalar-" + _CONTEXT
_BLOCK = 128  # bytes of a SHA-512 block
_NOBODY = bytes(ELEMENT)  # the identity element, which RFC 9497 forbids on the wire


def expand(message: bytes, tag: bytes, length: int) -> bytes:
    """expand_message_xmd with SHA-512 (RFC 9380, 5.3.1), for up to 64 bytes."""
    suffix = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(_BLOCK) + message + length.to_bytes(2, "big") + b"\0" + suffix).digest()
    return hashlib.sha512(first + b"\x01" + suffix).digest()[:length]


def hash_to_group(message: bytes) -> bytes:
    return rbcl.crypto_core_ristretto255_from_hash(expand(message, _HASH_TO_GROUP, 64))


def derive_key(seed: bytes, info: bytes) -> bytes:
    """DeriveKeyPair (RFC 9497, 3.2.1): the scalar that this 32-byte seed and info stand for."""
    for counter in range(256):
        message = seed + len(info).to_bytes(2, "big") + info + bytes([counter])
        key = scalar(expand(message, _DERIVE, 64))
        if any(key):
            return key
    raise Problem("oprf-key", N_("No key can be derived from this seed."))  # never seen: probability 2**-64000


def scalar(wide: bytes) -> bytes:
    """64 uniform bytes as a scalar."""
    return rbcl.crypto_core_ristretto255_scalar_reduce(wide)


def blind(messages: Iterable[bytes], scalars: Iterable[bytes]) -> bytes:
    """The blinded elements of the messages, each under its own secret scalar, as one batch."""
    multiply = rbcl.crypto_scalarmult_ristretto255
    return b"".join(multiply(r, hash_to_group(m)) for m, r in zip(messages, scalars, strict=True))


def evaluate(key: bytes, batch: bytes) -> bytes:
    """Each element of a batch times the key. Refuses what is no valid element, or the identity."""
    multiply = rbcl.crypto_scalarmult_ristretto255
    try:
        return b"".join(multiply(key, element) for element in elements(batch))
    except (RuntimeError, ValueError, TypeError) as error:
        raise _not_an_element() from error


def finalise(messages: Iterable[bytes], scalars: Iterable[bytes], evaluated: bytes) -> list[bytes]:
    """F(key, message) of each message, 64 bytes, from what the key holder evaluated (RFC 9497, 3.3.1 Finalize)."""
    multiply, invert = rbcl.crypto_scalarmult_ristretto255, rbcl.crypto_core_ristretto255_scalar_invert
    try:
        return [
            output(message, multiply(invert(r), element))
            for message, r, element in zip(messages, scalars, elements(evaluated), strict=True)
        ]
    except (RuntimeError, TypeError) as error:
        raise _not_an_element() from error


def output(message: bytes, element: bytes) -> bytes:
    """The last step, which ties the output to the input."""
    sized = (len(part).to_bytes(2, "big") + part for part in (message, element))
    return hashlib.sha512(b"".join(sized) + b"Finalize").digest()


def direct(key: bytes) -> Callable[[bytes], bytes]:
    """F(key, ·) for who holds the key and the input: what tests compare with, and a colluding pair can compute."""
    return lambda message: output(message, rbcl.crypto_scalarmult_ristretto255(key, hash_to_group(message)))


def elements(batch: bytes) -> list[bytes]:
    """The elements of a batch; refuses one whose length is off, or that holds what is no valid element."""
    found = [batch[start : start + ELEMENT] for start in range(0, len(batch), ELEMENT)]
    valid = rbcl.crypto_core_ristretto255_is_valid_point
    if len(batch) % ELEMENT or not all(element != _NOBODY and valid(element) for element in found):
        raise _not_an_element()
    return found


def _not_an_element() -> Problem:
    return Problem(
        "not-an-element",
        N_("The batch holds something that is no element of the group."),
        remedy=N_("Ask for the batch to be sent again."),
    )
