"""Papers as data, and their PDF/A-3b.

A paper is a title and blocks; each kind of paper (agreement, letter, certificate, report, receipt) is a function that
writes those, and one typst template draws them. Equal input gives equal bytes: the time is an argument, and what stands
on paper stands in the attached document that the footer names by its SHA-256.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.governance.papers.fonts import korean

Text = dict[str, str]  # {"ko": …, "en": …}
TERMS = "terms.json"  # name of the attached document

SUCCESS, WARNING, DANGER, PRIMARY = "#1b6e2d", "#9e6a00", "#c22d10", "#0b50d0"


def text(ko: str, en: str) -> Text:
    return {"ko": ko, "en": en}


def code(value: str) -> dict:
    """A value in monospaced type: hashes, keys, numbers of documents."""
    return {"code": value}


def facts(heading: Text, rows: Iterable[tuple[Text, Any]]) -> dict:
    """Labelled facts; a value is text, Text, code or a list of these."""
    return {"kind": "facts", "heading": heading, "rows": [list(row) for row in rows]}


def table(heading: Text, columns: Sequence[tuple[Text, float, bool]], rows: Iterable[Sequence[Any]]) -> dict:
    """A table; columns are (label, relative width, is a number)."""
    names = [{"label": label, "width": width, "number": number} for label, width, number in columns]
    return {"kind": "table", "heading": heading, "columns": names, "rows": [list(row) for row in rows]}


def bars(heading: Text, rows: Iterable[tuple[str, int]]) -> dict:
    """Horizontal bars of counts, each with its name and number."""
    return {"kind": "bars", "heading": heading, "rows": [{"name": name, "count": count} for name, count in rows]}


def clauses(heading: Text, items: Iterable[Text]) -> dict:
    return {"kind": "clauses", "heading": heading, "items": list(items)}


def note(content: Text) -> dict:
    return {"kind": "note", "text": content}


def decision(content: Text, colour: str) -> dict:
    return {"kind": "decision", "text": content, "colour": colour}


@dataclass(frozen=True)
class Box:
    """Where a party's mark stands: page from 0, and points from the page's lower left corner as PDF counts."""

    party: str
    page: int
    left: float
    bottom: float
    right: float
    top: float

    def corners(self) -> tuple[int, int, int, int]:
        """Left, bottom, right, top in whole points, as the signature's rectangle is written."""
        return round(self.left), round(self.bottom), round(self.right), round(self.top)


PAGE_WIDTH, PAGE_HEIGHT = 595.276, 841.89  # A4 in points
_LEFT, _TOP, _WIDTH, _HEIGHT, _STEP, _PER_SHEET = 62.4, 140.0, 470.5, 78.0, 88.0, 7
_FOOT = 68.0  # the lower margin of the template


def boxes(parties: Sequence[str], pages: int) -> list[Box]:
    """The parties' boxes in a document of so many pages: a lone signer's at its foot, several on the last sheets."""
    if len(parties) == 1:
        return [Box(parties[0], pages - 1, _LEFT, _FOOT, _LEFT + _WIDTH, _FOOT + _HEIGHT)]
    sheets = -(-len(parties) // _PER_SHEET)
    found = []
    for index, party in enumerate(parties):
        sheet, place = divmod(index, _PER_SHEET)
        top = PAGE_HEIGHT - (_TOP + place * _STEP)
        found.append(Box(party, pages - sheets + sheet, _LEFT, top - _HEIGHT, _LEFT + _WIDTH, top))
    return found


def signatories(document: dict) -> list[str]:
    """Ids of those who sign this document's paper, in order of their boxes: an agreement's parties, or the issuer."""
    if document.get("ansim") == "agreement/1":
        return [document["user"]["id"], *(holder["id"] for holder in document["holders"])]
    return [document["issuer"]["id"]]


def signature(content: Text, name: str, role: Text) -> dict:
    """A lone signer's box, at the foot of the last page; always the last block."""
    return {"kind": "signature", "text": content, "box": {"name": name, "role": role, "height": _HEIGHT}}


def signatures(heading: Text, content: Text, parties: Sequence[tuple[str, Text]]) -> dict:
    """The signature sheets, always last: parties are (name, role) in order of their boxes."""
    drawn = [
        {
            "name": name,
            "role": role,
            "x": _LEFT,
            "y": _TOP + index % _PER_SHEET * _STEP,
            "width": _WIDTH,
            "height": _HEIGHT,
        }
        for index, (name, role) in enumerate(parties)
    ]
    sheets = [drawn[start : start + _PER_SHEET] for start in range(0, len(drawn), _PER_SHEET)]
    return {"kind": "signatures", "heading": heading, "text": content, "sheets": sheets}


def render(
    title: Text,
    blocks: Sequence[dict],
    *,
    document: dict,
    number: str,
    at: datetime,
    articles: bool = False,
    font_directory: Path | None = None,
) -> bytes:
    """The PDF/A-3b with the document attached as `terms.json` in canonical form.

    document: what the paper says, for machines; its SHA-256 stands at the foot of each page. number: shown at the head.
    at: the document's time (timezone-aware). articles: headings are numbered as articles of an agreement.
    Raises Problem: no-korean-font, paper (a character that the font lacks, for one).
    """
    if at.tzinfo is None:
        raise ValueError("the time of a paper has a timezone")
    attached = canonical(document)
    paper = {
        "kind": document.get("ansim", "paper"),
        "title": title,
        "number": number,
        "articles": articles,
        "blocks": list(blocks),
        "sealed": text("첨부 문서", "attached document SHA-256"),
        "digest": hashlib.sha256(attached).hexdigest(),
        "attachments": [
            {"name": TERMS, "text": attached.decode(), "description": "The same content for machines (canonical JSON)"}
        ],
    }
    return typeset(template("paper.typ"), {"paper": json.dumps(paper, ensure_ascii=False)}, at, font_directory)


def typeset(template: bytes, inputs: dict[str, str], at: datetime, font_directory: Path | None = None) -> bytes:
    """A typst template with its inputs as PDF/A-3b."""
    fonts, family, mono = korean(font_directory)
    try:
        return typst.compile(
            template,
            font_paths=fonts,
            format="pdf",
            pdf_standards="a-3b",
            timestamp=int(at.timestamp()),
            sys_inputs={**inputs, "font": family, "mono": mono},
        )
    except typst.TypstError as error:
        detail = getattr(error, "message", str(error))
        raise Problem("paper", N_("The paper could not be made: {detail}."), detail=detail) from error


@cache
def template(name: str) -> bytes:
    return (files("ansim.governance.papers") / name).read_bytes()
