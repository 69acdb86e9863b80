"""Checkpoints of a ledger, their signatures and cosignatures, in the C2SP forms.

Forms: c2sp.org/signed-note (text, blank line, signature lines), c2sp.org/tlog-checkpoint (origin, size, root) and
c2sp.org/tlog-cosignature (cosignature/v1). Public keys are raw Ed25519 keys of 32 bytes; a private key is only ever
a callable `sign(message) -> 64 bytes`, since it lives in another process. A site's id is both origin and key name.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Sign = Callable[[bytes], bytes]

NOTE_KEY, COSIGNATURE_KEY = 0x01, 0x04  # signature types of signed-note
MAX_SIGNATURES = 100
_HEADER = "cosignature/v1"
_DASH = "\u2014 "


class BadNote(ValueError):
    """A note that is not in its form, or that no known key signed."""


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the ledger's origin, its number of entries, its root (32 bytes), and extension lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.origin)
        if self.origin == _HEADER:  # otherwise a checkpoint's signature could pass for a cosignature's
            raise BadNote(f"{_HEADER} cannot be an origin")
        if not 0 <= self.size < 2**63 or len(self.root) != 32:
            raise BadNote("a checkpoint has a size and a root of 32 bytes")
        if any(not line or _has_control(line) for line in self.extensions):
            raise BadNote("an extension line is one line and not empty")

    def text(self) -> str:
        """The note text that is signed and cosigned, ending in a newline."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint of a note text; BadNote unless writing it again gives the same text."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise BadNote("a checkpoint has origin, size and root, each on a line")
        origin, size, root, *extensions = lines[:-1]
        if not (size.isascii() and size.isdigit()) or len(size) > 19:
            raise BadNote("the size is not a decimal number")
        found = cls(origin, int(size), _unbase64(root), tuple(extensions))
        if found.text() != text:
            raise BadNote("the checkpoint is not in its one form")
        return found


@dataclass(frozen=True)
class SignatureLine:
    """One line below a note: who says to have signed, with which key (4 bytes), and the signature bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def text(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "SignatureLine":
        name, gap, encoded = text.removesuffix("\n").removeprefix(_DASH).partition(" ")
        if not text.startswith(_DASH) or not gap:
            raise BadNote("a signature line is: em dash, name, base64")
        check_name(name)
        value = _unbase64(encoded)
        if len(value) < 5:
            raise BadNote("a signature line is too short")
        return cls(name, value[:4], value[4:])


def check_name(name: str) -> None:
    """BadNote unless the text can be a key's name: not empty, no space, no plus, no control character."""
    if not name or "+" in name or any(part.isspace() for part in name) or _has_control(name):
        raise BadNote(f"{name!r} cannot name a key")


def key_id(name: str, public_key: bytes, algorithm: int = NOTE_KEY) -> bytes:
    """First 4 bytes of SHA-256(name || 0x0A || algorithm || public key)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public_key).digest()[:4]


def sign_checkpoint(checkpoint: Checkpoint, public_key: bytes, sign: Sign) -> str:
    """The signed note of one's own checkpoint; the key's name is the origin."""
    text = checkpoint.text()
    line = SignatureLine(checkpoint.origin, key_id(checkpoint.origin, public_key), sign(text.encode()))
    return f"{text}\n{line.text()}"


def split_note(note: str) -> tuple[str, list[SignatureLine]]:
    """A note's text and its signature lines, nothing verified; BadNote when it is not in the form."""
    text, gap, below = note.rpartition("\n\n")
    if not gap or not below.endswith("\n"):
        raise BadNote("a note is a text, an empty line and signature lines")
    if any(character < " " and character != "\n" for character in note):
        raise BadNote("a note has no control characters")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(f"a note with more than {MAX_SIGNATURES} signatures is not read")
    return f"{text}\n", [SignatureLine.parse(line) for line in lines]


def open_checkpoint(note: str, origin: str, public_keys: Iterable[bytes]) -> Checkpoint:
    """The checkpoint of a signed note, if one of the origin's keys signed it and none of them signed it wrongly."""
    text, lines = split_note(note)
    known = {key_id(origin, public): public for public in public_keys}
    signed = False
    for line in lines:
        public = known.get(line.key_id) if line.name == origin else None
        if public is None:
            continue  # a line of an unknown key says nothing
        _verify(public, line.signature, text.encode())
        signed = True
    if not signed:
        raise BadNote(f"no known key of {origin} signed this checkpoint")
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != origin:
        raise BadNote(f"this is a checkpoint of {checkpoint.origin}, not of {origin}")
    return checkpoint


def cosign(checkpoint: Checkpoint, name: str, public_key: bytes, sign: Sign, at: int) -> str:
    """A witness's signature line over a checkpoint, as of `at` (POSIX seconds).

    It says that this was the largest consistent tree of that origin the witness had seen at that time.
    """
    check_name(name)
    signature = sign(_cosigned(checkpoint, at))
    return SignatureLine(name, key_id(name, public_key, COSIGNATURE_KEY), at.to_bytes(8, "big") + signature).text()


def open_cosignature(line: str, checkpoint: Checkpoint, name: str, public_keys: Iterable[bytes]) -> int:
    """The POSIX second at which the named witness cosigned this checkpoint; BadNote when it did not."""
    found = SignatureLine.parse(line)
    for public in public_keys:
        if found.name == name and found.key_id == key_id(name, public, COSIGNATURE_KEY):
            if len(found.signature) != 72:
                raise BadNote("a cosignature is a time of 8 bytes and a signature of 64")
            at = int.from_bytes(found.signature[:8], "big")
            _verify(public, found.signature[8:], _cosigned(checkpoint, at))
            return at
    raise BadNote(f"no known key of {name} cosigned this checkpoint")


def _cosigned(checkpoint: Checkpoint, at: int) -> bytes:
    if not 0 <= at < 2**63:
        raise BadNote("the time of a cosignature is out of range")
    return f"{_HEADER}\ntime {at}\n{checkpoint.text()}".encode()


def _verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadNote("a signature does not fit the text and the key") from error


def _unbase64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("not base64") from error
    if base64.b64encode(value).decode() != text:
        raise BadNote("not base64 in its one form")
    return value


def _has_control(text: str) -> bool:
    return any(character < " " for character in text)
