"""Tables, rules and suppression, against brute force and against pooled tables."""

import json
import random
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem, Problems
from ansim.privacy.disclosure.policy import Policy, strictest
from ansim.privacy.disclosure.protect import counts_as_data, counts_from_data, pool, protect, protect_counts, round_to
from ansim.privacy.disclosure.rules import extreme, model_rules
from ansim.privacy.disclosure.secondary import Pattern
from ansim.privacy.disclosure.table import TOTAL, TableSpec, tabulate

SPEC = TableSpec(("band",), ("sex",))
MODEST = settings(max_examples=15, deadline=None, derandomize=True)


def people_frame(counts, start=0, **extra):
    """One row a person for {(band, sex): n}."""
    keys = [key for key, n in counts.items() for _ in range(n)]
    data = {
        "person_id": pa.array(range(start, start + len(keys)), pa.int64()),
        "band": pa.array([key[0] for key in keys], pa.string()),
        "sex": pa.array([key[1] for key in keys], pa.string()),
    }
    return pa.table(data | extra)


def rules_at(released, key):
    return set(released.cells[key].rules)


def test_policy_round_trip_and_validation():
    policy = Policy(threshold=7, audience="organisation")
    assert Policy.from_data(policy.as_data()) == policy
    with pytest.raises(Problems) as failure:
        Policy(threshold=1, class_percent=50, zeros="maybe")
    assert len(failure.value.problems) == 3
    with pytest.raises(Problem, match="treshold"):
        Policy.from_data({"treshold": 3})


def test_strictest_takes_the_stricter_value_of_each_entry():
    merged = strictest([Policy(threshold=5, class_percent=95, zeros="show"), Policy(threshold=12, rounding=1)])
    assert (merged.threshold, merged.rounding, merged.class_percent, merged.zeros) == (12, 5, 90, "hide")
    with pytest.raises(Problem):
        strictest([])


@pytest.mark.parametrize(
    "broken",
    [
        {"ansim": "table/2"},
        {"ansim": "table/1", "rows": ["a"], "colums": []},
        {"ansim": "table/1", "rows": ["a", "a"]},
        {"ansim": "table/1", "rows": ["person_id"]},
        {"ansim": "table/1", "rows": ["a"], "measure": {"kind": "variance", "of": "x"}},
        {"ansim": "table/1", "rows": ["a"], "measure": {"kind": "sum"}},
        {"ansim": "table/1", "rows": list("abcde")},
        {"ansim": "table/1", "rows": "a"},
        {"ansim": "table/1", "where": {"a": [1]}},
        None,
    ],
)
def test_unsupported_specifications_are_named(broken):
    with pytest.raises(Problem):
        TableSpec.parse(broken)


def test_specification_round_trip():
    data = {
        "ansim": "table/1",
        "title": {"ko": "표"},
        "query": "ab",
        "rows": ["a"],
        "columns": ["b"],
        "measure": {"kind": "share", "of": "f"},
        "where": {"x": True},
    }
    spec = TableSpec.parse(data)
    assert spec.as_data() == data
    assert spec.dimensions == ("a", "b", "f")
    assert TableSpec.parse(spec.as_data()).digest == spec.digest


@MODEST
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["a", "b", None]), st.booleans(), st.integers(0, 5))))
def test_tabulate_equals_plain_counting(rows):
    ids, bands, sexes, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    frame = pa.table(
        {
            "person_id": pa.array(ids, pa.int64()),
            "band": pa.array(bands, pa.string()),
            "sex": pa.array(sexes, pa.bool_()),
            "v": pa.array(values, pa.int64()),
        }
    )
    table = tabulate(
        frame, TableSpec(("band",), ("sex",), "sum", "v"), lambda ids: np.array(ids.to_pylist(), np.uint32)
    )
    for band, sex in product([*{*bands}, TOTAL], [*{*sexes}, TOTAL]):
        mine = [row for row in rows if band in (row[1], TOTAL) and sex in (row[2], TOTAL)]
        cell = table.cells[(band, sex)]
        assert set(cell.people) == {row[0] for row in mine}
        assert cell.rows == len(mine)
        assert (cell.total or 0) == sum(row[3] for row in mine)


def test_where_filters_and_missing_columns_are_named():
    frame = people_frame({("30", "F"): 12, ("40", "F"): 15})
    table = tabulate(frame, TableSpec(("sex",), (), where=(("band", "40"),)))
    assert table.counts() == {("F",): 15, (TOTAL,): 15}
    with pytest.raises(Problem, match="income"):
        tabulate(frame, TableSpec(("income",), ()))
    with pytest.raises(Problem, match="not a number"):
        tabulate(frame, TableSpec((), (), "sum", "band"))


def test_a_category_named_like_the_margin_is_refused():
    with pytest.raises(Problem):
        tabulate(people_frame({("*", "F"): 12}), SPEC)


def test_twelve_rows_of_one_person_are_one_person():
    frame = pa.table({"person_id": [7] * 12 + list(range(100, 130)), "band": ["30"] * 12 + ["40"] * 30})
    released = protect(tabulate(frame, TableSpec(("band",), ())), Policy())
    assert released.cells[("30",)].marker == "<10"
    assert "rows-not-people" in {finding.rule for finding in released.findings}


def test_safe_table_is_shown_rounded():
    counts = {("30", "F"): 41, ("30", "M"): 38, ("40", "F"): 52, ("40", "M"): 63}
    released = protect(tabulate(people_frame(counts), SPEC), Policy())
    assert not released.hidden
    assert released.cells[("30", "M")].n == 40
    assert released.cells[(TOTAL, TOTAL)].n == 195


def test_one_small_cell_takes_three_companions():
    counts = {("30", "F"): 4, ("30", "M"): 38, ("40", "F"): 52, ("40", "M"): 63}
    released = protect(tabulate(people_frame(counts), SPEC), Policy(class_percent=100))
    assert released.cells[("30", "F")].text == "<10"
    assert "secondary" in rules_at(released, ("30", "M")) | rules_at(released, ("30", TOTAL))
    assert len(released.hidden) >= 4


def test_class_disclosure_hides_the_line():
    counts = {("30", "F"): 40, ("30", "M"): 0, ("40", "F"): 52, ("40", "M"): 63}
    shown = Policy(zeros="show")
    released = protect(tabulate(people_frame(counts), SPEC), shown)
    assert "class-disclosure" in rules_at(released, ("30", "F"))
    assert released.cells[("30", "M")].n is None


def test_share_protects_numerator_and_denominator():
    flags = [True] * 4 + [False] * 36 + [True] * 30 + [False] * 30
    frame = people_frame({("30", "F"): 40, ("40", "F"): 60}, flag=flags)
    released = protect(tabulate(frame, TableSpec(("band",), (), "share", "flag")), Policy())
    assert released.shares()[("30",)] is None
    alone = protect(tabulate(frame, TableSpec((), (), "share", "flag")), Policy())
    assert alone.shares()[()] == (35, 100)


@pytest.mark.parametrize(
    ("values", "rule"),
    [([1000.0] + [1.0] * 30, "dominance"), ([100.0, 90.0] + [0.1] * 30, "p-percent"), ([5.0] * 31, "all-same")],
)
def test_value_rules(values, rule):
    frame = pa.table({"person_id": list(range(len(values))), "v": values})
    released = protect(tabulate(frame, TableSpec((), (), "mean", "v")), Policy())
    assert rule in rules_at(released, ())
    assert released.refused


def test_mean_counts_only_people_with_a_value():
    frame = pa.table({"person_id": list(range(40)), "v": [1.0, 2.0, 3.0] * 3 + [None] * 31})
    assert "few-values" in rules_at(protect(tabulate(frame, TableSpec((), (), "mean", "v")), Policy()), ())
    frame = pa.table({"person_id": list(range(40)), "v": [1.0, 2.0, 3.0, 4.0] * 10})
    assert protect(tabulate(frame, TableSpec((), (), "mean", "v")), Policy()).cells[()].text == "2.5"


def test_extremes_and_models():
    assert extreme("max", 500, Policy()) is not None
    assert extreme("max", 500, Policy(extremes="people")) is None
    assert extreme("p95", 9, Policy()) is not None
    assert extreme("p95", 10, Policy()) is None
    assert [one.rule for one in model_rules(20, 12, 1, Policy())] == ["degrees-of-freedom", "small-group"]
    assert model_rules(200, 12, 30, Policy()) == []


def test_too_large_table_is_refused_with_its_size():
    with pytest.raises(Problem, match="9 cells"):
        protect(tabulate(people_frame({("30", "F"): 4, ("40", "M"): 3}), SPEC), Policy(max_cells=8))


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(["30", "40", "50"]), st.sampled_from(["F", "M", "X"])), st.integers(0, 40), min_size=1
)


@MODEST
@given(st.lists(COUNTS, min_size=1, max_size=3), st.sampled_from(["hide", "show"]))
def test_pooled_counts_release_as_pooled_people(sites, zeros):
    policy = Policy(zeros=zeros, class_percent=95)
    frames = [people_frame(counts, start=1000 * place) for place, counts in enumerate(sites)]
    travelled = [counts_from_data(counts_as_data(tabulate(frame, SPEC).counts())) for frame in frames]
    pooled = protect_counts(pool(travelled), SPEC, policy)
    whole = protect(tabulate(pa.concat_tables(frames), SPEC), policy)
    assert pooled.cells == whole.cells


@MODEST
@given(COUNTS)
def test_no_hidden_cell_follows_from_what_is_shown(counts):
    """Independent of the linear programme: walk from the true table along random legal moves and see it vary."""
    policy = Policy(class_percent=100)
    table = tabulate(people_frame(counts), SPEC)
    released = protect(table, policy)
    small = {key for key in released.hidden if released.cells[key].marker == "<10"}
    pattern = Pattern(table.counts(), table.categories, policy)
    for key in released.hidden:
        low, high = pattern.interval(key, small, released.hidden)
        assert high - low >= policy.threshold - 1 - 1e-6
        assert low <= table.cells[key].n <= high


def test_without_secondary_suppression_the_interval_is_one_point():
    counts = {("30", "F"): 4, ("30", "M"): 38, ("40", "F"): 52, ("40", "M"): 63}
    table = tabulate(people_frame(counts), SPEC)
    pattern = Pattern(table.counts(), table.categories, Policy())
    hidden = {("30", "F")}
    assert pattern.interval(("30", "F"), hidden, hidden) == (4, 4)


def test_intervals_equal_brute_force():
    """The linear programme against enumeration of every table that fits, on a 2 x 2 table with one margin hidden."""
    rng = random.Random(5)
    policy = Policy(threshold=4)
    for _ in range(20):
        cells = {key: rng.randrange(0, 7) for key in product("ab", "xy")}
        table = tabulate(people_frame(cells), SPEC)
        keys = list(table.cells)
        hidden = set(rng.sample(keys, min(len(keys), 4)))
        if not set(product("ab", "xy")) <= set(keys):
            continue
        small = {key for key in hidden if table.cells[key].n < 4}
        grid = np.indices((15,) * 4).reshape(4, -1)
        one = dict(zip(product("ab", "xy"), grid, strict=True))
        full = {
            key: sum(n for cell, n in one.items() if all(k in (c, TOTAL) for k, c in zip(key, cell, strict=True)))
            for key in keys
        }
        fit = np.ones(grid.shape[1], bool)
        for key in keys:
            fit &= (full[key] == table.cells[key].n) if key not in hidden else (full[key] < (4 if key in small else 99))
        fits = {key: full[key][fit] for key in hidden}
        pattern = Pattern(table.counts(), table.categories, policy)
        for key in hidden:
            low, high = pattern.interval(key, small, hidden)
            assert round(low) == min(fits[key])
            if high <= 14:
                assert round(high) == max(fits[key])


def test_rounding_and_hostile_counts():
    assert [round_to(n, 5) for n in (12, 13, 15)] == [10, 15, 15]
    assert [round_to(n, 10) for n in (14, 15)] == [10, 20]
    for bad in ({("30",): 3}, {("30", "F"): -1}, {("30", "F"): 1.5}, {("30", "F"): True}):
        with pytest.raises(Problem):
            protect_counts(bad, SPEC, Policy())
    with pytest.raises(Problem):
        protect_counts({}, TableSpec((), (), "sum", "v"), Policy())
    for bad in ([1], [[["a"]]], [[["a"], 1], [["a"], 2]], [[[["a"]], 1]]):
        with pytest.raises(Problem):
            counts_from_data(bad)


def test_categories_are_json_and_wrong_values_are_a_problem():
    frame = pa.table(
        {
            "person_id": pa.array(["a", "b"]).dictionary_encode(),
            "day": pa.array([0, None], pa.date32()),
            "v": [1.5, float("nan")],
        }
    )
    table = tabulate(frame, TableSpec(("day",), (), "sum", "v"))
    assert set(table.cells) == {("1970-01-01",), (None,), (TOTAL,)}
    assert (table.cells[(TOTAL,)].total, len(table.cells[(TOTAL,)].valued)) == (1.5, 1)
    json.dumps(protect(table, Policy()).as_data())
    with pytest.raises(Problem):
        tabulate(frame, TableSpec((), (), where=(("v", "abc"),)))
