"""Carrying out compiled rules on one source: a few set-based statements a rule, whatever the number of rows.

picked (the texts a rule reads) → codes answered → staged (cast, looked up, refused or not) → the tables of the CDM, the
trace of each row, and the refused rows. Everything lies in temporary tables, which spill to disk.
"""

import duckdb

from ansim.data.cdm import Table, literal, quoted, tables
from ansim.data.ingest.account import LoadReport, TableLoad, number_of
from ansim.data.ingest.casts import reason
from ansim.data.ingest.codes import answer_codes, count_codes
from ansim.data.ingest.mapping import KEYED, LOOKUP, Mapping
from ansim.data.ingest.plan import NO_RULE, TWICE, Plan, columns_for, domain_table

_REFUSAL = "STRUCT(field VARCHAR, reason VARCHAR, value VARCHAR)"


def run_plans(
    con: duckdb.DuckDBPyConnection, plans: list[Plan], mapping: Mapping, *, file: str, report: LoadReport
) -> None:
    """Carry out every rule that applies to the relation `item` (line, …)."""
    for plan in plans:
        _pick(con, plan, mapping, number_of(con, "file", file))
        _stage(con, plan, file)
        _refuse_repeated(con, plan)
        _count_unresolved(con, plan, file)
        report.loads += _write(con, plan, file)
        con.execute("DROP TABLE picked; DROP TABLE staged")


def _pick(con: duckdb.DuckDBPyConnection, plan: Plan, mapping: Mapping, file: int) -> None:
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in plan.picked.items())
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE picked AS SELECT line{', ' if columns else ''}{columns} "
        f"FROM {plan.source} WHERE {plan.where}"
    )
    for name in plan.codes:
        relation = f"SELECT {quoted(name)} AS codings FROM picked"
        if plan.rule.to != LOOKUP:
            answer_codes(con, relation)
            count_codes(con, file, plan.rule.id, name, relation)
    for name, known in plan.values.items():
        con.execute(
            f"INSERT INTO trace.code SELECT ?, ?, ?, '', {quoted(name)}, NULL, CASE WHEN {known} THEN 'reviewed' ELSE "
            f"'not tried' END, NULL, count(*) FROM picked p WHERE {quoted(name)} IS NOT NULL GROUP BY ALL",
            [file, plan.rule.id, name],
        )
    if plan.unit:
        _answer_units(con, plan, mapping, file)


def _answer_units(con: duckdb.DuckDBPyConnection, plan: Plan, mapping: Mapping, file: int) -> None:
    """The UCUM concept of each unit text: by the mapping's units, by its code, or by its code in another case."""
    con.execute("CREATE OR REPLACE TEMP TABLE unit_name (text VARCHAR, code VARCHAR)")
    con.executemany("INSERT INTO unit_name VALUES (?, ?)", list(mapping.units.items()))
    con.execute(
        """CREATE OR REPLACE TEMP TABLE unit_answer AS
        WITH ucum AS (SELECT concept_code AS code, concept_id FROM concept WHERE vocabulary_id = 'UCUM')
        SELECT text, coalesce(n.concept_id, e.concept_id, (SELECT CASE WHEN count(*) = 1 THEN min(concept_id) END
          FROM ucum WHERE lower(ucum.code) = lower(text))) AS concept
        FROM (SELECT DISTINCT unit AS text FROM picked WHERE unit IS NOT NULL)
        LEFT JOIN (SELECT text, min(concept_id) AS concept_id FROM unit_name JOIN ucum USING (code) GROUP BY text) n
          USING (text)
        LEFT JOIN (SELECT code, min(concept_id) AS concept_id FROM ucum GROUP BY code) e ON e.code = text"""
    )
    con.execute(
        "INSERT INTO trace.code SELECT ?, ?, 'unit', 'UCUM', unit, NULL, "
        "CASE WHEN any_value(concept) IS NULL THEN 'not tried' ELSE 'vocabulary' END, any_value(concept), count(*) "
        "FROM picked JOIN unit_answer ON text = unit GROUP BY unit",
        [file, plan.rule.id],
    )


def _stage(con: duckdb.DuckDBPyConnection, plan: Plan, file: str) -> None:
    number = str(number_of(con, "file", file))
    made = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in plan.made.items())
    joins = " ".join(join.replace("$file", number) for join in plan.joins)
    refusal = f"coalesce({', '.join([*plan.reasons, 'NULL'])})::{_REFUSAL}"
    until = ""
    if "_start" in plan.made:
        end = "_end" if "_end" in plan.made else "NULL::DATE"
        end_time = "_end_time" if "_end" in plan.made else "NULL::TIMESTAMP"
        supply = "_start + (days_supply - 1)::INTEGER" if "days_supply" in plan.made else "NULL::DATE"
        supply = f"CASE WHEN {supply} >= _start THEN {supply} END"
        until = f", coalesce({end}, {supply}, _start) AS _until"
        until += f", coalesce({end_time}, ({end})::TIMESTAMP, ({supply})::TIMESTAMP, _start_time) AS _until_time"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS SELECT *{until} FROM (SELECT p.rowid AS _row, p.line AS _line, "
        f"{refusal} AS _refusal{', ' if made else ''}{made} FROM picked p {joins} "
        # In the order of the source, so that the same source gives the same ids.
        f"ORDER BY _row{', _place' if '_place' in plan.made else ''})"
    )


def _count_unresolved(con: duckdb.DuckDBPyConnection, plan: Plan, file: str) -> None:
    """Links of loaded rows that name a row which is not there: kept in mind, for a later load may bring it."""
    links = [f"count(*) FILTER ({condition})" for condition in plan.links]
    if links:
        con.execute(
            f"UPDATE trace.file SET unresolved = coalesce(unresolved, 0) + (SELECT {' + '.join(links)} FROM staged "
            "JOIN picked p ON p.rowid = _row WHERE _refusal IS NULL) WHERE name = ?",
            [file],
        )


def _refuse_repeated(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """A second row with the key of an earlier one, of this source or of another, is refused: the first one counts."""
    if not plan.rule.key:
        return
    twice = reason("true", plan.rule.key[0], TWICE, "_key")
    if plan.rule.to in KEYED:
        known = f"SELECT source FROM trace.key WHERE kind = {literal(plan.rule.to)}"
    else:
        known = f"SELECT key FROM taken WHERE rule = {literal(plan.rule.id)}"
    again = "SELECT _key FROM staged WHERE _refusal IS NULL GROUP BY _key HAVING count(DISTINCT _row) > 1"
    con.execute(
        f"UPDATE staged SET _refusal = {twice} WHERE _refusal IS NULL AND (_key IN ({known}) OR _key IN ({again}) AND "
        f"_row NOT IN (SELECT min(_row) FROM staged WHERE _refusal IS NULL GROUP BY _key))"
    )
    if plan.rule.to not in KEYED:
        con.execute(
            "INSERT INTO taken SELECT DISTINCT ?, _key FROM staged WHERE _refusal IS NULL AND _key IS NOT NULL",
            [plan.rule.id],
        )


def _write(con: duckdb.DuckDBPyConnection, plan: Plan, file: str) -> list[TableLoad]:
    con.execute(
        "INSERT INTO trace.refused SELECT ?, _line, ?, _refusal.field, _refusal.reason, _refusal.value, to_json(p) "
        f"FROM staged JOIN picked p ON p.rowid = _row WHERE _refusal IS NOT NULL{_first(plan)} ORDER BY _line",
        [file, plan.rule.to if plan.rule.to != "domain" else plan.rule.otherwise],
    )
    if plan.rule.to == LOOKUP:
        con.execute(
            "INSERT INTO lookup SELECT ?, p._key, p.code FROM picked p JOIN staged ON _row = p.rowid "
            "WHERE _refusal IS NULL",
            [plan.rule.source],
        )
    table_of = domain_table(plan)
    counts = con.execute(
        f"SELECT {table_of}, count(*), count(_refusal) FROM staged WHERE true{_first(plan)} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for table, rows, refused in counts:
        if table != LOOKUP and rows > refused:
            _insert(con, plan, tables()[table], f"{table_of} = {literal(table)}", file)
    return [TableLoad(file, table, rows, rows - refused, refused, rule=plan.rule.id) for table, rows, refused in counts]


def _first(plan: Plan) -> str:
    """A code with several targets makes several rows of one source row, which counts once."""
    return " AND _place = 1" if "_place" in plan.made else ""


def _insert(con: duckdb.DuckDBPyConnection, plan: Plan, table: Table, chosen: str, file: str) -> None:
    values = {name: quoted(staged) for name, staged in columns_for(plan, table.name).items()}
    if "_value_target" in plan.made and "value_as_concept_id" in table.names:
        values["value_as_concept_id"] = f"coalesce(_value_target, {values.get('value_as_concept_id', 'NULL')})"
    numbered = _numbered(con, plan, table, chosen, file)
    if table.key and table.key not in values:
        values[table.key] = "_id"
    names = ", ".join(quoted(name) for name in values)
    con.execute(
        f"INSERT INTO {quoted(table.name)} ({names}) SELECT {', '.join(values.values())} FROM ({numbered}) "
        "ORDER BY _row"
    )
    file_number, rule_number = number_of(con, "file", file), number_of(con, "rule", plan.rule.id)
    identity = values.get(table.key or "", "NULL")
    con.execute(
        f"INSERT INTO trace.row SELECT {literal(table.name)}, {identity}, {file_number}, _line, {rule_number}, _hash "
        f"FROM ({numbered}) ORDER BY _row"
    )


def _numbered(con: duckdb.DuckDBPyConnection, plan: Plan, table: Table, chosen: str, file: str) -> str:
    """The staged rows of one table with their ids: those of the last version where it had the key, else new ones."""
    rows = f"SELECT s.*, s.rowid AS _at FROM staged s WHERE _refusal IS NULL AND {chosen}"
    key = table.key
    code = "coalesce(_code, 0)" if "_code" in plan.made else "0"
    hashed = f"md5_number_lower({literal(plan.rule.id)} || '|' || _key || '|' || {code})" if plan.rule.key else "NULL"
    if key is None or plan.made.get(key) or table.column(key).type != "BIGINT":
        return f"SELECT *, NULL AS _id, {hashed} AS _hash FROM ({rows})"
    last = con.execute(
        f"SELECT greatest(coalesce((SELECT max({quoted(key)}) FROM {quoted(table.name)}), 0), "
        f"coalesce((SELECT max(id) FROM before_id WHERE target = ?), 0))",
        [table.name],
    ).fetchall()[0][0]
    if table.name in KEYED:
        _give_keys(con, table, rows, last, file, also=bool(plan.rule.also))
        return (
            f"SELECT r.*, k.id AS _id, {hashed} AS _hash FROM ({rows}) r JOIN trace.key k "
            f"ON k.kind = {literal(table.name)} AND k.source = r._key"
        )
    if not plan.rule.key:
        return f"SELECT *, {last} + _at + 1 AS _id, NULL AS _hash FROM ({rows})"
    return (
        f"SELECT r.*, coalesce(b.id, {last} + _at + 1) AS _id, {hashed} AS _hash FROM ({rows}) r "
        f"LEFT JOIN before_row b ON b.target = {literal(table.name)} AND b.key = {hashed}"
    )


def _give_keys(con: duckdb.DuckDBPyConnection, table: Table, rows: str, last: int, file: str, *, also: bool) -> None:
    number = number_of(con, "file", file)
    con.execute(
        f"INSERT INTO trace.key SELECT {literal(table.name)}, r._key, coalesce(b.id, {last} + _at + 1), {number} "
        f"FROM ({rows}) r LEFT JOIN before_key b ON b.kind = {literal(table.name)} AND b.source = r._key ORDER BY _at"
    )
    if also:
        con.execute(
            f"INSERT INTO trace.key SELECT kind, r._also, min(k.id), {number} FROM ({rows}) r JOIN trace.key k "
            f"ON k.kind = {literal(table.name)} AND k.source = r._key WHERE r._also IS NOT NULL AND r._also NOT IN "
            f"(SELECT source FROM trace.key WHERE kind = {literal(table.name)}) GROUP BY ALL"
        )


def refuse_untaken(con: duckdb.DuckDBPyConnection, plans: list[Plan], file: str, report: LoadReport) -> None:
    """Rows that no rule's conditions let in are refused as well: nothing is dropped silently."""
    if any(plan.where == "true" and plan.source == "item" for plan in plans):
        return
    taken = " UNION ".join(f"SELECT line FROM {plan.source} WHERE {plan.where}" for plan in plans)
    rest = f"SELECT * FROM item WHERE line NOT IN ({taken or 'SELECT -1'})"
    count = con.execute(f"SELECT count(*) FROM ({rest})").fetchall()[0][0]
    if count:
        con.execute(
            "INSERT INTO trace.refused SELECT ?, line, '', '', ?, NULL, left(to_json(i)::VARCHAR, 2000) "
            f"FROM ({rest}) i",
            [file, NO_RULE],
        )
        report.loads.append(TableLoad(file, "", count, 0, count))


def prepare_run(con: duckdb.DuckDBPyConnection) -> None:
    """Temporary tables that last for one load; `before_*` hold the ids of the last version, when there is one."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE lookup (kind VARCHAR, key VARCHAR, codings "
        'STRUCT(code VARCHAR, display VARCHAR, "system" VARCHAR)[]);'
        "CREATE OR REPLACE TEMP TABLE taken (rule VARCHAR, key VARCHAR);"
        "CREATE TEMP TABLE IF NOT EXISTS before_row (target VARCHAR, id BIGINT, key UBIGINT);"
        "CREATE TEMP TABLE IF NOT EXISTS before_key (kind VARCHAR, source VARCHAR, id BIGINT);"
        "CREATE TEMP TABLE IF NOT EXISTS before_id (target VARCHAR, id BIGINT)"
    )
