"""A table file of which the people are unknown, protected by the counts that stand in it.

Columns are taken apart by name and shape: counts, shares, dimensions, other numbers. Each column of counts with the
dimensions is one cube (whole-number columns side by side without a name of counts, as `F,M`, are one more dimension),
protected by `protect_counts`: small cells, lines that fall into one cell, secondary suppression against totals that
stand in the file *or follow from it*, rounding. Shares would give the exact counts back and go; sums, means and other
numbers stay, in the policy's digits, where no count beside them is hidden.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.files_tables import COUNT, IDENTIFYING, NOT_COUNT, WHOLE
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import HIDDEN, Released, protect_counts, round_to
from ansim.privacy.disclosure.table import TOTAL, Key, TableSpec

_SHARE = re.compile(r"%|percent|share|prop|ratio_of|rate$|pct|비율|분율|백분율", re.IGNORECASE)
_TOTAL = re.compile(r"^\s*(\*|total|all|sum|overall|합계|계|총계|전체|소계)\s*$", re.IGNORECASE)
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*%?$", re.IGNORECASE)
_TIME = re.compile(r"time|lag|rank|order|시간|기간|순위", re.IGNORECASE)
_SMALL = re.compile(r"^\s*(<\s*\d+|[–—-]|)\s*$")


@dataclass(frozen=True)
class Change:
    """What was done to a file: rule, template and how often."""

    rule: str
    text: str
    count: int

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def safe_table(rows: list[list[str]], policy: Policy) -> tuple[list[list[str]], list[Change]]:
    """rows: header first. Raises Problem for a table that no machine can make safe (rows of people, no counts)."""
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    header, body = (rows or [[]])[0], rows[1:]
    if not body or any(len(row) != len(header) for row in body) or len(set(header)) != len(header):
        raise _unsafe()
    columns = [[row[place] for row in body] for place in range(len(header))]
    roles = [_role(name, values) for name, values in zip(header, columns, strict=True)]
    if "identifying" in roles:
        raise _unsafe()
    counted = [place for place, role in enumerate(roles) if role == "count"]
    named = [place for place in counted if not _TOTAL.match(header[place])]
    wide = [] if named else [place for place, role in enumerate(roles) if role in ("whole", "count")]
    if wide == counted:  # one column of totals and nothing that adds up to it
        named, wide = counted, []
    if not named and not wide:
        return _without_counts(header, body, roles, policy)
    across = [place for place, role in enumerate(roles) if role == "dimension"]
    across += [] if wide else [place for place, role in enumerate(roles) if role == "whole"]
    if wide:
        shown = _wide(header, body, across, wide, policy)
    else:
        shown = {}
        for place in named:
            keys = [tuple(_part(row[one]) for one in across) for row in body]
            found = _protected(keys, [row[place] for row in body], len(across), policy)
            shown |= {(number, place): text for number, text in enumerate(found)}
    return _put_together(header, body, roles, shown, policy)


def _role(name: str, values: list[str]) -> str:
    filled = [value for value in values if not _SMALL.match(value)]
    if IDENTIFYING.search(name):
        return "identifying"
    if _SHARE.search(name) or (filled and all(value.endswith("%") for value in filled)):
        return "share"
    whole = bool(filled) and all(WHOLE.match(value) and not value.startswith("-") for value in filled)
    if whole and COUNT.search(name):
        return "count"
    if filled and all(_NUMBER.match(value) for value in filled):
        if NOT_COUNT.search(name) and whole:
            return "dimension"
        return "whole" if whole and not _TIME.search(name) else "time" if whole else "number"
    return "dimension"


def _wide(
    header: list[str], body: list[list[str]], across: list[int], wide: list[int], policy: Policy
) -> dict[tuple[int, int], str]:
    places = [(number, place) for number in range(len(body)) for place in wide]
    keys = [(*(_part(body[number][one]) for one in across), _part(header[place])) for number, place in places]
    found = _protected(keys, [body[number][place] for number, place in places], len(across) + 1, policy)
    return dict(zip(places, found, strict=True))


def _part(text: str) -> str:
    return TOTAL if _TOTAL.match(text) else text


def _protected(keys: list[Key], values: list[str], dimensions: int, policy: Policy) -> list[str]:
    """What each cell may show. A cell that is hidden in the file already counts as a small one."""
    if not dimensions:  # one number without any dimension, or rows that nothing tells apart
        return [_rounded(value, policy) for value in values]
    if len(set(keys)) != len(keys):
        raise _unsafe()
    counts = {key: int(float(value)) if WHOLE.match(value) else 0 for key, value in zip(keys, values, strict=True)}
    released = _released(counts, dimensions, policy)
    return [
        released.cells[key].text if released.cells[key].n is None else _rounded(value, policy)
        for key, value in zip(keys, values, strict=True)
    ]


def _released(counts: Mapping[Key, int], dimensions: int, policy: Policy) -> Released:
    """The cube with every total that stands in the file or follows from its cells."""
    full: dict[Key, int] = {}
    for key, n in counts.items():
        if TOTAL in key:
            continue
        for summed in itertools.product((False, True), repeat=dimensions):
            place = tuple(TOTAL if whole else part for part, whole in zip(key, summed, strict=True))
            full[place] = full.get(place, 0) + n
    for key, n in counts.items():
        if TOTAL in key and key not in full:  # totals without the cells that they are of
            full[key] = n
    names = tuple(f"d{number}" for number in range(dimensions))
    return protect_counts(full, TableSpec(names, ()), policy)


def _rounded(value: str, policy: Policy) -> str:
    if not WHOLE.match(value):
        return value if _SMALL.match(value) and value else HIDDEN
    n = int(float(value))
    small = n < policy.threshold and (n or policy.zeros == "hide")
    return f"<{policy.threshold}" if small else str(round_to(n, policy.rounding))


def _put_together(
    header: list[str], body: list[list[str]], roles: list[str], shown: Mapping[tuple[int, int], str], policy: Policy
) -> tuple[list[list[str]], list[Change]]:
    kept = [place for place, role in enumerate(roles) if role != "share"]
    made, hidden, rounded, more = [[header[place] for place in kept]], 0, 0, 0
    for number, row in enumerate(body):
        counts = {place: shown[number, place] for place in kept if (number, place) in shown}
        gone = any(not WHOLE.match(text) for text in counts.values())
        cells = []
        for place in kept:
            if place in counts:
                hidden += not WHOLE.match(counts[place]) and bool(WHOLE.match(row[place]))
                more += counts[place] == HIDDEN and bool(WHOLE.match(row[place]))
                rounded += bool(WHOLE.match(counts[place])) and counts[place] != row[place]
                cells.append(counts[place])
            elif roles[place] == "number":
                cells.append(HIDDEN if gone else _digits(row[place], policy))
            else:
                cells.append(row[place])
        made.append(cells)
    return made, _changes(policy, hidden=hidden - more, secondary=more, rounded=rounded, shares=len(header) - len(kept))


def _without_counts(
    header: list[str], body: list[list[str]], roles: list[str], policy: Policy
) -> tuple[list[list[str]], list[Change]]:
    """Estimates only: fewer digits. Whether enough people stand behind them is for the checkers."""
    if not {"number", "share"} & set(roles):
        raise _unsafe()
    estimates = {place for place, role in enumerate(roles) if role in ("number", "share")}
    made = [[_digits(cell, policy) if place in estimates else cell for place, cell in enumerate(row)] for row in body]
    changed = sum(
        one != other for row, new in zip(body, made, strict=True) for one, other in zip(row, new, strict=True)
    )
    return [header, *made], _changes(policy, digits=changed)


def _digits(value: str, policy: Policy) -> str:
    percent, value = ("%", value[:-1]) if value.endswith("%") else ("", value)
    try:
        return f"{float(f'{float(value):.{policy.significant_digits}g}'):.15g}{percent}"
    except ValueError:
        return value


_WORDS = {
    "hidden": N_("{count} small cells are hidden."),
    "secondary": N_("{count} further cells are hidden so that the small ones do not follow from totals."),
    "rounded": N_("{count} counts are rounded."),
    "shares": N_("{count} columns of shares are left out; they can be made again from the rounded counts."),
    "digits": N_("{count} numbers have fewer digits."),
}


def _changes(policy: Policy, **counts: int) -> list[Change]:
    return [Change(rule, _WORDS[rule], count) for rule, count in counts.items() if count]


def _unsafe() -> Problem:
    return Problem(
        "no-safe-version",
        N_("No machine can make this table safe."),
        remedy=N_("Release counts by groups, with one row a group."),
    )
