"""Queries give the same cohorts and frames in DuckDB, PostgreSQL and Spark: those that plain Python says."""

import math
import random

import cohort_data
import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.research.cohort import compile, reference
from ansim.research.cohort import query as q

SPARKS = 2  # Spark takes seconds for each query


def _same(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right


def test_every_engine_gives_what_plain_python_gives(engine_of):
    data = cohort_data.made(random.Random(7))
    found = []
    with duckdb.connect() as con:
        cohort_data.load(con, data)
        engine = engine_of(con)

        @settings(
            max_examples=SPARKS if engine.dialect == "spark" else 40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # a server is too slow to look for the smallest case
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(query=cohort_data.queries(), away=st.one_of(st.none(), st.just([1, 2])))
        def agree(query, away):
            gone = tuple(away or ())
            assert compile.cohort(engine, query, away).to_pylist() == reference.cohort(data, query, gone)
            made, expected = compile.frame(engine, query, away).to_pylist(), reference.frame(data, query, gone)
            found.append(len(expected))
            assert len(made) == len(expected)
            for left, right in zip(made, expected, strict=True):
                assert list(left) == list(right)
                assert all(_same(left[name], right[name]) for name in left), (left, right)

        agree()
    assert sum(count > 0 for count in found) > len(found) / 4


def test_an_engine_without_people_is_refused(engine_of):
    query = q.Query(
        "물음", "A question", q.Cohort(q.Entry("condition", (1,))), q.Period(cohort_data.START, cohort_data.START)
    )
    with duckdb.connect() as con:
        con.execute("CREATE TABLE condition_occurrence (person_id BIGINT)")
        with pytest.raises(Problem) as refused:
            compile.cohort(engine_of(con), query)
    assert refused.value.code == "no-person"
