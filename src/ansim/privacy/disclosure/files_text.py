"""Identifiers in text: Korean resident numbers, telephone numbers, e-mail addresses, long digit strings."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from ansim.errors import N_
from ansim.privacy.disclosure.files_findings import FileFinding

_RESIDENT = re.compile(r"(?<!\d)(\d{6})[-‐-―\s]?([1-8]\d{6})(?!\d)")
_PHONE = re.compile(r"(?<![\d.])(?:\+82[-.\s]?|0)1[016789][-.\s]?\d{3,4}[-.\s]?\d{4}(?!\d)")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_DIGITS = re.compile(r"(?<![\d.])\d{10,}(?![\d.])")
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_CENTURY = {"1": 1900, "2": 1900, "5": 1900, "6": 1900, "3": 2000, "4": 2000, "7": 2000, "8": 2000}


def check_text(text: str) -> Iterator[FileFinding]:
    """One finding per identifier, placed by line; wide digits and invisible characters do not hide one."""
    for number, line in enumerate(text.split("\n"), start=1):
        plain = "".join(one for one in unicodedata.normalize("NFKC", line) if unicodedata.category(one) != "Cf")
        place = f"line {number}"
        for match in _RESIDENT.finditer(plain):
            if born(match[1], match[2][0]):
                certain = checksum_fits(match[1] + match[2])
                yield FileFinding(
                    "resident-number",
                    place,
                    N_("This looks like a resident registration number."),
                    N_("Remove it and tell the data holder: identifying data must not be here."),
                    refuses=certain or "-" in match[0],
                )
        for _ in _PHONE.finditer(plain):
            yield FileFinding("phone", place, N_("This looks like a telephone number."), N_("Remove it."))
        for _ in _EMAIL.finditer(plain):
            yield FileFinding("email", place, N_("This looks like an e-mail address."), N_("Remove it."))
        for match in _DIGITS.finditer(plain):
            yield FileFinding(
                "long-digits",
                place,
                N_("A number of {digits} digits could identify somebody."),
                N_("Remove it, or say to the checker what it is."),
                {"digits": len(match[0])},
                refuses=False,
            )


def born(six: str, century: str) -> bool:
    """Whether the first six digits are a date in the century that the seventh digit says."""
    try:
        date(_CENTURY[century] + int(six[:2]), int(six[2:4]), int(six[4:]))
    except ValueError:
        return False
    return True


def checksum_fits(number: str) -> bool:
    """Check digit of the 13 digits: Koreans by 11, foreigners (seventh digit 5 to 8) by 13. Numbers given out since
    October 2020 have none, which is why a failing one is not an all-clear."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    base = 13 if number[6] in "5678" else 11
    return (base - total % 11) % 10 == int(number[12])
