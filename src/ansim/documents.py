"""Canonical JSON documents and their names.

A document that anybody signs or compares is a JSON object written in the one form of RFC 8785 (JSON Canonicalization
Scheme) and named by the SHA-256 of those bytes, so that two sites that hold the same document hold the same name.
"""

import hashlib
from typing import Any

import rfc8785

from ansim.errors import N_, Problem


def canonical(document: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value; raises Problem for what JSON cannot carry exactly."""
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise Problem(
            "not-canonical", N_("The document cannot be written as canonical JSON: {detail}."), detail=str(error)
        ) from error


def digest(document: Any) -> str:
    """The document's name: SHA-256 of its canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document)).hexdigest()


def kind(document: Any, expected: str) -> dict:
    """The document itself if it says that it is of the kind and version expected (such as "query/1")."""
    found = document.get("ansim") if isinstance(document, dict) else None
    if found != expected:
        raise Problem(
            "wrong-kind",
            N_("This is a document of kind {found}, but {expected} is needed."),
            found=found or "?",
            expected=expected,
            where="ansim",
        )
    return document
