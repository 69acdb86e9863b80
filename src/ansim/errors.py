"""One kind of error for people: what was wrong, where, and what to do.

Texts are English templates marked with N_; the sites translate the template and then fill in the facts, so the
libraries below need no translation machinery of their own.
"""

from typing import Any


def N_(text: str) -> str:
    """Mark a text for translation without translating it here."""
    return text


class Problem(Exception):
    """Something that a person can understand and mend.

    code: short and stable, for programs ("small-cell"). text: English template. where: field, file, line or path.
    remedy: template that says what to do. facts: the values that both templates name.
    """

    def __init__(self, code: str, text: str, *, where: str = "", remedy: str = "", **facts: Any):
        super().__init__(code)
        self.code, self.text, self.where, self.remedy, self.facts = code, text, where, remedy, facts

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" {self.remedy.format(**self.facts)}" if self.remedy else ""
        return f"{place}{self.text.format(**self.facts)}{remedy}"

    def as_data(self) -> dict:
        return {"code": self.code, "where": self.where, "message": str(self)}


class Problems(Problem):
    """Several problems found together, so that a person mends them in one go."""

    def __init__(self, problems: list[Problem]):
        super().__init__("problems", N_("{count} things need mending."), count=len(problems))
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)

    def as_data(self) -> dict:
        return {"code": self.code, "problems": [problem.as_data() for problem in self.problems], "message": str(self)}
