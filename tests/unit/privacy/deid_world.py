"""A small synthetic CDM for the tests of extracts; made in SQL, seeded by arithmetic."""

import duckdb

SINUSITIS, CHRONIC, ASPIRIN, TEMPERATURE, HIV = 40481087, 257012, 1713671, 3006322, 439727
SECRET = b"project secret of thirty-two byt"


def cdm(people: int = 400) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(
        f"""CREATE TABLE person AS SELECT i::BIGINT AS person_id, CASE WHEN i % 2 = 0 THEN 8507 ELSE 8532 END AS
            gender_concept_id, 1930 + (i * 7) % 60 AS year_of_birth, 1 + i % 12 AS month_of_birth,
            1 + i % 28 AS day_of_birth, NULL::TIMESTAMP AS birth_datetime, 'chart ' || i AS person_source_value,
            i % 9 AS location_id FROM range(1, {people + 1}) t(i);
        CREATE TABLE condition_occurrence AS SELECT row_number() OVER () AS condition_occurrence_id, i::BIGINT AS
            person_id, CASE WHEN n = 0 THEN {SINUSITIS} WHEN n = 1 THEN {CHRONIC} ELSE 4112343 END AS
            condition_concept_id, DATE '2012-03-01' + (i * 13 % 900 + n * 40)::INT AS condition_start_date,
            DATE '2012-03-08' + (i * 13 % 900 + n * 40)::INT AS condition_end_date,
            'J01.' || n AS condition_source_value, '홍길동 010-1234-5678' AS stop_reason
            FROM range(1, {people + 1}) t(i), range(4) u(n) WHERE n < 1 + i % 4;
        CREATE TABLE measurement AS SELECT row_number() OVER () AS measurement_id, i::BIGINT AS person_id,
            {TEMPERATURE} AS measurement_concept_id, DATE '2012-03-02' + (i * 13 % 900 + n)::INT AS measurement_date,
            36 + (i + n) % 30 / 10 AS value_as_number, 0 AS value_as_concept_id, 8653 AS unit_concept_id,
            '37.1 degrees' AS value_source_value FROM range(1, {people + 1}) t(i), range(3) u(n);
        CREATE TABLE note AS SELECT i AS note_id, i AS person_id, '환자 홍길동' AS note_text FROM range(1, 10) t(i);
        CREATE TABLE concept AS SELECT * FROM (VALUES
            ({SINUSITIS}, 'Viral sinusitis', 'Condition', 'SNOMED', 'S', '444814009'),
            ({CHRONIC}, 'Chronic sinusitis', 'Condition', 'SNOMED', 'S', '40055000'),
            ({HIV}, 'HIV infection', 'Condition', 'SNOMED', 'S', '86406008'),
            (100001, 'HIV stage 1', 'Condition', 'SNOMED', 'S', '1'),
            (100002, 'Depression', 'Condition', 'SNOMED', 'S', '2'),
            (100003, 'F32.9', 'Condition', 'KCD7', NULL, 'F32.9'),
            ({TEMPERATURE}, 'Oral temperature', 'Measurement', 'LOINC', 'S', '8331-1'))
            c(concept_id, concept_name, domain_id, vocabulary_id, standard_concept, concept_code);
        CREATE TABLE concept_ancestor AS SELECT * FROM (VALUES ({HIV}, {HIV}), ({HIV}, 100001), (1, {SINUSITIS}),
            (1, {CHRONIC}), (1, 1)) a(ancestor_concept_id, descendant_concept_id);
        CREATE TABLE concept_relationship AS SELECT 100003 AS concept_id_1, 100002 AS concept_id_2,
            'Maps to' AS relationship_id"""
    )
    return con


def query(**changes) -> dict:
    return {
        "ansim": "query/1",
        "title": {"ko": "바이러스 부비동염", "en": "Viral sinusitis"},
        "cohort": {
            "entry": {"event": "condition", "concepts": [SINUSITIS], "descendants": False, "which": "first"},
            "age": {"min": 18, "max": 89},
        },
        "variables": [
            {"name": "sex", "kind": "sex"},
            {"name": "age_band", "kind": "age_band", "width": 10},
            {"name": "chronic", "kind": "flag", "event": "condition", "concepts": [CHRONIC],
             "window": {"from_days": 0, "to_days": 365}},
            {"name": "temperature", "kind": "value", "event": "measurement", "concepts": [TEMPERATURE], "pick": "last"},
        ],
        "period": {"from": "2012-03-20", "to": "2014-06-30"},
    } | changes  # fmt: skip


def cohort(con: duckdb.DuckDBPyConnection) -> list[tuple]:
    """The query's cohort in plain SQL: the first sinusitis in the period, at 18 to 89."""
    return con.execute(
        f"""SELECT person_id, start, start + 30 FROM (SELECT person_id, min(condition_start_date) AS start
        FROM condition_occurrence WHERE condition_concept_id = {SINUSITIS}
        AND condition_start_date BETWEEN '2012-03-20' AND '2014-06-30' GROUP BY person_id) JOIN person USING (person_id)
        WHERE date_sub('year', make_date(year_of_birth, month_of_birth, day_of_birth), start) BETWEEN 18 AND 89"""
    ).fetchall()
