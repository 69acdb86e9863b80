"""Patterns of direct identifiers in Korean data, as SQL tests over columns.

Resident registration numbers (and those of foreigners) are YYMMDD-SBBBBNC: a birth date, a digit for century and sex,
and until October 2020 a check digit. Numbers given since are random after the sex digit, so a number written with
its hyphen counts without the checksum; thirteen bare digits count only with it, or measurements would be hit.
"""

WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_EDGE = "(?:^|[^0-9A-Za-z])"
_END = "(?:$|[^0-9A-Za-z])"
_RESIDENT = f"{_EDGE}([0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[- ]?[0-9]{{7}}){_END}"
_MOBILE = rf"{_EDGE}(?:\+?82[-. ]?0?|0)1[016789][-. )]*[0-9]{{3,4}}[-. ]?[0-9]{{4}}{_END}"
_LANDLINE = rf"{_EDGE}(?:\+?82[-. ]?|0)(?:2|[3-6][0-9]|70)[-. )]+[0-9]{{3,4}}[-. ][0-9]{{4}}{_END}"
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}"


def check_digit(first12: str) -> int:
    """The thirteenth digit of an old-form resident registration number."""
    return (11 - sum(w * int(d) for w, d in zip(WEIGHTS, first12, strict=True)) % 11) % 10


def conditions(column: str, *, numeric: bool = False) -> dict[str, str]:
    """{kind: SQL condition} that a value of the column (quoted name) holds an identifier of the kind.

    numeric: the column holds numbers; only a resident number can be told from other numbers there.
    """
    if numeric:
        whole = f"TRY_CAST(CASE WHEN {column} = floor({column}) THEN {column} END AS BIGINT)"
        padded = f"lpad({whole}::VARCHAR, 13, '0')"  # who was born from 2000 on has lost leading zeros
        possible = f"{whole} BETWEEN 101000000 AND 9999999999999"
        return {"resident-number": f"CASE WHEN {possible} THEN {_resident(padded)} ELSE false END"}
    text = f"{column}::VARCHAR"
    return {"resident-number": _resident(text)} | {
        "phone": f"regexp_matches({text}, '{_MOBILE}') OR regexp_matches({text}, '{_LANDLINE}')",
        "email": f"regexp_matches({text}, '{_EMAIL}')",
    }


def _resident(text: str) -> str:
    """A candidate in the text that is hyphenated with a sex digit 1-8, or whose check digit is right."""
    candidates = f"regexp_extract_all({text}, '{_RESIDENT}', 1)"
    digits = "replace(replace(c, '-', ''), ' ', '')"
    total = " + ".join(f"{weight} * substr({digits}, {place}, 1)::INT" for place, weight in enumerate(WEIGHTS, 1))
    last = f"substr({digits}, 13, 1)::INT"
    # foreigners' numbers (sex digit 5-8) add 2 to the same sum
    checked = f"{last} = (11 - ({total}) % 11) % 10 OR {last} = (13 - ({total}) % 11) % 10"
    separated = "regexp_matches(c, '^[0-9]{6}[- ][1-8]')"
    return (
        # CASE, so that the dear part is only run on the few rows that pass the cheap one
        f"CASE WHEN regexp_matches({text}, '[0-9]{{6}}[- ]?[0-9]{{7}}') THEN "
        f"len(list_filter({candidates}, lambda c: {separated} OR {checked})) > 0 ELSE false END"
    )
