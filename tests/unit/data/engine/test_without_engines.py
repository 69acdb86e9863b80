"""People who are left out are in no answer, however a query reads the tables; everything else is as before."""

from datetime import date

import pytest
from sqlglot import exp

from ansim.data.engine import DuckDB, Without
from ansim.errors import Problem

QUERIES = {
    "a count": "SELECT count(*) FROM person",
    "a join": "SELECT p.person_id, count(*) FROM person p JOIN condition_occurrence c ON c.person_id = p.person_id "
    "GROUP BY p.person_id ORDER BY 1",
    "both sides of an outer join": "SELECT p.person_id, c.condition_concept_id FROM person p LEFT JOIN "
    "condition_occurrence AS c USING (person_id) ORDER BY 1, 2",
    "a subquery": "SELECT person_id FROM person WHERE person_id IN "
    "(SELECT person_id FROM condition_occurrence) ORDER BY 1",
    "a correlated one": "SELECT person_id FROM person p WHERE EXISTS (SELECT 1 FROM condition_occurrence c "
    "WHERE c.person_id = p.person_id) ORDER BY 1",
    "a named part": "WITH sick AS (SELECT * FROM condition_occurrence) SELECT count(*) FROM sick",
    "a named part called as a table": "WITH person AS (SELECT person_id FROM person) SELECT count(*) FROM person",
    "a union": "SELECT person_id FROM person UNION ALL SELECT person_id FROM condition_occurrence ORDER BY 1",
    "no person's table": "SELECT count(*) FROM concept_ancestor",
    "the same table twice": "SELECT count(*) FROM condition_occurrence a, condition_occurrence b",
}


@pytest.fixture
def cdm(small_cdm):
    made = small_cdm().people([(1, 1980, 8532), (2, 1950, 8507), (3, 1950, 8507)])
    made.conditions(
        [(1, 1, 40481087, date(2010, 1, 1)), (2, 2, 257012, date(2011, 1, 1)), (3, 2, 257012, date(2012, 2, 29))]
    )
    return made.con


def deleted(con, people):
    """The oracle: their rows are really gone."""
    for table in ("person", "condition_occurrence"):
        con.execute(f"DELETE FROM {table} WHERE person_id IN ({', '.join(map(str, people))})")
    return DuckDB(con)


@pytest.mark.parametrize("people", [[2], [1, 3], [1, 2, 3], [99]], ids=str)
def test_answers_are_those_of_data_without_them(cdm, engine_of, people):
    engine = engine_of(cdm)
    without = Without(engine, people)
    told = {name: without.rows(query) for name, query in QUERIES.items()}
    before = {name: engine.rows(query) for name, query in QUERIES.items()}
    oracle = deleted(cdm, people)
    assert told == {name: oracle.rows(query) for name, query in QUERIES.items()}
    assert (told != before) == (people != [99])


def test_a_tree_is_not_changed_and_tables_work_too(cdm):
    tree = exp.select("person_id").from_("person").order_by("person_id")
    before = tree.sql()
    without = Without(DuckDB(cdm), [2])
    assert without.table(tree).column("person_id").to_pylist() == [1, 3]
    assert tree.sql() == before
    assert without.columns() == DuckDB(cdm).columns()


def test_rows_of_nobody_stay_and_nobody_left_out_changes_nothing(cdm):
    cdm.execute("ALTER TABLE person ALTER person_id DROP NOT NULL")
    cdm.execute("INSERT INTO person (person_id, year_of_birth) VALUES (NULL, 1990)")
    assert Without(DuckDB(cdm), [1]).rows(QUERIES["a count"]) == [(3,)]
    assert Without(DuckDB(cdm), []).rows(QUERIES["a count"]) == [(4,)]


def test_what_cannot_be_read_is_refused(cdm):
    with pytest.raises(Problem) as refused:
        Without(DuckDB(cdm), [1]).rows("SELECT FROM WHERE")
    assert refused.value.code == "query-failed"
