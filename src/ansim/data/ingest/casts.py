"""Text to CDM types, as SQL: numbers and dates in the forms that hospitals write them.

Dates: ISO 8601 (wall clock kept: an offset says where, not which day it was there), 20190301, 20190301143000, 2019/3/1,
2019.03.01, 2019년 3월 1일 오후 2시 30분. A two-digit year is read only where the mapping says until which year it may
reach, for 19-03-01 alone cannot say its century; a year before 1000 is taken for such a one and refused.
"""

from ansim.errors import N_

_DAY = r"([1-9]\d{3})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})\s*[.일]?"
_REST = r"(?:$|[T\s].*$)"
_SHORT = r"(\d{2})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})\s*[.일]?"
_TIME = r"^.*?[T\s일](오전|오후|AM|PM|am|pm)?\s*(\d{1,2})\s*[:시]\s*(\d{1,2})\s*[:분]?\s*(\d{1,2})?(?:[.,]\d+)?\s*초?"
_ZONE = r"\s*(?:Z|[+-]\d{2}:?\d{2})?$"


def text(sql: str) -> str:
    return f"nullif(trim({sql}::VARCHAR), '')"


def whole(value: str) -> str:
    """A plain cast would round 1.5 to 2; 10204.0 is how some sources spell a whole number."""
    return f"CASE WHEN regexp_full_match({value}, '[+-]?[0-9]+([.]0*)?') THEN try_cast({value} AS BIGINT) END"


def number(value: str) -> str:
    """A finite number; thousands may be parted by commas."""
    plain = (
        f"coalesce(try_cast({value} AS DOUBLE), CASE WHEN regexp_full_match({value}, "
        f"'[+-]?[0-9]{{1,3}}(,[0-9]{{3}})+([.][0-9]*)?') THEN try_cast(replace({value}, ',', '') AS DOUBLE) END)"
    )
    return f"CASE WHEN isfinite({plain}) THEN {plain} END"


def day(value: str, two_digit_until: int | None = None) -> str:
    """A date, or null when the text is none."""
    short = "NULL::DATE"
    if two_digit_until is not None:
        year = f"regexp_extract({value}, '^{_SHORT}', 1)::INTEGER"
        century = two_digit_until // 100 * 100
        full = f"({century} + {year} - CASE WHEN {century} + {year} > {two_digit_until} THEN 100 ELSE 0 END)"
        date = rf"{full} || '-' || regexp_replace({value}, '^{_SHORT}{_REST}', '\2-\3')"
        short = f"CASE WHEN regexp_matches({value}, '^{_SHORT}{_REST}') THEN try_cast({date} AS DATE) END"
    return (
        f"CASE WHEN length({value}) = 10 AND substr({value}, 5, 1) = '-' AND left({value}, 1) <> '0' "
        f"THEN try_cast({value} AS DATE) "
        f"WHEN regexp_matches({value}, '^{_DAY}{_REST}') "
        rf"THEN try_cast(regexp_replace({value}, '^{_DAY}{_REST}', '\1-\2-\3') AS DATE) "
        f"WHEN regexp_full_match({value}, '[1-9][0-9]{{7}}([T ]?[0-9]{{4,6}})?') "
        f"THEN try_strptime(left({value}, 8), '%Y%m%d')::DATE ELSE {short} END"
    )


def moment(value: str, two_digit_until: int | None = None) -> str:
    """A timestamp: the day with the time of day where the text has one; null when there is no such day or time."""
    date = day(value, two_digit_until)
    part = {name: f"regexp_extract({value}, '{_TIME}', {i})" for i, name in enumerate(("half", "h", "m", "s"), 1)}
    hour = (
        f"CASE WHEN {part['half']} = '' THEN try_cast({part['h']} AS INTEGER) "
        f"ELSE try_cast({part['h']} AS INTEGER) % 12 "
        f"+ CASE WHEN {part['half']} IN ('오후', 'PM', 'pm') THEN 12 ELSE 0 END END"
    )
    clock = f"make_time({hour}, {part['m']}::INTEGER, coalesce(try_cast({part['s']} AS DOUBLE), 0))"
    return (
        f"CASE WHEN regexp_full_match({value}, '[1-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}"
        f"(:[0-9]{{2}}([.][0-9]+)?)?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?') "
        f"THEN try_cast(replace(regexp_replace({value}, '{_ZONE}', ''), 'T', ' ') AS TIMESTAMP) "
        f"WHEN regexp_full_match({value}, '[1-9][0-9]{{7}}[T ]?[0-9]{{6}}') "
        f"THEN try_strptime(regexp_replace({value}, '[^0-9]', '', 'g'), '%Y%m%d%H%M%S') "
        f"WHEN regexp_matches({value}, '{_TIME}{_ZONE}') THEN try(({date}) + {clock}) "
        f"ELSE ({date})::TIMESTAMP END"
    )


def cast(value: str, type: str, two_digit_until: int | None = None) -> str:
    """The text expression `value` (trimmed, null when empty) as a CDM type; null when it does not fit."""
    if type == "VARCHAR":
        return value
    if type == "BIGINT":
        return whole(value)
    if type == "DOUBLE":
        return number(value)
    return day(value, two_digit_until) if type == "DATE" else moment(value, two_digit_until)


KINDS = {
    "BIGINT": N_("is no whole number"),
    "DOUBLE": N_("is no number"),
    "DATE": N_("is no date"),
    "TIMESTAMP": N_("is no time"),
}


def reason(condition: str, field: str, why: str, value: str = "NULL") -> str:
    """A refusal, or null where the condition does not hold."""
    quoted = why.replace("'", "''")
    return f"CASE WHEN {condition} THEN {{'field': '{field}', 'reason': '{quoted}', 'value': {value}::VARCHAR}} END"
