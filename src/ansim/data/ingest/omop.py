"""Load OMOP tables as others ship them: CSV or TSV (Athena's vocabulary too), Parquet, DuckDB; CDM 5.3 or 5.4."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ansim.data.cdm import VERSION, VERSION_CONCEPT, literal, quoted, tables
from ansim.data.ingest import rows
from ansim.data.ingest.account import LoadReport, TableLoad, keep_account, number_of
from ansim.data.ingest.rows import UNREADABLE, Columns, Segment
from ansim.data.ingest.sniff import Dialect, as_utf8, broken, dialect, encoding, sample
from ansim.errors import N_, Problem

TABULAR = (".csv", ".tsv", ".parquet")
REJECTS = 200_000  # more lines than this that the straight way cannot take: the careful way takes the whole file
SMALL = 2_000  # records looked at to choose the way
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
BROKEN = ("DECIMAL", "DOUBLE", "FLOAT")


@dataclass(frozen=True)
class Source:
    """Rows for one table of the CDM: a CSV or Parquet file, or (with `relation`) a table that this connection sees."""

    name: str  # in the account
    table: str
    path: Path | None = None
    relation: str | None = None


def table_named(name: str) -> str:
    """PERSON.csv.gz → person."""
    base = name.lower().removesuffix(".gz")
    for ending in TABULAR:
        base = base.removesuffix(ending)
    return base


def is_tabular(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(TABULAR)


def load_csv_folder(con: duckdb.DuckDBPyConnection, folder: Path, *, only: set[str] | None = None) -> LoadReport:
    """Load the files of a folder that are named after tables of the CDM, in any case; `only` limits the tables.

    Raises Problem when no file of the folder is a CDM table.
    """
    report, sources = LoadReport(), []
    for path in sorted(Path(folder).iterdir()):
        table = table_named(path.name)
        if not is_tabular(path) or (only is not None and table in tables() and table not in only):
            continue
        if table in tables():
            sources.append(Source(path.name, table, path))
        else:
            report.skipped.append((path.name, "not a table of CDM 5.4"))
    if not sources:
        raise Problem(
            "no-tables",
            N_("The folder holds no file named after a table of OMOP CDM 5.4."),
            where=str(folder),
            remedy=N_("Name each file after its table, such as PERSON.csv."),
        )
    return load_tables(con, sources, report=report)


def load_duckdb(con: duckdb.DuckDBPyConnection, path: Path) -> LoadReport:
    """Load every CDM table of a DuckDB file of CDM 5.3 or 5.4, cast to the types of 5.4."""
    report = LoadReport()
    con.execute(f"ATTACH {literal(str(path))} AS source (READ_ONLY)")
    try:
        return load_tables(con, duckdb_sources(con, "source", path.name, report), report=report)
    finally:
        con.execute("DETACH source")


def duckdb_sources(
    con: duckdb.DuckDBPyConnection, alias: str, name: str, report: LoadReport, *, every: bool = False
) -> list[Source]:
    """The CDM tables of an attached DuckDB file; every: the others too.

    Eunomia's file keeps an empty table as one row of header text in columns named column0…: those are skipped.
    """
    found = []
    names = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY ALL", [alias]
    ).fetchall()
    for schema, table in names:
        relation = f"{alias}.{quoted(schema)}.{quoted(table)}"
        first = con.execute(f"DESCRIBE {relation}").fetchall()[0][0]
        if table.lower() not in tables() and not every:
            report.skipped.append((table, "not a table of CDM 5.4"))
        elif first.lower().strip("0") == "column":
            report.skipped.append((table, "empty: holds its header only"))
        else:
            found.append(Source(f"{name}:{table.lower()}", table.lower(), relation=relation))
    return found


def load_tables(
    con: duckdb.DuckDBPyConnection,
    sources: Iterable[Source],
    *,
    report: LoadReport | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadReport:
    """Load all sources, table by table: a key used in two files of one table is used twice."""
    report = report or LoadReport()
    keep_account(con)
    by_table: dict[str, list[Source]] = {}
    for source in sources:
        by_table.setdefault(source.table, []).append(source)
    for table, group in by_table.items():
        loads, segments = [], []
        for source in group:
            progress(source.name)
            with tempfile.TemporaryDirectory(prefix="ansim-load-") as place:
                load, written = _load(con, source, Path(place))
            loads.append(load)
            segments += written
        report.loads += rows.settle(con, table, segments, loads)
        for segment in segments:
            for name in filter(None, (segment.lines, segment.skipped)):
                con.execute(f"DROP TABLE IF EXISTS {name}")
    return report


def _load(con: duckdb.DuckDBPyConnection, source: Source, place: Path) -> tuple[TableLoad, list[Segment]]:
    number_of(con, "file", source.name)
    if source.path is None or source.path.name.lower().endswith(".parquet"):
        load, segments = _load_typed(con, source)
    else:
        load, segments = _load_text(con, source, source.path, place)
    con.execute("UPDATE trace.file SET rows = ? WHERE name = ?", [load.rows_in, source.name])
    return load, segments


def _load_typed(con: duckdb.DuckDBPyConnection, source: Source) -> tuple[TableLoad, list[Segment]]:
    """A relation that has types of its own: straight when they are near those of the CDM, else by its texts."""
    relation = source.relation or f"read_parquet({literal(str(source.path))})"
    try:
        given = {name: type for name, type, *_ in con.execute(f"DESCRIBE FROM {relation}").fetchall()}
    except duckdb.Error as error:
        raise broken(source.name, str(error).splitlines()[0]) from error
    columns = rows.match_columns(source.table, list(given), source.name)
    count = None
    if all(_near(given[name], column.type) for column, name in columns.pairs):
        count = rows.straight(con, columns, relation, given)
    if count is not None:
        first = _last_row(con, source.table) + 1 - count
        load = TableLoad(source.name, source.table, count, count, 0, ignored=columns.ignored)
        return load, [Segment(source.name, first, count, 1)]
    con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS SELECT COLUMNS(*)::VARCHAR FROM {relation}")
    return _carefully(con, source, columns, "SELECT rowid + 1 AS _line, * FROM raw", 0)


def _near(given: str, wanted: str) -> bool:
    given = given.split("(")[0]
    return {
        "VARCHAR": given == "VARCHAR",
        "BIGINT": given in (*WHOLE, *BROKEN),
        "DOUBLE": given in (*WHOLE, *BROKEN),
        "DATE": given in ("DATE", "TIMESTAMP"),
        "TIMESTAMP": given in ("DATE", "TIMESTAMP"),
    }[wanted]


def _load_text(
    con: duckdb.DuckDBPyConnection, source: Source, path: Path, place: Path
) -> tuple[TableLoad, list[Segment]]:
    path, form = text_file(path, source.name, place)
    columns = rows.match_columns(source.table, list(form.header), source.name)
    try:
        format = _straight_format(con, path, form, columns)
        if format is not None:
            count = rows.straight(con, columns, _read(path, form, columns, format), _types(columns))
            if count is not None and _rejected(con) < REJECTS:
                return _with_rejects(con, source, columns, form, count, place)
            if count is not None:
                last = _last_row(con, source.table)
                con.execute(f"DELETE FROM {quoted(source.table)} WHERE rowid > {last - count}")
            _forget_rejects(con)
    except duckdb.IOException as error:
        raise broken(source.name, str(error).splitlines()[0]) from error
    relation, refused = read_texts(con, source.name, source.table, path, form)
    return _carefully(con, source, columns, relation, refused)


def text_file(path: Path, name: str, place: Path, *, head_only: bool = False) -> tuple[Path, Dialect]:
    """The file in UTF-8 (rewritten into the folder `place` when it was not; head_only: the header is all that is
    wanted) and its form. Raises Problem when its header names a column twice."""
    head = sample(path)
    kind = encoding(head, name)
    if kind != "utf-8":
        if head_only:
            head = head.decode(kind, "replace").encode()
        else:
            path = as_utf8(path, kind, place)
            head = sample(path)
    form = dialect(head, name)
    _distinct(form, name)
    return path, form


def read_texts(
    con: duckdb.DuckDBPyConnection, name: str, table: str, path: Path, form: Dialect, *, count: bool = True
) -> tuple[str, int]:
    """A text file as the temporary table `raw`: the relation (_line, the file's columns), and how many lines were
    refused because they are no record of the header's columns (count: keep them in the account)."""
    texts = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in form.header)
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS FROM {_read_csv(path, form, texts, limit=0)}")
    except duckdb.IOException as error:
        raise broken(name, str(error).splitlines()[0]) from error
    refused = _refuse_unreadable(con, name, table, "true") if count else 0
    columns = ", ".join(f"raw.{quoted(column)}" for column in form.header)
    relation = f"SELECT rowid + 2 AS _line, {columns} FROM raw"
    if _rejected(con):
        _skip_table(con, "skipped")
        relation = (
            f"SELECT 2 + n + coalesce(before, 0) AS _line, {columns} FROM (SELECT rowid AS n, * FROM raw) raw "
            "ASOF LEFT JOIN skipped ON 2 + n >= spot ORDER BY _line"
        )
    _forget_rejects(con)
    return relation, refused


def _distinct(form: Dialect, name: str) -> None:
    lower = [column.lower() for column in form.header]
    if twice := sorted({column for column in lower if lower.count(column) > 1}):
        raise Problem(
            "two-columns",
            N_("The header names {columns} twice."),
            where=name,
            remedy=N_("Give each column a name of its own."),
            columns=", ".join(twice),
        )


def _types(columns: Columns) -> dict[str, str]:
    return {name: rows.EXACT.get(column.type, column.type) for column, name in columns.pairs}


def _read(path: Path, form: Dialect, columns: Columns, format: str) -> str:
    types = _types(columns)
    spec = ", ".join(f"{literal(name)}: {literal(types.get(name, 'VARCHAR'))}" for name in form.header)
    return _read_csv(path, form, spec, f", dateformat={literal(format)}" if format else "")


def _read_csv(
    path: Path, form: Dialect, spec: str, more: str = "", *, header: bool = True, limit: int = REJECTS
) -> str:
    # A line wider or narrower than the header would land in wrong columns: it is refused, not padded.
    return (
        f"read_csv({literal(str(path))}, auto_detect=false, header={str(header).lower()}, "
        f"delim={literal(form.delimiter)}, quote={literal(form.quote)}, escape={literal(form.quote)}, "
        f"columns={{{spec}}}, store_rejects=true, rejects_limit={limit}, strict_mode=true, null_padding=false{more})"
    )


def _straight_format(con: duckdb.DuckDBPyConnection, path: Path, form: Dialect, columns: Columns) -> str | None:
    """The date format for the straight way ("" for ISO), or None when the first records need the careful one."""
    texts = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in form.header)
    con.execute(f"CREATE OR REPLACE TEMP TABLE head AS FROM {_read_csv(path, form, texts)} LIMIT {SMALL}")
    _forget_rejects(con)
    typed = [(column, quoted(name)) for column, name in columns.pairs if column.type != "VARCHAR"]
    if not typed:
        return ""
    dates = [name for column, name in typed if column.type == "DATE"]
    compact = ", ".join(f"bool_and(regexp_full_match({name}, '[0-9]{{8}}'))" for name in dates)
    format = ""
    if dates:
        found = [each for each in con.execute(f"SELECT {compact} FROM head").fetchall()[0] if each is not None]
        if any(found):
            if not all(found):
                return None
            format = "%Y%m%d"
    misfits = " + ".join(
        f"count({name}) FILTER ({_cast_of(name, column.type, format)} IS NULL)" for column, name in typed
    )
    wrong, total = con.execute(f"SELECT {misfits}, count(*) FROM head").fetchall()[0]
    con.execute("DROP TABLE head")
    return format if wrong * 50 <= total else None


def _cast_of(name: str, type: str, format: str) -> str:
    if type == "DATE" and format:
        return f"try_strptime({name}, {literal(format)})"
    return f"try_cast({name} AS {rows.EXACT.get(type, type)})"


def _rejected(con: duckdb.DuckDBPyConnection) -> int:
    return con.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchall()[0][0]


def _forget_rejects(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


def _skip_table(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Where the count of lines has to jump over those that the reader rejected (see rows._line_of)."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT line - nth + 1 AS spot, max(nth) AS before FROM ("
        "SELECT line, row_number() OVER (ORDER BY line) AS nth FROM (SELECT DISTINCT line FROM reject_errors)) "
        "GROUP BY 1"
    )


def _refuse_unreadable(con: duckdb.DuckDBPyConnection, name: str, table: str, which: str) -> int:
    return con.execute(
        "INSERT INTO trace.refused SELECT ?, line, ?, coalesce(any_value(column_name), ''), ?, "
        "any_value(error_message), left(any_value(csv_line), 2000) FROM reject_errors GROUP BY line "
        f"HAVING {which}",
        [name, table, UNREADABLE],
    ).fetchall()[0][0]


def _with_rejects(
    con: duckdb.DuckDBPyConnection, source: Source, columns: Columns, form: Dialect, count: int, place: Path
) -> tuple[TableLoad, list[Segment]]:
    """After the straight way: lines of odd values get their second chance, others are refused."""
    first = _last_row(con, source.table) + 1 - count
    segment = Segment(source.name, first, count, 2)
    load = TableLoad(source.name, source.table, count, count, 0, ignored=columns.ignored)
    if not _rejected(con):
        _forget_rejects(con)
        return load, [segment]
    segment.skipped = f"skipped_{number_of(con, 'file', source.name)}"
    _skip_table(con, segment.skipped)
    refused = _refuse_unreadable(con, source.name, source.table, "bool_or(error_type <> 'CAST')")
    again = place / "again.csv"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE retried AS SELECT line, rtrim(any_value(csv_line), chr(10) || chr(13)) AS text "
        "FROM reject_errors GROUP BY line HAVING bool_and(error_type = 'CAST') ORDER BY line"
    )
    con.execute(
        f"COPY (SELECT text FROM retried) TO {literal(str(again))} (FORMAT CSV, HEADER false, DELIMITER E'\\x01', "
        "QUOTE '', ESCAPE '')"
    )
    _forget_rejects(con)
    texts = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in form.header)
    con.execute(f"CREATE OR REPLACE TEMP TABLE raw AS FROM {_read_csv(again, form, texts, header=False, limit=0)}")
    _forget_rejects(con)
    relation = "SELECT t.line AS _line, raw.* FROM raw JOIN retried t ON t.rowid = raw.rowid"
    more, segments = _carefully(con, source, columns, relation, refused)
    con.execute("DROP TABLE retried")
    total = TableLoad(
        source.name,
        source.table,
        count + more.rows_in,
        count + more.loaded,
        more.refused,
        ignored=columns.ignored,
    )
    return total, [segment, *segments]


def _carefully(
    con: duckdb.DuckDBPyConnection, source: Source, columns: Columns, relation: str, refused_before: int
) -> tuple[TableLoad, list[Segment]]:
    rows.careful(con, columns, relation, source.name)
    refused = rows.write_staged(con, columns, source.name)
    lines = f"lines_{number_of(con, 'file', source.name)}"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {lines} AS SELECT row_number() OVER (ORDER BY _line) - 1 AS nth, _line AS line "
        "FROM staged WHERE _refusal IS NULL"
    )
    total = con.execute("SELECT count(*) FROM staged").fetchall()[0][0]
    con.execute("DROP TABLE staged; DROP TABLE raw")
    written = total - refused
    first = _last_row(con, source.table) + 1 - written
    load = TableLoad(
        source.name,
        source.table,
        total + refused_before,
        written,
        refused + refused_before,
        ignored=columns.ignored,
    )
    return load, [Segment(source.name, first, written, 0, lines=lines)]


def _last_row(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """The row number of the last row of a table, -1 when it is empty."""
    return con.execute(f"SELECT coalesce(max(rowid), -1) FROM {quoted(table)}").fetchall()[0][0]


def describe_source(
    con: duckdb.DuckDBPyConnection, *, name: str, abbreviation: str, holder: str, released: str, vocabulary: str
) -> None:
    """Replace the cdm_source row, which says what this CDM is. released: ISO date of the source's release."""
    con.execute("DELETE FROM cdm_source")
    con.execute(
        "INSERT INTO cdm_source BY NAME SELECT ? AS cdm_source_name, ? AS cdm_source_abbreviation, ? AS cdm_holder, "
        "?::DATE AS source_release_date, ?::DATE AS cdm_release_date, ? AS cdm_version, "
        "? AS cdm_version_concept_id, ? AS vocabulary_version",
        [name, abbreviation, holder, released, released, VERSION, VERSION_CONCEPT, vocabulary],
    )


def add_concepts(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Add the concepts of another CDM's concept table that this one lacks (by concept_id); returns how many."""
    con.execute(
        f"INSERT INTO concept BY NAME SELECT * FROM {relation} "
        "WHERE concept_id NOT IN (SELECT concept_id FROM concept) RETURNING 1"
    )
    return len(con.fetchall())
