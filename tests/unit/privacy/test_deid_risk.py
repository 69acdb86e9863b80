"""Risk figures against plain counting, and the generalisation that reaches k."""

from collections import Counter, defaultdict

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
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


@modest
@given(rows, st.integers(2, 4))
def test_suppression_reaches_k_at_the_least_loss(data, k):
    con, ladder = table(data), (1, 5, 10, 0)
    try:
        outcome = risk.suppress_to_k(
            con, "t", ["sex", "age"], k=k, ladders={"age": ladder}, max_suppressed_permille=200, into="safe"
        )
    except Problem as problem:
        assert problem.code == "k-not-reached"  # noqa: PT017 (either outcome is checked)
        classes = Counter((sex, age is None) for sex, age, _ in data)  # the coarsest step
        assert sum(size for size in classes.values() if size < k) * 5 > len(data) or max(classes.values()) < k
        return
    left = risk.report(con, "safe", ["sex", "age"], policy={"k": k})
    assert left["met"]
    assert left["people"] + outcome["suppressed"] == len(data)
    assert outcome["suppressed"] * 5 <= len(data)
    ages = [age for _, age, _ in data if age is not None]
    span = max(ages) - min(ages) + 1 if ages else 0
    losses = []
    for width in ladder:
        groups = Counter((sex, None if age is None else age // width * width if width else 0) for sex, age, _ in data)
        small = sum(size for size in groups.values() if size < k) / len(data)
        wide = 0.0 if span <= 1 else 1.0 if width == 0 else min(1.0, (width - 1) / (span - 1))
        if small * 1000 <= 200 and small < 1:
            losses.append(small + (1 - small) * wide / 2)
    assert outcome["loss"] == pytest.approx(min(losses))
