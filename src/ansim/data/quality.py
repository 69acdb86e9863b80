"""How good a CDM is: set-based checks in the categories of Kahn and of OHDSI's DataQualityDashboard.

Conformance (keys, references), completeness (required fields, unmapped codes) and plausibility (dates, lives, sexes);
see Kahn et al., eGEMs 2016;4(1):1244. Each check counts the rows that break it; it fails when their share is above the
threshold, and is "not applicable" where there is no row to look at. A report holds row counts: it is for the holder.
What may be published is `summary`.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import duckdb

from ansim.data.cdm import EVENTS, Event, Table, quoted, tables

PASS, FAIL, NOT_APPLICABLE = "pass", "fail", "not_applicable"
CATEGORIES = ("conformance", "completeness", "plausibility")
REFERENCES = ("person", "visit_occurrence", "concept")
UNMAPPED_SHARE = 0.05  # of rows with concept 0
OUTSIDE_SHARE = 0.01  # of rows with an implausible date
AFTER_DEATH_DAYS = 60  # records are completed for a while after a death
OLDEST_BIRTH = 1900
# What only one sex has, by concept name, because local vocabularies differ.
ONE_SEX = {
    8532: r"pregnan|eclampsia|miscarriage|ovar(y|ian)|uter(us|ine)|cervi(x|cal (cancer|smear))|childbirth|hysterectomy",
    8507: r"prostat|testic|testis|erectile|vasectomy",
}
SEX_NAMES = {8532: "female", 8507: "male"}


@dataclass(frozen=True)
class Check:
    """One check's result. violated and denominator are rows; threshold is the share of rows that may break it."""

    id: str
    category: str
    table: str
    field: str
    violated: int
    denominator: int
    threshold: float

    @property
    def verdict(self) -> str:
        if not self.denominator:
            return NOT_APPLICABLE
        return FAIL if self.violated / self.denominator > self.threshold else PASS

    def as_data(self) -> dict:
        return asdict(self) | {"verdict": self.verdict}


def assess(
    con: duckdb.DuckDBPyConnection, *, now: datetime, progress: Callable[[str], None] = lambda text: None
) -> list[Check]:
    """Run every check on an open CDM. now: what "in the future" means (timezone-aware)."""
    rows = {name: con.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()[0][0] for name in tables()}
    checks: list[Check] = []
    for table in tables().values():
        if not rows[table.name]:
            checks += [Check("table-has-rows", "completeness", table.name, "", 0, 0, 0.0)]
            continue
        progress(table.name)
        checks += _table_checks(con, table)
    for event in EVENTS.values():
        if rows[event.table]:
            checks += _event_checks(con, event, now)
    checks += _person_checks(con, now)
    return checks


def summary(checks: Iterable[Check]) -> dict:
    """What may be published: verdicts counted by category and the failed checks by name; no row is counted."""
    checks = list(checks)
    by_category = {
        category: {
            verdict: sum(check.category == category and check.verdict == verdict for check in checks)
            for verdict in (PASS, FAIL, NOT_APPLICABLE)
        }
        for category in CATEGORIES
    }
    failed = sorted((check.id, check.table, check.field) for check in checks if check.verdict == FAIL)
    return {
        "categories": by_category,
        "failed": [{"check": name, "table": table, "field": field} for name, table, field in failed],
    }


def _table_checks(con: duckdb.DuckDBPyConnection, table: Table) -> list[Check]:
    """Required fields, key and references of one table, in one scan of it."""
    name = quoted(table.name)
    measures: list[tuple[str, str, str, str, str]] = []  # id, category, field, violated, denominator
    for column in table.columns:
        field = quoted(column.name)
        if column.required:
            measures.append(
                ("is-required", "completeness", column.name, f"count(*) FILTER ({field} IS NULL)", "count(*)")
            )
        if column.key:
            measures.append(
                ("is-primary-key", "conformance", column.name, f"count({field}) - count(DISTINCT {field})", "count(*)")
            )
        if column.references in REFERENCES and not (table.name == column.references and column.key):
            # Zero means "none" in the number fields of several sources; concept 0 is a concept.
            given = f"{field} IS NOT NULL" + ("" if column.references == "concept" else f" AND {field} <> 0")
            target = quoted(tables()[column.references].key or "")
            measures.append(
                (
                    "is-foreign-key",
                    "conformance",
                    column.name,
                    f"count(*) FILTER ({given} AND {field} NOT IN (SELECT {target} FROM {column.references} "
                    f"WHERE {target} IS NOT NULL))",
                    f"count(*) FILTER ({given})",
                )
            )
    if not measures:
        return []
    found = con.execute(f"SELECT {', '.join(f'{bad}, {all_}' for *_, bad, all_ in measures)} FROM {name}").fetchall()[0]
    return [
        Check(check, category, table.name, field, found[2 * place], found[2 * place + 1], 0.0)
        for place, (check, category, field, _, _) in enumerate(measures)
    ]


def _event_checks(con: duckdb.DuckDBPyConnection, event: Event, now: datetime) -> list[Check]:
    start, end, concept = (f"e.{name}" if name else "NULL::DATE" for name in (event.start, event.end, event.concept))
    birth = "make_date(p.year_of_birth, coalesce(p.month_of_birth, 1), coalesce(p.day_of_birth, 1))"
    today = f"DATE '{now.date().isoformat()}'"
    wrong_sex = " OR ".join(
        f"(regexp_matches(lower(k.concept_name), '{pattern}') AND p.gender_concept_id NOT IN ({sex}, 0))"
        for sex, pattern in ONE_SEX.items()
    )
    one_sex = "|".join(ONE_SEX.values())
    measures = [
        ("is-mapped", "completeness", concept, f"{concept} = 0 OR {concept} IS NULL", "true", UNMAPPED_SHARE),
        ("concept-is-standard", "conformance", concept, "k.standard_concept IS DISTINCT FROM 'S'", f"{concept} <> 0",
         0.0),
        ("date-is-plausible", "plausibility", start, f"{start} > {today} OR year({start}) < {OLDEST_BIRTH}",
         f"{start} IS NOT NULL", OUTSIDE_SHARE),
        ("start-before-end", "plausibility", end, f"{start} > {end}", f"{start} IS NOT NULL AND {end} IS NOT NULL",
         OUTSIDE_SHARE),
        ("after-birth", "plausibility", start, f"{start} < {birth}", f"{start} IS NOT NULL AND {birth} IS NOT NULL",
         OUTSIDE_SHARE),
        ("before-death", "plausibility", start, f"{start} > d.died + {AFTER_DEATH_DAYS}", "d.died IS NOT NULL",
         OUTSIDE_SHARE),
        ("sex-is-plausible", "plausibility", concept, wrong_sex,
         f"p.person_id IS NOT NULL AND regexp_matches(lower(k.concept_name), '{one_sex}')", OUTSIDE_SHARE),
    ]  # fmt: skip
    if not event.end:
        measures = [measure for measure in measures if measure[0] != "start-before-end"]
    if event.kind == "death":  # its cause may be unknown
        measures = [measure for measure in measures if measure[0] not in {"is-mapped", "before-death"}]
    parts = ", ".join(
        f"count(*) FILTER (({scope}) AND ({bad})), count(*) FILTER ({scope})" for *_, bad, scope, _ in measures
    )
    found = con.execute(
        f"SELECT {parts} FROM {event.table} e LEFT JOIN person p USING (person_id) "
        "LEFT JOIN (SELECT person_id, min(death_date) AS died FROM death GROUP BY 1) d USING (person_id) "
        f"LEFT JOIN concept k ON k.concept_id = {concept}"
    ).fetchall()[0]
    return [
        Check(check, category, event.table, field.removeprefix("e."), found[2 * place], found[2 * place + 1], threshold)
        for place, (check, category, field, _, _, threshold) in enumerate(measures)
    ]


def _person_checks(con: duckdb.DuckDBPyConnection, now: datetime) -> list[Check]:
    implausible, unknown, alone, people = con.execute(
        "SELECT count(*) FILTER (year_of_birth NOT BETWEEN ? AND ?), count(*) FILTER (gender_concept_id NOT IN "
        "(8507, 8532) OR gender_concept_id IS NULL), count(*) FILTER (person_id NOT IN (SELECT person_id FROM "
        "observation_period WHERE person_id IS NOT NULL)), count(*) FROM person",
        [OLDEST_BIRTH, now.year],
    ).fetchall()[0]
    return [
        Check("birth-year-is-plausible", "plausibility", "person", "year_of_birth", implausible, people, 0.0),
        Check("sex-is-known", "completeness", "person", "gender_concept_id", unknown, people, OUTSIDE_SHARE),
        Check("has-observation-period", "completeness", "person", "person_id", alone, people, OUTSIDE_SHARE),
    ]
