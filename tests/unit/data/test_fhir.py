"""FHIR in and out: nothing lost but what the report says."""

import json
from datetime import date

import duckdb
import pytest

from ansim.data.cdm import EVENTS, building_cdm, create_tables
from ansim.data.ingest.fhir_read import load_fhir
from ansim.data.ingest.fhir_write import write_fhir
from ansim.errors import Problem

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"


@pytest.fixture
def target(small_cdm):
    return small_cdm().con


def write(folder, *resources):
    for resource in resources:
        text = resource if isinstance(resource, str) else json.dumps(resource)
        kind = "Odd" if isinstance(resource, str) else resource["resourceType"]
        with open(folder / f"{kind}.ndjson", "a", encoding="utf-8") as file:
            file.write(text + "\n")


def patient(id="p1", **more):
    return {"resourceType": "Patient", "id": id, "gender": "female", "birthDate": "1980-05-17", **more}


def condition(code, system=SNOMED, who="p1", **more):
    resource = {
        "resourceType": "Condition",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": f"Patient/{who}"},
        "onsetDateTime": "2010-02-03",
    }
    return resource | more


def test_the_round_trip_keeps_every_count_per_concept(nation):
    """Hospital B of the small nation: what FHIR can carry comes back the same, concept by concept."""
    folder = nation / "round-trip"
    source = nation / "hospital-b" / "cdm.duckdb"
    con = duckdb.connect(str(source), read_only=True)
    written = write_fhir(con, folder)
    con.close()
    for path in folder.glob("*.ndjson"):
        assert "null" not in path.read_text(encoding="utf-8")
    with building_cdm(folder / "back.duckdb") as back:
        back.execute(f"ATTACH '{source}' AS b (READ_ONLY); INSERT INTO concept FROM b.concept")
        report = load_fhir(back, folder)
        assert (report.refused, report.rows_in) == (0, report.loaded)
        assert report.loaded == sum(written.values())
        # Which table a concept goes to is the domain's word, not the sender's: all events are compared together. A
        # concept that is not standard (or retired) and leads to no standard one is no concept to load.
        events = " UNION ALL ".join(
            f"SELECT {event.concept} AS concept_id, person_id FROM {{0}}{event.table}" for event in EVENTS.values()
        )
        query = f"""SELECT CASE WHEN standard_concept = 'S' AND invalid_reason IS NULL THEN concept_id ELSE 0 END,
            count(*), count(DISTINCT person_id) FROM ({events}) LEFT JOIN concept USING (concept_id)
            GROUP BY 1 ORDER BY 1"""
        assert back.execute(query.format("")).fetchall() == back.execute(query.format("b.")).fetchall()
        same = """SELECT person_source_value, year_of_birth, month_of_birth, day_of_birth, gender_concept_id
            FROM {}person ORDER BY 1"""
        assert back.execute(same.format("")).fetchall() == back.execute(same.format("b.")).fetchall()
        values = """SELECT round(sum(value_as_number), 6), count(value_as_number), min(day), max(day) FROM (
            SELECT value_as_number, measurement_date AS day FROM {0}measurement
            UNION ALL SELECT value_as_number, observation_date FROM {0}observation)"""
        assert back.execute(values.format("")).fetchall() == back.execute(values.format("b.")).fetchall()
        linked = " UNION ALL ".join(
            f"SELECT visit_occurrence_id FROM {{0}}{event.table}"
            for event in EVENTS.values()
            if event.kind not in {"death", "visit"}
        )
        visits = f"SELECT count(*) FROM ({linked}) JOIN {{0}}visit_occurrence USING (visit_occurrence_id)"
        assert back.execute(visits.format("")).fetchall() == back.execute(visits.format("b.")).fetchall()
        back.execute("DETACH b")


def test_refused_lines_are_kept_with_file_line_and_reason(target, tmp_path):
    write(
        tmp_path,
        patient(),
        patient(birthDate=None, id="p2"),
        patient(),
        condition("444814009"),
        condition("444814009", who="nobody"),
        condition("444814009", onsetDateTime=None),
        condition("444814009", onsetDateTime="2010"),
        condition("444814009") | {"code": None},
        "not json",
        '{"resourceType": 7',
        "",
    )
    report = load_fhir(target, tmp_path)
    assert report.rows_in == report.loaded + report.refused == 10
    assert target.execute("SELECT file, line, field, reason FROM trace.refused ORDER BY 1, 2").fetchall() == [
        ("Condition.ndjson", 2, "person", "names no row of this load"),
        ("Condition.ndjson", 3, "start", "is missing"),
        ("Condition.ndjson", 4, "start", "is no date"),
        ("Condition.ndjson", 5, "code", "is missing"),
        ("Odd.ndjson", 1, "", "is no FHIR resource"),
        ("Odd.ndjson", 2, "", "is no FHIR resource"),
        ("Patient.ndjson", 2, "birth", "is missing"),
        ("Patient.ndjson", 3, "getResourceKey()", "is used already"),
    ]


def test_codes_map_through_the_concept_table(target, tmp_path):
    target.execute(
        "INSERT INTO concept_relationship (concept_id_1, concept_id_2, relationship_id) "
        "VALUES (999001, 257012, 'Maps to')"
    )
    two = {"coding": [{"system": "urn:local", "code": "J32"}, {"system": SNOMED, "code": "40055000"}]}
    write(
        tmp_path,
        patient(),
        condition("1"),  # not standard: its map is followed
        condition("unheard of"),
        condition("444814009", system="urn:local"),
        condition("x") | {"code": two},
        condition("x") | {"code": {"text": "stuffy nose"}},
    )
    load_fhir(target, tmp_path)
    assert target.execute(
        "SELECT condition_concept_id, condition_source_concept_id, condition_source_value "
        "FROM condition_occurrence ORDER BY condition_occurrence_id"
    ).fetchall() == [
        (257012, 999001, "1"),
        (0, 0, "unheard of"),
        (0, 0, "444814009"),
        (257012, 257012, "40055000"),
        (0, 0, "stuffy nose"),
    ]


def test_observations_go_where_they_belong(target, tmp_path):
    def seen(code, system=LOINC, **more):
        return {
            "resourceType": "Observation",
            "code": {"coding": [{"system": system, "code": code}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": "2010-02-03T23:30:00+09:00",
            **more,
        }

    laboratory = [{"coding": [{"code": "laboratory"}]}]
    pressure = seen(
        "85354-9",
        category=[{"coding": [{"code": "vital-signs"}]}],
        component=[
            {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": {"value": 120}},
            {"code": {"coding": [{"system": LOINC, "code": "8462-4"}]}, "valueQuantity": {"value": 80}},
        ],
    )
    warm = {"value": 36.6, "unit": "C", "system": "http://unitsofmeasure.org", "code": "Cel"}
    write(
        tmp_path,
        patient(),
        seen("8331-1", valueQuantity=warm),
        seen("428251008", system=SNOMED),
        seen("428251008", system=SNOMED, category=laboratory),
        pressure,
    )
    report = load_fhir(target, tmp_path)
    assert report.refused == 0
    assert target.execute(
        "SELECT measurement_concept_id, value_as_number, unit_concept_id, measurement_date FROM measurement "
        "ORDER BY measurement_id"
    ).fetchall() == [
        (3006322, 36.6, 8653, date(2010, 2, 3)),
        (3004249, 120.0, None, date(2010, 2, 3)),
        (3012888, 80.0, None, date(2010, 2, 3)),
    ]
    # The target concept's domain decides, whatever category the sender gave.
    assert target.execute("SELECT observation_concept_id FROM observation").fetchall() == [(4323208,), (4323208,)]


def test_drugs_deaths_visits_and_periods(target, tmp_path):
    naproxen = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "849574"}]}
    write(
        tmp_path,
        patient(deceasedDateTime="2012-01-01"),
        {
            "resourceType": "Encounter",
            "id": "e1",
            "class": {"code": "AMB"},
            "subject": {"reference": "Patient/p1"},
            "period": {"start": "2010-02-03", "end": "2010-02-04"},
        },
        {
            "resourceType": "MedicationRequest",
            "medicationCodeableConcept": naproxen,
            "subject": {"reference": "Patient/p1"},
            "encounter": {"reference": "Encounter/e1"},
            "authoredOn": "2010-02-03",
            "dispenseRequest": {"expectedSupplyDuration": {"value": 7}},
        },
        {
            "resourceType": "MedicationAdministration",
            "medicationCodeableConcept": naproxen,
            "subject": {"reference": "Patient/p1"},
            "effectivePeriod": {"start": "2011-01-01T08:00:00Z", "end": "2011-01-02"},
        },
        {
            "resourceType": "Immunization",
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
            "patient": {"reference": "Patient/p1"},
            "occurrenceDateTime": "2011-10-01",
        },
        {"resourceType": "Basic", "id": "d"},
    )
    report = load_fhir(target, tmp_path)
    assert target.execute(
        "SELECT drug_concept_id, drug_exposure_start_date::VARCHAR, drug_exposure_end_date::VARCHAR, days_supply, "
        "visit_occurrence_id FROM drug_exposure ORDER BY 2"
    ).fetchall() == [
        (1115171, "2010-02-03", "2010-02-09", 7, 1),
        (1115171, "2011-01-01", "2011-01-02", None, None),
        (40213160, "2011-10-01", "2011-10-01", None, None),
    ]
    assert target.execute("SELECT visit_concept_id FROM visit_occurrence").fetchall() == [(9202,)]
    assert target.execute("SELECT death_date::VARCHAR FROM death").fetchall() == [("2012-01-01",)]
    assert target.execute(
        "SELECT observation_period_start_date::VARCHAR, observation_period_end_date::VARCHAR FROM observation_period"
    ).fetchall() == [("2010-02-03", "2011-10-01")]
    assert ("Basic", "resource type is not loaded") in report.skipped


def test_nothing_is_mapped_without_a_vocabulary(tmp_path):
    con = duckdb.connect()
    create_tables(con)
    with pytest.raises(Problem) as problem:
        load_fhir(con, tmp_path)
    assert problem.value.code == "no-vocabulary"
