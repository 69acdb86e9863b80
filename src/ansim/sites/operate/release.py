"""What a release is: a folder of files, their SHA-256 in `SHA256SUMS`, and an Ed25519 signature (RFC 8032) over it.

Both are of a form that other programs check, so nobody has to run this software to know that it is genuine:
    openssl pkeyutl -verify -pubin -inkey KEY.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
    sha256sum --check --strict SHA256SUMS
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ansim.errors import N_, Problem, Problems
from ansim.sites.exchange.bulk import digest

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]*)")


def write_sums(folder: Path, sign: Callable[[bytes], bytes] | None) -> list[str]:
    """Write the sums of the folder's files and, where there is a key, sign them; gives the files' names."""
    for old in (SUMS, SIGNATURE):
        (folder / old).unlink(missing_ok=True)
    names = sorted(file.name for file in folder.iterdir())
    content = "".join(f"{digest(folder / name)}  {name}\n" for name in names).encode()
    (folder / SUMS).write_bytes(content)
    if sign:
        (folder / SIGNATURE).write_bytes(sign(content))
    return names


def pem(key: Ed25519PublicKey) -> bytes:
    """The public key as OpenSSL reads it."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_pem(content: bytes) -> Ed25519PublicKey:
    """The key in a PEM file; raises Problem for any other kind of key."""
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError as error:
        raise Problem("bad-key", N_("This is no public key in PEM form.")) from error
    if not isinstance(key, Ed25519PublicKey):
        raise Problem("bad-key", N_("The key is not an Ed25519 key."))
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key's 32 bytes, to be compared by people."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def verify(folder: Path, key: Ed25519PublicKey) -> list[str]:
    """The names of the release's files, each as it was signed.

    Raises Problem when the signature is missing or not of this key, Problems naming each file that was changed, is
    missing, or is there without being listed. The sums are only read once their signature holds.
    """
    try:
        content = (folder / SUMS).read_bytes()
        key.verify((folder / SIGNATURE).read_bytes(), content)
    except FileNotFoundError as error:
        raise Problem(
            "not-signed",
            N_("{file} is missing: this release is not signed."),
            file=str(error.filename),
            remedy=N_("Take it from where releases are published; never install an unsigned one."),
        ) from None
    except InvalidSignature:
        raise Problem(
            "bad-signature",
            N_("The signature is not by this key, or {file} was changed."),
            file=SUMS,
            remedy=N_("Do not install it. Compare the key with the one that was told to you by another way."),
        ) from None
    listed = {}
    for number, line in enumerate(content.decode().splitlines(), 1):
        found = LINE.fullmatch(line)
        if not found:
            raise Problem("bad-sums", N_("The line is not a sum and a name."), where=f"{SUMS}:{number}")
        listed[found[2]] = found[1]
    there = {file.name for file in folder.iterdir()} - {SUMS, SIGNATURE}
    faults = [Problem("missing-file", N_("{name} is missing."), name=name) for name in sorted(set(listed) - there)]
    faults += [
        Problem("unlisted-file", N_("{name} is not part of the release."), name=name)
        for name in sorted(there - set(listed))
    ]
    faults += [
        Problem("changed-file", N_("{name} was changed."), name=name)
        for name in sorted(there & set(listed))
        if digest(folder / name) != listed[name]
    ]
    if faults:
        raise Problems(faults)
    return sorted(listed)
