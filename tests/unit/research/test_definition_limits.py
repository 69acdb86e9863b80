"""What is refused, what counts as empty, and the attrition: each against a control or the reference engine."""

import random

import definition_data
import duckdb
import pytest

from ansim.data.engine import DuckDB
from ansim.errors import Problem
from ansim.research.cohort.definition import attrition, consort, reference, run
from ansim.research.cohort.definition import model as m
from ansim.research.cohort.definition.explain import explain

DOSE = m.Criterion("drug_exposure", attributes=(("effective_dose", m.Range("gt", 1)),))


@pytest.fixture
def con():
    with duckdb.connect() as made:
        definition_data.load(made, definition_data.data(random.Random(1)))
        yield made


def of(criterion):
    members = (m.Member(m.Concept(1), descendants=True),)
    return m.Definition(m.Entry((criterion,)), sets=(m.ConceptSet(0, "a", members),))


@pytest.mark.parametrize(
    ("criterion", "where"),
    [
        (DOSE, "drug_exposure.effective_dose"),
        (m.Criterion("specimen", attributes=(("source_concepts", 0),)), "specimen.source_concepts"),
        (m.Criterion("specimen", adjust=m.Adjustment()), "specimen.adjust"),
        (
            m.Criterion("visit_occurrence", attributes=(("type", m.Listed((m.Concept(1),), exclude=True)),)),
            "visit_occurrence.type",
        ),
    ],
)  # fmt: skip
def test_what_circe_never_applies_is_refused_when_it_is_run(con, criterion, where):
    run.cohorts(DuckDB(con), [of(m.Criterion(criterion.domain))])  # the control
    with pytest.raises(Problem) as caught:
        run.cohorts(DuckDB(con), [of(criterion)])
    assert caught.value.where == where


def test_a_table_that_is_not_there_is_empty_and_named(con):
    definition = of(m.Criterion("condition_occurrence"))
    (before,) = run.cohorts(DuckDB(con), [definition])
    assert len(before)
    assert run.missing(DuckDB(con), [definition]) == []
    con.execute("DROP TABLE condition_occurrence")
    (after,) = run.cohorts(DuckDB(con), [definition])
    assert not len(after)
    assert run.missing(DuckDB(con), [definition]) == ["condition_occurrence"]


def test_concept_sets_need_the_vocabulary(con):
    definition = of(m.Criterion("condition_occurrence", concepts=0))
    run.cohorts(DuckDB(con), [definition])
    con.execute("DROP TABLE concept_ancestor")
    with pytest.raises(Problem) as caught:
        run.cohorts(DuckDB(con), [definition])
    assert (caught.value.code, caught.value.where) == ("no-vocabulary", "concept_ancestor")


def test_a_table_that_is_looked_into_must_be_there(con):
    definition = of(m.Criterion("condition_occurrence", attributes=(("age", m.Range("gte", 18)),)))
    run.cohorts(DuckDB(con), [definition])
    for table in ("person", "observation_period"):
        con.execute(f"DROP TABLE {table}")
        with pytest.raises(Problem) as caught:
            run.cohorts(DuckDB(con), [definition])
        assert (caught.value.code, caught.value.where) == ("no-table", table)
        con.execute(f"CREATE TABLE {table} (person_id BIGINT, year_of_birth BIGINT)")


def test_people_with_names_for_numbers_are_kept_as_they_are(con):
    definition = of(m.Criterion("condition_occurrence"))
    (numbers,) = run.cohorts(DuckDB(con), [definition])
    for table in ("condition_occurrence", "observation_period"):
        con.execute(f"ALTER TABLE {table} ALTER person_id TYPE VARCHAR USING 'p' || person_id")
    (names,) = run.cohorts(DuckDB(con), [definition])
    assert [f"p{row['person_id']}" for row in numbers.to_pylist()] == [row["person_id"] for row in names.to_pylist()]
    assert names.column("start_date") == numbers.column("start_date")


def test_attrition_is_the_references():
    seen = 0
    with duckdb.connect() as con:
        for seed in range(8):
            chance = random.Random(seed)
            data = definition_data.data(chance)
            definition_data.load(con, data)
            definition = definition_data.Maker(chance).definition()
            expected = reference.attrition(data, definition)
            steps = attrition.steps(DuckDB(con), definition)
            left = [(each.step, each.events, each.people) for each in steps]
            assert left[: len(expected)] == [(each.step, each.events, each.people) for each in expected] or not expected
            masks = attrition.masks(DuckDB(con), definition)
            qualified = [each for each in steps if each.step in ("entry", "where")][-1]
            assert sum(each.events for each in masks) == qualified.events
            assert sum(each.people for each in masks) == qualified.people
            whole = (1 << len(definition.rules)) - 1
            last = [each for each in steps if each.step != "limit"][-1]
            assert sum(each.events for each in masks if each.mask == whole) == last.events
            seen += bool(last.events)
            assert explain(definition, "ko")
            assert "<svg" in consort.figure(steps, "어떤 코호트", "ko")
    assert seen > 2
