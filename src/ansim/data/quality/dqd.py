"""Results as OHDSI's DataQualityDashboard writes them, so that its users keep their tools, and back.

The shape: {startTimestamp, endTimestamp, executionTime, executionTimeSeconds, CheckResults: […], Metadata: […],
Overview: {…}}. Shares are of 1, thresholds per cent, verdicts 0 or 1, names of tables and fields in
capitals, as in DQD 2.8.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ansim.data.engine import Engine
from ansim.data.quality.run import ERROR, FAIL, NOT_APPLICABLE, PASS, Result
from ansim.data.quality.table import by_id
from ansim.errors import N_, Problem

VERSION = "2.8.4"  # of the check table that the ids and thresholds are those of
CATEGORIES = ("Plausibility", "Conformance", "Completeness")
SOURCE = (
    "cdm_source_name", "cdm_source_abbreviation", "cdm_holder", "source_description", "source_documentation_reference",
    "cdm_etl_reference", "source_release_date", "cdm_release_date", "cdm_version", "cdm_version_concept_id",
    "vocabulary_version",
)  # fmt: skip


def as_dqd(
    results: Sequence[Result], *, started: datetime, ended: datetime, source: Mapping[str, Any] | None = None
) -> dict:
    """The whole document. source: of `source_of`; a CDM without a cdm_source row goes without a name."""
    seconds = (ended - started).total_seconds()
    return {
        "startTimestamp": started.isoformat(timespec="seconds"),
        "endTimestamp": ended.isoformat(timespec="seconds"),
        "executionTime": f"{seconds:.0f} secs",
        "executionTimeSeconds": seconds,
        "CheckResults": [_row(result) for result in results],
        "Metadata": [{**dict(source or {}), "dqdVersion": VERSION}],
        "Overview": _overview(results),
    }


def source_of(engine: Engine) -> dict[str, Any]:
    """The first row of cdm_source in DQD's names ({} when there is none)."""
    there = engine.columns().get("cdm_source", {})
    names = [name for name in SOURCE if name in there]
    rows = engine.rows(f"SELECT {', '.join(names)} FROM cdm_source ORDER BY 1 LIMIT 1") if names else []
    return {_camel(name): _plain(value) for name, value in zip(names, rows[0], strict=True)} if rows else {}


def read_dqd(path: Path) -> list[Result]:
    """Results of a DQD file, ours or R's, of checks that our table knows. Raises Problem when it is another file."""
    known = by_id()
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))["CheckResults"]
        found = [
            Result(
                known[row["checkId"]],
                row.get("numViolatedRows"),
                row.get("numDenominatorRows"),
                _verdict(row),
                row.get("notApplicableReason") or row.get("error") or "",
            )
            for row in rows
            if row["checkId"] in known
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(
            "not-dqd",
            N_("This is not a result file of DataQualityDashboard: {detail}"),
            where=str(path),
            remedy=N_("Give the JSON file that DQD or 'ansim quality --dqd' wrote."),
            detail=str(error),
        ) from error
    return found


def _row(result: Result) -> dict[str, Any]:
    check, kind = result.check, result.type
    row: dict[str, Any] = {
        "numViolatedRows": result.violated,
        "pctViolatedRows": None if result.violated is None else round(result.share, 6),
        "numDenominatorRows": result.denominator,
        "checkName": check.type,
        "checkLevel": kind.level,
        "checkDescription": kind.title["en"],
        "cdmTableName": check.table.upper(),
        "category": kind.category,
        "context": kind.context,
        "severity": kind.severity,
        "checkId": check.id,
        "failed": int(result.verdict == FAIL),
        "passed": int(result.verdict == PASS),
        "isError": int(result.verdict == ERROR),
        "notApplicable": int(result.verdict == NOT_APPLICABLE),
    }
    more = {
        "cdmFieldName": check.field.upper(),
        "conceptId": ",".join(map(str, check.concepts)),
        "subcategory": kind.subcategory,
        "thresholdValue": check.threshold,
        "notesValue": check.note,
        "notApplicableReason": result.reason if result.verdict == NOT_APPLICABLE else "",
        "error": f"{result.reason} does not exist" if result.verdict == ERROR else "",
    }
    return row | {name: value for name, value in more.items() if value not in ("", None)}


def _overview(results: Iterable[Result]) -> dict[str, Any]:
    some = list(results)

    def count(verdict: str | None = None, category: str | None = None) -> int:
        return sum(
            (verdict is None or one.verdict == verdict) and (category is None or one.type.category == category)
            for one in some
        )

    failed = count(FAIL)
    passed = len(some) - failed  # as DQD counts: what did not fail
    told: dict[str, Any] = {
        "countTotal": len(some),
        "countPassed": passed,
        "countErrorFailed": count(ERROR),
        "countThresholdFailed": failed,
        "countOverallFailed": failed,
        "percentPassed": round(100 * passed / len(some), 2) if some else 0,
        "percentFailed": round(100 * failed / len(some), 2) if some else 0,
    }
    for word, verdict in (("Total", None), ("Failed", FAIL), ("Passed", PASS)):
        told |= {f"count{word}{category}": count(verdict, category) for category in CATEGORIES}
    return told


def _verdict(row: Mapping[str, Any]) -> str:
    for name, verdict in (("notApplicable", NOT_APPLICABLE), ("isError", ERROR), ("failed", FAIL)):
        if int(row.get(name) or 0):
            return verdict
    return PASS


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else str(value)
