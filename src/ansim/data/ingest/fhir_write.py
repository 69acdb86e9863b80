"""Write a CDM out as FHIR R4 bulk NDJSON: one file a resource type, one resource a line, set by set.

Each resource carries its standard coding (SNOMED, RxNorm, LOINC, CVX …) where the concept table knows it, and the
source code under the sender's own system beside it. What has no plain place in FHIR (periods, eras, costs, race) stays
behind.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb

from ansim.data.cdm import literal
from ansim.data.ingest.fhir_codes import LOCAL_SYSTEM, SEXES, VISITS, VOCABULARIES, as_rows


def write_fhir(
    con: duckdb.DuckDBPyConnection, folder: Path, *, progress: Callable[[str], None] = lambda text: None
) -> dict[str, int]:
    """Write Patient, Encounter, Condition, MedicationRequest, Immunization, Procedure and Observation files.

    Returns the number of resources a file. The connection needs file access (a building one, or a plain one).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    con.execute(f"CREATE OR REPLACE TEMP TABLE fhir_system AS SELECT * FROM ({as_rows(VOCABULARIES)}) v(system, name)")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE fhir_concept AS SELECT concept_id, concept_name, concept_code, vocabulary_id, "
        "system FROM concept LEFT JOIN fhir_system ON name = vocabulary_id"
    )
    counts = {}
    for resource, query in _resources().items():
        path = folder / f"{resource}.ndjson"
        progress(resource)
        # A FHIR element is absent rather than null: merging into {} (RFC 7396) takes the nulls out.
        con.execute(
            f"COPY (SELECT json_merge_patch('{{}}', to_json(r)) FROM ({query}) r) TO {literal(str(path))} "
            "(FORMAT CSV, HEADER false, DELIMITER E'\\x01', QUOTE '', ESCAPE '')"
        )
        counts[resource] = con.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
    return counts


def _resources() -> dict[str, str]:
    return {
        "Patient": _PATIENT,
        "Encounter": _ENCOUNTER,
        "Condition": _event(
            "Condition",
            "condition_occurrence",
            "condition",
            f"""{_code("condition")} AS code, {_moment("condition_start")} AS "onsetDateTime",
            {_moment("condition_end")} AS "abatementDateTime" """,
        ),
        "MedicationRequest": _event(
            "MedicationRequest",
            "drug_exposure",
            "drug",
            f"""'completed' AS status, 'order' AS intent, {_code("drug")} AS "medicationCodeableConcept",
            {_moment("drug_exposure_start")} AS "authoredOn",
            {{'numberOfRepeatsAllowed': refills, 'quantity': {_bare("quantity")},
              'expectedSupplyDuration': {{'value': days_supply, 'unit': 'd'}},
              'validityPeriod': {{'start': drug_exposure_start_date::VARCHAR,
                                  'end': drug_exposure_end_date::VARCHAR}}}} AS "dispenseRequest" """,
            "coalesce(c.vocabulary_id, '') <> 'CVX'",
        ),
        "Immunization": _event(
            "Immunization",
            "drug_exposure",
            "drug",
            f"""'completed' AS status, {_code("drug")} AS "vaccineCode",
            {_moment("drug_exposure_start")} AS "occurrenceDateTime", lot_number AS "lotNumber" """,
            "c.vocabulary_id = 'CVX'",
        ),
        "Procedure": _event(
            "Procedure",
            "procedure_occurrence",
            "procedure",
            f"""'completed' AS status, {_code("procedure")} AS code,
            {{'start': {_moment("procedure")}, 'end': {_moment("procedure_end")}}} AS "performedPeriod" """,
        ),
        "Observation": _event("Observation", "measurement", "measurement", _observation("measurement", "laboratory"))
        + " UNION ALL BY NAME "
        + _event("Observation", "observation", "observation", _observation("observation", "social-history")),
    }


def _moment(stem: str) -> str:
    """The date and, where the CDM knows more than the day, the time."""
    time = stem + ("_time" if stem.endswith("date") else "_datetime")
    return (
        f"CASE WHEN {time} IS NULL OR {time} = {stem}_date::TIMESTAMP THEN {stem}_date::VARCHAR "
        f"ELSE strftime({time}, '%Y-%m-%dT%H:%M:%SZ') END"
    )


def _bare(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {{'value': {column}}} END"


def _code(stem: str) -> str:
    """CodeableConcept: the standard coding when there is one, the source code when there is one."""
    return (
        "{'coding': list_filter([CASE WHEN c.system IS NOT NULL THEN "
        "{'system': c.system, 'code': c.concept_code, 'display': c.concept_name} END, "
        f"CASE WHEN {stem}_source_value IS NOT NULL THEN {{'system': '{LOCAL_SYSTEM}', "
        f"'code': {stem}_source_value, 'display': {stem}_source_value}} END], lambda x: x IS NOT NULL), "
        f"'text': CASE WHEN c.system IS NOT NULL THEN c.concept_name ELSE {stem}_source_value END}}"
    )


def _event(resource: str, table: str, stem: str, fields: str, where: str = "true") -> str:
    return (
        f"SELECT '{resource}' AS \"resourceType\", '{stem}-' || {table}_id AS id, {fields}, "
        "{'reference': 'Patient/' || person_id} AS "
        f"{'patient' if resource == 'Immunization' else 'subject'}, "
        "CASE WHEN visit_occurrence_id > 0 THEN {'reference': 'Encounter/visit-' || visit_occurrence_id} END "
        f"AS encounter FROM {table} LEFT JOIN fhir_concept c ON c.concept_id = {stem}_concept_id WHERE {where}"
    )


def _observation(stem: str, category: str) -> str:
    high_low = (
        "CASE WHEN range_low IS NOT NULL OR range_high IS NOT NULL THEN "
        f"[json_merge_patch('{{}}', to_json({{'low': {_bare('range_low')}, 'high': {_bare('range_high')}}}))] END"
        if stem == "measurement"
        else "NULL::JSON[]"
    )
    string = "NULL" if stem == "measurement" else "value_as_string"
    return f"""'final' AS status, {_code(stem)} AS code, {_moment(stem)} AS "effectiveDateTime",
        [{{'coding': [{{'system': 'http://terminology.hl7.org/CodeSystem/observation-category',
                        'code': '{category}'}}]}}] AS category,
        CASE WHEN value_as_number IS NOT NULL
             THEN {{'value': value_as_number, 'unit': unit_source_value}} END AS "valueQuantity",
        (SELECT {{'coding': [{{'system': v.system, 'code': v.concept_code, 'display': v.concept_name}}]}}
         FROM fhir_concept v WHERE v.concept_id = value_as_concept_id AND v.system IS NOT NULL)
         AS "valueCodeableConcept",
        {string} AS "valueString", {high_low} AS "referenceRange" """


_PATIENT = f"""
SELECT 'Patient' AS "resourceType", person_id::VARCHAR AS id,
       [{{'system': 'urn:ansim:person-source-value', 'value': coalesce(person_source_value, person_id::VARCHAR)}}]
         AS identifier,
       coalesce(s.sex, 'unknown') AS gender,
       CASE WHEN month_of_birth IS NULL THEN lpad(year_of_birth::VARCHAR, 4, '0')
            WHEN day_of_birth IS NULL THEN format('{{:04d}}-{{:02d}}', year_of_birth, month_of_birth)
            ELSE format('{{:04d}}-{{:02d}}-{{:02d}}', year_of_birth, month_of_birth, day_of_birth) END AS "birthDate",
       (SELECT min(death_date)::VARCHAR FROM death d WHERE d.person_id = p.person_id) AS "deceasedDateTime"
FROM person p LEFT JOIN ({as_rows(SEXES)}) s(sex, concept) ON s.concept = gender_concept_id
"""
_ENCOUNTER = f"""
SELECT 'Encounter' AS "resourceType", 'visit-' || visit_occurrence_id AS id, 'finished' AS status,
       [{{'system': 'urn:ansim:visit-source-value', 'value': visit_source_value}}] AS identifier,
       {{'system': 'http://terminology.hl7.org/CodeSystem/v3-ActCode',
         'code': (SELECT first(v.code) FROM ({as_rows(VISITS)}) v(code, concept)
                  WHERE v.concept = visit_concept_id)}} AS class,
       {{'reference': 'Patient/' || person_id}} AS subject,
       {{'start': {_moment("visit_start")}, 'end': {_moment("visit_end")}}} AS period
FROM visit_occurrence
"""
