"""Load OMOP data as others ship them: a folder of CSV files, or a DuckDB file of CDM 5.3 or 5.4."""

import csv
from pathlib import Path

import duckdb

from ansim.data.cdm import VERSION, VERSION_CONCEPT, literal, quoted, tables
from ansim.data.ingest.report import LoadReport, TableLoad, prepare
from ansim.data.ingest.rows import load_rows
from ansim.errors import N_, Problem


def load_csv_folder(con: duckdb.DuckDBPyConnection, folder: Path, *, only: set[str] | None = None) -> LoadReport:
    """Load `<TABLE>.csv` files (comma or tab, names in any case) into the open CDM; `only` limits the tables.

    Raises Problem when no file of the folder is a CDM table.
    """
    report = LoadReport()
    for path in sorted(Path(folder).iterdir()):
        if path.suffix.lower() not in {".csv", ".tsv"}:
            continue
        table = path.stem.lower()
        if table not in tables():
            report.skipped.append((path.name, "not a table of CDM 5.4"))
        elif only is None or table in only:
            report.loads.append(load_csv(con, path, table=table))
    if not report.loads:
        raise Problem(
            "no-tables",
            N_("The folder holds no file named after a table of OMOP CDM 5.4."),
            where=str(folder),
            remedy=N_("Name each file after its table, such as PERSON.csv."),
        )
    return report


def load_csv(con: duckdb.DuckDBPyConnection, path: Path, *, table: str) -> TableLoad:
    """Load one CSV file. Lines that are no CSV record of the header's width are refused with their line."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    separator = "\t" if first.count("\t") > first.count(",") else ","
    header = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator))]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    prepare(con)
    # A line wider or narrower than the header would land in wrong columns: it is refused, not padded.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE csv_rows AS SELECT row_number() OVER () + 1 AS _line, * FROM read_csv("
        f"{literal(str(path))}, auto_detect=false, header=true, delim={literal(separator)}, quote='\"', escape='\"', "
        f"columns={{{columns}}}, store_rejects=true, strict_mode=true)"
    )
    rejects = con.execute(
        "INSERT INTO temp.main.refused SELECT ?, line, ?, any_value(error_message), any_value(csv_line) "
        "FROM reject_errors GROUP BY line RETURNING 1",
        [path.name, table],
    ).fetchall()
    load = load_rows(con, table=table, relation="csv_rows", file=path.name)
    con.execute("DROP TABLE csv_rows; DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    return TableLoad(
        load.file,
        table,
        load.rows_in + len(rejects),
        load.loaded,
        load.refused + len(rejects),
        load.renumbered,
        load.ignored,
    )


def load_duckdb(con: duckdb.DuckDBPyConnection, path: Path) -> LoadReport:
    """Load every CDM table of a DuckDB file of CDM 5.3 or 5.4, cast to the types of 5.4.

    Eunomia's file keeps an empty table as one row of header text in columns named column0…: those are skipped.
    """
    report = LoadReport()
    con.execute(f"ATTACH {literal(str(path))} AS source (READ_ONLY)")
    try:
        names = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' ORDER BY table_name"
        ).fetchall()
        for (name,) in names:
            relation = f"source.{quoted(name)}"
            first = con.execute(f"DESCRIBE {relation}").fetchall()[0][0]
            if name.lower() not in tables():
                report.skipped.append((name, "not a table of CDM 5.4"))
            elif first.lower().strip("0") == "column":
                report.skipped.append((name, "empty: holds its header only"))
            else:
                numbered = f"SELECT row_number() OVER () AS _line, * FROM {relation}"
                report.loads.append(load_rows(con, table=name.lower(), relation=numbered, file=path.name))
    finally:
        con.execute("DETACH source")
    return report


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
