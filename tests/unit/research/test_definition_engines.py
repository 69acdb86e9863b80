"""The compiled definition and the reference engine give the same rows on random data and definitions."""

import random

import definition_data
import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.data.engine import DuckDB
from ansim.research.cohort.definition import circe, circe_write, form, reference, run


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as made:
        yield made


def rows_of(engine, definition):
    (found,) = run.cohorts(engine, [definition])
    return found.to_pylist()


def test_engines_agree(con):
    """Also counts how often there was something to agree on, so that the comparison cannot become empty."""
    found = []

    @settings(max_examples=30, deadline=None, derandomize=True, database=None)
    @given(seed=st.integers(0, 1_000_000))
    def agree(seed):
        chance = random.Random(seed)
        data = definition_data.data(chance)
        definition_data.load(con, data)
        for _ in range(3):
            definition = definition_data.Maker(chance).definition()
            made = sorted(tuple(row.values()) for row in rows_of(DuckDB(con), definition))
            expected = reference.cohort(data, definition)
            found.append(len(expected))
            assert made == expected

    agree()
    assert sum(count > 0 for count in found) > len(found) / 4


def test_both_forms_carry_every_definition():
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(seed=st.integers(0, 1_000_000))
    def carried(seed):
        chance = random.Random(seed)
        definition = definition_data.Maker(chance).definition()
        assert circe.read(circe_write.write(definition)) == definition
        assert form.read(form.document(definition)) == definition

    carried()
