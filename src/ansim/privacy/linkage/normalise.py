"""One agreed written form of names, phones, dates and sex, so that two registers' records of a person agree.

The applicants of a linkage agree the key items and this normalisation beforehand (linkage guideline). What cannot be
normalised becomes None, and a key that needs it is not made: no key is better than a wrong one.
"""

import datetime as dt
import re
import unicodedata

# Forms of address that registration desks append: after a space any of them, without one only those ending in 님.
_HONORIFIC = re.compile(r"(?:\s+(?:어르신|보호자|환자|선생|씨|군|양)님?|\s*(?:어르신|보호자|환자|선생)?님)$")
_BRACKETS = re.compile(r"[(\[（【].*?[)\]）】]")
_NOT_LETTER = re.compile(r"[\W\d_]+")
_DATE = re.compile(r"^(\d{4})\D*?(\d{1,2})\D*?(\d{1,2})\D*$")
_COMPACT_DATE = re.compile(r"^(\d{4})(\d{2})(\d{2})$")


def name(text: object) -> str | None:
    """A person's name: NFKC (which is NFC plus full-width forms), no remarks in brackets, honorifics, spaces or marks.

    Hangul stays Hangul and Latin letters become upper case: romanisation is ambiguous, so none is attempted here.
    """
    if not isinstance(text, str):
        return None
    plain = _BRACKETS.sub(" ", unicodedata.normalize("NFKC", text)).strip()
    bare = _letters(_HONORIFIC.sub("", plain))
    letters = bare if len(bare) >= 2 else _letters(plain)
    return letters if len(letters) >= 2 else None


def _letters(text: str) -> str:
    return _NOT_LETTER.sub("", text).upper()


def phone(text: object) -> str | None:
    """A Korean phone number as national digits ("01012345678"); +82 and 0082 become the leading 0."""
    if not isinstance(text, str):
        return None
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
    digits = re.sub(r"^(?:00)?820?(?=\d{8,10}$)", "0", digits)
    if not digits.startswith("0"):
        digits = f"0{digits}" if re.fullmatch(r"1[016789]\d{7,8}", digits) else digits
    return digits if re.fullmatch(r"0\d{8,10}", digits) and len(set(digits[3:])) > 1 else None


def date(value: object) -> str | None:
    """A date as YYYY-MM-DD, from a date or from text such as 19800301, 1980.3.1 or 1980년 3월 1일."""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFKC", value).strip()
    text = re.sub(r"[T ]\d{2}:\d{2}.*$", "", text)
    found = _COMPACT_DATE.match(text) or _DATE.match(text)
    if not found:
        return None
    try:
        return dt.date(*map(int, found.groups())).isoformat()
    except ValueError:
        return None


_SEX = {"M": "M", "MALE": "M", "남": "M", "남자": "M", "남성": "M", "8507": "M"} | {
    "F": "F", "FEMALE": "F", "여": "F", "여자": "F", "여성": "F", "8532": "F",
}  # fmt: skip


def sex(value: object) -> str | None:
    """M or F, from letters, Korean words or OMOP concept ids; None for anything else."""
    return _SEX.get(str(value).strip().upper()) if value is not None else None
