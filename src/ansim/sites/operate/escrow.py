"""Keys in escrow: what a backup can be opened with lies with several people, and two of them must come together.

A new receiving key (X25519) is made; its 32 secret bytes exist only as shares (Shamir's scheme in the form of SLIP-39:
words with a checksum, for paper). The site keeps the public half, FOLDER/keys/escrow.json, and seals to it.
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from ansim.errors import N_, Problem
from ansim.sites.exchange import signed
from ansim.sites.keeper.keystore import public, write_private

FILE = "escrow.json"
SENDER = "ansim escrow/1"


def make(keys: Path, *, shares: int, threshold: int) -> list[str]:
    """A new escrow key in a site's key folder; gives the shares, each for another person, and keeps none of them.

    Raises Problem when one share would be enough, and when there is an escrow key already.
    """
    if not 2 <= threshold <= shares <= 16:
        raise Problem("bad-shares", N_("At least two people must be needed, of at most 16."))
    if (keys / FILE).exists():
        raise Problem(
            "escrow-exists",
            N_("{file} is there already."),
            file=str(keys / FILE),
            remedy=N_("To make new shares, move it away; backups made so far need the old ones."),
        )
    private = X25519PrivateKey.generate()
    [words] = generate_mnemonics(1, [(threshold, shares)], private.private_bytes_raw())
    write_private(keys / FILE, json.dumps(_jwk(private, secret=False)).encode())
    return words


def seal(keys: Path, content: bytes) -> str:
    """Encrypted for the people who hold the shares."""
    try:
        jwk = json.loads((keys / FILE).read_text("utf-8"))
    except FileNotFoundError:
        raise Problem(
            "no-escrow",
            N_("This site has no keys in escrow, so nobody could open its backups."),
            remedy=N_("Run `ansim escrow FOLDER` with the people who will hold the shares."),
        ) from None
    return signed.encrypt(content, jwk, SENDER)


def open_sealed(token: str, shares: list[str]) -> bytes:
    """What was sealed, with enough of the shares. Raises Problem when they are too few, mistyped, or another key's."""
    try:
        private = X25519PrivateKey.from_private_bytes(combine_mnemonics(" ".join(each.split()) for each in shares))
        key = OKPKey.import_key(_jwk(private, secret=True))
        return jwe.decrypt_compact(token, key, algorithms=signed.RECEIVE).plaintext or b""
    except MnemonicError as error:
        raise Problem("bad-shares", N_("The shares cannot be put together: {error}"), error=str(error)) from None
    except (JoseError, ValueError) as error:
        raise Problem("wrong-shares", N_("These shares do not open this backup.")) from error


def _jwk(private: X25519PrivateKey, *, secret: bool) -> dict:
    raw = private.public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "X25519", "x": signed.b64(raw), "kid": "escrow"}
    return {**jwk, "d": signed.b64(private.private_bytes_raw())} if secret else public(jwk)
