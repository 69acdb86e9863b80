"""Load FHIR R4 bulk NDJSON into the CDM, set by set; every line is loaded or refused with its reason.

Order: patients, encounters, then what refers to them. The resource type chooses the table; for an Observation its
category does, then its concept's domain. A code is looked up by (vocabulary_id, concept_code) in this CDM's concept
table; "Maps to" is followed from a non-standard concept when the vocabulary has it. What no coding resolves becomes
concept 0 with its source code kept: unmapped is counted by the quality assessment, not lost here.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.ingest.fhir_codes import EHR, VOCABULARIES, as_rows
from ansim.data.ingest.fhir_tables import CODED, ENCOUNTER_NUMBERS, LOADERS, PATIENT_NUMBERS, fields, items
from ansim.data.ingest.periods import add_observation_periods
from ansim.data.ingest.report import LoadReport, TableLoad, prepare
from ansim.data.ingest.rows import load_rows
from ansim.errors import N_, Problem

LONGEST_LINE = 16 * 1024 * 1024


def load_fhir(
    con: duckdb.DuckDBPyConnection, folder: Path, *, progress: Callable[[str], None] = lambda text: None
) -> LoadReport:
    """Load every `*.ndjson` file of the folder into an open CDM that already has its vocabulary tables.

    Raises Problem when the concept table is empty or no Patient is found. Observation periods, which FHIR does not
    know, are made from each person's first to last record.
    """
    if not con.execute("SELECT count(*) FROM concept").fetchall()[0][0]:
        raise Problem(
            "no-vocabulary",
            N_("FHIR codes cannot be mapped without concepts."),
            where="concept",
            remedy=N_("Load the vocabulary tables first."),
        )
    prepare(con)
    report = LoadReport()
    kinds = _read_lines(con, Path(folder), report)
    if "Patient" not in kinds:
        raise Problem("no-patients", N_("The folder holds no FHIR Patient."), where=str(folder))
    _make_code_map(con)
    for resource, steps in LOADERS.items():
        if resource in kinds:
            progress(resource)
            if resource not in {"Patient", "Encounter"}:
                con.execute(items(resource, CODED.get(resource, "code")))
            for table, query in steps:
                _load(con, report, table, query)
            _remember(con, resource)
    for resource in sorted(kinds - set(LOADERS)):
        report.skipped.append((resource, "resource type is not loaded"))
    add_observation_periods(con, type_concept=EHR)
    con.execute(
        "DROP TABLE fhir_line; DROP TABLE fhir_code; DROP TABLE IF EXISTS fhir_item; "
        "DROP TABLE fhir_person; DROP TABLE fhir_visit"
    )
    return report


def _read_lines(con: duckdb.DuckDBPyConnection, folder: Path, report: LoadReport) -> set[str]:
    """All lines with file and line number; what is not a JSON object is refused here. Returns the resource types."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE fhir_line (file VARCHAR, line BIGINT, kind VARCHAR, body JSON, f VARCHAR[]);"
        "CREATE OR REPLACE TEMP TABLE fhir_person (fhir_id VARCHAR, person_id BIGINT);"
        "CREATE OR REPLACE TEMP TABLE fhir_visit (fhir_id VARCHAR, visit_occurrence_id BIGINT)"
    )
    for path in sorted(folder.glob("*.ndjson")):
        con.execute(
            "CREATE OR REPLACE TEMP TABLE fhir_text AS SELECT row_number() OVER () AS line, text, "
            f"CASE WHEN json_valid(text) THEN {fields('text')} END AS f "
            f"FROM read_csv({literal(str(path))}, columns={{'text': 'VARCHAR'}}, delim='\x01', quote='', escape='', "
            f"comment='', header=false, auto_detect=false, max_line_size={LONGEST_LINE})"
        )
        con.execute(
            "INSERT INTO fhir_line SELECT ?, line, f[1], text::JSON, f FROM fhir_text WHERE f[1] IS NOT NULL",
            [path.name],
        )
        refused = con.execute(
            "INSERT INTO temp.main.refused SELECT ?, line, NULL, 'not a FHIR resource', text FROM fhir_text "
            "WHERE text IS NOT NULL AND f[1] IS NULL RETURNING 1",
            [path.name],
        ).fetchall()
        if refused:
            report.loads.append(TableLoad(path.name, "", len(refused), 0, len(refused)))
    con.execute("DROP TABLE IF EXISTS fhir_text")
    return {kind for (kind,) in con.execute("SELECT DISTINCT kind FROM fhir_line").fetchall()}


def _make_code_map(con: duckdb.DuckDBPyConnection) -> None:
    """(system, code) to the concept to use and the concept of the code itself."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE fhir_code AS
        WITH standard AS (
          SELECT concept_id_1 AS concept_id, min(concept_id_2) AS target FROM concept_relationship
          WHERE relationship_id = 'Maps to' AND invalid_reason IS NULL GROUP BY 1)
        SELECT s.system, c.concept_code AS code, c.concept_id AS source_concept,
               CASE WHEN c.standard_concept = 'S' THEN c.concept_id ELSE coalesce(m.target, c.concept_id) END AS target
        FROM concept c JOIN ({as_rows(VOCABULARIES)}) s(system, vocabulary) ON s.vocabulary = c.vocabulary_id
        LEFT JOIN standard m USING (concept_id)"""
    )


def _load(con: duckdb.DuckDBPyConnection, report: LoadReport, table: str, query: str) -> None:
    con.execute(f"CREATE OR REPLACE TEMP TABLE fhir_rows AS {query}")
    files = con.execute("SELECT DISTINCT _file FROM fhir_rows ORDER BY 1").fetchall()
    for (file,) in files:
        relation = f"SELECT * EXCLUDE (_file) FROM fhir_rows WHERE _file = {literal(file)}"
        report.loads.append(load_rows(con, table=table, relation=relation, file=file))
    con.execute("DROP TABLE fhir_rows")


def _remember(con: duckdb.DuckDBPyConnection, resource: str) -> None:
    """After patients and encounters are in: which FHIR id got which number here."""
    if resource == "Patient":
        con.execute(f"INSERT INTO fhir_person SELECT fhir_id, person_id FROM ({PATIENT_NUMBERS}) WHERE _reason IS NULL")
    elif resource == "Encounter":
        con.execute(
            "INSERT INTO fhir_visit SELECT fhir_id, n.visit_occurrence_id FROM "
            f"({ENCOUNTER_NUMBERS}) n JOIN visit_occurrence v USING (visit_occurrence_id) WHERE _reason IS NULL"
        )
