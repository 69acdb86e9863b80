"""Tables over sites against plain Python over the pool."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.research.analysis import methods, sums, table

PERSON = st.tuples(
    st.sampled_from(["0-9", "10-19", "100-109", None]),
    st.sampled_from(["F", "M", None]),
    st.sampled_from([True, False]),
    st.sampled_from([None, 1.5, -2.0, 0.25]),
)


def frame(rows, start=0):
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    kinds = [pa.string(), pa.string(), pa.bool_(), pa.float64()]
    made = {"person_id": pa.array(range(start, start + len(rows)), pa.int64())}
    names = ("age_band", "sex", "ill", "heat")
    made |= {name: pa.array(values, kind) for name, values, kind in zip(names, columns, kinds, strict=True)}
    return pa.table(made)


def spec(kind="count", variable=None, rows=("age_band",), columns=("sex",), where=None):
    measure = {"kind": kind} | ({"variable": variable} if variable else {})
    return {"ansim": "table/1", "rows": list(rows), "columns": list(columns), "measure": measure, "where": where or {}}


def cells(result):
    return {(tuple(cell["row"]), tuple(cell["column"])): cell for cell in result["cells"]}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows=st.lists(PERSON, max_size=40), cut=st.integers(0, 40))
def test_two_sites_count_as_one_pool(rows, cut):
    sites = [frame(rows[:cut]), frame(rows[cut:], start=cut)]
    result = methods.run("table", sites, spec())
    expected = Counter(((band,), (sex,)) for band, sex, _, _ in rows)
    assert {key: cell["value"] for key, cell in cells(result).items() if cell["value"]} == dict(expected)
    assert result["people"] == len(rows)
    assert result == methods.run("table", [frame(rows)], spec())
    means = cells(methods.run("table", sites, spec("mean", "heat")))
    shares = cells(methods.run("table", sites, spec("share", "ill")))
    for key in expected:
        group = [row for row in rows if ((row[0],), (row[1],)) == key]
        known = [row[3] for row in group if row[3] is not None]
        assert (means[key]["people"], means[key]["missing"]) == (len(known), len(group) - len(known))
        assert means[key]["value"] == (pytest.approx(sum(known) / len(known)) if known else None)
        assert shares[key]["numerator"] == sum(row[2] for row in group)
        assert shares[key]["people"] == len(group)


def test_order_grid_and_totals():
    rows = [("100-109", "F", True, 1.5), ("0-9", "M", False, None), (None, "F", True, 1.5), ("10-19", "F", True, -2.0)]
    result = methods.run("table", [frame(rows)], spec())
    assert [cell["row"][0] for cell in result["cells"][::2]] == ["0-9", "10-19", "100-109", None]
    assert len(result["cells"]) == 8
    whole = methods.run("table", [frame(rows)], spec("sum", "heat", rows=(), columns=(), where={"ill": True}))
    assert whole["cells"] == [{"row": [], "column": [], "people": 3, "missing": 0, "value": 1.0}]


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        (spec(rows=("heat",)), "heat"),
        (spec("share", "heat"), "measure.variable"),
        (spec("mean", "sex"), "measure.variable"),
        (spec(rows=("person_id",)), "rows"),
        (spec(where={"ill": "yes"}), "where.ill"),
        (spec(where={"nobody": 1}), "where.nobody"),
        (spec() | {"extra": 1}, "extra"),
        (spec(rows=("sex",)), "rows"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(asked, where):
    with pytest.raises(Problem) as caught:
        methods.run("table", [frame([("0-9", "F", True, 1.5)])], asked)
    assert caught.value.where == where
    assert str(caught.value)


def test_two_rows_of_one_person_are_not_two_people():
    twice = frame([("0-9", "F", True, 1.5)] * 12).set_column(0, "person_id", pa.array([7] * 12))
    with pytest.raises(Problem) as caught:
        methods.run("table", [twice], spec())
    assert caught.value.code == "not-a-frame"


@pytest.mark.parametrize("harm", [{"people": 5}, {"counts": [[1], [1]]}, {"counts": []}])
def test_counts_that_do_not_fit_the_grid_are_refused(harm):
    data, state = table.prepare(frame([("0-9", "F", True, 1.5)]), spec()), table.initial_state(spec())
    state, _, _ = table.combine(sums.pool([table.local(data, spec(), state)]), spec(), state)
    with pytest.raises(Problem) as caught:
        table.combine(table.local(data, spec(), state) | harm, spec(), state)
    assert caught.value.code == "aggregate-shape"


def test_true_and_one_are_different_keys():
    assert sums.pool([{"union": {"k": [[True], [1], ["1"]]}}, {"union": {"k": [[1], [None]]}}]) == {
        "union": {"k": [[None], [True], [1], ["1"]]}
    }
