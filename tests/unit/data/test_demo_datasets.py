"""The demo's data: real records, synthetic identities apart from them, and a truth that fits both."""

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.data.cdm import open_cdm, versions
from ansim.demo.datasets import HOLDERS, build
from ansim.demo.people import check_digit, mistype, valid_resident_number

STUDY = {"condition_occurrence": (40481087, 257012), "drug_exposure": (1713671, 1115171)}


def rows(path, query):
    con = duckdb.connect(str(path), read_only=True)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def test_check_digit_against_the_formula_by_hand():
    # 2*8+3*0+4*0+5*1+6*0+7*1+8*1+9*2+2*3+3*4+4*5+5*6 = 122; 122 mod 11 = 1; 11 - 1 = 10, last digit 0
    assert check_digit(np.array([[8, 0, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6]])).tolist() == [0]
    assert valid_resident_number("800101-1234560")
    assert not valid_resident_number("800101-1234561")
    assert not valid_resident_number("800101-123456")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 9))
def test_a_wrong_digit_is_noticed_unless_the_check_digit_is_the_same(digits, place, step):
    good = "".join(map(str, digits)) + str(check_digit(np.array([digits]))[0])
    assert valid_resident_number(good)
    wrong = [*digits]
    wrong[place] = (wrong[place] + step) % 10
    again = check_digit(np.array([wrong]))[0]
    assert valid_resident_number("".join(map(str, wrong)) + good[-1]) == (str(again) == good[-1])


def test_a_mistyped_name_is_another_name():
    for name in ("김민수", "이영영", "박규", "최곤곤"):
        assert mistype(name) != name


@pytest.mark.parametrize("holder", HOLDERS)
def test_registers_are_complete_valid_and_agree_with_the_cdm(nation, holder):
    people = rows(nation / holder / "cdm.duckdb", "SELECT person_id, year_of_birth, gender_concept_id FROM person")
    register = rows(nation / holder / "identity.duckdb", "SELECT * FROM identity")
    born = {person: year for person, year, _ in people}
    sexes = {person: "M" if sex == 8507 else "F" for person, _, sex in people}
    assert {row[0] for row in register} == set(born)
    assert len({row[5] for row in register}) == len(register) > 50
    for person, _, birth, sex, phone, number in register:
        assert birth.year == born[person]
        assert sex == sexes[person]
        assert valid_resident_number(number)
        assert number.startswith(f"{birth:%y%m%d}-")
        assert (int(number[7]) % 2 == 1) == (sex == "M")
        assert phone.startswith("010-")


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_has_a_first_version_whose_account_adds_up(nation, holder):
    used = versions.in_use(nation / holder / "cdm.duckdb")
    account = used.facts["account"]
    assert used.number == 1
    assert account["rows_in"] == account["loaded"] + account["refused"]
    assert used.facts["tables"]["person"]["rows"] == rows(used.cdm, "SELECT count(*) FROM person")[0][0]
    assert rows(used.trace, "SELECT count(*) FROM refused")[0][0] == account["refused"]
    if holder != "public-body":  # its claims are made, not loaded
        assert rows(used.trace, "SELECT count(*) FROM row WHERE target = 'condition_occurrence'")[0][0] > 0 or (
            holder == "hospital-b"  # of which Synthea as a whole was loaded
        )


def test_no_identity_is_in_any_cdm(nation):
    for holder in HOLDERS:
        columns = rows(nation / holder / "cdm.duckdb", "SELECT column_name FROM duckdb_columns()")
        assert not {"name", "phone", "resident_number"} & {name for (name,) in columns} - {"name"}  # metadata.name
        numbers = {row[0] for row in rows(nation / holder / "identity.duckdb", "SELECT resident_number FROM identity")}
        sources = rows(nation / holder / "cdm.duckdb", "SELECT person_source_value FROM person")
        assert not numbers & {value for (value,) in sources}


def test_the_truth_fits_the_registers(nation):
    """The same true person has the same resident number and birth everywhere, another's differs; noise is small."""
    con = duckdb.connect()
    for place, holder in enumerate(HOLDERS):
        con.execute(f"ATTACH '{nation / holder / 'identity.duckdb'}' AS h{place} (READ_ONLY)")
    everyone = " UNION ALL ".join(
        f"SELECT '{holder}' AS holder, * FROM h{i}.identity" for i, holder in enumerate(HOLDERS)
    )
    con.execute(
        f"CREATE TABLE known AS SELECT * FROM ({everyone}) JOIN '{nation / 'truth' / 'truth.parquet'}' "
        "USING (holder, person_id)"
    )
    assert (
        con.execute("SELECT count(*) FROM known").fetchall()
        == con.execute(f"SELECT count(*) FROM ({everyone})").fetchall()
    )
    assert con.execute(
        "SELECT max(c) FROM (SELECT count(DISTINCT resident_number) + count(DISTINCT birth_date) AS c "
        "FROM known GROUP BY true_person)"
    ).fetchall() == [(2,)]
    assert con.execute(
        "SELECT count(DISTINCT resident_number) = count(DISTINCT true_person) FROM known"
    ).fetchall() == [(True,)]
    linked, names, phones, members = con.execute(
        """SELECT count(*), count(*) FILTER (p.name <> q.name), count(*) FILTER (p.phone <> q.phone),
          (SELECT count(*) FROM known WHERE holder = 'public-body') FROM known p JOIN known q USING (true_person)
          WHERE p.holder = 'public-body' AND q.holder <> 'public-body'"""
    ).fetchall()[0]
    assert 60 < linked < members
    assert 0 < names + phones < 0.25 * linked


def test_the_study_can_be_done_in_every_hospital(nation):
    for holder in HOLDERS:
        con = open_cdm(nation / holder / "cdm.duckdb")
        for table, concepts in STUDY.items():
            stem = table.split("_")[0]
            for concept in concepts:
                query = f"SELECT count(DISTINCT person_id) FROM {table} WHERE {stem}_concept_id = {concept}"
                assert con.execute(query).fetchall()[0][0] >= 5, (holder, concept)
        used = "SELECT count(*) FROM {}  e ANTI JOIN concept c ON c.concept_id = e.{}_concept_id"
        for table in ("condition_occurrence", "drug_exposure", "procedure_occurrence", "visit_occurrence"):
            assert con.execute(used.format(table, table.split("_")[0])).fetchall() == [(0,)]
        con.close()


def test_claims_tell_of_linked_people_what_the_hospital_does_not(nation):
    con = duckdb.connect()
    con.execute(f"ATTACH '{nation / 'public-body' / 'cdm.duckdb'}' AS p (READ_ONLY)")
    con.execute(f"ATTACH '{nation / 'hospital-b' / 'cdm.duckdb'}' AS b (READ_ONLY)")
    con.execute(f"CREATE VIEW truth AS FROM '{nation / 'truth' / 'truth.parquet'}'")
    claimed, seen, drugs, costs = con.execute(
        """WITH pair AS (
          SELECT x.person_id AS here, y.person_id AS there FROM truth x JOIN truth y USING (true_person)
          WHERE x.holder = 'public-body' AND y.holder = 'hospital-b')
        SELECT (SELECT count(*) FROM p.visit_occurrence WHERE person_id IN (SELECT here FROM pair)),
               (SELECT count(*) FROM b.visit_occurrence WHERE person_id IN (SELECT there FROM pair)),
               (SELECT count(*) FROM p.drug_exposure WHERE person_id IN (SELECT here FROM pair)),
               (SELECT count(*) FROM p.cost JOIN p.visit_occurrence ON cost_event_id = visit_occurrence_id
                WHERE cost_domain_id = 'Visit' AND total_paid > 0)"""
    ).fetchall()[0]
    assert claimed > 1.1 * seen
    assert drugs > 0
    assert costs == rows(nation / "public-body" / "cdm.duckdb", "SELECT count(*) FROM visit_occurrence")[0][0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_nation(nation, tmp_path):
    build(tmp_path / "again", scale=0.15)
    for holder in HOLDERS:
        for file, query in (
            ("cdm.duckdb", "SELECT count(*), sum(hash(COLUMNS(*))) FROM person"),
            ("cdm.duckdb", "SELECT sum(hash(person_id, drug_concept_id, drug_exposure_start_date)) FROM drug_exposure"),
            ("identity.duckdb", "SELECT sum(hash(person_id, name, birth_date, phone, resident_number)) FROM identity"),
        ):
            assert rows(nation / holder / file, query) == rows(tmp_path / "again" / holder / file, query)
