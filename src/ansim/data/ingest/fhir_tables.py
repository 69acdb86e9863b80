"""From FHIR R4 resources to the rows of CDM tables, as queries (hl7.org/fhir/R4; OMOP CDM 5.4 conventions).

A query reads `fhir_line` (file, line, kind, body, f) or `fhir_item` (the same with person, visit and concept found) and
gives rows named as the CDM names them, with `_file`, `_line` and `_reason` (why the row cannot be loaded, or null).
"""

from ansim.data.cdm import literal
from ansim.data.ingest.fhir_codes import EHR, SEXES, VISITS, as_rows

# Every path that a loader reads. A line is parsed once for all of them: f[i] is the text at PATHS[i - 1].
PATHS = (
    "resourceType",
    "id",
    "identifier[0].value",
    "gender",
    "birthDate",
    "deceasedDateTime",
    "class.code",
    "period.start",
    "period.end",
    "subject.reference",
    "patient.reference",
    "encounter.reference",
    "context.reference",
    "code.text",
    "medicationCodeableConcept.text",
    "vaccineCode.text",
    "onsetDateTime",
    "onsetPeriod.start",
    "recordedDate",
    "abatementDateTime",
    "abatementPeriod.end",
    "authoredOn",
    "occurrenceDateTime",
    "lotNumber",
    "dispenseRequest.validityPeriod.end",
    "dispenseRequest.numberOfRepeatsAllowed",
    "dispenseRequest.quantity.value",
    "dispenseRequest.expectedSupplyDuration.value",
    "dosage.dose.value",
    "performedDateTime",
    "performedPeriod.start",
    "performedPeriod.end",
    "effectiveDateTime",
    "effectivePeriod.start",
    "effectivePeriod.end",
    "effectiveInstant",
    "issued",
    "category[0].coding[0].code",
    "component[0].code",
    "valueQuantity.value",
    "valueQuantity.unit",
    "valueQuantity.code",
    "valueCodeableConcept.coding[0].system",
    "valueCodeableConcept.coding[0].code",
    "valueCodeableConcept.text",
    "valueString",
    "referenceRange[0].low.value",
    "referenceRange[0].high.value",
)


def fields(body: str) -> str:
    return f"json_extract_string({body}, [{', '.join(literal('$.' + path) for path in PATHS)}])"


def _at(path: str) -> str:
    return f"f[{PATHS.index(path) + 1}]"


def _first_of(*paths: str) -> str:
    return f"coalesce({', '.join(map(_at, paths))}, NULL)"


def _time(*paths: str) -> str:
    """A FHIR dateTime as a timestamp of its own wall clock: the offset says where, not which day it was there."""
    return f"regexp_replace(left({_first_of(*paths)}, 19), 'T', ' ')"


_REPEATED = f"CASE WHEN row_number() OVER (PARTITION BY {_at('id')} ORDER BY file, line) > 1 "

PATIENT_NUMBERS = f"""
SELECT file AS _file, line AS _line, f, {_at("id")} AS fhir_id,
       row_number() OVER (ORDER BY file, line) AS person_id, {_at("birthDate")} AS birth,
       CASE WHEN {_at("id")} IS NULL THEN 'id is missing'
            WHEN NOT regexp_matches(coalesce({_at("birthDate")}, ''), '^[0-9]{{4}}') THEN 'birthDate is missing'
       ELSE {_REPEATED} THEN 'id is used already' END END AS _reason
FROM fhir_line WHERE kind = 'Patient'"""
_PATIENT = f"""
SELECT _file, _line, _reason, person_id,
       coalesce(s.concept, 0) AS gender_concept_id, left(birth, 4) AS year_of_birth,
       nullif(substr(birth, 6, 2), '') AS month_of_birth, nullif(substr(birth, 9, 2), '') AS day_of_birth,
       CASE WHEN length(birth) = 10 THEN birth END AS birth_datetime, 0 AS race_concept_id, 0 AS ethnicity_concept_id,
       {_first_of("identifier[0].value", "id")} AS person_source_value, {_at("gender")} AS gender_source_value
FROM ({PATIENT_NUMBERS}) LEFT JOIN ({as_rows(SEXES)}) s(sex, concept) ON s.sex = {_at("gender")}"""
_DEATH = f"""
SELECT _file, _line, person_id, left({_at("deceasedDateTime")}, 10) AS death_date, {EHR} AS death_type_concept_id
FROM ({PATIENT_NUMBERS}) WHERE {_at("deceasedDateTime")} IS NOT NULL AND _reason IS NULL"""
ENCOUNTER_NUMBERS = f"""
SELECT file AS _file, line AS _line, f, {_at("id")} AS fhir_id, p.person_id,
       row_number() OVER (ORDER BY file, line) AS visit_occurrence_id,
       CASE WHEN {_at("id")} IS NULL THEN 'id is missing'
            WHEN p.person_id IS NULL THEN 'subject is no Patient of this load'
            WHEN {_at("period.start")} IS NULL THEN 'period.start is missing'
       ELSE {_REPEATED} THEN 'id is used already' END END AS _reason
FROM fhir_line LEFT JOIN fhir_person p ON p.fhir_id = split_part({_at("subject.reference")}, '/', -1)
WHERE kind = 'Encounter'"""
_ENCOUNTER = f"""
SELECT _file, _line, _reason, person_id, visit_occurrence_id, coalesce(v.concept, 0) AS visit_concept_id,
       left({_at("period.start")}, 10) AS visit_start_date, {_time("period.start")} AS visit_start_datetime,
       left({_first_of("period.end", "period.start")}, 10) AS visit_end_date,
       {_time("period.end", "period.start")} AS visit_end_datetime, {EHR} AS visit_type_concept_id,
       {_first_of("identifier[0].value", "id")} AS visit_source_value
FROM ({ENCOUNTER_NUMBERS}) LEFT JOIN ({as_rows(VISITS)}) v(code, concept) ON v.code = {_at("class.code")}"""


def items(resource: str, code: str) -> str:
    """Lines of one resource type with person, visit and the concept of their first coding that resolves."""
    base = "SELECT file, line, body, f FROM fhir_line WHERE kind = " + literal(resource)
    if resource == "Observation":
        # A panel (such as blood pressure) carries its values in components: each is an item of its own.
        whole = _at("component[0].code")
        base = f"""{base} AND {whole} IS NULL UNION ALL
            SELECT file, line, part, {fields("part")} FROM (
              SELECT file, line, json_merge_patch(body, part) AS part FROM (
                SELECT file, line, body, unnest(json_extract(body, '$.component[*]')) AS part
                FROM fhir_line WHERE kind = 'Observation' AND {whole} IS NOT NULL))"""
    coding = f'{{"{code}": {{"coding": [{{"system": "VARCHAR", "code": "VARCHAR"}}]}}}}'
    return f"""
    CREATE OR REPLACE TEMP TABLE fhir_item AS
    WITH item AS (SELECT row_number() OVER (ORDER BY file, line) AS item, * FROM ({base})),
    coding AS (
      SELECT item, generate_subscripts(codings, 1) AS place, unnest(codings) AS coding
      FROM (SELECT item, json_transform(body, {literal(coding)}).{code}.coding AS codings FROM item)),
    mapped AS (
      SELECT item, arg_min(target, place) AS target, arg_min(source_concept, place) AS source_concept,
             arg_max(coding.code, place) AS source_code
      FROM coding LEFT JOIN fhir_code f ON f.system = coding.system AND f.code = coding.code GROUP BY item)
    SELECT item, file, line, f, target, source_concept, source_code, domain_id, p.person_id, v.visit_occurrence_id
    FROM item LEFT JOIN mapped USING (item) LEFT JOIN concept k ON k.concept_id = target
    LEFT JOIN fhir_person p ON p.fhir_id = split_part({_first_of("subject.reference", "patient.reference")}, '/', -1)
    LEFT JOIN fhir_visit v ON v.fhir_id = split_part({_first_of("encounter.reference", "context.reference")}, '/', -1)
    """


def _event(
    *, table: str, stem: str, code: str = "code", dates: tuple[str, ...], fields: str, where: str = "true"
) -> str:
    """The rows of one table from the items of one resource type."""
    return f"""
    SELECT file AS _file, line AS _line,
      CASE WHEN person_id IS NULL THEN 'subject is no Patient of this load'
           WHEN {_first_of(*dates)} IS NULL THEN 'date is missing'
           WHEN source_code IS NULL AND {_at(code + ".text")} IS NULL THEN '{code} is missing' END AS _reason,
      (SELECT coalesce(max({table}_id), 0) FROM {table}) + row_number() OVER (ORDER BY item) AS {table}_id,
      person_id, coalesce(target, 0) AS {stem}_concept_id, coalesce(source_concept, 0) AS {stem}_source_concept_id,
      coalesce(source_code, {_at(code + ".text")}) AS {stem}_source_value, {EHR} AS {stem}_type_concept_id,
      visit_occurrence_id, {fields}
    FROM fhir_item WHERE {where}"""


def _drug(code: str, dates: tuple[str, ...], ends: tuple[str, ...]) -> tuple[str, str]:
    fields = f"""left({_first_of(*dates)}, 10) AS drug_exposure_start_date,
      {_time(*dates)} AS drug_exposure_start_datetime,
      left({_first_of(*ends, *dates)}, 10) AS drug_exposure_end_date,
      {_at("dispenseRequest.numberOfRepeatsAllowed")} AS refills,
      {_first_of("dispenseRequest.quantity.value", "dosage.dose.value")} AS quantity,
      {_at("dispenseRequest.expectedSupplyDuration.value")} AS days_supply, {_at("lotNumber")} AS lot_number"""
    return (
        "drug_exposure",
        _event(table="drug_exposure", stem="drug", code=code, dates=dates, fields=fields),
    )


_WHEN = ("effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "issued")
_CATEGORY = f"coalesce({_at('category[0].coding[0].code')}, '')"
# The sender's category says what was done; only where there is none does the domain of today's vocabulary decide.
_MEASURED = f"""CASE WHEN {_CATEGORY} IN ('laboratory', 'vital-signs', 'imaging', 'exam') THEN true
  WHEN {_CATEGORY} <> '' THEN false ELSE coalesce(domain_id, '') = 'Measurement' END"""
_VALUES = f"""left({_first_of(*_WHEN)}, 10) AS {{stem}}_date, {_time(*_WHEN)} AS {{stem}}_datetime,
  {_at("valueQuantity.value")} AS value_as_number, {_at("valueQuantity.unit")} AS unit_source_value,
  (SELECT min(u.target) FROM fhir_code u WHERE u.system = 'http://unitsofmeasure.org'
     AND u.code = {_at("valueQuantity.code")}) AS unit_concept_id,
  (SELECT min(a.target) FROM fhir_code a WHERE a.system = {_at("valueCodeableConcept.coding[0].system")}
     AND a.code = {_at("valueCodeableConcept.coding[0].code")}) AS value_as_concept_id,
  {_first_of("valueCodeableConcept.coding[0].code", "valueCodeableConcept.text")} AS value_source_value"""

# The element that holds a resource's code, where it is not called "code".
CODED = {
    "MedicationRequest": "medicationCodeableConcept",
    "MedicationAdministration": "medicationCodeableConcept",
    "MedicationStatement": "medicationCodeableConcept",
    "Immunization": "vaccineCode",
}
LOADERS: dict[str, list[tuple[str, str]]] = {
    "Patient": [("person", _PATIENT), ("death", _DEATH)],
    "Encounter": [("visit_occurrence", _ENCOUNTER)],
    "Condition": [
        (
            "condition_occurrence",
            _event(
                table="condition_occurrence",
                stem="condition",
                dates=("onsetDateTime", "onsetPeriod.start", "recordedDate"),
                fields=f"""left({_first_of("onsetDateTime", "onsetPeriod.start", "recordedDate")}, 10)
                  AS condition_start_date,
                  {_time("onsetDateTime", "onsetPeriod.start", "recordedDate")} AS condition_start_datetime,
                  left({_first_of("abatementDateTime", "abatementPeriod.end")}, 10) AS condition_end_date""",
            ),
        )
    ],
    "MedicationRequest": [_drug("medicationCodeableConcept", ("authoredOn",), ("dispenseRequest.validityPeriod.end",))],
    "MedicationAdministration": [_drug("medicationCodeableConcept", _WHEN[:2], ("effectivePeriod.end",))],
    "MedicationStatement": [_drug("medicationCodeableConcept", _WHEN[:2], ("effectivePeriod.end",))],
    "Immunization": [_drug("vaccineCode", ("occurrenceDateTime",), ())],
    "Procedure": [
        (
            "procedure_occurrence",
            _event(
                table="procedure_occurrence",
                stem="procedure",
                dates=("performedDateTime", "performedPeriod.start"),
                fields=f"""left({_first_of("performedDateTime", "performedPeriod.start")}, 10) AS procedure_date,
                  {_time("performedDateTime", "performedPeriod.start")} AS procedure_datetime,
                  left({_at("performedPeriod.end")}, 10) AS procedure_end_date""",
            ),
        )
    ],
    "Observation": [
        (
            "measurement",
            _event(
                table="measurement",
                stem="measurement",
                dates=_WHEN,
                where=_MEASURED,
                fields=_VALUES.format(stem="measurement")
                + f""", {_at("referenceRange[0].low.value")} AS range_low,
                  {_at("referenceRange[0].high.value")} AS range_high""",
            ),
        ),
        (
            "observation",
            _event(
                table="observation",
                stem="observation",
                dates=_WHEN,
                where=f"NOT ({_MEASURED})",
                fields=_VALUES.format(stem="observation") + f""", {_at("valueString")} AS value_as_string""",
            ),
        ),
    ],
}
