"""A small hospital's own files, with a mapping, and a vocabulary beside: all invented."""

from pathlib import Path

VOCABULARY = """concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t\
valid_start_date\tvalid_end_date\tinvalid_reason
0\tNo matching concept\tMetadata\tNone\tUndefined\t\tNo matching concept\t19700101\t20991231\t
8507\tMALE\tGender\tGender\tGender\tS\tM\t19700101\t20991231\t
8532\tFEMALE\tGender\tGender\tGender\tS\tF\t19700101\t20991231\t
9202\tOutpatient Visit\tVisit\tVisit\tVisit\tS\tOP\t19700101\t20991231\t
32817\tEHR\tType Concept\tType Concept\tType Concept\tS\tOMOP4976890\t19700101\t20991231\t
201826\tType 2 "adult" diabetes mellitus\tCondition\tSNOMED\tDisorder\tS\t44054006\t19700101\t20991231\t
4212484\tObserved in family\tObservation\tSNOMED\tClinical Finding\tS\t111\t19700101\t20991231\t
45600001\tType 2 diabetes mellitus without complications\tCondition\tKCD7\tKCD7 code\t\tE11.9\t19700101\t20991231\t
45600002\tFamily history of diabetes\tObservation\tKCD7\tKCD7 code\t\tZ83.3\t19700101\t20991231\t
3004410\tHemoglobin A1c\tMeasurement\tLOINC\tLab Test\tS\t4548-4\t19700101\t20991231\t
8554\tpercent\tUnit\tUCUM\tUnit\tS\t%\t19700101\t20991231\t
8653\tdegree Celsius\tUnit\tUCUM\tUnit\tS\tCel\t19700101\t20991231\t
"""
RELATIONS = """concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason
45600001\t201826\tMaps to\t19700101\t20991231\t
45600002\t4212484\tMaps to\t19700101\t20991231\t
45600002\t201826\tMaps to value\t19700101\t20991231\t
"""
MAPPING = """
ansim = "mapping/1"
title = "Hospital A's own tables"
two_digit_years_until = 2026

[[rule]]
id = "patients"
from = "환자"
to = "person"
key = "등록번호"
[rule.columns]
birth = "생년월일"
gender_concept_id = { values = { "남" = 8507, "여" = 8532 }, of = "성별", default = 0 }
gender_source_value = "성별"
person_source_value = "등록번호"

[[rule]]
id = "diagnoses"
from = "diagnosis*"
to = "domain"
otherwise = "condition_occurrence"
key = ["번호"]
[rule.columns]
person = "등록번호"
code = { code = "상병코드", vocabulary = "KCD7", name = "상병명" }
start = "진단일"

[[rule]]
id = "labs"
from = "labs"
to = "domain"
otherwise = "measurement"
expect_units = { "L3061" = ["%"] }
[rule.columns]
person = "patient"
code = { code = "code", vocabulary = "HOSPITAL-A-LAB" }
start = "taken"
value = "result"
unit = "unit"
"""
CODE_MAP = """source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,\
target_vocabulary_id,valid_start_date,valid_end_date,invalid_reason
L3061,0,HOSPITAL-A-LAB,당화혈색소,3004410,LOINC,1970-01-01,2099-12-31,
L0000,0,HOSPITAL-A-LAB,안내문,0,None,1970-01-01,2099-12-31,
"""
PATIENTS = (
    "등록번호,성별,생년월일\nP1,남,1960년 3월 1일\nP2,여,1971.12.25\nP3,?,1980\nP1,남,1960-03-01\n,여,1990-01-01\n"
)
DIAGNOSES = (
    "번호,등록번호,상병코드,상병명,진단일\n1,P1,E11.9,당뇨,19-03-01\n2,P2,Z83.3,가족력,2019년 3월 2일\n"
    "3,P9,E11.9,당뇨,2019-03-03\n4,P2,X99,없는 코드,2019.03.04\n5,P2,E11.9,당뇨,2019-02-30\n"
)
LABS = (
    "patient,code,taken,result,unit\nP1,L3061,2019-03-01 오후 2:30,6.5,%\nP2,L3061,20190302,<4.0,%\n"
    "P1,L3061,2019-03-03,48,mmol/mol\nP2,L0000,2019-03-04,안내문,\nP2,L9999,2019-03-05,36.5,도\n"
)


def write(folder: Path) -> tuple[list[Path], Path, Path]:
    """The sources, the mapping and the code map. The patients' file is in CP949."""
    data, vocabulary = folder / "export", folder / "vocabulary"
    data.mkdir(parents=True)
    vocabulary.mkdir()
    (vocabulary / "CONCEPT.csv").write_text(VOCABULARY, encoding="utf-8")
    (vocabulary / "CONCEPT_RELATIONSHIP.csv").write_text(RELATIONS, encoding="utf-8")
    (data / "환자.csv").write_bytes(PATIENTS.encode("cp949"))
    (data / "diagnosis_2019.csv").write_text(DIAGNOSES, encoding="utf-8")
    (data / "labs.csv").write_text(LABS, encoding="utf-8")
    mapping, codes = folder / "mapping.toml", folder / "codes.csv"
    mapping.write_text(MAPPING, encoding="utf-8")
    codes.write_text(CODE_MAP, encoding="utf-8")
    return [vocabulary, data], mapping, codes
