"""Special categories (G1): mental illness, AIDS, sexually transmitted infections, rare disease, abuse and abortion.

They are blocked by default. The code sets are data (`special.toml`), which a site may replace by its own file. A
category is found by what the plan would let out: the concepts in scope, their descendants, and the ICD or KCD codes
that map to them or that stand in the source values of the rows selected.
"""

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from ansim.errors import N_, Problem
from ansim.privacy.deid.plan import EVENTS
from ansim.privacy.deid.sql import first, text

CODES = Path(__file__).with_name("special.toml")
OVERRIDE_FIELDS = ("reason", "protection_plan", "approver", "expires")
ICD_VOCABULARIES = ("ICD10", "ICD10CM", "KCD7", "KCD8")


def load(file: Path = CODES) -> dict[str, Any]:
    """The code sets: {"source", "date", "status", category: {"title", "icd", "snomed", "concepts", "complete"}}."""
    return tomllib.loads(file.read_text("utf-8"))


def categories(codes: Mapping) -> dict[str, Mapping]:
    return {name: entry for name, entry in codes.items() if isinstance(entry, Mapping)}


def find(
    con: duckdb.DuckDBPyConnection,
    selected: Mapping[str, Mapping],
    codes: Mapping,
    tables: Mapping[str, Iterable[str]],
    chosen_by: Mapping[str, Iterable[int]] | None = None,
) -> dict:
    """Which categories a scope (see `plan.scope`) touches: {"blocked": [{"category", "concepts"}], "incomplete": […]}.

    con: the CDM in its current schema. A scope that takes all events of a kind is judged by the concepts that occur.
    chosen_by: concepts that no event leaves of, but that people were chosen by (see `plan.chosen_by`).
    incomplete: categories whose code list is known to miss codes and that reviewers must judge themselves.
    """
    known = categories(codes)
    present = {table: set(columns) for table, columns in tables.items()}
    special = _special_concepts(known, present)
    parts = [
        _scope_sql(EVENTS[event], select, present)
        for event, select in selected.items()
        if EVENTS[event].concept in present.get(EVENTS[event].table, ())
    ]
    if chosen_by:
        named = {"all": False, **chosen_by}
        parts.append(_scope_sql(EVENTS["condition"], named, present))
        selected = {**selected, "condition": _both(selected.get("condition"), named)}
    scoped = " UNION ".join(parts)
    found: dict[str, list[int]] = {}
    if special and scoped:
        rows = con.execute(
            f"SELECT DISTINCT category, concept_id FROM ({special}) JOIN ({scoped}) USING (concept_id) ORDER BY ALL"
        ).fetchall()
        for category, concept in rows:
            found.setdefault(category, []).append(concept)
    for category in _in_source_values(con, known, selected, present):
        found.setdefault(category, [])
    return {
        "blocked": [{"category": name, "concepts": concepts[:100]} for name, concepts in sorted(found.items())],
        "incomplete": sorted(name for name, entry in known.items() if not entry["complete"]),
    }


def _both(select: Mapping | None, named: Mapping) -> Mapping:
    """What leaves of the conditions and what people were chosen by, together."""
    if select is None or select["all"]:
        return select or named
    return {"all": False} | {key: [*select[key], *named[key]] for key in ("concepts", "descendants_of")}


def refuse(plan: Mapping, now: dt.datetime | None) -> None:
    """Raise Problem unless each blocked category has an override with all four fields that has not expired."""
    for finding in plan["special"]["blocked"]:
        category = finding["category"]
        override = next((entry for entry in plan["overrides"] if entry.get("category") == category), None)
        missing = [name for name in OVERRIDE_FIELDS if not (override or {}).get(name)]
        expired = not missing and override and (now is None or dt.date.fromisoformat(override["expires"]) < now.date())
        if missing or expired:
            raise Problem(
                "special-category",
                N_("The extract would hold a special category of data: {category}."),
                where=category,
                remedy=N_("Take its concepts out, or add an override that stands; lacking or expired: {missing}."),
                category=category,
                missing=", ".join(missing) or "expires",
            )


def _special_concepts(known: Mapping[str, Mapping], present: Mapping[str, set]) -> str:
    """SQL of (category, concept_id): listed concepts, their descendants, and standard concepts that codes map to."""
    listed = [f"({text(name)}, {int(concept)})" for name, entry in known.items() for concept in entry["concepts"]]
    parts = [f"SELECT * FROM (VALUES {', '.join(listed)}) AS listed(category, concept_id)"] if listed else []
    if {"concept_id", "vocabulary_id", "concept_code"} <= present.get("concept", set()):
        parts += [
            f"SELECT {text(name)} AS category, concept_id FROM concept WHERE {_codes(entry)}"
            for name, entry in known.items()
        ]
    seeds = " UNION ".join(parts)
    if seeds and {"concept_id_1", "concept_id_2", "relationship_id"} <= present.get("concept_relationship", set()):
        seeds = f"""SELECT * FROM ({seeds}) UNION SELECT category, concept_id_2 FROM ({seeds})
                    JOIN concept_relationship ON concept_id_1 = concept_id AND relationship_id = 'Maps to'"""
    if seeds and "ancestor_concept_id" in present.get("concept_ancestor", set()):
        seeds = f"""SELECT * FROM ({seeds}) UNION SELECT category, descendant_concept_id FROM ({seeds})
                    JOIN concept_ancestor ON ancestor_concept_id = concept_id"""
    return seeds


def _codes(entry: Mapping) -> str:
    snomed = ", ".join(map(text, entry["snomed"])) or "NULL"
    vocabularies = ", ".join(map(text, ICD_VOCABULARIES))
    return (
        f"(vocabulary_id = 'SNOMED' AND concept_code IN ({snomed})) OR "
        f"(vocabulary_id IN ({vocabularies}) AND {_starts('concept_code', entry['icd'])})"
    )


def _starts(column: str, prefixes: Iterable[str]) -> str:
    tests = [f"starts_with(upper(replace({column}, '.', '')), {text(prefix)})" for prefix in prefixes]
    return f"({' OR '.join(tests)})" if tests else "false"


def _scope_sql(source: Any, select: Mapping, present: Mapping[str, set]) -> str:
    if select["all"]:
        return f"SELECT DISTINCT {source.concept} AS concept_id FROM {source.table}"
    listed = ", ".join(str(int(concept)) for concept in (*select["concepts"], *select["descendants_of"]))
    parents = ", ".join(str(int(concept)) for concept in select["descendants_of"])
    sql = f"SELECT unnest([{listed}]::BIGINT[]) AS concept_id"
    if parents and "ancestor_concept_id" in present.get("concept_ancestor", set()):
        sql += f" UNION SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN ({parents})"
    return sql


def _in_source_values(
    con: duckdb.DuckDBPyConnection, known: Mapping[str, Mapping], selected: Mapping, present: Mapping[str, set]
) -> list[str]:
    """Categories seen in the source codes of selected conditions: local KCD codes may map to a broader concept."""
    source = EVENTS["condition"]
    if "condition" not in selected or "condition_source_value" not in present.get(source.table, set()):
        return []
    scoped = _scope_sql(source, selected["condition"], present)
    looks_icd = "regexp_full_match(code, '[A-Z][0-9]{2}[.0-9A-Z]*')"  # a SNOMED number or a word is no ICD code
    flags = ", ".join(f"bool_or({_starts('code', entry['icd'])})" for entry in known.values())
    row = first(
        con,
        f"""SELECT {flags} FROM (SELECT DISTINCT upper(condition_source_value::VARCHAR) AS code FROM {source.table}
            WHERE {source.concept} IN (SELECT concept_id FROM ({scoped}))) WHERE {looks_icd}""",
    )
    return [name for name, hit in zip(known, row, strict=True) if hit]
