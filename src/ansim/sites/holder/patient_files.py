"""A list of patient keys as a file: what a hospital's own system writes out of objections, withdrawals, consents."""

import csv
import io

from ansim.data.ingest.sniff import SAMPLE, encoding
from ansim.errors import N_, Problem

MEGABYTES = 20
COLUMN = "person_source_value"


def keys_of(content: bytes, name: str) -> list[str]:
    """The keys of a CSV or text file, in UTF-8, UTF-16 or CP949: of the column `person_source_value`, else of the only
    column. Each once, in the file's order; empty lines count for nothing.

    Raises Problem for a file that is too large or no text, that has several columns none of which has that name, or in
    which a line has no key where others have.
    """
    if len(content) > MEGABYTES * 1024 * 1024:
        raise Problem(
            "file-too-large",
            N_("The file is larger than {most} MB."),
            where=name,
            remedy=N_("Split the list into several files."),
            most=MEGABYTES,
        )
    rows = _rows(content, name)
    head = [text.strip().lower() for text in rows[0][1]] if rows else []
    if COLUMN in head:
        place, rows = head.index(COLUMN), rows[1:]
    elif any(len(row) > 1 for _line, row in rows):
        raise Problem(
            "which-column",
            N_("The file has several columns, and none is named {column}."),
            where=name,
            remedy=N_("Name the column of the patient keys so, or leave the others out."),
            column=COLUMN,
        )
    else:
        place = 0
    found: dict[str, None] = {}
    for line, row in rows:
        key = row[place].strip() if place < len(row) else ""
        if not key:
            raise Problem(
                "no-key-in-line",
                N_("Line {line} has no patient key. Nothing was changed."),
                where=name,
                remedy=N_("Mend the line or take it out, and choose the file again."),
                line=line,
            )
        found[key] = None
    return list(found)


def _rows(content: bytes, name: str) -> list[tuple[int, list[str]]]:
    """(line, fields) of each line that is not empty."""
    try:
        text = content.decode(encoding(content[:SAMPLE], name)).removeprefix("\ufeff")
        if "\x00" in text:
            raise csv.Error
        first = text.split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=first.count), strict=True)
        return [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Problem(
            "not-a-list",
            N_("The file is no CSV or text file that can be read."),
            where=name,
            remedy=N_("Save the list as CSV and choose it again."),
        ) from error
