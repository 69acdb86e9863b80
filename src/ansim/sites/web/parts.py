"""View models: what a page shows, as plain values. Views build them, the tags of `templatetags/ansim.py` draw them.

Texts are strings already in the reader's language (or lazy translations, or ``{"ko": …, "en": …}`` documents).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["neutral", "info", "success", "warning", "danger"]
Text = Any  # str, lazy translation, or a mapping of languages to strings


@dataclass(frozen=True)
class Tag:
    """A state: always a word, with a tone that only supports it."""

    word: Text
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Link:
    label: Text
    url: str


@dataclass(frozen=True)
class Suppressed:
    """A number withheld by disclosure control: shown as "<threshold", never as 0 or blank."""

    threshold: int = 10


@dataclass(frozen=True)
class Code:
    """A hash, identifier or other machine text; `shown` limits the characters, the whole is kept for copying."""

    value: str
    shown: int | None = None

    @property
    def short(self) -> str:
        return self.value if self.shown is None else f"{self.value[: self.shown]}…"


@dataclass(frozen=True)
class Action:
    """One thing the reader can do. `method="post"` draws a small form with a CSRF token and the hidden `values`."""

    label: Text
    url: str
    kind: Literal["primary", "secondary", "danger", "quiet"] = "primary"
    method: Literal["get", "post"] = "get"
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a page answers first: what state this is in, who must act next and by when, what the reader can do."""

    state: Tag | None = None
    who: Text = ""  # who must act next; empty: nobody
    by: dt.datetime | dt.date | None = None
    late: bool = False  # the view knows the site's clock; the look does not
    since: dt.datetime | dt.date | None = None  # since when it waits
    text: Text = ""
    actions: Sequence[Action] = ()


@dataclass(frozen=True)
class Fact:
    """One row of a summary list. `change` links back to the step where the answer can be mended."""

    term: Text
    value: Any
    change: str = ""
    note: Text = ""


@dataclass(frozen=True)
class Column:
    label: Text
    unit: Text = ""
    number: bool = False
    whole: bool = False  # its texts are not broken over lines

    @property
    def looks(self) -> str:
        return " ".join(name for name, on in (("number", self.number), ("whole", self.whole)) if on)


@dataclass(frozen=True)
class Table:
    """Rows of cells in the order of the columns; the first cell of a row is its header.

    A cell is text, a number, a date, None (not known), Suppressed, Tag, Link, Code, Action or a list of those.
    """

    caption: Text
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: Text = ""
    hide_caption: bool = False

    @property
    def thresholds(self) -> list[int]:
        """The thresholds of suppressed cells in this table, for the explanation below it."""
        return sorted({cell.threshold for row in self.rows for cell in row if isinstance(cell, Suppressed)})


@dataclass(frozen=True)
class Moment:
    """One entry of a timeline; the newest stands first."""

    at: dt.datetime | dt.date
    what: Text
    who: Text = ""
    detail: Text = ""
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Clock:
    """Time used of the time allowed for one stage, in days."""

    label: Text
    used: float
    allowed: float
    who: Text = ""

    @property
    def late(self) -> bool:
        return self.used > self.allowed


@dataclass(frozen=True)
class Step:
    """One cell of a progress matrix: the state of one stage at one hospital."""

    state: Tag
    when: dt.datetime | dt.date | None = None
    late: bool = False
    note: Text = ""


@dataclass(frozen=True)
class ProgressRow:
    name: Text
    steps: Sequence[Step | None]
    url: str = ""
    waiting_on: Text = ""


@dataclass(frozen=True)
class Progress:
    """A case across hospitals: one row a hospital, one column a stage. None: not reached yet."""

    caption: Text
    stages: Sequence[Text]
    rows: Sequence[ProgressRow]


@dataclass(frozen=True)
class Figure:
    """A chart (two drawings, light and dark) with the same numbers as a table."""

    title: Text
    light: str  # address of the SVG
    dark: str
    alt: Text
    table: Table | None = None
    note: Text = ""
    width: int = 520
    height: int = 300


@dataclass(frozen=True)
class Face:
    """Who speaks: the kind of site, its name, and the person in force."""

    kind: Literal["hub", "holder", "centre", "keyagency", "user"]
    name: Text
    demo: bool = False


@dataclass(frozen=True)
class Actor:
    name: Text
    organisation: Text = ""
    role: Text = ""


@dataclass(frozen=True)
class NavItem:
    label: Text
    url: str
    current: bool = False
    count: int = 0  # things that wait for the reader
