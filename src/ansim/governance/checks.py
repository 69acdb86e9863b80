"""Look at every field of a document and collect what is wrong, so that a person mends it all in one go."""

import base64
import binascii
from typing import Any

from ansim.errors import N_, Problem, Problems
from ansim.governance.core import day


class Checks:
    """Collects problems; each check returns whether it held, so that a later one may lean on it."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def need(self, holds: object, where: str, code: str, text: str, remedy: str = "", **facts: Any) -> bool:
        if not holds:
            self.found.append(Problem(code, text, where=where, remedy=remedy, **facts))
        return bool(holds)

    def text(self, value: Any, where: str) -> bool:
        return self.need(isinstance(value, str) and value.strip(), where, "missing", N_("This is missing."))

    def texts(self, value: Any, where: str) -> bool:
        """{ko, en}, both written."""
        holds = isinstance(value, dict) and set(value) == {"ko", "en"} and all(map(is_text, value.values()))
        return self.need(holds, where, "missing", N_("Write it in Korean and in English."))

    def whole(self, value: Any, where: str, least: int) -> bool:
        holds = type(value) is int and value >= least
        return self.need(holds, where, "not-a-number", N_("A whole number of at least {least} is needed."), least=least)

    def one_of(self, value: Any, where: str, allowed: tuple[str, ...] | list[str]) -> bool:
        return self.need(
            isinstance(value, str) and value in allowed,
            where,
            "not-allowed",
            N_("{value} is not allowed here."),
            remedy=N_("Choose one of: {allowed}."),
            value=repr(value),
            allowed=", ".join(allowed),
        )

    def listed(self, value: Any, where: str, key: str = "") -> bool:
        """A list with something in it and nothing twice (by the key, when its entries are objects)."""
        if not self.need(isinstance(value, list) and value, where, "missing", N_("At least one is needed.")):
            return False
        if key:
            for number, entry in enumerate(value):
                holds = isinstance(entry, dict) and is_text(entry.get(key))
                if not self.need(holds, f"{where}.{number}", "missing", N_("Its {key} is missing."), key=key):
                    return False
        elif not self.need(all(map(is_text, value)), where, "missing", N_("An entry is empty.")):
            return False
        names = [entry[key] if key else entry for entry in value]
        return self.need(len(set(names)) == len(names), where, "twice", N_("Something is named twice."))

    def date(self, value: Any, where: str) -> bool:
        try:
            day(value, where)
        except Problem as problem:
            self.found.append(problem)
            return False
        return True

    def key(self, value: Any, where: str) -> bool:
        """A public Ed25519 key as a JWK (RFC 8037), without its private part."""
        return self.need(
            is_public_key(value),
            where,
            "not-a-key",
            N_("A public Ed25519 key is needed (JWK, without the private part)."),
        )

    def fields(self, document: dict, wanted: tuple[str, ...], where: str = "") -> bool:
        """Exactly these fields: an unknown one would be signed and not enforced."""
        prefix = f"{where}." if where else ""
        for name in wanted:
            self.need(name in document, prefix + name, "missing", N_("This is missing."))
        for name in sorted(document.keys() - set(wanted)):
            self.need(False, prefix + name, "unknown-field", N_("This field is not known."), remedy=N_("Take it out."))
        return set(wanted) == document.keys()

    def done(self) -> None:
        if self.found:
            raise Problems(self.found)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_public_key(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("kty") != "OKP" or value.get("crv") != "Ed25519" or "d" in value:
        return False
    x = value.get("x")
    if not isinstance(x, str):
        return False
    try:
        return len(base64.b64decode(x + "=" * (-len(x) % 4), altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
