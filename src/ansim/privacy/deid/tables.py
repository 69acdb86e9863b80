"""A plan for tables of any form, `table-plan/1`: drafted from the data, signed by people, obeyed by `tables_run`.

table-plan/1: {"ansim", "data_version", "shift_days", "policy": {"k", "max_suppressed_permille"}, "quasi": {"table",
"steps": {column: steps of `hierarchy`}} or null, "tables": {table: {"person": column or null, "columns": {column:
{"action", "type", "why", …}}}}, "derived": {}}. Default-deny: what it does not name does not leave.

Actions: keep (numbers; texts only with "min_people", rarer values become "other"); drop; pseudonymise; shift; serial;
generalise ("step", or by the optimum over "quasi"); bucket ("width", "top"); top-code ("top"); perturb ("within": a
whole number, evenly drawn noise); redact (free text: identifiers are replaced by their kind).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from ansim.data.cdm.files import file_digest
from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.privacy.deid import hierarchy, identifiers, texts
from ansim.privacy.deid.sql import first, quote, text

KIND = "table-plan/1"
POLICY = {"k": 5, "max_suppressed_permille": 50}
SAMPLE = 5000  # distinct values of a text column that are looked at
LONG = 60  # characters on average: free text
_PERSON = re.compile(
    r"^(person|patient|subject|pt)_?(id|no|number)$|환자_?번호|^mrn$|chart_?(no|id|number)|차트번호|등록번호"
)
_DIRECT = re.compile(
    r"(^|_)(name|names|surname|first|last|given|family|phone|tel|mobile|e?mail|address|street|rrn|ssn|passport|licen[cs]e"
    r"|drivers)($|_)|성명|이름|환자명|보호자명|전화|연락처|휴대폰|이메일|주소|주민|여권|면허|계좌|보험.*번호|insurance_?(no|id|number)"
)
_QUASI = re.compile(
    r"^(sex|gender|age|race|ethnicity|marital|region|sido|sigungu|city|county|state|zip|postal|occupation|job|education"
    r"|birth|birthdate|birth_date|dob|death|death_?date|성별|나이|연령|지역|시도|시군구|우편번호|직업|학력|결혼|생년월일)"
)
_NUMBER = re.compile("TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|DOUBLE|FLOAT|DECIMAL")


def open_data(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection with a view a table: a folder of CSV or Parquet files, one such file, or a DuckDB file."""
    if not path.exists():
        raise Problem("no-data", N_("There is no file or folder {name}."), where=str(path), name=path.name)
    if path.suffix == ".duckdb":
        return duckdb.connect(str(path), read_only=True)
    con = duckdb.connect()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    readers = {".csv": "read_csv({}, sample_size = -1)", ".parquet": "read_parquet({})"}
    for file in files:
        if file.suffix.lower() in readers:
            source = readers[file.suffix.lower()].format(text(str(file)))
            con.execute(f"CREATE VIEW {quote(file.stem)} AS SELECT * FROM {source}")
    if not tables_of(con):
        raise Problem(
            "no-tables",
            N_("There is no table in {name}."),
            where=str(path),
            remedy=N_("Give a CSV or Parquet file, a folder of such files, or a DuckDB file."),
            name=path.name,
        )
    return con


def version(path: Path) -> str:
    """The name of the data: SHA-256 over the names and contents of its files."""
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return digest({file.name: file_digest(file) for file in files})


def tables_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """{table: {column: type}} of the current schema, as they are spelt."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in con.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_catalog = "
        "current_database() AND table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def draft(con: duckdb.DuckDBPyConnection, data_version: str, *, k: int = POLICY["k"], shift_days: int = 180) -> dict:
    """A careful first plan: what is not understood is dropped. People read it, change it, and sign its digest."""
    found = tables_of(con)
    plan: dict[str, Any] = {
        "ansim": KIND,
        "data_version": data_version,
        "shift_days": shift_days,
        "policy": {**POLICY, "k": k},
        "quasi": None,
        "tables": {},
        "derived": {},
    }
    for table, columns in found.items():
        person = next((name for name in columns if _PERSON.search(name.lower())), None)
        rules = {name: _rule(con, table, name, kind, k, person) for name, kind in columns.items()}
        plan["tables"][table] = {"person": person, "columns": dict(sorted(rules.items()))}
    plan["quasi"] = _quasi(con, plan, found)
    for name in plan["quasi"]["steps"] if plan["quasi"] else ():
        kind = _generalised(found[plan["quasi"]["table"]][name])
        rule = {"action": "generalise", "type": kind, "why": "quasi-identifier: the least step that reaches k"}
        plan["tables"][plan["quasi"]["table"]]["columns"][name] = rule
    return plan


def _rule(con: duckdb.DuckDBPyConnection, table: str, name: str, kind: str, k: int, person: str | None) -> dict:
    lower = name.lower()
    if name == person:
        return {"action": "pseudonymise", "type": "VARCHAR", "why": "tells people apart"}
    if _DIRECT.search(lower):
        return {"action": "drop", "why": "a direct identifier by its name"}
    if kind.startswith(("DATE", "TIMESTAMP")):
        if person is None:
            return {"action": "drop", "why": "a date of nobody known, so it cannot be moved"}
        return {"action": "shift", "type": "DATE", "why": "a date: moved by the person's days"}
    if kind == "BOOLEAN":
        return {"action": "keep", "type": "BOOLEAN", "why": "yes or no"}
    if _NUMBER.match(kind):
        return _number(con, table, name, kind)
    return _text(con, table, name, k) if kind == "VARCHAR" else {"action": "drop", "why": f"type {kind} is not judged"}


def _number(con: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> dict:
    hits = identifiers.conditions(quote(name), numeric=True)
    for identifier, condition in hits.items():
        if first(con, f"SELECT coalesce(bool_or({condition}), false) FROM {quote(table)}")[0]:
            return {"action": "drop", "why": f"holds values that look like a {identifier}"}
    rows, distinct = first(con, f"SELECT count({quote(name)}), count(DISTINCT {quote(name)}) FROM {quote(table)}")
    if name.lower().endswith(("_id", "_no")) and distinct > 0.9 * rows:
        return {"action": "serial", "type": "BIGINT", "why": "a number of its own for each row"}
    if name.lower() in ("age", "나이", "연령"):
        return {
            "action": "bucket",
            "width": 5,
            "top": 90,
            "type": "BIGINT",
            "why": "an age: classes of 5 years, 90 and over",
        }
    whole = re.match("DOUBLE|FLOAT|DECIMAL", kind) is None
    return {"action": "keep", "type": "BIGINT" if whole else "DOUBLE", "why": "a number"}


def _text(con: duckdb.DuckDBPyConnection, table: str, name: str, k: int) -> dict:
    column = quote(name)
    rows, distinct, length = first(
        con, f"SELECT count({column}), count(DISTINCT {column}), coalesce(avg(length({column})), 0) FROM {quote(table)}"
    )
    values = [v for (v,) in con.execute(
        f"SELECT DISTINCT {column} FROM {quote(table)} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {SAMPLE}"
    ).fetchall()]  # fmt: skip
    found = texts.kinds(values, with_names=length > LONG)
    if length > LONG:
        why = f"free text, with {', '.join(sorted(found))}" if found else "free text"
        return {"action": "redact", "type": "VARCHAR", "why": why}
    if found:
        return {"action": "drop", "why": f"holds values that look like a {', '.join(sorted(found))}"}
    if distinct > max(50, rows / 2):
        return {"action": "drop", "why": "nearly every value is another: it may tell people apart"}
    return {
        "action": "keep",
        "type": "VARCHAR",
        "min_people": k,
        "why": f"a code; those of fewer than {k} people become other",
    }


def _quasi(con: duckdb.DuckDBPyConnection, plan: Mapping, found: Mapping[str, Mapping[str, str]]) -> dict | None:
    """The table with one row a person, and its quasi-identifiers with steps to generalise them."""
    for table, spec in plan["tables"].items():
        person = spec["person"]
        if not person:
            continue
        names = [n for n, rule in spec["columns"].items() if _QUASI.match(n.lower()) and rule["action"] != "drop"]
        rows, people = first(con, f"SELECT count(*), count(DISTINCT {quote(person)}) FROM {quote(table)}")
        if names and rows == people:
            return {"table": table, "steps": {name: _steps(name, found[table][name]) for name in names}}
    return None


def _steps(name: str, kind: str) -> list[dict]:
    if kind.startswith(("DATE", "TIMESTAMP")):
        return [{"date": "year"}]
    if _NUMBER.match(kind):
        return (
            [*hierarchy.ladder((5, 10, 20, 40)), {"width": 0}]
            if "age" in name.lower()
            else [{"width": 10}, {"width": 0}]
        )
    return [{"all": True}]


def _generalised(kind: str) -> str:
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "DATE"
    return "BIGINT" if _NUMBER.match(kind) else "VARCHAR"
