"""FHIR resources: only what is listed leaves, under keyed ids and moved dates."""

import datetime as dt
import json
from pathlib import Path

import pytest

from ansim.errors import Problem
from ansim.privacy.deid import fhir, keys, texts

SECRET = b"project secret of thirty-two byt"
BULK = Path(__file__).parents[4] / "shared" / "data" / "fhir_bulk10"


def keyed(name: str) -> str:
    return keys.pseudonyms(SECRET, [name])[0]


def shift(patient: str) -> int:
    return keys.date_shifts(SECRET, [patient])[0]


PATIENT = {
    "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1980-01-02",
    "text": {"status": "generated", "div": "<div>김하늘</div>"}, "name": [{"family": "김", "given": ["하늘"]}],
    "identifier": [{"system": "urn:rrn", "value": "800102-2345678"}], "telecom": [{"value": "010-1234-5678"}],
    "address": [{"line": ["새싹로 1"], "city": "서울"}], "extension": [{"url": "race", "valueString": "x"}],
    "maritalStatus": {"text": "기혼"}, "deceasedDateTime": "2020-05-05T10:00:00Z",
}  # fmt: skip
CONDITION = {
    "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1", "display": "김하늘"},
    "encounter": {"reference": "Encounter/e1"}, "onsetDateTime": "2019-03-01T08:30:00+09:00",
    "recordedDate": "2019-03-11",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "444814009", "display": "Viral sinusitis"}],
             "text": "환자 김하늘의 부비동염"},
    "note": [{"text": "010-1234-5678"}], "clinicalStatus": {"coding": [{"code": "active"}]},
}  # fmt: skip


def test_a_patient_keeps_sex_and_year_of_birth():
    made = fhir.deidentify(PATIENT, keyed, shift)
    assert set(made) == {"resourceType", "id", "gender", "birthDate", "deceasedDateTime"}
    assert (made["id"], made["birthDate"]) == (keyed("Patient/p1"), "1980")


def test_codes_and_intervals_stay_and_texts_go():
    made = fhir.deidentify(CONDITION, keyed, shift)
    assert made["code"] == {"coding": CONDITION["code"]["coding"]}
    assert made["subject"] == {"reference": f"Patient/{keyed('Patient/p1')}"}
    days = [dt.date.fromisoformat(made[name]) for name in ("onsetDateTime", "recordedDate")]
    assert (days[1] - days[0]).days == 10
    assert (days[0] - dt.date(2019, 3, 1)).days == shift("p1")
    for secret in ("하늘", "010-1234", "p1", "c1", "e1", "08:30"):
        assert secret not in json.dumps(made, ensure_ascii=False).replace(keyed("Patient/p1"), "")


def test_partial_dates_other_types_and_nobodys_resources():
    assert "onsetDateTime" not in fhir.deidentify({**CONDITION, "onsetDateTime": "2019-03"}, keyed, shift)
    with pytest.raises(Problem, match="do not leave"):
        fhir.deidentify({"resourceType": "DocumentReference", "subject": {"reference": "Patient/p1"}}, keyed, shift)
    with pytest.raises(Problem, match="names no patient"):
        fhir.deidentify({**CONDITION, "subject": {"display": "김하늘"}}, keyed, shift)


@pytest.mark.skipif(not BULK.is_dir(), reason="the shared bulk export is not here")
def test_a_bulk_export_leaves_without_anybodys_identity():
    patients = [json.loads(line) for line in (BULK / "Patient.000.ndjson").read_text("utf-8").splitlines()]
    secrets = {p["id"] for p in patients} | {n["family"] for p in patients for n in p["name"]}
    secrets |= {line for p in patients for a in p["address"] for line in a["line"]}
    count = 0
    for kind in ("Patient", "Condition", "Encounter", "Immunization", "MedicationRequest", "Procedure"):
        before = (BULK / f"{kind}.000.ndjson").read_text("utf-8")
        assert any(secret in before for secret in secrets)
        for line in before.splitlines()[:300]:
            made = json.dumps(fhir.deidentify(json.loads(line), keyed, shift), ensure_ascii=False)
            assert not [secret for secret in secrets if secret in made]
            assert not {each.kind for each in texts.find(made)} & {"phone", "email", "resident-number", "address"}
            count += 1
    assert count > 500
