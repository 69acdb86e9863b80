"""Doing what a table-plan/1 says: one Parquet file a table, streamed by DuckDB, judged by the gate before it exists.

The same person has the same token in all tables and the same date shift. People whom the optimum over the
quasi-identifiers suppresses are left out of every table that has a person; rows without a person id are left out too.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ansim import documents
from ansim.errors import N_, Problem
from ansim.privacy.deid import gate as gates
from ansim.privacy.deid import hierarchy, recode, tables, texts
from ansim.privacy.deid.run import copy
from ansim.privacy.deid.sql import first, quote, text

OTHER = hierarchy.OTHER
_WORK = ("_deid_people", "_deid_quasi", "_deid_common")
Asked = Callable[[list], Sequence]


def run(
    con: duckdb.DuckDBPyConnection,
    plan: Mapping,
    tokens: Asked,
    shifts: Asked,
    folder: Path,
    *,
    progress: Callable[[str], Any] = lambda table: None,
) -> dict[str, Any]:
    """Write the tables into a new folder and give the manifest; Problem(s), leaving no file, when the gate refuses.

    con: as of `tables.open_data`. tokens, shifts: from original ids (as texts) to tokens and days.
    """
    documents.kind(plan, tables.KIND)
    _suits(con, plan)
    if folder.exists() and any(folder.iterdir()):
        raise Problem("folder-not-empty", N_("The folder {name} is not empty."), where=str(folder), name=folder.name)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        work = con.cursor()
        _functions(work, plan)
        outcome = _people(work, plan, tokens, shifts)
        written = {}
        for table in gates.output_columns(plan):
            progress(table)
            written[table] = copy(work, _select(work, plan, table), part / f"{table}.parquet")
        ids = work.sql("SELECT id FROM _deid_people").to_arrow_table().column(0).combine_chunks()
        report = gates.gate(part, plan, ids)
        manifest = {"ansim": "table-manifest/1", "plan": documents.digest(plan), "data_version": plan["data_version"],
                    **outcome, "k": report["k"], "people": report["people"], "tables": written}  # fmt: skip
        (part / gates.MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for table in _WORK:  # they tie tokens to people: additional information, never to outlive the run
            con.execute(f"DROP TABLE IF EXISTS temp.{table}")
    return manifest


def preview(con: duckdb.DuckDBPyConnection, plan: Mapping, rows: int = 3) -> Iterator[dict[str, Any]]:
    """Dry run: for each column its treatment, counts, and some values before and after; nothing is written.

    {"table", "column", "action", "why", "rows", "distinct", "before": [texts], "after": [texts]}. Values stand
    apart from each other and are the commonest ones; tokens, moved dates and drawn noise are not shown, only their
    form.
    """
    documents.kind(plan, tables.KIND)
    _suits(con, plan)
    work = con.cursor()
    _functions(work, plan)
    for table, spec in plan["tables"].items():
        for column, rule in spec["columns"].items():
            name = quote(column)
            filled, distinct = first(work, f"SELECT count({name}), count(DISTINCT {name}) FROM {quote(table)}")
            common = f"""(SELECT {name} AS v FROM {quote(table)} WHERE v IS NOT NULL GROUP BY 1
                ORDER BY count(*) DESC, 1 LIMIT {int(rows)})"""
            yield {
                "table": table,
                "column": column,
                "action": rule["action"],
                "why": rule.get("why", ""),
                "rows": filled,
                "distinct": distinct,
                "before": _values(work, f"SELECT v FROM {common}"),
                "after": _after(work, plan, table, column, common),
            }


FORMS = {
    "drop": "",
    "pseudonymise": "32 hexadecimal digits",
    "shift": "a moved date",
    "serial": "1, 2, 3 …",
    "perturb": "a number near it",
}


def _after(work: duckdb.DuckDBPyConnection, plan: Mapping, table: str, column: str, common: str) -> list[str]:
    rule = plan["tables"][table]["columns"][column]
    if rule["action"] in FORMS:
        return [FORMS[rule["action"]]] if FORMS[rule["action"]] else []
    if _by_optimum(rule):
        return [json.dumps(step) for step in plan["quasi"]["steps"][column]]
    _common(work, plan, table, column, rule)
    return _values(work, f"SELECT {_expression('v', rule, table, column)} FROM {common}")


def _values(work: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(value) for (value,) in work.execute(sql).fetchall()]


def _by_optimum(rule: Mapping) -> bool:
    """Whether the step is found by the search over the quasi-identifiers."""
    return rule["action"] == "generalise" and "step" not in rule


def _suits(con: duckdb.DuckDBPyConnection, plan: Mapping) -> None:
    """Every column of the plan is in the data, and every rule is one that is known."""
    found = tables.tables_of(con)
    for table, spec in plan["tables"].items():
        for column, rule in spec["columns"].items():
            if column not in found.get(table, {}):
                raise Problem(
                    "column-missing",
                    N_("The plan names {column}, which the data do not have."),
                    where=f"{table}.{column}",
                    remedy=N_("Draft the plan anew for these data."),
                    column=column,
                )
            needs_person = rule["action"] in ("pseudonymise", "shift") and not spec["person"]
            if rule["action"] not in gates.ACTIONS or needs_person or (rule["action"] != "drop" and "type" not in rule):
                raise Problem(
                    "wrong-rule",
                    N_("The rule of {column} cannot be followed."),
                    where=f"{table}.{column}",
                    column=column,
                )


def _functions(work: duckdb.DuckDBPyConnection, plan: Mapping) -> None:
    """Redaction and noise, a batch at a time."""
    noise = np.random.Generator(np.random.PCG64(secrets.randbits(128)))

    def redact(column: pa.ChunkedArray) -> pa.Array:
        return pa.array([None if v is None else texts.redact(v)[0] for v in column.to_pylist()], pa.string())

    def perturb(values: pa.ChunkedArray, within: pa.ChunkedArray) -> pa.Array:
        widths = within.to_numpy().astype(np.int64)
        return pa.array(values.to_numpy() + noise.integers(-widths, widths, endpoint=True), pa.float64())

    work.create_function("deid_redact", redact, ["VARCHAR"], "VARCHAR", type="arrow", null_handling="special")  # type: ignore[call-overload]
    work.create_function("deid_perturb", perturb, ["DOUBLE", "BIGINT"], "DOUBLE", type="arrow", side_effects=True)  # type: ignore[call-overload]


def _people(work: duckdb.DuckDBPyConnection, plan: Mapping, tokens: Asked, shifts: Asked) -> dict[str, Any]:
    """_deid_people: id, token, shift, rank of everybody who leaves; _deid_quasi with the generalised columns."""
    listed = [
        f"SELECT {quote(spec['person'])}::VARCHAR AS id FROM {quote(table)}"
        for table, spec in plan["tables"].items()
        if spec["person"]
    ]
    everybody = " UNION ".join(listed) or "SELECT NULL::VARCHAR AS id"
    ids = _values(work, f"SELECT id FROM ({everybody}) WHERE id IS NOT NULL ORDER BY id")
    columns = {"id": pa.array(ids, pa.string()), "token": pa.array(tokens(ids), pa.string())}
    work.register("_deid_made", pa.table(columns | {"shift": pa.array(shifts(ids), pa.int32())}))
    work.execute(
        """CREATE OR REPLACE TEMP TABLE _deid_people AS
        SELECT *, row_number() OVER (ORDER BY token) AS rank FROM _deid_made"""
    )
    work.unregister("_deid_made")
    outcome: dict[str, Any] = {"suppressed": 0, "steps": {}, "loss_permille": 0}
    if plan["quasi"]:
        table, steps = plan["quasi"]["table"], plan["quasi"]["steps"]
        person = quote(plan["tables"][table]["person"])
        chosen = "".join(f", {quote(name)}" for name in steps)
        rows = f"(SELECT {person}::VARCHAR AS _id{chosen} FROM {quote(table)} WHERE {person} IS NOT NULL)"
        if first(work, f"SELECT count(*) > count(DISTINCT _id) FROM {rows}")[0]:
            raise Problem("not-a-row-each", N_("Table {table} must have one row a person."), where=table, table=table)
        found = recode.generalise(
            work, rows, list(steps), k=plan["policy"]["k"], hierarchies={n: s for n, s in steps.items() if s},
            max_suppressed_permille=plan["policy"]["max_suppressed_permille"], into="_deid_quasi",
        )  # fmt: skip
        work.execute("DELETE FROM _deid_people WHERE id NOT IN (SELECT _id FROM _deid_quasi)")
        outcome |= {name: found[name] for name in ("suppressed", "steps")}
        outcome["loss_permille"] = round(1000 * found["loss"])
    return outcome


def _select(work: duckdb.DuckDBPyConnection, plan: Mapping, table: str) -> str:
    spec, quasi = plan["tables"][table], plan["quasi"]
    join, order = "", "ALL"
    if spec["person"]:
        join, order = f"JOIN _deid_people p ON p.id = e.{quote(spec['person'])}::VARCHAR", "p.rank"
    if quasi and quasi["table"] == table:
        join += " JOIN _deid_quasi q ON q._id = p.id"
    parts = []
    for column, rule in spec["columns"].items():
        if rule["action"] == "drop":
            continue
        _common(work, plan, table, column, rule)
        sql = f"q.{quote(column)}" if _by_optimum(rule) else _expression(f"e.{quote(column)}", rule, table, column)
        parts.append(f"TRY_CAST({sql} AS {rule['type']}) AS {quote(column)}")
    return f"SELECT {', '.join(parts)} FROM {quote(table)} e {join} ORDER BY {order}"


def _expression(value: str, rule: Mapping, table: str, column: str) -> str:
    """SQL of what becomes of a value."""
    action = rule["action"]
    if action == "keep" and "min_people" in rule:
        listed = f"SELECT value FROM _deid_common WHERE name = {text(f'{table}.{column}')}"
        return f"CASE WHEN {value} IN ({listed}) THEN {value} WHEN {value} IS NOT NULL THEN {text(OTHER)} END"
    return {
        "keep": lambda: value,
        "pseudonymise": lambda: "p.token",
        "shift": lambda: f"(TRY_CAST({value} AS DATE) + p.shift)::DATE",
        "serial": lambda: "row_number() OVER ()",
        "generalise": lambda: hierarchy.expression(value, rule["step"]),
        "bucket": lambda: hierarchy.expression(value, rule),
        "top-code": lambda: f"CASE WHEN {value} > {int(rule['top'])} THEN {int(rule['top'])} ELSE {value} END",
        "perturb": lambda: f"deid_perturb({value}::DOUBLE, {int(rule['within'])}::BIGINT)",
        "redact": lambda: f"deid_redact({value}::VARCHAR)",
    }[action]()


def _common(work: duckdb.DuckDBPyConnection, plan: Mapping, table: str, column: str, rule: Mapping) -> None:
    """_deid_common: the values of a kept text that enough people have (rows, where the table has no person)."""
    if rule["action"] != "keep" or "min_people" not in rule:
        return
    work.execute("CREATE TEMP TABLE IF NOT EXISTS _deid_common (name VARCHAR, value VARCHAR)")
    person = plan["tables"][table]["person"]
    counted = f"count(DISTINCT {quote(person)})" if person else "count(*)"
    work.execute(
        f"INSERT INTO _deid_common SELECT {text(f'{table}.{column}')}, {quote(column)} FROM {quote(table)} "
        f"WHERE {quote(column)} IS NOT NULL GROUP BY 2 HAVING {counted} >= {int(rule['min_people'])}"
    )
