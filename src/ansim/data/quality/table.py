"""The check table, as data: every check of OHDSI's DataQualityDashboard 2.8 for CDM 5.4, and a site's changes to it.

`checks.csv` has one row for each of the 2,535 checks (2,374 of them on clinical tables in the reference run, see
docs/data/quality.md): type, table, field, concepts, threshold in per cent, and what the check compares with. The facts
(which field, which threshold, which concepts) are OHDSI's, the words in `checks.toml` are ours.
"""

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ansim.errors import N_, Problem

VOCABULARY = frozenset(
    ("concept", "vocabulary", "concept_ancestor", "concept_relationship", "concept_class", "concept_synonym",
     "relationship", "domain")
)  # fmt: skip


@dataclass(frozen=True)
class CheckType:
    """A kind of check: texts are {ko, en}; level TABLE, FIELD or CONCEPT."""

    name: str
    level: str
    category: str
    subcategory: str
    context: str
    severity: str
    title: dict[str, str]
    means: dict[str, str]
    mend: dict[str, str]


@dataclass(frozen=True)
class Check:
    """One concrete check. threshold: per cent of rows that may break it, None where none may and none is counted."""

    type: str
    table: str
    field: str
    concepts: tuple[int, ...]
    threshold: float | None
    argument: str
    note: str = ""

    @property
    def id(self) -> str:
        """As DQD names it: level, type, table, field and concepts, joined by underscores, lower case."""
        parts = (types()[self.type].level, self.type, self.table, self.field, ",".join(map(str, self.concepts)))
        return "_".join(part for part in parts if part).lower()


@cache
def types() -> dict[str, CheckType]:
    text = files(__package__).joinpath("checks.toml").read_text(encoding="utf-8")
    return {name: CheckType(name=name, **values) for name, values in tomllib.loads(text).items()}


@cache
def all_checks() -> tuple[Check, ...]:
    """The 2,535 checks in DQD's order, those on vocabulary tables last."""
    text = files(__package__).joinpath("checks.csv").read_text(encoding="utf-8")
    return tuple(
        Check(
            row["check"],
            row["table"],
            row["field"],
            tuple(int(concept) for concept in row["concepts"].split("|") if concept),
            float(row["threshold"]) if row["threshold"] else None,
            row["argument"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def by_id() -> dict[str, Check]:
    return {check.id: check for check in all_checks()}


def checks(*, vocabulary: bool = False, site: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Check, ...]:
    """The checks to run. vocabulary: those on vocabulary tables too. site: changes by check id (`read_site_table`)."""
    chosen = [check for check in all_checks() if vocabulary or check.table not in VOCABULARY]
    changes = dict(site or {})
    unknown = changes.keys() - by_id().keys()
    if unknown:
        raise Problem(
            "unknown-check",
            N_("There is no quality check {check}."),
            where="quality.toml",
            remedy=N_("Use the check's id as it stands in the report."),
            check=min(unknown),
        )
    return tuple(_changed(chosen, changes))


def read_site_table(path: Path) -> dict[str, dict[str, Any]]:
    """A site's own thresholds and notes: a TOML file with a table for each check id.

    ["field_isforeignkey_person_provider_id"]
    threshold = 5      # per cent
    note = "…"         # why; stands in the report
    off = true         # do not run it

    Raises Problem with the place of what is wrong.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Problem(
            "bad-site-table",
            N_("The site's quality table cannot be read: {detail}"),
            where=str(path),
            detail=str(error),
        ) from error
    for name, change in found.items():
        threshold = change.get("threshold", 0) if isinstance(change, dict) else None
        good = (
            isinstance(change, dict)
            and change.keys() <= {"threshold", "note", "off"}
            and isinstance(threshold, int | float)
            and not isinstance(threshold, bool)
            and 0 <= threshold <= 100
            and isinstance(change.get("note", ""), str)
            and isinstance(change.get("off", False), bool)
        )
        if not good:
            raise Problem(
                "bad-site-table",
                N_("A check takes a threshold from 0 to 100, a note, and off = true; nothing else."),
                where=f"{path}: {name}",
            )
    return found


def _changed(chosen: Iterable[Check], changes: Mapping[str, Mapping[str, Any]]) -> Iterable[Check]:
    for check in chosen:
        change = changes.get(check.id, {}) if changes else {}
        if change.get("off"):
            continue
        if change:
            threshold = float(change["threshold"]) if "threshold" in change else check.threshold
            check = replace(check, threshold=threshold, note=change.get("note", ""))
        yield check
