"""Loading OMOP files: every row is loaded or refused with its reason."""

import json

import duckdb
import pytest

from ansim.data.cdm import create_tables, open_cdm
from ansim.data.ingest.account import save_refused
from ansim.data.ingest.omop import load_csv_folder
from ansim.errors import Problem

PERSON = "PERSON_ID,Gender_Concept_Id,year_of_birth ,race_concept_id,ethnicity_concept_id,shoe_size\n"


@pytest.fixture
def con():
    con = duckdb.connect()
    create_tables(con)
    yield con
    con.close()


def refused(con):
    return con.execute("SELECT file, line, field, reason, value FROM trace.refused ORDER BY line").fetchall()


def test_names_in_any_case_and_unknown_columns(con, tmp_path):
    (tmp_path / "Person.csv").write_text(PERSON + "1,8507,1980,0,0,42\n2.0,8532,1990,0,0,\n")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "STRANGE.csv").write_text("a\n1\n")
    report = load_csv_folder(con, tmp_path)
    assert con.execute("SELECT person_id, year_of_birth FROM person").fetchall() == [(1, 1980), (2, 1990)]
    assert report.loads[0].ignored == ("shoe_size",)
    assert report.skipped == [("STRANGE.csv", "not a table of CDM 5.4")]


def test_bad_rows_are_kept_aside_with_line_and_reason(con, tmp_path):
    rows = "1,8507,1980,0,0,\n2,8507,nineteen,0,0,\n,8507,1980,0,0,\n1,8507,1981,0,0,\n5,8507,1980.5,0,0,\n6,8507\n"
    (tmp_path / "person.csv").write_text(PERSON + rows)
    report = load_csv_folder(con, tmp_path)
    assert (report.rows_in, report.loaded, report.refused) == (6, 1, 5)
    told = {line: (field, reason, value) for _, line, field, reason, value in refused(con)}
    assert told == {
        3: ("year_of_birth", "is no whole number", "nineteen"),
        4: ("person_id", "is missing", None),
        5: ("person_id", "is used already", "1"),
        6: ("year_of_birth", "is no whole number", "1980.5"),
        7: ("year_of_birth", "is no record of the header's columns", told[7][2]),
    }
    assert save_refused(con, tmp_path / "refused.parquet") == 5
    assert "nineteen" in str(duckdb.sql(f"SELECT content FROM '{tmp_path / 'refused.parquet'}'").fetchall())


def test_repeated_event_keys_are_renumbered_and_counted(con, tmp_path):
    (tmp_path / "observation.tsv").write_text(
        "observation_id\tperson_id\tobservation_concept_id\tobservation_date\n"
        "7\t1\t4323208\t20100203\n7\t1\t4323208\t2010-02-04\n8\t1\t4323208\t2010-02-05 10:00:00\n"
    )
    report = load_csv_folder(con, tmp_path)
    assert report.renumbered == 1
    found = con.execute("SELECT observation_id, observation_date::VARCHAR FROM observation ORDER BY 2").fetchall()
    assert found == [(7, "2010-02-03"), (9, "2010-02-04"), (8, "2010-02-05")]


def test_a_folder_without_cdm_tables_is_a_problem(con, tmp_path):
    with pytest.raises(Problem) as problem:
        load_csv_folder(con, tmp_path)
    assert problem.value.code == "no-tables"


def test_gibleed_loads_whole(nation):
    """Eunomia's 5.3 file: every row is kept, repeated ids get their own, header-only tables are skipped."""
    report = json.loads((nation / "hospital-a" / "load.json").read_text(encoding="utf-8"))
    assert (report["rows_in"], report["loaded"], report["refused"]) == (411_134, 411_134, 0)
    drugs = next(load for load in report["loads"] if load["table"] == "drug_exposure")
    assert drugs["renumbered"] == 67_707 - 63_323
    assert {"name": "care_site", "reason": "empty: holds its header only"} in report["skipped"]
    con = open_cdm(nation / "hospital-a" / "cdm.duckdb")
    rows, keys = con.execute("SELECT count(*), count(DISTINCT drug_exposure_id) FROM drug_exposure").fetchall()[0]
    assert rows == keys > 0
    con.close()
