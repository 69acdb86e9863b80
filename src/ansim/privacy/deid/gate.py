"""The last gate of an extract: what stands in the files is judged, not what was meant to be written.

It refuses any file or column that the plan does not name, any column whose type or form is not its action's, any
direct identifier, any original person id, people that the tables disagree on, and a k below the site's policy.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ansim.errors import N_, Problem, Problems
from ansim.privacy.deid import identifiers, risk, texts
from ansim.privacy.deid.plan import VOCABULARY, output_columns
from ansim.privacy.deid.sql import first, quote, text

MANIFEST = "manifest.json"
ACTIONS = ("keep", "drop", "pseudonymise", "shift", "serial", "generalise", "bucket", "top-code", "perturb", "redact")
TYPES = {"pseudonymise": "VARCHAR", "shift": "DATE", "serial": "BIGINT", "generalise": "BIGINT", "bucket": "BIGINT"}
TOKEN = "^[0-9a-f]{32}$"  # noqa: S105 (a form, not a secret)
_NUMBERS = ("BIGINT", "DOUBLE")


def gate(folder: Path, plan: Mapping, original_ids: Iterable | pa.Array | None = None) -> dict[str, Any]:
    """The risk report of an extract that may leave; raises Problems with everything that forbids it.

    original_ids: the person ids before pseudonymisation, so that none is left under any name.
    """
    con = duckdb.connect()
    try:
        problems = _files(folder, plan)
        if not problems:
            mount(con, folder, plan)
            problems = [*_columns(con, plan)]
        if not problems:
            problems = [
                *_tokens(con, plan),
                *_identifiers(con, plan),
                *_in_texts(con, plan),
                *_originals(con, plan, original_ids),
            ]
        report = None if problems else k_report(con, plan)
        if report and not report["met"]:
            problems.append(
                Problem(
                    "k-too-low",
                    N_("The smallest group of people who look alike has fewer than {k} people."),
                    where="person",
                    remedy=N_("Generalise further, or suppress the people in small groups."),
                    k=plan["policy"]["k"],
                )
            )
    finally:
        con.close()
    if problems or report is None:
        raise Problems(problems)
    return report


def mount(con: duckdb.DuckDBPyConnection, folder: Path, plan: Mapping) -> None:
    """Views with the plan's table names over the folder's Parquet files."""
    for table in output_columns(plan):
        file = text(str(folder / f"{table}.parquet"))
        con.execute(f"CREATE VIEW {quote(table)} AS SELECT * FROM read_parquet({file})")


def k_report(con: duckdb.DuckDBPyConnection, plan: Mapping) -> dict[str, Any]:
    """Risk over sex, age class, and whatever more the released birth would tell (months at entry).

    Of a table plan: over its quasi-identifiers; without any, everybody is alike.
    """
    if "quasi" in plan:
        return _table_k(con, plan)
    table = """(SELECT person_id, gender_concept_id AS sex, age,
        date_sub('month', make_date(year_of_birth, month_of_birth, day_of_birth), start_date) AS months
        FROM person LEFT JOIN cohort USING (person_id))"""
    if "month_of_birth" not in output_columns(plan)["person"] or "day_of_birth" not in output_columns(plan)["person"]:
        table = "(SELECT person_id, gender_concept_id AS sex, age, year(start_date) - year_of_birth AS months FROM "
        table += "person LEFT JOIN cohort USING (person_id))"
    return risk.report(con, table, ["sex", "age", "months"], policy={"k": plan["policy"]["k"]}, person="person_id")


def _table_k(con: duckdb.DuckDBPyConnection, plan: Mapping) -> dict[str, Any]:
    quasi, policy = plan["quasi"], {"k": plan["policy"]["k"]}
    if quasi:
        return risk.report(con, quote(quasi["table"]), list(quasi["steps"]), policy=policy)
    people = " UNION ".join(f"SELECT {quote(c)} AS p, 0 AS alike FROM {quote(t)}" for t, c in _person_columns(plan))
    return risk.report(con, f"({people or 'SELECT 0 AS p, 0 AS alike'})", ["alike"], policy=policy if people else {})


def _person_columns(plan: Mapping) -> list[tuple[str, str]]:
    """(table, column) of every column that holds tokens."""
    everything = {**plan["tables"], **plan["derived"]}
    return [
        (table, column)
        for table, spec in everything.items()
        for column, rule in spec["columns"].items()
        if rule["action"] == "pseudonymise"
    ]


def _files(folder: Path, plan: Mapping) -> list[Problem]:
    expected = {f"{table}.parquet" for table in output_columns(plan)}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    return [
        *[_unplanned(name) for name in sorted(found - expected - {MANIFEST})],
        *[
            Problem("file-missing", N_("The file {name} is missing."), where=n, name=n)
            for n in sorted(expected - found)
        ],
    ]


def _unplanned(name: str) -> Problem:
    return Problem(
        "unplanned",
        N_("{name} is in the extract but not in its plan."),
        where=name,
        remedy=N_("Take it out, or have a plan approved that names it."),
        name=name,
    )


def _columns(con: duckdb.DuckDBPyConnection, plan: Mapping) -> Iterable[Problem]:
    for table, expected in output_columns(plan).items():
        types = _types(con, table)
        for column in sorted(set(types) ^ set(expected)):
            yield _unplanned(f"{table}.{column}")
        for column in sorted(set(types) & set(expected)):
            rule = _rule(plan, table, column)
            wanted = rule.get("type") or TYPES[rule["action"]]
            free = wanted == "VARCHAR" and rule["action"] == "keep" and "min_people" not in rule
            if types[column] != wanted or (free and table not in VOCABULARY):
                yield Problem(
                    "wrong-type",
                    N_("{column} has the type {found}, but its action allows {wanted} only."),
                    where=f"{table}.{column}",
                    column=column,
                    found=types[column],
                    wanted=wanted if wanted != "VARCHAR" else "a number",
                )


def _rule(plan: Mapping, table: str, column: str) -> Mapping:
    return (plan["tables"].get(table) or plan["derived"][table])["columns"][column]


def _types(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in con.execute(f"DESCRIBE {quote(table)}").fetchall()}


def _tokens(con: duckdb.DuckDBPyConnection, plan: Mapping) -> Iterable[Problem]:
    """Every person id must be a token; in one table at least, `person`, each once, and elsewhere only those in it."""
    columns = _person_columns(plan)
    register = ("person", "person_id") if "quasi" not in plan else None
    if plan.get("quasi"):
        register = next(each for each in columns if each[0] == plan["quasi"]["table"])
    once = {register[0], "cohort"} if register else set()
    for table, column in columns:
        name, place = quote(table), quote(column)
        known = f"regexp_full_match({place}, '{TOKEN}')"  # where it is so in the register, being there is enough
        if register and table != register[0]:
            known = f"{place} IN (SELECT {quote(register[1])} FROM {quote(register[0])})"
        strangers = _some(con, f"SELECT 1 FROM {name} WHERE NOT coalesce({known}, false)")
        twice = table in once and _some(con, f"SELECT 1 FROM {name} GROUP BY {place} HAVING count(*) > 1")
        if strangers or twice:
            yield Problem(
                "not-a-token",
                N_("Person ids in {table} are not the tokens of the people of this extract."),
                where=f"{table}.{column}",
                table=table,
            )


def _in_texts(con: duckdb.DuckDBPyConnection, plan: Mapping) -> Iterable[Problem]:
    """Texts of a table plan are read once more, by the detector of `texts`; in redacted ones names count too."""
    for table, spec in plan["tables"].items() if "quasi" in plan else ():
        for column, rule in spec["columns"].items():
            if rule.get("type") != "VARCHAR" or rule["action"] in ("drop", "pseudonymise"):
                continue
            values = con.cursor()
            values.execute(f"SELECT DISTINCT {quote(column)} AS v FROM {quote(table)} WHERE v IS NOT NULL")
            found: set[str] = set()
            while batch := values.fetchmany(10_000):
                found |= set(texts.kinds((v for (v,) in batch), with_names=rule["action"] == "redact"))
            for kind in sorted(found):
                yield _direct(table, column, kind)


def _identifiers(con: duckdb.DuckDBPyConnection, plan: Mapping) -> Iterable[Problem]:
    for table in output_columns(plan):
        for column, kind in _types(con, table).items():
            if kind not in ("VARCHAR", *_NUMBERS) or (table, column) in _person_columns(plan):
                continue
            conditions = identifiers.conditions(quote(column), numeric=kind != "VARCHAR")
            flags = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in conditions.values())
            row = first(con, f"SELECT {flags} FROM {quote(table)}")
            for name in [name for name, hit in zip(conditions, row, strict=True) if hit]:
                yield _direct(table, column, name)


def _direct(table: str, column: str, kind: str) -> Problem:
    return Problem(
        "direct-identifier",
        N_("{column} holds values that look like a {kind}."),
        where=f"{table}.{column}",
        remedy=N_("Drop the column or remove the values; the values themselves are not shown here."),
        column=column,
        kind=kind,
    )


def _originals(con: duckdb.DuckDBPyConnection, plan: Mapping, ids: Iterable | pa.Array | None) -> Iterable[Problem]:
    if ids is None:
        return
    texts = pa.array(ids if isinstance(ids, pa.Array) else list(ids)).cast(pa.string())
    con.register("original_ids", pa.table({"id": texts}))
    for table in output_columns(plan):
        for column, kind in _types(con, table).items():
            if kind != "VARCHAR" or table in VOCABULARY or (column == "person_id" and table != "person"):
                continue  # person ids elsewhere are those of `person`, as _tokens saw
            name = quote(column)
            if _some(con, f"SELECT 1 FROM {quote(table)} WHERE {name} IN (SELECT id FROM original_ids)"):
                yield Problem(
                    "original-id",
                    N_("{column} holds a person's original id."),
                    where=f"{table}.{column}",
                    column=column,
                )


def _some(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    return bool(first(con, f"{sql} LIMIT 1"))
