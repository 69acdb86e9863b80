"""The envelope: who says what to whom, once, until when.

A JWS (alg Ed25519; header kid and typ, which carries the protocol version) over the claims iss, aud, jti, iat, exp,
seq, irt, sha256. The payload travels beside it and is bound by `sha256`: canonical JSON text, or a JWE for the
receiver's eyes only.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.sites.exchange import signed
from ansim.sites.exchange.notices import Directory

VERSION = 1
LIFETIME = timedelta(days=14)
PREFIX = f"ansim-{VERSION}/"
TYPE = re.compile(r"[a-z]+(\.[a-z]+)+")  # "poll", without a dot, is a ticket's: neither passes for the other
JTI = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class Envelope:
    """An opened, verified envelope. `payload` is the JSON text or the JWE as it travelled."""

    typ: str
    iss: str
    aud: str
    jti: str
    iat: datetime
    exp: datetime
    seq: int
    irt: str
    payload: str

    @property
    def sealed(self) -> bool:
        return not self.payload.startswith(("{", "["))


def party(iss: str, typ: str) -> str:
    """Whom a sealed payload names as its sender, inside the encryption."""
    return f"{iss} {typ}"


def write(
    typ: str,
    payload: Any,
    *,
    iss: str,
    aud: str,
    kid: str,
    sign: signed.Sign,
    now: datetime,
    seq: int,
    irt: str = "",
    encrypt_to: dict | None = None,
) -> dict:
    """An envelope as it travels: {"jws", "payload"}; encrypted when the receiver's key is given."""
    content = canonical(payload)
    text = signed.encrypt(content, encrypt_to, party(iss, typ)) if encrypt_to else content.decode()
    claims = {
        "iss": iss,
        "aud": aud,
        "jti": secrets.token_hex(16),
        "iat": now.isoformat(),
        "exp": (now + LIFETIME).isoformat(),
        "seq": seq,
        "irt": irt,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    header = {"kid": kid, "typ": PREFIX + typ}
    return {"jws": signed.compact(header, canonical(claims), sign), "payload": text}


def renew(wire: dict, *, kid: str, sign: signed.Sign, now: datetime) -> dict:
    """One's own envelope signed anew because it waited too long to be sent: the same jti, so it still acts once."""
    claims = {**peek(wire), "iat": now.isoformat(), "exp": (now + LIFETIME).isoformat()}
    header = {"kid": kid, "typ": signed.header(wire["jws"])["typ"]}
    return {**wire, "jws": signed.compact(header, canonical(claims), sign)}


def peek(wire: Any) -> dict:
    """The claims as they stand, nothing verified: only for asking whose key to verify with."""
    try:
        found = signed.loads(signed.unb64(wire["jws"].split(".")[1]))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise Problem("bad-envelope", N_("This is not an envelope.")) from error
    if not isinstance(found, dict):
        raise Problem("bad-envelope", N_("This is not an envelope."))
    return found


def read(wire: Any, *, directory: Directory, me: str, now: datetime, skew: timedelta) -> Envelope:
    """The envelope, if its sender signed it validly, it is for me, in time, and the payload is the signed one."""
    if not isinstance(wire, dict) or not isinstance(wire.get("jws"), str) or not isinstance(wire.get("payload"), str):
        raise Problem("bad-envelope", N_("This is not an envelope."))
    head = signed.header(wire["jws"])
    sender = str(peek(wire).get("iss"))
    if not str(head.get("typ", "")).startswith(PREFIX):
        raise Problem("bad-envelope", N_("The envelope's version or type is not known here."))
    _, body = signed.open_compact(wire["jws"], directory.key(sender, str(head.get("kid")), now))
    found = _envelope(head["typ"].removeprefix(PREFIX), body, wire["payload"])
    if found.aud != me:
        raise Problem("wrong-receiver", N_("The envelope is for {aud}."), aud=found.aud)
    if not found.iat - skew <= now <= found.exp + skew or found.exp - found.iat > LIFETIME:
        raise Problem(
            "out-of-time",
            N_("The envelope of {iat} is not valid at {now}."),
            iat=found.iat.isoformat(),
            now=now.isoformat(),
        )
    return found


def _envelope(typ: str, body: bytes, payload: str) -> Envelope:
    """The signed claims, each of its own form: what is remembered or compared later is checked here."""
    try:
        claims = signed.loads(body)
        names = {name: claims[name] for name in ("iss", "aud", "jti", "irt", "sha256")}
        iat, exp = (datetime.fromisoformat(claims[name]) for name in ("iat", "exp"))
        digest = hashlib.sha256(payload.encode()).hexdigest()
        fit = (
            TYPE.fullmatch(typ)
            and all(isinstance(value, str) and len(value) <= 100 for value in names.values())
            and JTI.fullmatch(names["jti"])
            and type(claims["seq"]) is int
            and iat.tzinfo
            and exp.tzinfo
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Problem("bad-envelope", N_("This is not an envelope.")) from error
    if not fit:
        raise Problem("bad-envelope", N_("This is not an envelope."))
    if digest != names.pop("sha256"):
        raise Problem("changed-payload", N_("The payload is not the one that {sender} signed."), sender=names["iss"])
    return Envelope(typ=typ, iat=iat, exp=exp, seq=claims["seq"], payload=payload, **names)
