"""Signed documents, and messages that only one receiver reads.

A signed document is `{"document": {...}, "signatures": [{"kid", "jws"}]}`: each JWS (RFC 7515, detached payload of
appendix F, alg Ed25519 of RFC 9864) covers the document's canonical bytes. Private keys stay in their key process, so
signing takes a callable; verifying takes public JWKs and nothing else.
"""

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from ansim.documents import canonical
from ansim.errors import N_, Problem

Sign = Callable[[bytes], bytes]
RECEIVE = ["ECDH-ES+A256KW", "A256GCM"]
_registry = jws.JWSRegistry(algorithms=["Ed25519"])
_registry.max_payload_length = 64 * 1024 * 1024  # a large payload goes beside the envelope as a blob


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(header: dict, payload: bytes, sign: Sign) -> str:
    """A compact JWS made with a key that lives elsewhere."""
    protected = b64(canonical({"alg": "Ed25519", **header}))
    body = b64(payload)
    return f"{protected}.{body}.{b64(sign(f'{protected}.{body}'.encode()))}"


def loads(text: str | bytes) -> Any:
    """Strict JSON (RFC 7493): no name twice, no NaN, no depth that ends the parser; ValueError otherwise."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def header(token: str) -> dict:
    """A JWS's or JWE's header, nothing verified."""
    try:
        found = loads(unb64(token.split(".", 1)[0]))
    except (ValueError, AttributeError) as error:
        raise Problem("bad-signature", N_("This is not a signed message.")) from error
    if not isinstance(found, dict):
        raise Problem("bad-signature", N_("This is not a signed message."))
    return found


def open_compact(token: str, jwk: dict) -> tuple[dict, bytes]:
    """(header, payload) of a JWS if this Ed25519 key signed it; raises Problem otherwise."""
    try:
        found = jws.deserialize_compact(token, OKPKey.import_key(jwk), registry=_registry)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Problem(
            "bad-signature", N_("The signature does not fit the key {kid}."), kid=str(jwk.get("kid", "?"))[:12]
        ) from error
    return dict(found.headers()), found.payload


def sign_document(document: dict, kid: str, sign: Sign, signatures: Iterable[dict] = ()) -> dict:
    """The document with one more signature."""
    head, _, tail = compact({"kid": kid, "typ": "ansim-document"}, canonical(document), sign).split(".")
    others = [each for each in signatures if each["kid"] != kid]
    return {"document": document, "signatures": [*others, {"kid": kid, "jws": f"{head}..{tail}"}]}


def signers(signed: Any, keys: Iterable[dict]) -> set[str]:
    """The kids among `keys` (public JWKs with kid) that signed this document; each that names one must fit."""
    try:
        document, signatures = signed["document"], signed["signatures"]
        by_kid = {key["kid"]: key for key in keys}
        body = b64(canonical(document))
        named = [(each["kid"], each["jws"].split(".")) for each in signatures if each["kid"] in by_kid]
        tokens = [(kid, f"{head}.{body}.{tail}") for kid, (head, _, tail) in named]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem("bad-signature", N_("This is not a signed document.")) from error
    found = set()
    for kid, token in tokens:
        protected, _ = open_compact(token, by_kid[kid])
        if protected.get("typ") == "ansim-document" and protected.get("kid") == kid:
            found.add(kid)
    return found


def open_document(signed: Any, keys: Iterable[dict], threshold: int = 1) -> dict:
    """The document, if at least `threshold` of the keys signed it."""
    found = signers(signed, keys)
    if len(found) < threshold:
        raise Problem(
            "too-few-signatures",
            N_("The document carries {found} of the {needed} signatures it needs."),
            found=len(found),
            needed=threshold,
        )
    return signed["document"]


def encrypt(content: bytes, jwk: dict, sender: str) -> str:
    """A JWE (RFC 7516, ECDH-ES+A256KW with X25519 by RFC 8037, A256GCM) for one receiver's public key.

    sender: who says what (PartyUInfo, RFC 7518 section 4.6.1.2): it goes into the key, so nobody else can put these
    bytes, which the hub carries, into an envelope of their own.
    """
    key = OKPKey.import_key(jwk)
    head = {"alg": RECEIVE[0], "enc": RECEIVE[1], "kid": jwk["kid"], "apu": b64(sender.encode())}
    return jwe.encrypt_compact(head, content, key, algorithms=RECEIVE)
