"""Sources and targets that the other tests do not reach: PostgreSQL, FHIR's other resources, Synthea, eras."""

import json
from pathlib import Path

import duckdb
import pytest

from ansim.data.cdm import create_tables, literal, open_cdm, tables
from ansim.data.ingest.account import refused_by_reason
from ansim.data.ingest.eras import add_eras
from ansim.data.ingest.fhir_read import load_fhir
from ansim.data.ingest.fhirpath import Shape, value
from ansim.data.ingest.load import Options, load
from ansim.data.ingest.mapping import built_in, parse_mapping
from ansim.errors import Problem

NOW = "2026-12-01T09:00:00+00:00"
SHARED = Path(__file__).parents[4] / "shared" / "data"
SNOMED = "http://snomed.info/sct"


def rows(dataset, query):
    con = open_cdm(dataset)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def test_postgresql_of_any_case_and_of_one_moment(postgres_dsn, tmp_path):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_dsn, autocommit=True) as server:  # a database of its own: a load reads every schema
        server.execute("DROP DATABASE IF EXISTS hospital_source")
        server.execute("CREATE DATABASE hospital_source")
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, dbname="hospital_source")
    with psycopg.connect(dsn, autocommit=True) as con:
        con.execute("CREATE SCHEMA hospital")
        con.execute(
            'CREATE TABLE hospital."PERSON" ("PERSON_ID" int, "YEAR_OF_BIRTH" int, "GENDER_CONCEPT_ID" int, note text)'
        )
        con.execute("INSERT INTO hospital.\"PERSON\" VALUES (1, 1980, 8507, '홍'), (2, NULL, 8532, 'a,\"b')")
        con.execute("CREATE TABLE hospital.secrets (x int)")
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    host, user, name = info.get("host", ""), info.get("user", ""), info["dbname"]
    address = f"postgresql:///{name}?host={host}&port={info.get('port', 5432)}&user={user}"
    result = load([address], tmp_path / "cdm.duckdb", Options(NOW))
    assert (result.report["rows_in"], result.report["loaded"]) == (2, 2)
    assert [each["file"] for each in result.report["loads"]] == ["hospital.person"]
    assert rows(tmp_path / "cdm.duckdb", "SELECT person_id, year_of_birth FROM person ORDER BY 1") == [
        (1, 1980),
        (2, None),
    ]
    with pytest.raises(Problem) as problem:
        load(["postgresql://nobody:secret@127.0.0.1:1/none?connect_timeout=1"], tmp_path / "x.duckdb", Options(NOW))
    assert problem.value.code == "no-postgres"
    assert "secret" not in str(problem.value)


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}


def reference(kind, id):
    return {"reference": f"{kind}/{id}"}


WHO = {"subject": reference("Patient", "p1"), "encounter": reference("Encounter", "e1")}
SINUSITIS = {"coding": [{"system": SNOMED, "code": "444814009"}]}
NAPROXEN = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "849574"}]}
RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
RESOURCES = (
    {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "1980-05",
        "gender": "female",
        "extension": [{"url": RACE, "extension": [{"url": "ombCategory", "valueCoding": {"code": "2028-9"}}]}],
        "managingOrganization": reference("Organization", "o1"),
    },
    {"resourceType": "Organization", "id": "o1", "name": "Hospital A", "identifier": [{"value": "11100001"}]},
    {"resourceType": "Location", "id": "l1", "address": {"city": "서울", "line": ["세종대로 1", "2층"]}},
    {
        "resourceType": "Practitioner",
        "id": "d1",
        "gender": "male",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "9999"}],
    },
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": reference("Patient", "p1"),
        "period": {"start": "2010-02-03T10:00:00+09:00", "end": "2010-02-05"},
        "participant": [{"individual": {"reference": "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999"}}],
        "serviceProvider": {"reference": "Organization?identifier=x|11100001"},
    },
    {"resourceType": "Medication", "id": "m1", "code": NAPROXEN},
    {
        "resourceType": "MedicationRequest",
        "id": "mr1",
        "medicationReference": reference("Medication", "m1"),
        "authoredOn": "2010-02-03",
        **WHO,
    },
    {
        "resourceType": "MedicationRequest",
        "id": "mr2",
        "status": "entered-in-error",
        "medicationCodeableConcept": NAPROXEN,
        "authoredOn": "2010-02-03",
        **WHO,
    },
    {"resourceType": "Device", "id": "x1", "type": {"text": "stent"}, "patient": reference("Patient", "p1")},
    {
        "resourceType": "DeviceUseStatement",
        "id": "du1",
        "device": reference("Device", "x1"),
        "timingDateTime": "2010-02-04",
        "subject": reference("Patient", "p1"),
    },
    {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "code": {"text": "nuts"},
        "patient": reference("Patient", "p1"),
        "recordedDate": "2010-01-01",
        "reaction": [{"manifestation": [{"text": "hives"}]}],
    },
    {
        "resourceType": "Specimen",
        "id": "s1",
        "type": {"text": "blood"},
        "collection": {"collectedDateTime": "2010-02-04"},
    }
    | {"subject": reference("Patient", "p1")},
    {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "code": {"text": "CT"},
        "conclusion": "clear",
        "issued": "2010-02-04",
    }
    | WHO,
    {
        "resourceType": "DocumentReference",
        "id": "n1",
        "type": {"text": "letter"},
        "date": "2010-02-05T08:00:00Z",
        "subject": reference("Patient", "p1"),
        "content": [{"attachment": {"contentType": "text/plain", "data": "SGVsbG8="}}],
    },
    {
        "resourceType": "ExplanationOfBenefit",
        "id": "c1",
        "item": [{"encounter": [reference("Encounter", "e1")]}],
        "total": [{"amount": {"value": 120.5, "currency": "KRW"}}],
        "payment": {"amount": {"value": 80}},
    },
    {"resourceType": "Claim", "id": "c2", "total": {"value": 5}},
    {"resourceType": "Condition", "id": "k1", "code": SINUSITIS, "recordedDate": "2010-02-03"} | WHO,
    {"resourceType": "Basic", "id": "b1"},
)


def test_every_kind_of_resource_from_bundles(small_cdm, tmp_path):
    con = small_cdm().con
    half = len(RESOURCES) // 2
    (tmp_path / "a.json").write_text(json.dumps(bundle(*RESOURCES[half:]), indent=1, ensure_ascii=False), "utf-8")
    (tmp_path / "b.ndjson").write_text(json.dumps(bundle(*RESOURCES[:half]), ensure_ascii=False) + "\n", "utf-8")
    report = load_fhir(con, tmp_path)
    one = {
        "person": "year_of_birth, month_of_birth, day_of_birth, race_concept_id, care_site_id IS NOT NULL",
        "visit_occurrence": "visit_concept_id, visit_end_date::VARCHAR, provider_id > 0, care_site_id > 0",
        "location": "city, address_1, address_2",
        "provider": "npi, gender_concept_id",
        "care_site": "care_site_name",
        "drug_exposure": "drug_concept_id, drug_exposure_end_date::VARCHAR, visit_occurrence_id IS NOT NULL",
        "device_exposure": "device_source_value, device_exposure_start_date::VARCHAR",
        "observation": "observation_source_value, value_as_string",
        "specimen": "specimen_source_value, specimen_date::VARCHAR",
        "cost": "total_cost, total_paid, cost_event_id IS NOT NULL",
        "condition_occurrence": "condition_concept_id, visit_occurrence_id IS NOT NULL",
    }
    found = {table: con.execute(f"SELECT {what} FROM {table}").fetchall() for table, what in one.items()}
    assert found == {
        "person": [(1980, 5, None, 8515, True)],
        "visit_occurrence": [(9201, "2010-02-05", True, True)],
        "location": [("서울", "세종대로 1", "2층")],
        "provider": [("9999", 8507)],
        "care_site": [("Hospital A",)],
        "drug_exposure": [(1115171, "2010-02-03", True)],
        "device_exposure": [("stent", "2010-02-04")],
        "observation": [("nuts", "hives")],
        "specimen": [("blood", "2010-02-04")],
        "cost": [(120.5, 80.0, True)],
        "condition_occurrence": [(40481087, True)],
    }
    notes = con.execute("SELECT note_text, note_title FROM note ORDER BY 1").fetchall()
    assert notes == [("SGVsbG8=", "letter"), ("clear", "CT")]
    assert {(each["field"], each["reason"]) for each in refused_by_reason(con)} == {
        ("status", "marks a row that is left out"),
        ("start", "is missing"),  # the Device itself has no date; its use has
        ("cost_event_id", "is missing"),
        ("resourceType", "no rule takes this row"),
    }
    assert report.rows_in == report.loaded + report.refused
    # Each resource is loaded or refused: none is lost between the rules.
    told = con.execute("SELECT count(DISTINCT (file, line)) FROM trace.refused").fetchall()[0][0]
    traced = con.execute("SELECT count(DISTINCT (file, line)) FROM trace.row").fetchall()[0][0]
    assert told + traced == len(RESOURCES) - 1  # the Medication lends its code and has no row of its own


def test_synthea_csv_of_others(tmp_path):
    source = SHARED / "synthea_csv"
    if not source.is_dir():
        pytest.skip("the shared Synthea files are not here")
    vocabulary = tmp_path / "v"
    vocabulary.mkdir()
    con = duckdb.connect()
    create_tables(con)
    names = [column.name for column in tables()["concept"].columns]
    (vocabulary / "CONCEPT.csv").write_text(
        "\t".join(names) + "\n314076\tlisinopril\tDrug\tRxNorm\tDrug\tS\t314076\t19700101\t20991231\t\n",
        encoding="utf-8",
    )
    result = load([vocabulary, source], tmp_path / "cdm.duckdb", Options(NOW, mapping="synthea"))
    assert result.report["refused"] == 0
    counts = (
        "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM visit_occurrence), (SELECT count(*) FROM death)"
    )
    assert rows(tmp_path / "cdm.duckdb", counts) == [(27, 604, 2)]
    linked = (
        "SELECT count(*) FROM cost JOIN drug_exposure ON cost_event_id = drug_exposure_id WHERE cost_domain_id = 'Drug'"
    )
    drugs = rows(tmp_path / "cdm.duckdb", "SELECT count(*) FROM cost WHERE cost_domain_id = 'Drug'")
    assert rows(tmp_path / "cdm.duckdb", linked) == drugs != [(0,)]


def test_eras_by_the_conventions():
    """Expected by hand: gaps of 30 days join, of 31 do not; a long span inside bridges; doses part eras."""
    con = duckdb.connect()
    create_tables(con)
    con.execute(
        "INSERT INTO concept BY NAME SELECT * FROM (VALUES (10, 'Ingredient', 'S'), (11, 'Clinical Drug', 'S')) "
        "t(concept_id, concept_class_id, standard_concept);"
        "INSERT INTO concept_ancestor VALUES (10, 11, 1, 1);"
        "INSERT INTO drug_strength BY NAME SELECT 11 AS drug_concept_id, 10 AS ingredient_concept_id, "
        "5.0 AS amount_value, 8576 AS amount_unit_concept_id;"
        "INSERT INTO condition_occurrence BY NAME SELECT * FROM (VALUES "
        "(1, 1, 5, DATE '2019-01-01', DATE '2019-03-01'), (2, 1, 5, DATE '2019-01-05', NULL), "
        "(3, 1, 5, DATE '2019-03-31', DATE '2019-04-01'), (4, 1, 5, DATE '2019-05-02', NULL), "
        "(5, 1, 0, DATE '2019-05-02', NULL), (6, 2, 5, DATE '2019-01-01', NULL)) "
        "t(condition_occurrence_id, person_id, condition_concept_id, condition_start_date, condition_end_date);"
        "INSERT INTO drug_exposure BY NAME SELECT * FROM (VALUES "
        "(1, 1, 11, DATE '2019-01-01', DATE '2019-01-11', 10.0, 10), "
        "(2, 1, 11, DATE '2019-01-06', DATE '2019-01-16', 10.0, 10), "
        "(3, 1, 11, DATE '2019-02-15', NULL, 20.0, 10), (4, 1, 99, DATE '2019-02-15', NULL, 20.0, 10)) "
        "t(drug_exposure_id, person_id, drug_concept_id, drug_exposure_start_date, drug_exposure_end_date, quantity, "
        "days_supply)"
    )
    add_eras(con)
    eras = "SELECT person_id, condition_era_start_date::VARCHAR, condition_era_end_date::VARCHAR, "
    assert con.execute(eras + "condition_occurrence_count FROM condition_era ORDER BY 1, 2").fetchall() == [
        (1, "2019-01-01", "2019-04-01", 3),
        (1, "2019-05-02", "2019-05-03", 1),
        (2, "2019-01-01", "2019-01-02", 1),
    ]
    drugs = "SELECT drug_concept_id, drug_era_start_date::VARCHAR, drug_era_end_date::VARCHAR, "
    assert con.execute(f"{drugs} drug_exposure_count, gap_days FROM drug_era").fetchall() == [
        (10, "2019-01-01", "2019-02-25", 3, 30)
    ]
    doses = "SELECT dose_value, dose_era_start_date::VARCHAR, dose_era_end_date::VARCHAR FROM dose_era ORDER BY 2"
    assert con.execute(doses).fetchall() == [(5.0, "2019-01-01", "2019-01-16"), (10.0, "2019-02-15", "2019-02-25")]
    add_eras(con)  # again: replaced, not doubled
    assert con.execute("SELECT count(*) FROM condition_era").fetchall() == [(3,)]
    con.close()


BAD_MAPPINGS = {
    "no mapping": {"rule": []},
    "unknown part": {"ansim": "mapping/1", "rules": []},
    "unknown table": {"ansim": "mapping/1", "rule": [{"id": "a", "from": "x", "to": "persons", "columns": {"a": "b"}}]},
    "unknown column": {
        "ansim": "mapping/1",
        "rule": [{"id": "a", "from": "x", "to": "person", "key": "k", "columns": {"shoe_size": "b"}}],
    },
    "no person": {"ansim": "mapping/1", "rule": [{"id": "a", "from": "x", "to": "death", "columns": {"start": "b"}}]},
    "no value": {
        "ansim": "mapping/1",
        "rule": [{"id": "a", "from": "x", "to": "person", "key": "k", "columns": {"birth": {"datum": "b"}}}],
    },
    "one id twice": {
        "ansim": "mapping/1",
        "rule": [{"id": "a", "from": "x", "to": "person", "key": "k", "columns": {"birth": "b"}}] * 2,
    },
}


@pytest.mark.parametrize("case", BAD_MAPPINGS)
def test_a_mapping_is_checked_before_any_row_is_read(case):
    with pytest.raises(Problem) as problem:
        parse_mapping(BAD_MAPPINGS[case], "m.toml")
    assert problem.value.code in {"bad-mapping", "problems"}


def test_a_column_that_the_source_lacks_is_named(tmp_path):
    (tmp_path / "people.csv").write_text("id,born\n1,1980-01-01\n", encoding="utf-8")
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "ansim: mapping/1\nrule:\n- {id: p, from: people, to: person, key: id, columns: {birth: birthday}}\n",
        encoding="utf-8",
    )
    with pytest.raises(Problem) as problem:
        load([tmp_path / "people.csv"], tmp_path / "cdm.duckdb", Options(NOW, mapping=mapping))
    assert (problem.value.code, problem.value.where) == ("no-column", "people.csv")
    assert "born" in str(problem.value)


def test_paths():
    shape = Shape()
    for path in ("code.coding.first().code", "value.ofType(Quantity).value", "a.where(b = 'c').first().d"):
        value(path, shape)
    assert '"valueQuantity":{"value":"VARCHAR"}' in shape.as_json()
    for path in ("a..b", "a b", "first()", "a.where(b)", "a.exists()", "coding.first().x.first("):
        with pytest.raises(Problem):
            value(path, Shape())
    with pytest.raises(Problem):
        value("code.coding.code", shape)  # a list above, one value here
    for name in ("fhir_r4", "synthea"):
        assert built_in(name).rules
    assert literal("x") == "'x'"
