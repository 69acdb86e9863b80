"""Load tables of a hospital's own form by a mapping: CSV, Excel sheets, Parquet, tables of databases."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ansim.data.cdm import literal, quoted
from ansim.data.ingest.account import LoadReport, TableLoad, keep_account, number_of
from ansim.data.ingest.codes import prepare_codes
from ansim.data.ingest.fhir_read import order_of
from ansim.data.ingest.mapping import Mapping, Rule
from ansim.data.ingest.omop import read_texts, text_file
from ansim.data.ingest.plan import compile_rule
from ansim.data.ingest.readers import TableReader
from ansim.data.ingest.run import prepare_run, refuse_untaken, run_plans
from ansim.data.ingest.sniff import broken


@dataclass(frozen=True)
class TableSource:
    """A file, or with `relation` a table that the connection sees, and the rules that read it."""

    name: str
    rules: tuple[Rule, ...]
    path: Path | None = None
    relation: str | None = None


def load_mapped(
    con: duckdb.DuckDBPyConnection,
    sources: list[TableSource],
    mapping: Mapping,
    *,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadReport:
    """Load by the rules, in the order in which tables refer to each other. All columns are checked before any row."""
    keep_account(con)
    prepare_run(con)
    prepare_codes(con, mapping.vocabularies)
    report = LoadReport()
    for source in sources:
        reader = TableReader(_columns(con, source), source.name)
        for rule in source.rules:
            compile_rule(rule, mapping, reader)
    begun: set[str] = set()
    places = sorted({order_of(rule) for source in sources for rule in source.rules})
    for place in places:
        for source in sources:
            rules = [rule for rule in source.rules if order_of(rule) == place]
            if rules:
                progress(source.name)
                _run(con, source, rules, mapping, report, first=source.name not in begun)
                begun.add(source.name)
    return report


def _columns(con: duckdb.DuckDBPyConnection, source: TableSource) -> dict[str, str]:
    if source.path is None or source.path.name.endswith(".parquet"):
        try:
            names = [name for name, *_ in con.execute(f"DESCRIBE FROM {_relation(source)}").fetchall()]
        except duckdb.Error as error:
            raise broken(source.name, str(error).splitlines()[0]) from error
    else:
        with tempfile.TemporaryDirectory(prefix="ansim-load-") as place:
            names = list(text_file(source.path, source.name, Path(place), head_only=True)[1].header)
    return {name.strip().lower(): name for name in names}


def _relation(source: TableSource) -> str:
    return source.relation or f"read_parquet({literal(str(source.path))})"


def _run(
    con: duckdb.DuckDBPyConnection,
    source: TableSource,
    rules: list[Rule],
    mapping: Mapping,
    report: LoadReport,
    *,
    first: bool,
) -> None:
    number_of(con, "file", source.name)
    with tempfile.TemporaryDirectory(prefix="ansim-load-") as place:
        if source.path is None or source.path.name.endswith(".parquet"):
            con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS FROM {_relation(source)}")
            columns = {name.lower(): name for name, *_ in con.execute("DESCRIBE raw").fetchall()}
            con.execute("CREATE OR REPLACE TEMP VIEW item AS SELECT rowid + 1 AS line, * FROM raw")
            refused = 0
        else:
            path, form = text_file(source.path, source.name, Path(place))
            columns = {name.strip().lower(): name for name in form.header}
            relation, refused = read_texts(con, source.name, "", path, form, count=first)
            names = ", ".join(quoted(name) for name in form.header)
            con.execute(f"CREATE OR REPLACE TEMP TABLE typed AS SELECT _line AS line, {names} FROM ({relation})")
            con.execute("CREATE OR REPLACE TEMP VIEW item AS FROM typed")
        reader = TableReader(columns, source.name)
        plans = {rule.id: compile_rule(rule, mapping, reader) for rule in source.rules}
        if first:
            rows = con.execute("SELECT count(*) FROM item").fetchall()[0][0] + refused
            con.execute("UPDATE trace.file SET rows = ? WHERE name = ?", [rows, source.name])
            if refused:
                report.loads.append(TableLoad(source.name, "", refused, 0, refused))
            refuse_untaken(con, list(plans.values()), source.name, report)
        run_plans(con, [plans[rule.id] for rule in rules], mapping, file=source.name, report=report)
    con.execute("DROP VIEW item; DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS typed")
