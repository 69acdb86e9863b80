"""A load from a hospital's own files to a published version: what is loaded, refused, traced, taken over."""

import os
from dataclasses import replace

import duckdb
import hospital_files
import pytest

from ansim.data.cdm import open_cdm, versions
from ansim.data.ingest.account import origin
from ansim.data.ingest.load import Options, load
from ansim.data.ingest.suggest import accept, suggest, write_proposals
from ansim.errors import Problem

NOW = "2026-12-01T09:00:00+00:00"


@pytest.fixture
def hospital(tmp_path):
    """(sources, dataset, options) of the small hospital."""
    sources, mapping, codes = hospital_files.write(tmp_path)
    options = Options(
        NOW, mapping=mapping, code_maps=(codes,), refuse_above=0.5, name="Hospital A", holder="Hospital A"
    )
    return sources, tmp_path / "cdm.duckdb", options


def rows(dataset, query):
    con = open_cdm(dataset)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def refused(version):
    con = duckdb.connect(str(version.trace), read_only=True)
    try:
        return con.execute("SELECT file, line, field, reason, value FROM refused ORDER BY ALL").fetchall()
    finally:
        con.close()


def test_a_hospitals_own_files_by_a_mapping(hospital):
    sources, dataset, options = hospital
    result = load(sources, dataset, options)
    assert rows(
        dataset, "SELECT person_source_value, gender_concept_id, year_of_birth, month_of_birth FROM person"
    ) == [
        ("P1", 8507, 1960, 3),
        ("P2", 8532, 1971, 12),
        ("P3", 0, 1980, None),
    ]
    person = "JOIN person USING (person_id)"
    assert rows(
        dataset,
        "SELECT person_source_value, condition_concept_id, condition_source_concept_id, condition_source_value, "
        f"condition_start_date::VARCHAR FROM condition_occurrence {person} ORDER BY ALL",
    ) == [("P1", 201826, 45600001, "E11.9", "2019-03-01"), ("P2", 0, 0, "X99", "2019-03-04")]
    assert rows(  # the family history is an observation, and of what is its value
        dataset, f"SELECT person_source_value, observation_concept_id, value_as_concept_id FROM observation {person}"
    ) == [("P2", 4212484, 201826)]
    assert rows(
        dataset,
        "SELECT measurement_concept_id, measurement_datetime::VARCHAR, operator_concept_id, value_as_number, "
        "unit_concept_id, value_source_value, measurement_source_value FROM measurement ORDER BY 2",
    ) == [
        (3004410, "2019-03-01 14:30:00", None, 6.5, 8554, "6.5", "L3061"),
        (3004410, "2019-03-02 00:00:00", 4171756, 4.0, 8554, "<4.0", "L3061"),
        (0, "2019-03-04 00:00:00", None, None, None, "안내문", "L0000"),
        (0, "2019-03-05 00:00:00", None, 36.5, 8653, "36.5", "L9999"),
    ]
    assert refused(result.version) == [
        ("diagnosis_2019.csv", 4, "person", "names no row of this load", "P9"),
        ("diagnosis_2019.csv", 6, "start", "is no date", "2019-02-30"),
        ("labs.csv", 4, "unit", "is no expected unit for this code", "mmol/mol"),
        ("환자.csv", 5, "등록번호", "is used already", "P1"),
        ("환자.csv", 6, "등록번호", "is missing", None),
    ]
    told = result.report
    assert told["rows_in"] == told["loaded"] + told["refused"] == 15 + 12 + 3
    assert rows(dataset, "SELECT cdm_source_name FROM cdm_source") == [("Hospital A",)]
    assert rows(dataset, "SELECT concept_name FROM concept WHERE concept_id = 201826") == [
        ('Type 2 "adult" diabetes mellitus',)
    ]


def test_coverage_tells_unmapped_from_not_tried(hospital):
    sources, dataset, options = hospital
    result = load(sources, dataset, options, dry_run=True)
    assert not dataset.exists()
    assert versions.versions(dataset) == []
    status = {(each["field"], each["code"]): each["status"] for each in result.coverage}
    assert status["code", "L3061"] == "reviewed"
    assert status["code", "L0000"] == "unmapped"
    assert status["code", "L9999"] == status["code", "X99"] == "not tried"
    assert status["code", "E11.9"] == "vocabulary"
    assert status["gender_concept_id", "?"] == "not tried"
    assert status["unit", "도"] == "vocabulary"
    assert status["unit", "mmol/mol"] == "not tried"


def test_each_row_is_traced_to_its_source(hospital):
    sources, dataset, options = hospital
    load(sources, dataset, options)
    for table in ("person", "condition_occurrence", "observation", "measurement"):
        for (id,) in rows(dataset, f"SELECT {table}_id FROM {table}"):
            (found,) = origin(dataset, table, id)
            text = next(path for path in sources[1].iterdir() if path.name == found["file"]).read_bytes()
            line = text.decode("cp949" if "환자" in found["file"] else "utf-8").splitlines()[found["line"] - 1]
            person = rows(
                dataset,
                f"SELECT person_source_value FROM {table} JOIN person USING (person_id) WHERE {table}_id = {id}"
                if table != "person"
                else f"SELECT person_source_value FROM person WHERE person_id = {id}",
            )
            assert person[0][0] in line
            assert found["rule"]
    with pytest.raises(Problem):
        origin(dataset, "person", 999)


def test_too_many_refused_rows_stop_the_load(hospital):
    sources, dataset, options = hospital
    with pytest.raises(Problem) as problem:
        load(sources, dataset, replace(options, refuse_above=0.1))
    assert problem.value.code == "too-many-refused"
    assert not dataset.exists()
    assert versions.versions(dataset) == []
    assert (versions.folder_of(dataset) / "stopped" / "trace.duckdb").is_file()


def test_the_same_input_twice_changes_nothing(hospital):
    sources, dataset, options = hospital
    first = load(sources, dataset, options)
    again = load(sources, dataset, replace(options, now="2027-01-01T00:00:00+00:00"))
    assert (first.changed, again.changed) == (True, False)
    assert again.version.digest == first.version.digest
    assert len(versions.versions(dataset)) == 1


def contents(dataset):
    """All rows of the clinical tables, whatever their order and numbers."""
    found = {}
    for table in (
        "person",
        "condition_occurrence",
        "observation",
        "measurement",
        "observation_period",
        "condition_era",
    ):
        join = (
            "" if table == "person" else " JOIN (SELECT person_id, person_source_value FROM person) USING (person_id)"
        )
        own = "" if table == "person" else f", {table}_id"
        query = f"SELECT * EXCLUDE (person_id{own}) FROM {table}{join}"
        found[table] = sorted(map(repr, rows(dataset, query)))
    return found


CHANGES = {
    "a new diagnosis": ("diagnosis_2019.csv", "6,P1,E11.9,당뇨,2019-05-05\n", True),
    "a diagnosis of one whom no earlier load knew": ("환자.csv", "P9,여,1955-05-05\n", True),
    "a patient twice": ("환자.csv", "P2,여,1971-12-25\n", True),
    "a file more": ("diagnosis_2020.csv", "번호,등록번호,상병코드,상병명,진단일\n1,P3,E11.9,당뇨,2020-01-01\n", None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_reading_only_what_changed_gives_what_reading_everything_gives(hospital, tmp_path, change):
    sources, dataset, options = hospital
    load(sources, dataset, options)
    before = dict(rows(dataset, "SELECT person_source_value, person_id FROM person"))
    name, text, append = CHANGES[change]
    with open(sources[1] / name, "ab") as file:
        file.write(text.encode("cp949" if name == "환자.csv" else "utf-8"))
    changed = load(sources, dataset, options)
    assert changed.changed
    assert changed.version.number == 2
    whole = tmp_path / "whole" / "cdm.duckdb"
    whole.parent.mkdir()
    once = load(sources, whole, options)
    assert contents(dataset) == contents(whole)
    assert refused(changed.version) == refused(once.version)
    told, expected = changed.report, once.report
    for count in ("rows_in", "loaded", "refused"):
        assert told[count] == expected[count]
    after = dict(rows(dataset, "SELECT person_source_value, person_id FROM person"))
    assert before.items() <= after.items()
    if append is True:
        assert "labs.csv" not in changed.report["read"]


def test_a_patient_taken_away_takes_the_rows_along(hospital):
    sources, dataset, options = hospital
    load(sources, dataset, options)
    ids = dict(rows(dataset, "SELECT person_source_value, person_id FROM person"))
    path = sources[1] / "환자.csv"
    path.write_bytes(hospital_files.PATIENTS.replace("P2,여,1971.12.25\n", "").encode("cp949"))
    result = load(sources, dataset, replace(options, refuse_above=0.9))
    assert dict(rows(dataset, "SELECT person_source_value, person_id FROM person")) == {
        "P1": ids["P1"],
        "P3": ids["P3"],
    }
    assert rows(dataset, "SELECT count(*) FROM measurement JOIN person USING (person_id)") == rows(
        dataset, "SELECT count(*) FROM measurement"
    )
    (change,) = [each for each in versions.compare(*versions.versions(dataset)) if each.table == "person"]
    assert (change.before, change.after, change.added, change.removed, change.changed) == (3, 2, 0, 1, 0)
    assert result.version.number == 2


def test_an_earlier_version_can_be_put_into_use_again(hospital):
    sources, dataset, options = hospital
    load(sources, dataset, options)
    (sources[1] / "labs.csv").write_text(hospital_files.LABS.splitlines()[0] + "\n", encoding="utf-8")
    load(sources, dataset, options)
    assert rows(dataset, "SELECT count(*) FROM measurement") == [(0,)]
    versions.use(dataset, versions.version(dataset, 1))
    assert rows(dataset, "SELECT count(*) FROM measurement") == [(4,)]
    assert versions.in_use(dataset).number == 1
    with versions.new_version(dataset):
        assert versions.in_use(dataset).number == 1  # a person's choice stands until a load makes a new version
    assert os.stat(dataset).st_mode & 0o222 == 0


def test_old_versions_lose_their_rows_and_keep_their_account(hospital):
    sources, dataset, options = hospital
    for number in range(4):
        (sources[1] / "labs.csv").write_text(hospital_files.LABS + "\n" * number, encoding="utf-8")
        load(sources, dataset, replace(options, name=f"Hospital {number}"))
    first, _second, third, fourth = versions.versions(dataset)
    versions.use(dataset, first)
    before = rows(dataset, "SELECT count(*) FROM measurement")
    assert [each.number for each in versions.prune(dataset, keep=2)] == [2]  # 1 is in use, 3 and 4 are the newest
    assert versions.prune(dataset, keep=2) == []
    assert rows(dataset, "SELECT count(*) FROM measurement") == before
    known = versions.versions(dataset)
    assert [(each.number, each.kept, each.cdm.exists(), each.trace.exists()) for each in known] == [
        (1, True, True, True),
        (2, False, False, False),
        (3, True, True, True),
        (4, True, True, True),
    ]
    assert known[1].facts["account"]["loaded"] > 0
    with pytest.raises(Problem) as gone:
        versions.use(dataset, versions.version(dataset, 2))
    assert gone.value.code == "version-pruned"
    assert "cdm_source" in {each.table for each in versions.compare(third, fourth)}
    with pytest.raises(Problem):
        versions.prune(dataset, keep=0)
    with versions.new_version(dataset), pytest.raises(Problem) as busy:
        versions.prune(dataset, keep=1)
    assert busy.value.code == "load-under-way"
    versions.use(dataset, fourth)
    assert load(sources, dataset, replace(options, name="Hospital 9")).version.number == 5


def test_a_crash_amid_pruning_is_made_good_by_the_next(hospital):
    sources, dataset, options = hospital
    for number in range(3):
        load(sources, dataset, replace(options, name=f"Hospital {number}"))
    first = versions.version(dataset, 1)
    (first.folder / versions.PRUNED).touch()  # and then the machine stopped
    assert first.cdm.exists()
    versions.prune(dataset, keep=2)
    assert not first.cdm.exists()


def test_the_assistant_proposes_and_a_person_accepts(hospital, tmp_path):
    sources, dataset, options = hospital
    (sources[1] / "diagnosis_2020.csv").write_text(
        "번호,등록번호,상병코드,상병명,진단일\n7,P1,E11.90,diabetes type two,2020-01-01\n"
        "8,P2,Q1,adult diabetes mellitus,2020-01-02\n",
        encoding="utf-8",
    )
    load(sources, dataset, options)
    proposals = tmp_path / "proposals.csv"
    rows_ = suggest(dataset)
    write_proposals(rows_, proposals)
    best = {}
    for row in rows_:
        best.setdefault(row["sourceCode"], row)
    assert best["E11.90"]["conceptId"] == 201826
    assert best["E11.90"]["comment"] == "code KCD7 E11.9"
    assert best["Q1"]["conceptId"] == 201826
    assert best["L9999"]["conceptId"] == 0
    assert "E11.9" not in best
    assert "L0000" not in best  # a person looked already

    again = replace(options, code_maps=(*options.code_maps, proposals))
    load(sources, dataset, again)
    code = "SELECT condition_concept_id FROM condition_occurrence WHERE condition_source_value = 'E11.90'"
    assert rows(dataset, code) == [(0,)]  # a proposal alone counts for nothing
    accept(proposals, vocabulary="KCD7", code="E11.90", concept=201826, reviewer="kim", on="2026-12-01")
    accept(proposals, vocabulary="KCD7", code="X99", concept=0, reviewer="kim", on="2026-12-01")
    with pytest.raises(Problem):
        accept(proposals, vocabulary="KCD7", code="Q1", concept=999, reviewer="kim", on="2026-12-01")
    result = load(sources, dataset, again)
    assert rows(dataset, code) == [(201826,)]
    status = {each["code"]: each["status"] for each in result.coverage if each["field"] == "code"}
    assert (status["E11.90"], status["X99"], status["Q1"]) == ("reviewed", "unmapped", "not tried")
    write_proposals(suggest(dataset), proposals)
    assert "kim" in proposals.read_text(encoding="utf-8")  # what was decided stays


def test_a_kcd8_file_of_the_hospital_is_a_code_map(hospital, tmp_path):
    """KCD-8 is not in the OHDSI vocabularies: the hospital brings a file (this one is invented)."""
    sources, dataset, options = hospital
    kcd8 = tmp_path / "kcd8.sssom.tsv"
    kcd8.write_text(
        "#mapping_set_id: https://example.org/kcd8\n"
        "subject_id\tsubject_label\tpredicate_id\tobject_id\tmapping_justification\treviewer_id\tmapping_date\n"
        "KCD8:U98.1\t지어낸 코드\tskos:exactMatch\tSNOMED:44054006\tsemapv:ManualMappingCuration\tkim\t2026-11-01\n"
        "KCD8:U98.2\t아직\tskos:exactMatch\tSNOMED:44054006\tsemapv:LexicalMatching\t\t2026-11-01\n"
        "KCD8:U98.3\t없음\tskos:exactMatch\tsssom:NoTermFound\tsemapv:ManualMappingCuration\tkim\t2026-11-01\n",
        encoding="utf-8",
    )
    mapping = tmp_path / "kcd8.toml"
    mapping.write_text(hospital_files.MAPPING.replace('"KCD7"', '"KCD8"'), encoding="utf-8")
    lines = "".join(f"{i},P1,U98.{i},이름,2019-01-0{i}\n" for i in (1, 2, 3))
    (sources[1] / "diagnosis_2019.csv").write_text("번호,등록번호,상병코드,상병명,진단일\n" + lines, encoding="utf-8")
    result = load(sources, dataset, replace(options, mapping=mapping, code_maps=(*options.code_maps, kcd8)))
    query = "SELECT condition_source_value, condition_concept_id FROM condition_occurrence ORDER BY 1"
    assert rows(dataset, query) == [("U98.1", 201826), ("U98.2", 0), ("U98.3", 0)]
    status = {each["code"]: each["status"] for each in result.coverage}
    assert (status["U98.1"], status["U98.2"], status["U98.3"]) == ("reviewed", "not tried", "unmapped")
