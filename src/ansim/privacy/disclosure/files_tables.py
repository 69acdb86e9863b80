"""Tables in files of which the people are unknown: rows of single people, small counts, identifying columns.

These are heuristics over names and shapes of columns. They find honest mistakes; they do not prove anything, which is
why a file without findings still goes to people. Sources: OpenSAFELY's output checks (rows, identifiers), GHB ch. 4.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import pairwise

from ansim.errors import N_
from ansim.privacy.disclosure.files_carriers import check_digits, check_header
from ansim.privacy.disclosure.files_findings import FileFinding
from ansim.privacy.disclosure.policy import Policy

IDENTIFYING = re.compile(
    r"(^|_)(person|patient|subject|participant|member|pseudonym|mrn|rrn|ssn)(_?(id|no|number|key))?$|(^|_)(id|uuid|guid)$"
    r"|환자번호|등록번호|주민|이름|성명|식별|가명",
    re.IGNORECASE,
)
COUNT = re.compile(
    r"^n$|^n_|_n$|^n[ .(]|count|freq|people|persons|patients$|cases$|number|numerator|denominator|total"
    r"|명$|명수|건수|인원|환자수|빈도|합계",
    re.IGNORECASE,
)
NOT_COUNT = re.compile(
    r"age|year|month|day|week|time|band|code|concept|date|mean|median|나이|연령|연도|년|월|시간|기간|코드",
    re.IGNORECASE,
)
WHOLE = re.compile(r"^[+-]?\d{1,15}(\.0+)?$")
_TOKEN = re.compile(r"^(?=.*\d)[A-Za-z0-9+/_=-]{16,}$")
_LEAST_ROWS = 20  # fewer rows than this are not taken for rows of people by shape alone


def read_delimited(text: str, separator: str) -> list[list[str]]:
    """Rows of a CSV or TSV; raises csv.Error for what no reader agrees on."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))


def check_table(rows: list[list[str]], policy: Policy, where: str = "") -> Iterator[FileFinding]:
    """rows: header first. where: prefix of each place, for a table inside a file."""
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        return
    header, body = [cell.strip() for cell in rows[0]], rows[1:]
    if len(body) > policy.max_file_rows:
        yield FileFinding(
            "too-many-rows",
            where,
            N_("The table has {rows} rows; at most {most} leave."),
            N_("Release a summary, not the rows."),
            {"rows": len(body), "most": policy.max_file_rows},
        )
        body = body[: policy.max_file_rows]
    if any(len(row) != len(header) for row in body):
        yield FileFinding(
            "ragged",
            where,
            N_("The rows differ in length."),
            N_("Write one value per column in each row."),
            refuses=False,
        )
    if any(WHOLE.match(cell) for cell in header):
        yield FileFinding(
            "no-header", where, N_("The first row holds numbers, not names."), N_("Name each column."), refuses=False
        )
        header, body = [f"column {place + 1}" for place in range(len(header))], rows
    columns = [[row[place].strip() if place < len(row) else "" for row in body] for place in range(len(header))]
    yield from check_header(header, where)
    yield from _rows_of_people(header, columns, where)
    for name, values in zip(header, columns, strict=True):
        yield from check_digits(name, values, where)
        yield from _counts(name, values, policy, where)


def _rows_of_people(header: list[str], columns: list[list[str]], where: str) -> Iterator[FileFinding]:
    counted = any(COUNT.search(name) for name in header)
    for name, values in zip(header, columns, strict=True):
        filled = [value for value in values if value]
        place = f"{where}{name}"
        if IDENTIFYING.search(name):
            yield FileFinding(
                "identifying-column",
                place,
                N_("The column {column} names or numbers people."),
                N_("Leave the column out."),
                {"column": name},
            )
        elif filled and 2 * sum(bool(_TOKEN.match(value)) for value in filled) >= len(filled):
            yield FileFinding(
                "pseudonyms",
                place,
                N_("The column {column} looks like pseudonyms."),
                N_("Leave the column out."),
                {"column": name},
            )
        elif not counted and len(filled) >= _LEAST_ROWS and len(set(filled)) == len(filled) and _key_like(filled):
            yield FileFinding(
                "raw-rows",
                place,
                N_("Each of the {rows} rows has its own value in {column} and nothing is counted: rows of people?"),
                N_("Release counts or other summaries of at least the threshold of people."),
                {"rows": len(filled), "column": name},
            )
    if not counted and columns and len(columns) > 1 and len(columns[0]) > _LEAST_ROWS:
        yield FileFinding(
            "nothing-counted",
            where,
            N_("{rows} rows and no column of counts: a checker cannot see how many people stand behind a row."),
            N_("Add a column with the number of people."),
            {"rows": len(columns[0])},
            refuses=False,
        )


def _key_like(values: list[str]) -> bool:
    """Whole numbers that are not a plain sequence, or texts; distinct decimals are measurements of a curve."""
    if all(WHOLE.match(value) for value in values):
        numbers = sorted(int(float(value)) for value in values)
        steps = {later - earlier for earlier, later in pairwise(numbers)}
        return len(steps) > 1
    return not any(re.match(r"^[+-]?\d*\.\d+(e[+-]?\d+)?$", value, re.IGNORECASE) for value in values)


def _counts(name: str, values: list[str], policy: Policy, where: str) -> Iterator[FileFinding]:
    """Small counts cell by cell; in a column whose name says count they refuse, in other whole numbers they ask."""
    whole = [(row, int(float(value))) for row, value in enumerate(values, start=2) if WHOLE.match(value)]
    named = bool(COUNT.search(name))
    if not whole or (not named and (NOT_COUNT.search(name) or len(whole) < len([one for one in values if one]))):
        return
    least = 0 if policy.zeros == "hide" else 1
    for row, n in whole:
        if least <= n < policy.threshold:
            yield FileFinding(
                "small-cell" if named else "small-number",
                f"{where}{row}:{name}",
                N_("{n} in row {row}, column {column}; counts of people must be at least {threshold}."),
                N_("Join categories, or submit a table specification: then the people are counted."),
                {"n": n, "row": row, "column": name, "threshold": policy.threshold},
                refuses=named,
            )
    if named and any(n % policy.rounding for _, n in whole):
        yield FileFinding(
            "unrounded",
            f"{where}{name}",
            N_("The counts in {column} are not rounded to {base}."),
            N_("Round them."),
            {"column": name, "base": policy.rounding},
            refuses=False,
        )
