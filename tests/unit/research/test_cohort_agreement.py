"""The compiled query and the reference engine give the same cohort and frame on random data and queries."""

import math

import cohort_data
import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.research.cohort import compile, reference


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as made:
        yield made


def _same(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return left == right and type(left) is type(right)


def test_engines_agree(con):
    """Also counts how often there was something to agree on, so that the comparison cannot become empty."""
    found = []

    @settings(max_examples=35, deadline=None, derandomize=True)
    @given(data=cohort_data.data(), query=cohort_data.queries(), away=st.one_of(st.none(), st.just([1, 2])))
    def agree(data, query, away):
        cohort_data.load(con, data)
        gone = tuple(away or ())
        assert compile.cohort(con, query, away).to_pylist() == reference.cohort(data, query, gone)
        made, expected = compile.frame(con, query, away).to_pylist(), reference.frame(data, query, gone)
        found.append(len(expected))
        assert len(made) == len(expected)
        for left, right in zip(made, expected, strict=True):
            assert list(left) == list(right)
            assert all(_same(left[name], right[name]) for name in left), (left, right)

    agree()
    assert sum(count > 0 for count in found) > len(found) / 4
