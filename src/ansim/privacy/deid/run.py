"""Writing an extract by its plan: one Parquet file a table, streamed by DuckDB, judged by the gate before it exists.

The secret never comes here: `tokens` and `shifts` are asked of the key process, once for the people of the cohort.
All dates of a person move by the same number of days, so intervals are kept. A birth leaves as the shifted entry date
less the age on it (see plan.PERSON). Event ids leave as new serial numbers, given in the order of tokens, so that
they tell nothing of the source's order; they are unique in one extract and differ in the next.
"""

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ansim import documents
from ansim.errors import N_, Problem
from ansim.privacy.deid import gate as gates
from ansim.privacy.deid import hierarchy, recode, special
from ansim.privacy.deid import plan as plans
from ansim.privacy.deid.sql import first, quote, text

Asked = Callable[[list], Sequence | Mapping] | Mapping
MEMORY = "1200MB"  # of DuckDB; the process stays under 2 GB
_WORK = ("_deid_asked", "_deid_people", "_deid_kept", "_deid_scope")


def cdm_tables(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """{table: columns} of the connection's current schema, in small letters."""
    found: dict[str, list[str]] = {}
    for table, column in con.execute(
        "SELECT lower(table_name), lower(column_name) FROM information_schema.columns WHERE "
        "table_catalog = current_database() AND table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall():
        found.setdefault(table, []).append(column)
    return found


def extract(
    cdm: str | Path | duckdb.DuckDBPyConnection,
    query: Mapping,
    plan: Mapping,
    cohort_people: Any,
    tokens: Asked,
    shifts: Asked,
    out_folder: str | Path,
    *,
    now: dt.datetime | None = None,
    codes: Mapping | None = None,
) -> dict[str, Any]:
    """Write the extract of a plan into a new folder and give back its manifest (also there as manifest.json).

    cdm: a DuckDB file (opened read-only) or a connection whose current schema is the CDM. cohort_people: one row a
    person with person_id, start_date, end_date (and age, completed years on start_date, where known; and
    observed_until, the end of observation, which the plan of a query with follow-up needs), as an Arrow table, a
    list of tuples, or the name of a table or bracketed query in `cdm`. tokens, shifts: from original ids to tokens
    of 32 hexadecimal digits and to days, as functions of a list or as mappings. now: needed when the plan has an
    override of a special category, which must not have expired. codes: the site's own code sets of special
    categories; they are looked for again in the data themselves, whatever the plan found when it was made.
    Raises Problem(s), leaving no file, when the plan is not this query's, a special category is blocked, the policy's
    k cannot be reached, or the gate refuses.
    """
    if documents.kind(plan, plans.KIND)["query"] != documents.digest(query):
        raise Problem("other-query", N_("The plan was made for another query."), where="query")
    if plans.wider(query) and plan.get("chosen_by") != plans.chosen_by(query):
        raise Problem("other-query", N_("The plan was made for another query."), where="chosen_by")
    special.refuse(plan, now)
    folder = Path(out_folder)
    if folder.exists() and any(folder.iterdir()):
        raise Problem("folder-not-empty", N_("The folder {name} is not empty."), where=str(folder), name=folder.name)
    con = cdm if isinstance(cdm, duckdb.DuckDBPyConnection) else duckdb.connect(str(cdm), read_only=True)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    spill = folder.with_name(f"{folder.name}.spill")
    try:
        if con is not cdm:  # an own connection: its memory is bounded, and what does not fit lies beside the extract
            con.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = {text(str(spill))}")
        _refuse_special(con, plan, codes or special.load(), now)
        manifest = _write(con, plan, cohort_people, tokens, shifts, part)
        (part / gates.MANIFEST).write_bytes(documents.canonical(manifest))
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for table in _WORK:  # they tie tokens to people: additional information, never to outlive the run
            con.execute(f"DROP TABLE IF EXISTS temp.{table}")
        if con is not cdm:
            con.close()
        shutil.rmtree(spill, ignore_errors=True)
    return manifest


def open_extract(folder: str | Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in which the extract looks like a CDM: a view a table, person_id a text.

    Refuses files that are not those of the manifest. Run `plan.extract_query(query, plan)` on it, not the query: its
    period is widened by the date shift (`manifest["shift_days"]`).
    """
    folder = Path(folder)
    manifest = verify(folder)
    con = duckdb.connect()
    for table in manifest["tables"]:
        file = text(str(folder / f"{table}.parquet"))
        con.execute(f"CREATE VIEW {quote(table)} AS SELECT * FROM read_parquet({file})")
    return con


def verify(folder: str | Path) -> dict[str, Any]:
    """The manifest of an extract whose files are all there and unchanged; Problem otherwise."""
    folder = Path(folder)
    manifest = documents.kind(json.loads((folder / gates.MANIFEST).read_text("utf-8")), "manifest/1")
    for table, facts in manifest["tables"].items():
        file = folder / f"{table}.parquet"
        if not file.is_file() or _sha256(file) != facts["sha256"]:
            raise Problem(
                "file-changed", N_("The file {name} is missing or was changed."), where=file.name, name=file.name
            )
    return manifest


def _refuse_special(con: duckdb.DuckDBPyConnection, plan: Mapping, codes: Mapping, now: dt.datetime | None) -> None:
    selected = {spec["event"]: spec["select"] for spec in plan["tables"].values() if spec["event"]}
    found = special.find(con, selected, codes, cdm_tables(con), plan.get("chosen_by"))
    special.refuse({**plan, "special": found}, now)


def _write(
    con: duckdb.DuckDBPyConnection, plan: Mapping, cohort: Any, tokens: Asked, shifts: Asked, folder: Path
) -> dict[str, Any]:
    asked = "observed_until" in plan["derived"]["cohort"]["columns"]
    _people(con, cohort, tokens, shifts, asked)
    outcome = _to_k(con, plan)
    _scope(con, plan)
    observed = "(observed_until + shift)::DATE AS observed_until, " if asked else ""
    sources = {
        "person": _person(plan),
        "cohort": "SELECT token AS person_id, (start_date + shift)::DATE AS start_date, "
        f"(end_date + shift)::DATE AS end_date, {observed}age::BIGINT AS age FROM _deid_kept",
    }
    for table, spec in plan["tables"].items():
        if spec["event"]:
            sources[table] = _events(table, spec, plan["period"])
        elif table in plans.VOCABULARY:
            sources[table] = _vocabulary(table, spec)
    tables = {table: copy(con, sql, folder / f"{table}.parquet") for table, sql in sources.items()}
    report = gates.gate(folder, plan, _column(con, "SELECT person_id FROM _deid_people"))
    return {
        "ansim": "manifest/1",
        "plan": plans.digest(plan),
        "query": plan["query"],
        "data_version": plan["data_version"],
        "shift_days": plan["shift_days"],
        "people": report["people"],
        "suppressed": outcome["suppressed"],
        "age_width": outcome["age_width"],
        "top_coded": outcome["top_coded"],
        "k": report["k"],
        "classes": report["classes"],
        "loss_permille": round(outcome["loss"] * 1000),
        "tables": tables,
    }


def _people(con: duckdb.DuckDBPyConnection, cohort: Any, tokens: Asked, shifts: Asked, observed: bool) -> None:
    """_deid_people: one row a person of the cohort with the dates of the entry, the token, the shift, sex and age."""
    source = cohort
    if not isinstance(cohort, str):
        con.register("_deid_cohort", _arrow(cohort))
        source = "_deid_cohort"
    ids = _column(con, f"SELECT DISTINCT person_id FROM {source} ORDER BY person_id").to_pylist()
    if not ids:
        raise Problem("no-people", N_("Nobody is in the cohort: there is nothing to extract."))
    asked = pa.table({"person_id": ids, "token": _ask(tokens, ids), "shift": pa.array(_ask(shifts, ids), pa.int32())})
    con.register("_deid_answers", asked)
    con.execute("CREATE OR REPLACE TEMP TABLE _deid_asked AS SELECT * FROM _deid_answers")
    known = {name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    age = "min_by(c.age, c.start_date)" if "age" in known else _age(con)
    if observed and "observed_until" not in known:
        raise Problem(
            "no-observation", N_("The cohort does not say until when people were observed."), where="observed_until"
        )
    until = "min_by(c.observed_until, c.start_date)" if observed else "NULL"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE _deid_people AS
        SELECT c.person_id, any_value(token) AS token, any_value(shift) AS shift,
            row_number() OVER (ORDER BY any_value(token)) AS rank,
            min(c.start_date)::DATE AS start_date, min_by(c.end_date, c.start_date)::DATE AS end_date,
            {until}::DATE AS observed_until, min(p.gender_concept_id)::BIGINT AS sex, ({age})::BIGINT AS age
        FROM {source} c JOIN person p ON p.person_id = c.person_id JOIN _deid_asked a ON a.person_id = c.person_id
        GROUP BY c.person_id"""
    )
    for view in ("_deid_answers", "_deid_cohort"):
        con.unregister(view)


def _arrow(cohort: Any) -> pa.Table:
    if isinstance(cohort, list):
        names = ("person_id", "start_date", "end_date", "age")[: len(cohort[0]) if cohort else 3]
        columns = list(zip(*cohort, strict=True)) or [()] * 3
        return pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})
    return cohort.to_arrow_table() if hasattr(cohort, "to_arrow_table") else cohort


def _ask(source: Asked, ids: list) -> list:
    answer = source(ids) if callable(source) else source
    values = [answer[one] for one in ids] if isinstance(answer, Mapping) else list(answer)
    if len(values) != len(ids) or any(value is None for value in values):
        raise Problem("keys-short", N_("The key process answered for fewer people than were asked."))
    return values


def _age(con: duckdb.DuckDBPyConnection) -> str:
    """SQL of the completed years on the first start date, unknown before birth.

    The same reading as the cohort's: birth_datetime, else year, month and day; an impossible or unknown day is the
    15th, an unknown month 1 July. Pass an `age` column with the people where another reading is wanted.
    """
    columns = cdm_tables(con)["person"]
    year, month, day = (
        f"TRY_CAST(p.{name} AS BIGINT)" if name in columns else "NULL::BIGINT"
        for name in ("year_of_birth", "month_of_birth", "day_of_birth")
    )
    tries = [f"TRY_CAST(concat_ws('-', {year}, {month}, {part}) AS DATE)" for part in (f"coalesce({day}, 15)", "15")]
    # concat_ws leaves out a missing month, so '1980-15' is no date and the year alone decides
    tries.append(f"TRY_CAST({year} || '-07-01' AS DATE)")
    if "birth_datetime" in columns:
        tries.insert(0, "TRY_CAST(p.birth_datetime AS DATE)")
    birth, start = f"min(coalesce({', '.join(tries)}))", "min(c.start_date)::DATE"
    before = f"(month({start}) * 100 + day({start}) < month({birth}) * 100 + day({birth}))"
    years = f"year({start}) - year({birth}) - {before}::INT"
    return f"CASE WHEN {birth} <= {start} THEN {years} END"


def _to_k(con: duckdb.DuckDBPyConnection, plan: Mapping) -> dict[str, Any]:
    """_deid_kept: people whose class of sex and generalised age has at least k; ages over the top are one class."""
    policy, low = plan["policy"], plan["age_bounds"]["min"] or 0
    top = int(policy["age_top"])
    days = int(plan["shift_days"])
    wrong = first(con, f"SELECT count(*) FROM _deid_people WHERE shift IS NULL OR shift = 0 OR abs(shift) > {days}")
    if wrong[0]:
        raise Problem("no-shift", N_("Some date shifts are zero or wider than the plan's {days} days."), days=days)
    over = first(con, f"SELECT count(*) FROM _deid_people WHERE age > {top}")
    widths = policy["age_widths"]
    outcome = recode.generalise(
        con,
        f"(SELECT * REPLACE (CASE WHEN age > {top} THEN {top} ELSE age END AS age) FROM _deid_people)",
        ["sex", "age"],
        k=policy["k"],
        hierarchies={"age": hierarchy.ladder(widths)},
        max_suppressed_permille=policy["max_suppressed_permille"],
        into="_deid_kept",
        raw=1 in widths,
    )
    # A class that begins under the cohort's lowest age is written as that age, or the cohort would lose its people.
    con.execute(f"UPDATE _deid_kept SET age = greatest(age, {int(low)}) WHERE age IS NOT NULL")
    step = outcome["steps"]["age"]
    return outcome | {"top_coded": over[0], "age_width": step["width"] if step else 1}


def _scope(con: duckdb.DuckDBPyConnection, plan: Mapping) -> None:
    """_deid_scope: the concepts of each event that the plan lets out, descendants resolved in this CDM."""
    con.execute("CREATE OR REPLACE TEMP TABLE _deid_scope (event VARCHAR, concept_id BIGINT)")
    for spec in plan["tables"].values():
        select = spec.get("select")
        if not select or select["all"]:
            continue
        listed = [*select["concepts"], *select["descendants_of"]]
        con.execute("INSERT INTO _deid_scope SELECT ?, unnest(?::BIGINT[])", [spec["event"], listed])
        if select["descendants_of"]:
            if "concept_ancestor" not in plan["tables"]:
                raise Problem("no-ancestors", N_("The data have no concept_ancestor, so descendants cannot be found."))
            con.execute(
                "INSERT INTO _deid_scope SELECT DISTINCT ?, descendant_concept_id FROM concept_ancestor "
                "WHERE list_contains(?::BIGINT[], ancestor_concept_id)",
                [spec["event"], select["descendants_of"]],
            )


def _person(plan: Mapping) -> str:
    birth = "(start_date + shift)::DATE - to_years(age::INTEGER)"
    parts = {
        "person_id": "token",
        "gender_concept_id": "sex",
        "year_of_birth": f"year({birth})",
        "month_of_birth": f"month({birth})",
        "day_of_birth": f"day({birth})",
    }
    columns = plans.output_columns(plan)["person"]
    return f"SELECT {', '.join(f'{parts[name]} AS {name}' for name in columns)} FROM _deid_kept"


def _events(table: str, spec: Mapping, period: Mapping) -> str:
    columns = {name: rule for name, rule in spec["columns"].items() if rule["action"] != "drop"}
    # TRY_CAST: what is no date or number is left out, and no error message can carry a patient's value
    date = f"TRY_CAST(e.{quote(spec['date'])} AS DATE)"
    # Sorted by the rank of the token, a number, and numbered as the rows come: one sort instead of two of texts.
    order = ", ".join(["k.rank", date, *(f"e.{quote(n)}" for n, r in columns.items() if r["action"] == "serial")])
    parts = {
        "pseudonymise": lambda name, rule: "k.token",
        "shift": lambda name, rule: f"(TRY_CAST(e.{name} AS DATE) + k.shift)::DATE",
        "serial": lambda name, rule: "0::BIGINT",
        "keep": lambda name, rule: f"TRY_CAST(e.{name} AS {rule['type']})",
    }
    chosen = ", ".join(f"{parts[rule['action']](quote(name), rule)} AS {quote(name)}" for name, rule in columns.items())
    numbered = ", ".join(f"row_number() OVER () AS {quote(n)}" for n, r in columns.items() if r["action"] == "serial")
    first, last = (dt.date.fromisoformat(period[name]).isoformat() for name in ("from", "to"))
    within = (
        ""
        if spec["select"]["all"]
        else (
            f" AND e.{quote(spec['concept'])} IN (SELECT concept_id FROM _deid_scope WHERE event = '{spec['event']}')"
        )
    )
    rows = f"""SELECT {chosen} FROM {quote(table)} e JOIN _deid_kept k ON k.person_id = e.person_id
        WHERE {date} BETWEEN DATE '{first}' AND DATE '{last}'{within} ORDER BY {order}"""
    return f"SELECT * REPLACE ({numbered}) FROM ({rows})" if numbered else rows


def _vocabulary(table: str, spec: Mapping) -> str:
    columns = {name: rule for name, rule in spec["columns"].items() if rule["action"] == "keep"}
    chosen = ", ".join(f"TRY_CAST({quote(name)} AS {rule['type']}) AS {quote(name)}" for name, rule in columns.items())
    key = "concept_id" if table == "concept" else "descendant_concept_id"
    return f"SELECT {chosen} FROM {quote(table)} WHERE {key} IN (SELECT concept_id FROM _deid_scope) ORDER BY ALL"


def copy(con: duckdb.DuckDBPyConnection, sql: str, file: Path) -> dict[str, Any]:
    """Write a query to a Parquet file: {"sha256", "bytes", "rows", "columns"}."""
    order = "" if "ORDER BY" in sql else " ORDER BY person_id"
    rows = first(con, f"COPY ({sql}{order}) TO {text(str(file))} (FORMAT parquet, COMPRESSION zstd)")
    columns = [name for name, *_ in con.execute(f"DESCRIBE FROM read_parquet({text(str(file))})").fetchall()]
    return {"sha256": _sha256(file), "bytes": file.stat().st_size, "rows": rows[0], "columns": columns}


def _column(con: duckdb.DuckDBPyConnection, sql: str) -> pa.Array:
    return con.sql(sql).to_arrow_table().column(0).combine_chunks()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
