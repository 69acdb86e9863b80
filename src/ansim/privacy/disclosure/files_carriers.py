"""What carries data unseen in texts and names: encoded blocks, invisible characters, blanks, digits nobody needs.

None of this proves a smuggler; docs/protection/carriers.md has, for each carrier, how often it is found and how often
honest files are suspected. What is wrong for certain refuses, the rest asks a checker to look.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ansim.errors import N_
from ansim.privacy.disclosure.files_findings import FileFinding

_WORD = re.compile(r"[A-Za-z0-9+/_=-]{16,}")
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_LONG = 40  # characters of one word that no reader reads
_REFUSED_AT = 512  # characters in long words: some 380 bytes of anything
_ASKED_AT = 160
_MARKS = 30  # equal marks in one picture; fewer are groups more often than people
_DIGITS = 8  # significant ones; no estimate about people is that exact
_NUMBER = re.compile(r"^[+-]?(\d*)\.?(\d*)(?:[eE][+-]?\d+)?$")
_MOST_COLUMNS = 100
_MOST_NAME = 60
_INVISIBLE = {"Cf", "Co", "Cn", "Cs", "Cc"}
_NEEDED = {"\t", "\n", "\r", "\f"}


def check_carriers(text: str) -> Iterator[FileFinding]:
    """Of a whole text: blocks that only a machine can read, characters that nobody can see, blanks with a pattern."""
    yield from _encoded(text)
    yield from _invisible(text)
    yield from _blanks(text)
    yield from _alike(text)


def dense(word: str) -> bool:
    """Whether letters, capitals and digits change so often that no person wrote the word (random base64 changes its
    kind at six of ten characters, random hexadecimal at five, names of variables at fewer than two)."""
    if not any(one.isdigit() for one in word) or len(set(word)) < 8:
        return False
    kinds = ["d" if one.isdigit() else "u" if one.isupper() else "l" for one in word if one.isalnum()]
    changes = sum(one != other for one, other in pairwise(kinds))
    return 3 * changes >= len(kinds)


def _encoded(text: str) -> Iterator[FileFinding]:
    words = [word for word in _WORD.findall(text) if dense(word)]
    long = [word for word in words if len(word) >= _LONG]
    unread = sum(len(word) for word in long if not _DIGEST.fullmatch(word))
    total = sum(map(len, words))
    if unread >= _REFUSED_AT or total >= _ASKED_AT or long:
        yield FileFinding(
            "encoded-block",
            long[0][:12] + "…" if long else words[0][:12] + "…",
            N_("{count} words of {characters} characters altogether can be read by machines only."),
            N_("Take encoded data, embedded pictures and outputs of cells out."),
            {"count": len(words), "characters": total},
            refuses=unread >= _REFUSED_AT,
        )


def _invisible(text: str) -> Iterator[FileFinding]:
    if text.isascii() and text.isprintable():
        return
    strange = {one for one in set(text) - _NEEDED if unicodedata.category(one) in _INVISIBLE}
    if not strange:
        return
    count = sum(map(text.count, strange))
    yield FileFinding(
        "invisible-characters",
        ", ".join(f"U+{ord(one):04X}" for one in sorted(strange)[:5]),
        N_("The file holds {count} characters that are not seen."),
        N_("Remove them; retype the line if you do not know where they come from."),
        {"count": count},
        refuses=count > 8,
    )


def _blanks(text: str) -> Iterator[FileFinding]:
    """Blanks at the ends of lines, and runs of different blanks, are read by nobody."""
    ends = re.findall(r"[ \t]+(?=\r?\n|$)", text)
    inner = re.findall(r"(?<=\S)(?: \t|\t )[ \t]*(?=\S)", text)
    if (len(ends) > 4 and len(set(ends)) > 1) or len(inner) > 4:
        yield FileFinding(
            "blanks",
            "",
            N_("{count} lines end in blanks of different length or kind."),
            N_("Remove blanks at the ends of lines."),
            {"count": len(ends) + len(inner)},
            refuses=False,
        )


def _alike(text: str) -> Iterator[FileFinding]:
    """Latin words with Greek or Cyrillic letters in them. A single one, as in µg or β-blocker, stands apart."""
    words = [] if text.isascii() else re.findall(r"[a-zA-Z][\u0370-\u03ff\u0400-\u052f]|[\u0400-\u052f][a-zA-Z]", text)
    if len(words) > 2:
        yield FileFinding(
            "letters-alike",
            "",
            N_("{count} words mix letters of two alphabets that look alike."),
            N_("Type the words again."),
            {"count": len(words)},
            refuses=False,
        )


def check_name(name: str) -> Iterator[FileFinding]:
    """Of a file's path inside the outputs."""
    if len(name) > _MOST_NAME or any(dense(word) for word in _WORD.findall(name)):
        yield FileFinding(
            "encoded-name",
            name[:40],
            N_("The name of the file says more than a person would write."),
            N_("Give it a short name."),
            refuses=len(name) > 4 * _MOST_NAME,
        )


def check_header(header: list[str], where: str) -> Iterator[FileFinding]:
    """Of a table's column names."""
    odd = [name for name in header if len(name) > _MOST_NAME or any(dense(word) for word in _WORD.findall(name))]
    numbered = [name for name in header if re.search(r"\d{3,}|\d[.,]\d", name)]
    if odd or len(numbered) > 10 or len(header) > _MOST_COLUMNS:
        yield FileFinding(
            "column-names",
            f"{where}{(odd or numbered or header)[0][:40]}",
            N_("The names of the {count} columns carry values, or are too long or too many to be read."),
            N_("Give each column the name of its variable."),
            {"count": len(header)},
            refuses=len(header) > 10 * _MOST_COLUMNS,
        )


def check_digits(name: str, values: Iterable[str], where: str) -> Iterator[FileFinding]:
    """Of one column: numbers with more digits than an estimate about people has."""
    exact = sum(_significant(value) > _DIGITS for value in values)
    if exact:
        yield FileFinding(
            "excess-digits",
            f"{where}{name}",
            N_("{count} numbers in {column} have more than {most} significant digits."),
            N_("Round them; three or four digits are enough for an estimate."),
            {"count": exact, "column": name, "most": _DIGITS},
            refuses=False,
        )


def _significant(value: str) -> int:
    found = _NUMBER.match(value)
    return len((found[1] + found[2]).lstrip("0")) if found and found[2] else 0


def check_marks(marks: Iterable[tuple[str, int]]) -> Iterator[FileFinding]:
    """marks: (what is drawn, how often) in a drawing. Many equal marks are the points of a scatter plot."""
    what, most = max(marks, key=lambda each: each[1], default=("", 0))
    if most >= _MARKS:
        yield FileFinding(
            "single-points",
            f"<{what}>",
            N_("The picture draws {count} equal marks: points of single people?"),
            N_("Draw groups: a histogram, boxes without outliers, or hexagons of at least the threshold of people."),
            {"count": most},
            refuses=False,
        )
