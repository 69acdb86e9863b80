"""Tables for the docs, made from the code: status x command per aggregate, clauses and controls, roles kept apart."""

from collections.abc import Iterable

from ansim.governance.advice import advice
from ansim.governance.agreement import agreement
from ansim.governance.application import application
from ansim.governance.board import board
from ansim.governance.clauses import CLAUSES
from ansim.governance.core import Aggregate
from ansim.governance.extract_review import extract_review
from ansim.governance.output import output
from ansim.governance.review import review
from ansim.governance.separations import APART

AGGREGATES = (application, review, board, agreement, extract_review, output, advice)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def steps(aggregate: Aggregate) -> str:
    """One row a command: who gives it, from which statuses, to which."""
    rows = ((name, step.role, ", ".join(step.source), ", ".join(step.target)) for name, step in aggregate.steps.items())
    return table(("command", "role", "from", "to"), rows)


def grid(aggregate: Aggregate) -> str:
    """Status x command: ● where the status admits the command."""
    rows = (
        (status, *("●" if status in step.source else "" for step in aggregate.steps.values()))
        for status in aggregate.statuses
    )
    return table(("status", *aggregate.steps), rows)


def clauses() -> str:
    rows = ((c.field, f"{c.ko} / {c.en}", c.control or "people only", c.test or "-") for c in CLAUSES)
    return table(("field", "clause", "control", "test"), rows)


def apart() -> str:
    return table(("role", "never also", "why"), APART)


def markdown() -> str:
    """The whole page."""
    parts = ["# Governance tables", "Generated from the code; do not edit."]
    for aggregate in AGGREGATES:
        parts += [f"## {aggregate.name}", steps(aggregate), grid(aggregate)]
    parts += ["## Clauses of an agreement", clauses(), "## Roles kept apart", apart()]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
