"""The quality report as this holder keeps it: one for each version of the data that was described; it stays here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

from ansim.data.engine import DuckDB
from ansim.data.quality import FAIL, NOT_APPLICABLE, PASS, Result, assess, checks, read_site_table
from ansim.data.quality.change import gaps, since
from ansim.data.quality.dqd import source_of
from ansim.data.quality.examples import examples as example_rows
from ansim.data.quality.findings import Finding, kinds
from ansim.data.quality.label import dimensions, label
from ansim.data.quality.oddities import oddities
from ansim.data.quality.portrait import portrait
from ansim.governance.papers.quality import quality_report
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.holder import source
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

ORDER = {"fatal": 0, "convention": 1, "characterization": 2}


def measure(con: duckdb.DuckDBPyConnection, version: str, now: datetime) -> tuple[list[Result], dict[str, Any]]:
    """(results of every check, what is kept: results with rows, findings, label, portrait). The site's own thresholds
    stand in quality.toml of its folder, if there is one."""
    engine, table = DuckDB(con), site().path("quality.toml")
    results = assess(engine, now=now, chosen=checks(site=read_site_table(table) if table.is_file() else None))
    drawn, before = portrait(engine), _before(version)
    found = [*(since(drawn, before["portrait"]) if before else ()), *gaps(drawn), *oddities(engine)]
    return results, {
        "version": version,
        "results": [one.as_data() for one in results if one.verdict != NOT_APPLICABLE],
        "checks": len(results),
        "findings": [one.as_data() for one in found],
        "label": label(results, version=version, compared=before is not None, source=source_of(engine)),
        "portrait": drawn,
    }


def keep(report: dict[str, Any], at: str) -> None:
    ledger.record("quality", report["version"], {**report, "at": at})


def newest() -> dict[str, Any] | None:
    found = Record.objects.filter(kind="quality").order_by("-updated").first()
    return found.data if found else None


def _before(version: str) -> dict[str, Any] | None:
    found = Record.objects.filter(kind="quality").exclude(key=version).order_by("-updated").first()
    return found.data if found else None


def results(report: dict | None) -> list[Result]:
    return [Result.from_data(one) for one in report["results"]] if report else []


def failed(some: Sequence[Result]) -> list[Result]:
    """Worst first: what breaks the model, what studies miss, what is merely odd; then by the share of rows."""
    broken = [one for one in some if one.verdict == FAIL]
    return sorted(broken, key=lambda one: (ORDER[one.type.severity], -one.share, one.id))


def findings(report: dict) -> list[Finding]:
    found = [Finding(**one) for one in report["findings"]]
    return sorted(found, key=lambda one: (ORDER[kinds()[one.kind].weight], -one.share, one.table))


def counts(some: Sequence[Result]) -> dict[str, int]:
    return {verdict: sum(one.verdict == verdict for one in some) for verdict in (PASS, FAIL)}


def history() -> list[dict[str, Any]]:
    """{version, at, holds, broken, found} of each described version, the oldest first."""
    told = []
    for record in Record.objects.filter(kind="quality").order_by("updated"):
        data = record.data
        held = counts(results(data))
        told.append(
            {"version": data["version"], "at": data["at"], "holds": held[PASS], "broken": held[FAIL],
             "found": len(data["findings"])}
        )  # fmt: skip
    return told


def examples(result: Result) -> list[dict]:
    """Rows that break the check, read now from the data; they are shown and not kept."""
    with source.connect() as con:
        return example_rows(DuckDB(con), result, now=clock.now())


def paper(report: dict, title: dict[str, str]) -> bytes:
    """The report as PDF, in Korean and English."""
    broken = [
        {
            "check": one.id, "where": place(one.check.table, one.check.field), "title": one.type.title,
            "means": one.type.means, "mend": one.type.mend, "weight": one.type.severity, "rows": one.violated or 0,
            "of": one.denominator or 0,
        }
        for one in failed(results(report))
    ]  # fmt: skip
    found = [
        {
            "check": one.kind, "where": place(one.table, one.field), "title": kinds()[one.kind].title,
            "means": kinds()[one.kind].means, "mend": kinds()[one.kind].mend, "weight": kinds()[one.kind].weight,
            "rows": one.rows, "of": one.of,
        }
        for one in findings(report)
    ]  # fmt: skip
    levels = {one["name"]: one for one in report["label"]["dimensions"]}
    document = {
        "ansim": "quality-report/1",
        "id": f"{site().id}-{report['version'][:12]}",
        "title": title,
        "version": report["version"],
        "checks": report["checks"],
        "broken": broken,
        "findings": found,
        "label": [
            {"title": one.title, "asks": one.asks, "level": levels[one.name]["level"],
             "basis": levels[one.name]["basis"]}
            for one in dimensions()
        ],
        "history": [{name: one[name] for name in ("version", "at", "broken")} for one in history()],
    }  # fmt: skip
    return quality_report(document, at=datetime.fromisoformat(report["at"]))


def place(table: str, field: str) -> str:
    return f"{table}.{field}".rstrip(".")
