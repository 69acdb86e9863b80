"""What a file check reports: rule, place in the file, reason, remedy, and whether it refuses or asks a person."""

from dataclasses import dataclass, field
from typing import Any

from ansim.errors import N_, Problem

MOST_FINDINGS = 200  # of one rule in one file; the rest is counted


@dataclass(frozen=True)
class FileFinding:
    """place: row and column, line, path or chunk. refuses: no checker can wave it through; else a checker looks."""

    rule: str
    place: str
    text: str
    remedy: str
    facts: dict[str, Any] = field(default_factory=dict)
    refuses: bool = True

    def problem(self) -> Problem:
        return Problem(self.rule, self.text, where=self.place, remedy=self.remedy, **self.facts)

    def as_data(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "place": self.place,
            "text": self.text,
            "remedy": self.remedy,
            "facts": self.facts,
            "refuses": self.refuses,
            "message": str(self.problem()),
        }


def active(what: str) -> FileFinding:
    return FileFinding(
        "active-content",
        what,
        N_("The file holds something that can act or load ({what})."),
        N_("Save it as a plain picture or text."),
        {"what": what},
    )


def hidden(what: str, *, refuses: bool = False) -> FileFinding:
    return FileFinding(
        "hidden-text",
        what,
        N_("The file holds text that is not seen ({what})."),
        N_("Save it without metadata and comments, or let a checker read it."),
        {"what": what},
        refuses=refuses,
    )


def damaged(kind: str) -> FileFinding:
    return FileFinding(
        "damaged", "", N_("The file is not a whole {kind} file."), N_("Write the file again."), {"kind": kind}
    )


def trailing(kind: str, count: int) -> FileFinding:
    return FileFinding(
        "trailing-data",
        kind,
        N_("{bytes} bytes follow the end of the picture."),
        N_("Save the picture again."),
        {"bytes": count},
    )
