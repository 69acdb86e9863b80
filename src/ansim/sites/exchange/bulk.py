"""Bulk content beside the envelope: a file encrypted in chunks, carried by the hub as an opaque blob.

Chunks of 1 MiB under ChaCha20-Poly1305 (RFC 8439) in the STREAM construction (Hoang and others 2015):
the nonce is a 7-byte prefix, a 4-byte counter and a last-chunk flag, so chunks cannot be dropped, reordered or cut off.
The blob's name is the SHA-256 of what is carried; key and name travel in the sealed envelope. Memory: two chunks.
"""

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ansim.errors import N_, Problem

CHUNK = 1024 * 1024
TAG = 16


def encrypt(source: Path, folder: Path) -> tuple[str, str]:
    """Encrypt a file into FOLDER/<sha256>; gives (name, key in hex)."""
    key, prefix = secrets.token_bytes(32), secrets.token_bytes(7)
    box, digest = ChaCha20Poly1305(key), hashlib.sha256(prefix)
    temporary = folder / f".{secrets.token_hex(8)}"
    folder.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as stream, temporary.open("wb") as out:
        out.write(prefix)
        number, chunk = 0, stream.read(CHUNK)
        while True:
            following = stream.read(CHUNK)
            sealed = box.encrypt(_nonce(prefix, number, last=not following), chunk, None)
            digest.update(sealed)
            out.write(sealed)
            if not following:
                break
            number, chunk = number + 1, following
        out.flush()
        os.fsync(out.fileno())
    name = digest.hexdigest()
    temporary.replace(folder / name)
    return name, key.hex()


def decrypt(blob: Path, key: str, target: Path) -> None:
    """Decrypt a blob into a file; raises Problem, and leaves no file, if any byte was changed, dropped or reordered."""
    box = ChaCha20Poly1305(bytes.fromhex(key))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with blob.open("rb") as stream, temporary.open("wb") as out:
            prefix = stream.read(7)
            number, chunk = 0, stream.read(CHUNK + TAG)
            while True:
                following = stream.read(CHUNK + TAG)
                out.write(box.decrypt(_nonce(prefix, number, last=not following), chunk, None))
                if not following:
                    break
                number, chunk = number + 1, following
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except (InvalidTag, ValueError) as error:
        temporary.unlink(missing_ok=True)
        raise Problem("bad-blob", N_("The file {name} was changed on its way."), name=blob.name[:12]) from error


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
