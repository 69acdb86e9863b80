"""The quality report as this holder keeps it: one for each version of the data that was described; it stays here."""

from collections.abc import Sequence
from typing import Any

from ansim.data.quality import FAIL, PASS, Result
from ansim.data.quality.examples import examples as example_rows
from ansim.sites import clock
from ansim.sites.holder import source
from ansim.sites.store.models import Record


def results(held: dict | None) -> list[Result]:
    """Of a publication as it is kept; [] before the first, or when an older program kept it in another form."""
    kept = held["quality"] if held else []
    return [Result.from_data(one) for one in kept if "check" in one]


def failed(some: Sequence[Result]) -> list[Result]:
    """Worst first: what breaks the model, what studies miss, what is merely odd; then by the share of rows."""
    weight = {"fatal": 0, "convention": 1, "characterization": 2}
    broken = [one for one in some if one.verdict == FAIL]
    return sorted(broken, key=lambda one: (weight[one.type.severity], -one.share, one.id))


def counts(some: Sequence[Result]) -> dict[str, int]:
    return {verdict: sum(one.verdict == verdict for one in some) for verdict in (PASS, FAIL)}


def history() -> list[dict[str, Any]]:
    """{version, at, pass, fail} of each described version, the oldest first."""
    records = Record.objects.filter(kind="quality").order_by("updated")
    return [record.data for record in records]


def examples(result: Result) -> list[dict]:
    """Rows that break the check, read now from the data; they are shown and not kept."""
    from ansim.data.engine import DuckDB

    with source.connect() as con:
        return example_rows(DuckDB(con), result, now=clock.now())
