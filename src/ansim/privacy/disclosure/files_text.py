"""Identifiers in text: Korean ones by the detector of `privacy.deid.texts`, and long digit strings."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date

from ansim.errors import N_
from ansim.privacy.deid import texts
from ansim.privacy.disclosure.files_findings import FileFinding

_DIGITS = re.compile(r"(?<![\d.])\d{10,}(?![\d.])")
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CENTURY = {"1": 1900, "2": 1900, "5": 1900, "6": 1900, "3": 2000, "4": 2000, "7": 2000, "8": 2000}
_LOOKS_LIKE = {
    "resident-number": N_("This looks like a resident registration number."),
    "phone": N_("This looks like a telephone number."),
    "email": N_("This looks like an e-mail address."),
    "card-number": N_("This looks like a card number."),
    "driving-licence": N_("This looks like the number of a driving licence."),
    "passport": N_("This looks like a passport number."),
    "insurance-number": N_("This looks like a health insurance number."),
    "chart-number": N_("This looks like a patient's number."),
    "account-number": N_("This looks like a bank account."),
    "address": N_("This looks like an address."),
    "name": N_("This looks like a person's name."),
}
_UNSURE = ("name", "address")  # a hospital has an address, an author a name: people look


def check_text(text: str) -> Iterator[FileFinding]:
    """One finding per identifier, placed by line; wide digits and invisible characters do not hide one."""
    plain = _plain(text)
    ends = [match.start() for match in re.finditer("\n", plain)]

    def line(place: int) -> str:
        return f"line {bisect_right(ends, place - 1) + 1}"

    for found in texts.find(plain):
        sure = _certain(found.kind, plain[found.start : found.end])
        if sure is not None:
            remedy = N_("Remove it.")
            if found.kind == "resident-number":
                remedy = N_("Remove it and tell the data holder: identifying data must not be here.")
            yield FileFinding(found.kind, line(found.start), _LOOKS_LIKE[found.kind], remedy, refuses=sure)
    for match in _DIGITS.finditer(plain):
        yield FileFinding(
            "long-digits",
            line(match.start()),
            N_("A number of {digits} digits could identify somebody."),
            N_("Remove it, or say to the checker what it is."),
            {"digits": len(match[0])},
            refuses=False,
        )


def _plain(text: str) -> str:
    """Compatible forms as plain ones, format characters gone; line breaks stay where they are."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    strange = {one for one in set(plain) if unicodedata.category(one) == "Cf"}
    plain = plain.translate(dict.fromkeys(map(ord, strange))) if strange else plain
    return plain.translate(dict.fromkeys(range(0x2010, 0x2016), "-"))


def _certain(kind: str, found: str) -> bool | None:
    """True: cannot leave. False: a person looks. None: not what it looked like."""
    digits = re.sub(r"\D", "", found)
    if kind == "resident-number" and len(digits) == 13:
        if not born(digits[:6], digits[6]):
            return None
        return checksum_fits(digits) or "-" in found
    if kind == "card-number" and "-" not in found:  # four numbers of four digits also stand side by side in tables
        return False if _luhn(digits) else None
    return kind not in _UNSURE


def born(six: str, century: str) -> bool:
    """Whether the first six digits are a date in the century that the seventh digit says."""
    try:
        date(_CENTURY[century] + int(six[:2]), int(six[2:4]), int(six[4:]))
    except (ValueError, KeyError):
        return False
    return True


def checksum_fits(number: str) -> bool:
    """Check digit of the 13 digits: Koreans by 11, foreigners (seventh digit 5 to 8) by 13. Numbers given out since
    October 2020 have none, which is why a failing one is not an all-clear."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    base = 13 if number[6] in "5678" else 11
    return (base - total % 11) % 10 == int(number[12])


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(one) * (1 + place % 2) for place, one in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0
