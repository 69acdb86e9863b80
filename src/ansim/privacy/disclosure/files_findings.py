"""What a file check reports: rule, place in the file, reason, remedy, and whether it refuses or asks a person."""

from dataclasses import dataclass, field
from typing import Any

from ansim.errors import Problem

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
