"""A site's keys on disk: long-lived keys in one wrapped file, and one wrapped file per project.

Wrapping: scrypt over the passphrase (RFC 7914; N=2^15, r=8, p=1) gives the key of an AES-256-GCM box (NIST SP 800-38D)
for the main file; the master key in it wraps each project's secret the same way. A project's secret is random and
stands nowhere else, so deleting its file destroys every pseudonym, date shift and linkage key made from it
(crypto-erase). A tombstone stays, so that a destroyed project is never silently given a new secret.
"""

import contextlib
import json
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from joserfc.jwk import OKPKey

from ansim.errors import N_, Problem

SCRYPT_N = 2**15


def new_key(use: str) -> dict:
    """A fresh private JWK: Ed25519 to sign ("sig"), X25519 to receive ("enc"); its kid is its RFC 7638 thumbprint."""
    key = OKPKey.generate_key("Ed25519" if use == "sig" else "X25519", private=True)
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "use": use}


def signing_key(jwk: dict) -> Ed25519PrivateKey:
    """The key that signs, from its private JWK."""
    private = OKPKey.import_key(jwk).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise Problem("wrong-key", N_("This key is not made to sign."))
    return private


def public(jwk: dict) -> dict:
    return {name: value for name, value in jwk.items() if name != "d"}


def agreed(private: X25519PrivateKey, jwk: dict, label: str) -> bytes:
    """What this key and another's public one have in common, for the use that the label names: X25519 (RFC 7748) and
    HKDF-SHA256 (RFC 5869). 32 bytes; nobody without one of the two private keys can make them."""
    theirs = OKPKey.import_key(jwk).public_key
    if not isinstance(theirs, X25519PublicKey):
        raise Problem("wrong-key", N_("This key is not made to receive."))
    info = b"ansim agree/1 " + label.encode()
    return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(private.exchange(theirs))


def write_private(file: Path, content: bytes) -> None:
    """Durable and never half-written: a new file with mode 600, synced, renamed over the old one."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seal(key: bytes, content: bytes, label: str) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, content, label.encode())


def _open(key: bytes, box: bytes, label: str) -> bytes:
    return AESGCM(key).decrypt(box[:12], box[12:], label.encode())


def _wrapping_key(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=SCRYPT_N, r=8, p=1).derive(passphrase)


class Keystore:
    """The opened keys. Only the key process holds one."""

    def __init__(self, folder: Path, passphrase: bytes):
        self.folder, self._file = folder, folder / "keys.sealed"
        try:
            box = self._file.read_bytes()
        except FileNotFoundError:
            raise Problem("no-keys", N_("There are no keys in {folder}."), folder=str(folder)) from None
        self._salt, self._key = box[:16], _wrapping_key(passphrase, box[:16])
        try:
            content = json.loads(_open(self._key, box[16:], "keys"))
        except InvalidTag:
            raise Problem(
                "wrong-passphrase", N_("The passphrase does not open the keys in {folder}."), folder=str(folder)
            ) from None
        self._master = bytes.fromhex(content["master"])
        self.keys: dict[str, dict] = content["keys"]

    @classmethod
    def create(cls, folder: Path, passphrase: bytes, names: dict[str, str]) -> "Keystore":
        """New keys under these names, each for its use ("sig" or "enc"); refuses to overwrite."""
        if len(passphrase) < 16:
            raise Problem("weak-passphrase", N_("The passphrase is shorter than 16 bytes."))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (folder / "keys.sealed").exists():
            raise Problem("keys-exist", N_("{folder} has keys already."), folder=str(folder))
        content = {
            "master": secrets.token_hex(32),
            "keys": {name: new_key(use) for name, use in names.items()},
        }
        salt = secrets.token_bytes(16)
        box = _seal(_wrapping_key(passphrase, salt), json.dumps(content).encode(), "keys")
        write_private(folder / "keys.sealed", salt + box)
        return cls(folder, passphrase)

    def add(self, name: str, use: str) -> dict:
        """A further named key (a member's, say); gives back its public half."""
        if name in self.keys:
            return public(self.keys[name])
        keys = {**self.keys, name: new_key(use)}
        content = json.dumps({"master": self._master.hex(), "keys": keys}).encode()
        write_private(self._file, self._salt + _seal(self._key, content, "keys"))
        self.keys = keys
        return public(keys[name])

    def private(self, name: str) -> OKPKey:
        if name not in self.keys:
            raise Problem("no-key", N_("There is no key named {name}."), name=name)
        return OKPKey.import_key(self.keys[name])

    def signing_key(self, name: str) -> Ed25519PrivateKey:
        return signing_key(self.private(name).as_dict(private=True))

    def seal(self, content: bytes, label: str) -> bytes:
        """A box that only this key process opens, and only under the same label."""
        return _seal(self._master, content, label)

    def open(self, box: bytes, label: str) -> bytes:
        """What is in a box of `seal`. Raises Problem for one that was changed or has another label."""
        try:
            return _open(self._master, box, label)
        except (InvalidTag, ValueError) as error:
            raise Problem("not-sealed", N_("This was not sealed here for that.")) from error

    # --- projects -----------------------------------------------------------------------------------------------

    def _project_file(self, project: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", project):
            raise Problem("bad-project", N_("{project} is not a project name."), project=project)
        return self.folder / f"project-{project}.sealed"

    def project_secret(self, project: str, given: bytes | None = None) -> bytes:
        """The project's secret, made (or taken from `given`) at first use; refused once it was destroyed."""
        file = self._project_file(project)
        if file.with_suffix(".destroyed").exists():
            raise Problem("key-destroyed", N_("The keys of project {project} were destroyed."), project=project)
        try:
            secret = _open(self._master, file.read_bytes(), project)
        except FileNotFoundError:
            secret = given or secrets.token_bytes(32)
            write_private(file, _seal(self._master, secret, project))
        if given and given != secret:
            raise Problem("key-differs", N_("Project {project} has another secret already."), project=project)
        return secret

    def destroy(self, project: str) -> None:
        """Crypto-erase: the tombstone first, so that a crash in between still refuses; then the secret."""
        file = self._project_file(project)
        write_private(file.with_suffix(".destroyed"), b"")
        with contextlib.suppress(FileNotFoundError):
            size = file.stat().st_size
            with file.open("r+b") as stream:
                stream.write(secrets.token_bytes(size))
                stream.flush()
                os.fsync(stream.fileno())
            file.unlink()
            sync_folder(self.folder)
