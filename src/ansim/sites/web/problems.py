"""Puts the refusals of the libraries (`ansim.errors.Problem`) into the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from ansim.errors import Problem, Problems
from ansim.sites.web.formats import phrase


def problem_lines(error: Problem) -> list[dict[str, str]]:
    """One line a problem: code, where, text, remedy; the template is translated first, then filled with the facts."""
    if isinstance(error, Problems):
        return [line for one in error.problems for line in problem_lines(one)]
    facts = {name: phrase(fact) for name, fact in error.facts.items()}
    return [
        {
            "code": error.code,
            "where": error.where,
            "text": gettext(error.text).format(**facts),
            "remedy": gettext(error.remedy).format(**facts) if error.remedy else "",
        }
    ]


def problem_text(error: Problem) -> str:
    """The same as one string, for form errors and messages."""
    return " ".join(part for line in problem_lines(error) for part in (line["text"], line["remedy"]) if part)
