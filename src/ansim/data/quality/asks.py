"""How checks become queries: a family of checks yields what it knows already, and what it has to ask."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ansim.data.cdm import quoted
from ansim.data.quality.table import Check


@dataclass(frozen=True)
class Known:
    """An answer: rows that break the check, of how many. problem: why it could not be looked at."""

    check: Check
    violated: int
    denominator: int
    problem: str = ""


@dataclass(frozen=True)
class Ask:
    """One query and what its rows mean. about: the table that it reads, for the progress bar. column: its one column
    is wanted as one array, without NULLs, in place of rows."""

    about: str
    query: str
    read: Callable[[list[tuple]], Iterable[Known]]
    column: bool = False


Step = Known | Ask
Count = tuple[Check, str, str | int]  # condition that breaks it, and the denominator as a condition or a number


def counting(table: str, source: str, counts: list[Count]) -> Iterator[Ask]:
    """One scan of `source` (a table or a join, alias t) that counts for several checks of one table."""
    if not counts:
        return
    parts: list[str] = []
    for _, broken, among in counts:
        parts.append(f"count(*) FILTER (WHERE {broken})")
        if isinstance(among, str):
            parts.append(f"count(*) FILTER (WHERE {among})")

    def read(rows: list[tuple]) -> Iterator[Known]:
        values = iter(rows[0])
        for check, _, among in counts:
            broken = next(values)
            yield Known(check, broken, next(values) if isinstance(among, str) else among)

    yield Ask(table, f"SELECT {', '.join(parts)} FROM {source}", read)


def column(name: str, alias: str = "t") -> str:
    return f"{alias}.{quoted(name)}"


def day(name: str, alias: str = "t") -> str:
    return f"CAST({column(name, alias)} AS DATE)"


def of(checks: Iterable[Check], *types: str) -> list[Check]:
    return [check for check in checks if check.type in types]


def by_table(checks: Iterable[Check]) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(check.table, []).append(check)
    return found
