"""One query, three engines, the same answer; nothing but a SELECT; stopped when told."""

import threading
from datetime import date, datetime

import pyarrow as pa
import pytest
from sqlglot import exp

from ansim.data.engine import DuckDB, answers, generate, open_engine
from ansim.errors import Problem

ENDLESS = (
    "SELECT count(*) FROM "
    + ", ".join(f"person p{place}" for place in range(30))
    + " WHERE "
    + " + ".join(f"p{place}.person_id" for place in range(30))
    + " = 60"
)


@pytest.fixture
def cdm(small_cdm):
    made = small_cdm().people([(1, 1980, 8532), (2, 1950, 8507), (3, 1950, 8507)])
    made.conditions(
        [(1, 1, 40481087, date(2010, 1, 1)), (2, 2, 257012, date(2011, 1, 1)), (3, 2, 0, date(2012, 2, 29))]
    )
    made.measurements([(1, 1, 3006322, date(2010, 1, 1), 36.5), (2, 2, 3006322, date(2010, 1, 2), None)])
    return made.con


def test_the_catalogue_of_types_is_the_same(cdm, engine_of):
    columns, here = engine_of(cdm).columns(), DuckDB(cdm).columns()
    assert columns["condition_occurrence"] == here["condition_occurrence"]
    assert columns["condition_occurrence"]["condition_start_date"] == "date"
    assert {table: list(found) for table, found in columns.items()} == {
        table: list(found) for table, found in here.items()
    }


def test_a_text_and_a_tree_give_the_same_rows_everywhere(cdm, engine_of):
    engine = engine_of(cdm)
    text = (
        "SELECT p.gender_concept_id, count(DISTINCT p.person_id), sum(p.year_of_birth), min(c.condition_start_date), "
        "max(date_diff('day', DATE '2010-01-01', c.condition_start_date)), "
        "count(*) FILTER (WHERE c.condition_concept_id = 0) / count(*) FROM person p "
        "LEFT JOIN condition_occurrence c USING (person_id) GROUP BY 1 ORDER BY 1"
    )
    assert engine.rows(text) == [
        (8507, 2, 5850, date(2011, 1, 1), 789, 1 / 3),
        (8532, 1, 1980, date(2010, 1, 1), 0, 0.0),
    ]
    tree = exp.select("person_id").from_("person").where("year_of_birth < 1980").order_by("person_id")
    assert engine.rows(tree) == [(2,), (3,)]


def test_a_table_keeps_types_nulls_and_hangul(cdm, engine_of):
    cdm.execute("UPDATE person SET person_source_value = '가나다, \"1\"' WHERE person_id = 1")
    cdm.execute("UPDATE person SET person_source_value = '' WHERE person_id = 2")
    cdm.execute(
        "UPDATE person SET person_source_value = NULL, birth_datetime = '1950-03-01 04:05:06' WHERE person_id = 3"
    )
    engine = engine_of(cdm)
    found = engine.table("SELECT person_id, person_source_value, birth_datetime FROM person ORDER BY 1")
    assert isinstance(found, pa.Table)
    assert found.column("person_source_value").to_pylist() == ['가나다, "1"', "", None]
    assert found.column("birth_datetime").to_pylist()[2] == datetime(1950, 3, 1, 4, 5, 6)
    assert engine.table("SELECT person_id FROM person WHERE person_id > 9").num_rows == 0


def test_only_one_select_is_run(cdm, engine_of):
    engine = engine_of(cdm)
    for text in ("DELETE FROM person", "SELECT 1; DROP TABLE person", "SELECT * FROM nowhere"):
        with pytest.raises(Problem) as caught:
            engine.rows(text)
        assert caught.value.code in {"not-a-select", "query-failed"}
    assert engine.rows("SELECT count(*) FROM person") == [(3,)]


def test_a_running_query_is_stopped_from_another_thread(cdm, engine_of):
    engine = engine_of(cdm)
    done = threading.Event()

    def cancel() -> None:
        while not done.wait(0.2):  # the first may come before the query has begun
            engine.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(Problem) as caught:
            engine.rows(ENDLESS)
    finally:
        done.set()
        thread.join()
    assert caught.value.code == "stopped"
    assert engine.rows("SELECT count(*) FROM person") == [(3,)]


def test_many_queries_report_and_stop(cdm):
    told = []
    queries = {"people": "SELECT count(*) FROM person", "rows": "SELECT count(*) FROM measurement"}
    assert answers(DuckDB(cdm), queries, progress=lambda *said: told.append(said)) == {"people": [(3,)], "rows": [(2,)]}
    assert told == [("people", 0.0), ("rows", 0.5)]
    with pytest.raises(Problem, match="Stopped"):
        answers(DuckDB(cdm), queries, stopped=lambda: bool(told))


def test_generation_is_in_the_engines_own_words():
    text = "SELECT count(*) FILTER (a IS NULL) FROM t"
    assert generate(text, "duckdb") == text
    assert (
        generate(exp.select("CAST(x AS DOUBLE)").from_("t"), "postgres") == "SELECT CAST(x AS DOUBLE PRECISION) FROM t"
    )


def test_settings_open_an_engine_or_say_what_is_wrong(postgres_dsn, tmp_path):
    engine = open_engine({"kind": "postgres", "dsn": postgres_dsn, "memory": "8MB"})
    assert engine.rows("SELECT 1") == [(1,)]
    engine.close()
    for settings, code in (
        ({"kind": "oracle"}, "unknown-engine"),
        ({"kind": "postgres", "dsn": "host=/nowhere"}, "no-postgres"),
        ({"kind": "duckdb", "file": "x"}, "engine-settings"),
        ({"path": str(tmp_path / "none.duckdb")}, "no-cdm"),
    ):
        with pytest.raises(Problem) as caught:
            open_engine(settings)
        assert caught.value.code == code
