"""Files of a workspace at rest: sealed with a key of that workspace, which the key process keeps and destroys.

Destroying the key makes every copy of every sealed file unreadable at once, backups included, wherever a disk put them.
The form is that of bulk data (chunks of ChaCha20-Poly1305; RFC 8439), named by what they are for, so that one sealed
file does not stand for another.
"""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ansim.errors import N_, Problem
from ansim.sites.exchange import post

NONCE = 12


def _box(key: str) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(bytes.fromhex(post.keeper().call("workspace_key", project=key)))


def seal(key: str, place: Path, content: bytes) -> None:
    """Write content (one piece of at most some hundred megabytes) sealed for a workspace; whole or not at all."""
    nonce = secrets.token_bytes(NONCE)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    work.write_bytes(nonce + _box(key).encrypt(nonce, content, place.name.encode()))
    work.replace(place)


def unseal(key: str, place: Path) -> bytes:
    """What was sealed. Raises Problem if a byte was changed, another file put there, or the key destroyed."""
    body = place.read_bytes()
    try:
        return _box(key).decrypt(body[:NONCE], body[NONCE:], place.name.encode())
    except (InvalidTag, ValueError) as error:
        raise Problem(
            "sealed", N_("{name} cannot be opened: it was changed, or its key was destroyed."), name=place.name
        ) from error
