"""What a ledger entry commits to.

An entry's leaf is RFC 9162's hash of a salted commitment. Without its salt and data a leaf says nothing about them
(the salt is 32 random bytes), so both can be erased and the tree still stands.

The canonical form is written here a second time, in the standard library alone, because `ansim-verify` must not lean on
the code that it checks; a test holds it equal to `ansim.documents.canonical`.
"""

import hashlib
import json
import math
from json.encoder import encode_basestring
from typing import Any

from ansim.governance.ledger.tree import leaf_hash

SALT_BYTES = 32
ERASURE = "ledger.erased"  # type of the entry that says which entries were emptied: data {"seqs": [...]}


def commitment(*, salt: bytes, stream: str, version: int, type: str, at: str, actor: str, data: Any) -> bytes:
    """The leaf, 32 bytes: SHA-256(0x00 || SHA-256(salt || canonical({stream, version, type, at, actor, data}))).

    salt: 32 random bytes of this entry alone. at: ISO 8601 text, as stored. data: plain JSON.
    Raises ValueError for a salt of another length or for data that JSON cannot carry exactly.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    content = {"stream": stream, "version": version, "type": type, "at": at, "actor": actor, "data": data}
    return leaf_hash(hashlib.sha256(salt + canonical(content)).digest())


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value; ValueError for what has no canonical form."""
    try:
        return _text(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate has no canonical form") from error


def parse(text: str) -> Any:
    """The JSON value of a text, refusing a repeated name (two readers could see two different entries)."""
    return json.loads(text, object_pairs_hook=_once, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """Beyond 2^53 - 1 a JSON number is only known as a double; it was one when it was written."""
    return float(digits) if len(digits) > 17 or abs(int(digits)) > 2**53 - 1 else int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return result


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)  # the standard library's JSON text, without the cost of an encoder each time
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("names of an object are texts")
        # RFC 8785 orders names by UTF-16 code units, which differs from code points beyond the basic plane.
        names = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
        return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(item) for item in value) + "]"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1:
        raise ValueError(f"{value} is beyond the integers that JSON readers share")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    raise ValueError(f"{type(value).__name__} is not JSON")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    """ECMAScript's shortest form of a double (ECMA-262, Number::toString), from Python's shortest digits."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    if value == 0:
        return "0"
    sign, (mantissa, _, exponent) = "-" if value < 0 else "", f"{abs(value)!r}e".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent.rstrip("e") or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
