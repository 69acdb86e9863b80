"""The encrypted store of a backup: each piece of each file once, named so that only the key's holder can recognise it.

A piece is up to 4 MiB; its name is HMAC-SHA256 (RFC 2104) of its content under a key of the store, so the same piece is
kept once (a backup of large data adds what has changed) while whoever reads the store cannot test it for a known file.
ChaCha20-Poly1305 (RFC 8439) with a random nonce, and the name as associated data: no piece passes for another.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ansim.errors import N_, Problem
from ansim.sites.keeper.keystore import sync_folder

PIECE = 4 * 1024 * 1024
NONCE = 12


class Store:
    """Pieces in FOLDER/pieces/<first two digits>/<name>. key: 32 bytes."""

    def __init__(self, folder: Path, key: bytes):
        self._folder = folder / "pieces"
        self._box = ChaCha20Poly1305(_derived(key, b"content"))
        self._name_key = _derived(key, b"names")
        self.added = 0  # bytes written by this process

    def keep(self, stream: IO[bytes]) -> list[str]:
        """The names of a file's pieces, in order; those that are new are written."""
        names = []
        while piece := stream.read(PIECE):
            name = hmac.new(self._name_key, piece, hashlib.sha256).hexdigest()
            if not self._file(name).exists():
                self._write(name, self.seal(piece, name.encode()))
            names.append(name)
        return names

    def read(self, names: list[str]) -> Iterator[bytes]:
        """The pieces' content. Raises Problem naming the piece that is missing or was changed."""
        for name in names:
            try:
                yield self.open(self._file(name).read_bytes(), name.encode())
            except FileNotFoundError:
                raise Problem("missing-piece", N_("The backup lacks the piece {name}."), name=name[:12]) from None

    def names(self) -> set[str]:
        return {file.name for file in self._folder.glob("??/*") if not file.name.startswith(".")}

    def forget(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def seal(self, content: bytes, label: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._box.encrypt(nonce, content, label)

    def open(self, sealed: bytes, label: bytes) -> bytes:
        try:
            return self._box.decrypt(sealed[:NONCE], sealed[NONCE:], label)
        except (InvalidTag, ValueError) as error:
            name = label.decode("utf-8", "replace")[:40]
            raise Problem("changed-piece", N_("{name} in the backup was changed."), name=name) from error

    def _file(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _write(self, name: str, content: bytes) -> None:
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{name}.{secrets.token_hex(4)}")
        with temporary.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
        sync_folder(file.parent)
        self.added += len(content)


def _derived(key: bytes, use: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"ansim backup/1 " + use).derive(key)
