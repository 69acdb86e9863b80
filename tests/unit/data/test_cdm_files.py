"""The CDM's tables as data and the life of its file."""

import duckdb
import pytest

from ansim.data.cdm import EVENTS, building_cdm, file_digest, open_cdm, tables
from ansim.errors import Problem


def test_the_specification_has_its_tables_and_keys():
    assert len(tables()) == 39
    assert {table.group for table in tables().values()} == {
        "clinical", "health_system", "cost", "derived", "metadata", "vocabulary", "results",
    }  # fmt: skip
    assert tables()["person"].key == "person_id"
    assert tables()["condition_occurrence"].column("condition_concept_id").references == "concept"
    assert not tables()["cost"].personal
    for event in EVENTS.values():
        for name in (event.concept, event.start, event.end, event.value):
            assert name is None or tables()[event.table].column(name)


def test_a_built_cdm_appears_whole(tmp_path):
    path = tmp_path / "site" / "cdm.duckdb"
    with building_cdm(path) as con:
        con.execute("INSERT INTO person (person_id, year_of_birth, gender_concept_id) VALUES (1, 1980, 8507)")
        assert not path.exists()
    con = open_cdm(path)
    assert con.execute("SELECT person_id FROM person").fetchall() == [(1,)]
    con.close()
    assert [file.name for file in path.parent.iterdir()] == ["cdm.duckdb"]
    assert len(file_digest(path)) == 64


def test_a_failed_build_leaves_the_earlier_version(tmp_path):
    path = tmp_path / "cdm.duckdb"
    with building_cdm(path):
        pass
    before = file_digest(path)
    with pytest.raises(duckdb.ConversionException), building_cdm(path) as con:
        con.execute("INSERT INTO person (person_id) VALUES (1), ('one')")
    assert file_digest(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["cdm.duckdb"]


def test_an_open_cdm_can_neither_write_nor_read_other_files(tmp_path):
    path, other = tmp_path / "cdm.duckdb", tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with building_cdm(path):
        pass
    con = open_cdm(path, threads=1, memory="500MB")
    for statement in (
        "INSERT INTO person (person_id) VALUES (1)",
        f"SELECT * FROM read_csv('{other}')",
        f"COPY person TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'new.duckdb'}'",
        f"ATTACH '{path}' AS again",
        "DETACH cdm",
        "SET enable_external_access = true",
        "SET memory_limit = '4GB'",
    ):
        with pytest.raises(duckdb.Error):
            con.execute(statement)
    con.close()
    # The control: without the settings the same file can be read.
    assert duckdb.connect().execute(f"SELECT * FROM read_csv('{other}')").fetchall() == [(1,)]


def test_one_process_may_open_a_cdm_many_times_with_its_own_limits(tmp_path):
    path = tmp_path / "cdm.duckdb"
    with building_cdm(path):
        pass
    first, second, third = open_cdm(path), open_cdm(path), open_cdm(path, threads=1, memory="300MB")
    for con in (first, second, third):
        assert con.execute("SELECT count(*) FROM person").fetchall() == [(0,)]
    assert third.execute("SELECT current_setting('threads')").fetchall() == [(1,)]
    first.close()
    assert second.execute("SELECT count(*) FROM person").fetchall() == [(0,)]
    # A new version may be published while readers hold the earlier one.
    with building_cdm(path) as con:
        con.execute("INSERT INTO person (person_id) VALUES (1)")
    assert second.execute("SELECT count(*) FROM person").fetchall() == [(0,)]
    fresh = open_cdm(path)
    assert fresh.execute("SELECT count(*) FROM person").fetchall() == [(1,)]


def test_what_is_no_cdm_is_refused(tmp_path):
    with pytest.raises(Problem) as missing:
        open_cdm(tmp_path / "none.duckdb")
    assert missing.value.code == "no-cdm"
    other = tmp_path / "other.duckdb"
    duckdb.connect(str(other)).close()
    with pytest.raises(Problem) as wrong:
        open_cdm(other)
    assert wrong.value.code == "not-a-cdm"
