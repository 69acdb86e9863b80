"""Match keys by an oblivious function with the key agency: the default of the linkage.

A token is HMAC(salt, F(agency's key, message)). F is the function of RFC 9497 under a key of one project that only the
agency has; the institution sends blinded messages and unblinds what comes back. The salt is a secret of the project
that only the linked institutions share. So
- an institution alone, with the salt and every token it likes, has to ask the agency for each guess: counted, bounded
  by a quota, on the agency's ledger;
- the agency alone sees uniformly random elements, then tokens under a salt that it does not have;
- both together can run a dictionary, as in any scheme in which two of the three hold all that is secret (stated, and
  shown to succeed in tests/attacks). Destroying either secret ends that;
- tokens of two projects never join: key and salt are the project's own.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha512
from hmac import digest as hmac_digest

from ansim.errors import N_, Problem
from ansim.privacy.deid.keys import TOKEN_DIGITS, derive, hmac_sha256
from ansim.privacy.linkage import oprf
from ansim.privacy.linkage.keys import KINDS, Kind, by_person, messages


def blinded(secret: bytes, rows: Iterable[Mapping], kinds: tuple[Kind, ...] = KINDS) -> bytes:
    """The batch that the key agency evaluates: 32 bytes for each key of each identity row, in the order of `messages`.

    secret: the institution's own of this project. Each blinding scalar is derived from it and from the serial, so a
    repeated request is the same to the byte, while two people with equal items look unrelated.
    """
    rows = list(rows)
    listed = list(messages(rows, kinds))
    return oprf.blind((message for *_, message in listed), _scalars(secret, rows, listed))


def tokens(
    secret: bytes, salt: bytes, rows: Iterable[Mapping], evaluated: bytes, kinds: tuple[Kind, ...] = KINDS
) -> list[dict]:
    """[{"serial", "keys": {kind: token}}] of the same rows, from what the agency evaluated; see keys.match_keys.

    Raises Problem where the batch does not fit the rows (they changed meanwhile, or something was lost).
    """
    rows = list(rows)
    listed = list(messages(rows, kinds))
    if len(evaluated) != oprf.ELEMENT * len(listed):
        raise Problem(
            "batch-differs",
            N_("The key agency answered for {answered} keys; these people have {asked}."),
            remedy=N_("The identity register changed meanwhile: ask again."),
            answered=len(evaluated) // oprf.ELEMENT,
            asked=len(listed),
        )
    mac = hmac_sha256(derive(salt, "link-token"))
    outputs = oprf.finalise((message for *_, message in listed), _scalars(secret, rows, listed), evaluated)
    made = (
        (number, kind, mac(value).hexdigest()[:TOKEN_DIGITS])
        for (number, kind, _), value in zip(listed, outputs, strict=True)
    )
    return by_person(rows, made)


def agency_key(secret: bytes) -> bytes:
    """The agency's scalar of one project, from the project's secret in its key process."""
    return oprf.derive_key(derive(secret, "link-oprf"), b"ansim linkage")


def _scalars(secret: bytes, rows: list[Mapping], listed: list[tuple[int, str, bytes]]) -> Iterable[bytes]:
    key = derive(secret, "link-blind")
    for number, kind, message in listed:
        name = "\x1f".join([str(rows[number]["serial"]), kind, ""]).encode()
        yield oprf.scalar(hmac_digest(key, name + message, sha512))
