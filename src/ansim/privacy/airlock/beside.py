"""Two tables beside one another: what was released before, and what is asked for now, where the two speak of the same.

A checker sees small differences at once: two counts that differ by a few people say something about these few.
"""

import csv
from dataclasses import dataclass

from ansim.privacy.disclosure.files_tables import COUNT, WHOLE, read_delimited


@dataclass(frozen=True)
class Difference:
    """where: the row and column that both have. before, now: as they stand in the files. near: both are counts and they
    differ by less than the threshold."""

    where: str
    before: str
    now: str
    near: bool


def compare(before: bytes, now: bytes, threshold: int) -> tuple[int, list[Difference]] | None:
    """(cells that both CSV files have, those of them that differ); None if the tables have nothing in common.

    Rows are the same if their columns that hold no numbers are. What cannot be read has nothing in common.
    """
    try:
        old, new = (_cells(content.decode("utf-8-sig")) for content in (before, now))
    except (UnicodeDecodeError, ValueError, LookupError):
        return None
    common = [key for key in new if key in old]
    if not common:
        return None
    return len(common), [
        Difference(" · ".join([*row, column]), was, new[row, column], _near(was, new[row, column], threshold))
        for row, column in common
        if (was := old[row, column]) != new[row, column]
    ]


def _near(one: str, other: str, threshold: int) -> bool:
    if not (WHOLE.match(one) and WHOLE.match(other)):
        return False
    return abs(int(float(one)) - int(float(other))) < threshold


def _cells(text: str) -> dict[tuple[tuple[str, ...], str], str]:
    try:
        rows = [row for row in read_delimited(text, ",") if row]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    header, body = rows[0], rows[1:]
    if any(len(row) != len(header) for row in body):
        raise ValueError("ragged")
    numbers = {
        place
        for place, name in enumerate(header)
        if COUNT.search(name) or any("." in row[place] and _is_number(row[place]) for row in body)
    }
    keys = [place for place in range(len(header)) if place not in numbers]
    return {
        (tuple(row[place] for place in keys), header[place]): row[place] for row in body for place in sorted(numbers)
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
