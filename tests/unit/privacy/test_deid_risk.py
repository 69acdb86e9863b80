"""Risk figures against plain counting."""

from collections import Counter, defaultdict

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.privacy.deid import risk

rows = st.lists(
    st.tuples(
        st.sampled_from(["F", "M", None]), st.one_of(st.none(), st.integers(20, 29)), st.sampled_from(["a", "b", None])
    ),
    min_size=1,
    max_size=40,
)
modest = settings(max_examples=30, deadline=None, derandomize=True)


def table(data) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    names, kinds = ("sex", "age", "illness"), (pa.string(), pa.int64(), pa.string())
    given_ = pa.table({n: pa.array([r[i] for r in data], k) for i, (n, k) in enumerate(zip(names, kinds, strict=True))})
    con.register("given", given_)
    con.execute("CREATE TABLE t AS SELECT row_number() OVER () AS id, * FROM given")
    con.unregister("given")
    return con


@modest
@given(rows)
def test_figures_equal_plain_counting(data):
    report = risk.report(table(data), "t", ["sex", "age"], ["illness"])
    classes = Counter((sex, age) for sex, age, _ in data)
    values = defaultdict(set)
    for sex, age, illness in data:
        values[sex, age] |= {illness} - {None}

    def alike(one, other):
        return all(x is None or y is None or x == y for x, y in zip(one, other, strict=True))

    assert report["people"] == len(data)
    assert report["k"] == min(classes.values())
    assert report["classes"] == len(classes)
    assert report["uniques"] == sum(size == 1 for size in classes.values())
    assert report["l"]["illness"] == min(max(len(found), 1) for found in (values[key] for key in classes))
    assert report["k_wildcard"] == min(sum(n for b, n in classes.items() if alike(a, b)) for a in classes)
    assert report["k_wildcard"] >= report["k"]
    assert report["prosecutor_highest"] == 1 / report["k"]
    assert report["marketer"] == pytest.approx(len(classes) / len(data))
    assert sum(step["people"] for step in report["distribution"]) == len(data)


def test_a_missing_value_is_not_a_dropped_row():
    con = table([("F", 20, "a"), ("F", 20, "b"), ("F", None, "a")])
    report = risk.report(con, "t", ["sex", "age"], policy={"k": 2})
    assert (report["k"], report["met"]) == (1, False)  # a tool that drops the row says 2
    assert report["reasons"] == ["k = 1 < 2"]


def test_people_are_counted_not_rows():
    con = duckdb.connect()
    con.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'F'), (1, 'F'), (2, 'M'), (3, 'M')) v(person_id, sex)")
    assert risk.report(con, "t", ["sex"])["k"] == 2
    counted = risk.report(con, "t", ["sex"], person="person_id")
    assert (counted["k"], counted["people"]) == (1, 3)


def test_nobody_is_never_safe():
    con = table([("F", 20, "a")])
    assert not risk.report(con, "(SELECT * FROM t WHERE false)", ["sex"], ["illness"], {"k": 2})["met"]
