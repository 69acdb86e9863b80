"""l, t, k-map, delta and the estimates against definitions worked out the long way."""

from collections import Counter, defaultdict
from math import exp, log

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ansim.errors import Problem
from ansim.privacy.deid import classes, population, risk

modest = settings(max_examples=25, deadline=None, derandomize=True)
VALUES = ("flu", "cold", "burn", "cut", "rash")
TREE = [{"map": {"flu": "infection", "cold": "infection", "burn": "injury", "cut": "injury", "rash": "skin"}}]
PARENT = TREE[0]["map"]
rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([*VALUES, None])), min_size=1, max_size=25
)
numbers = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 6).map(lambda n: n * n))),
    min_size=1,
    max_size=25,
)


def table(data, *names) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    columns = list(zip(*data, strict=True))
    con.register("given", pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)}))
    con.execute("CREATE TABLE t AS SELECT * FROM given")
    con.unregister("given")
    return con


def grouped(data) -> dict:
    found = defaultdict(Counter)
    for key, value in data:
        found[key][value] += 1
    return found


def emd(p: Counter, q: Counter, distance) -> float:
    """The transport problem itself, as a linear programme."""
    values = list(q)
    cost = [distance(x, y) for x in values for y in values]
    m, flow = len(values), []
    for i in range(m):
        flow.append([float(n // m == i) for n in range(m * m)])
    for j in range(m):
        flow.append([float(n % m == j) for n in range(m * m)])
    ends = [p[v] / p.total() for v in values] + [q[v] / q.total() for v in values]
    return linprog(cost, A_eq=flow, b_eq=ends).fun


def worst_t(data, distance) -> float:
    everybody = Counter(value for _, value in data)
    return max(emd(counts, everybody, distance) for counts in grouped(data).values())


def filled(counts: Counter) -> Counter:
    """The missing values as the most frequent known one."""
    known = Counter({v: n for v, n in counts.items() if v is not None})
    if counts[None] and known:
        known[max(known, key=known.get)] += counts[None]
    return known or counts


@modest
@given(rows)
def test_l_diversity_by_its_definitions(data):
    found = risk.report(table(data, "g", "ill"), "t", ["g"], ["ill"], {"recursive": {"c": 3, "l": 2}})
    groups = grouped(data).values()
    assert found["l"]["ill"] == min(max(len(set(c) - {None}), 1) for c in groups)
    entropies = [-sum(n / c.total() * log(n / c.total()) for n in c.values()) for c in map(filled, groups)]
    assert found["entropy_l"]["ill"] == pytest.approx(exp(min(entropies)))
    for c in (0.5, 1, 2, 3, 10):
        holds = all(
            ordered[0] < c * sum(ordered[1:]) for ordered in (sorted(filled(g).values(), reverse=True) for g in groups)
        )
        assert (found["recursive_c"]["ill"] < c) == holds


@modest
@given(rows)
def test_no_filling_in_of_missing_values_is_less_diverse(data):
    """Positive control of the worst case: any completion has at least the entropy reported."""
    worst = risk.report(table(data, "g", "ill"), "t", ["g"], ["ill"])["entropy_l"]["ill"]
    for value in VALUES:
        known = {v for _, v in data if v is not None}
        if value in known:
            full = [(g, value if v is None else v) for g, v in data]
            assert risk.report(table(full, "g", "ill"), "t", ["g"], ["ill"])["entropy_l"]["ill"] >= worst - 1e-9


@modest
@given(rows)
def test_t_with_equal_and_hierarchical_distance_is_the_transport_problem(data):
    def apart(x, y):
        if x == y:
            return 0.0
        return 0.5 if x and y and PARENT[x] == PARENT[y] else 1.0

    con = table(data, "g", "ill")
    if all(v is None for _, v in data):
        con.execute("ALTER TABLE t ALTER ill TYPE VARCHAR")
    equal = risk.report(con, "t", ["g"], {"ill": "equal"})["t"]["ill"]
    assert equal == pytest.approx(worst_t(data, lambda x, y: float(x != y)), abs=1e-9)
    tree = risk.report(con, "t", ["g"], {"ill": TREE})["t"]["ill"]
    assert tree == pytest.approx(worst_t(data, apart), abs=1e-9)
    assert tree <= equal + 1e-12


@modest
@given(numbers)
def test_t_with_ordered_distance(data):
    """Exact without missing values; with them never below the transport problem with missing at distance 1."""
    occurring = sorted({v for _, v in data if v is not None})
    rank = {v: i / max(len(occurring) - 1, 1) for i, v in enumerate(occurring)}

    def apart(x, y):
        return float(x is not y) if x is None or y is None else abs(rank[x] - rank[y])

    con = table(data, "g", "v")
    found = risk.report(con, "t", ["g"], {"v": "ordered"})["t"]["v"]
    exact = worst_t(data, apart)
    if all(v is not None for _, v in data):
        assert found == pytest.approx(exact, abs=1e-9)
    else:
        assert found >= exact - 1e-9


def test_the_worked_example_of_the_article():
    """Li et al. 2007, section 5: salaries 3..11 k; EMD({3,4,5}) = 0.375 and EMD({6,8,11}) = 0.167 by rank."""
    salaries = [("a", 3), ("a", 4), ("a", 5), ("b", 6), ("b", 11), ("b", 8), ("c", 7), ("c", 9), ("c", 10)]
    con = table(salaries, "g", "v")
    cells = [
        risk.report(con, f"(SELECT * FROM t WHERE g = '{g}' OR true)", ["g"], {"v": "ordered"})["t"]["v"] for g in "a"
    ]
    assert cells == [pytest.approx(0.375)]
    only_b = con.execute("UPDATE t SET g = 'x' WHERE g <> 'b'") and risk.report(con, "t", ["g"], {"v": "ordered"})
    assert only_b["t"]["v"] == pytest.approx(0.1667, abs=1e-4)


def test_people_with_several_rows_count_once_for_l_and_t():
    con = table([("p", "a", "flu"), ("p", "a", "flu"), ("q", "a", "cut"), ("r", "b", "flu"), ("r", "b", "cut")],
                "id", "g", "ill")  # fmt: skip
    found = risk.report(con, "t", ["g"], {"ill": "equal"}, person="id")
    assert (found["people"], found["k"], found["l"]["ill"], found["t"]["ill"]) == (3, 1, 2, 0.0)


def test_many_columns_whose_codes_do_not_fit_one_number():
    rng = np.random.default_rng(5)
    data = {f"c{n}": rng.integers(0, 5, 500) * 10**9 for n in range(9)} | {f"d{n}": np.zeros(500) for n in range(3)}
    wide = {
        name: np.where(rng.random(500) < 0.99, column, -column - n) for n, (name, column) in enumerate(data.items())
    }
    con = duckdb.connect()
    con.register("t", pa.table(wide))
    columns = [classes.encode(pa.array(column)) for column in wide.values()]
    big = [classes.Column(column.codes, 1 << 40, column.values) for column in columns]
    keys, room = classes.pack(big)
    assert room < 1 << 62
    expected = Counter(zip(*(column.tolist() for column in wide.values()), strict=True))
    assert sorted(classes.count(keys, room).sizes.tolist()) == sorted(expected.values())
    who = classes.Column(np.arange(500) // 2 + 1, 1 << 40, None)
    pairs = {(key, person // 2) for person, key in enumerate(zip(*(c.tolist() for c in wide.values()), strict=True))}
    once = classes.count(classes.people(keys, room, who), room).sizes
    assert sorted(once.tolist()) == sorted(Counter(key for key, _ in pairs).values())


def test_not_a_number_is_missing_and_dates_are_values():
    con = duckdb.connect()
    con.execute(
        """CREATE TABLE t AS SELECT * FROM (VALUES ('nan'::DOUBLE, DATE '2020-01-01'), (NULL, DATE '2020-01-01'),
        (1.5, NULL), (1.5, NULL)) v(x, d)"""
    )
    found = risk.report(con, "t", ["x", "d"])
    assert (found["k"], found["k_wildcard"], found["classes"]) == (2, 4, 2)


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(Problem, match="no column height"):
        risk.report(table([("a", 1)], "g", "v"), "t", ["g", "height"])


# --- populations -----------------------------------------------------------------------------------------


@modest
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=30))
def test_k_map_journalist_and_delta_by_counting(data):
    con = table(data, "g", "chosen")
    whole = Counter(g for g, _ in data)
    part = Counter(g for g, chosen in data if chosen)
    found = risk.report(con, "(SELECT * FROM t WHERE chosen)", ["g"], population="t", policy={"k_map": 3})["population"]
    if not part:
        assert found["k_map"] == 0
        return
    assert found["k_map"] == min(whole[g] for g in part)
    assert found["journalist_highest"] == 1 / found["k_map"]
    assert found["journalist_marketer"] == pytest.approx(sum(part[g] / whole[g] for g in part) / part.total())
    assert found["population_uniques"] == sum(whole[g] == 1 for g in part)
    assert found["delta"] == [min(part[g] / whole[g] for g in whole), max(part[g] / whole[g] for g in whole)]


def test_a_sample_of_strangers_is_refused_and_policies_are_judged():
    con = table([("a", 1), ("a", 2), ("b", 3)], "g", "v")
    with pytest.raises(Problem, match="population does not have"):
        risk.report(con, "(SELECT 'z' AS g)", ["g"], population="t")
    wanted = {"k": 1, "k_map": 2, "delta": [0, 0.4]}
    found = risk.report(con, "(SELECT * FROM t LIMIT 1)", ["g"], population="t", policy=wanted)
    assert found["reasons"] == ["delta = 0.000 to 0.500, not within 0 to 0.4"]
    assert not risk.report(con, "t", ["g"], policy={"k": 1, "k_map": 2})["met"]  # no population: not known, so not met


def _seats(alpha: float, theta: float, people: int, rng) -> np.ndarray:
    """Class of each person by Pitman's process, one person after the other."""
    sizes: list[int] = []
    found = []
    for n in range(people):
        if rng.random() < (theta + alpha * len(sizes)) / (theta + n):
            sizes.append(0)
            found.append(len(sizes) - 1)
        else:
            weights = np.array(sizes) - alpha
            found.append(int(rng.choice(len(sizes), p=weights / weights.sum())))
        sizes[found[-1]] += 1
    return np.array(found)


def test_pitman_finds_the_uniques_of_a_population_drawn_by_it():
    rng = np.random.default_rng(7)
    everybody = _seats(0.5, 20.0, 4000, rng)
    sample = rng.choice(everybody, 800, replace=False)
    truth = sum(n == 1 for n in Counter(everybody.tolist()).values())
    frequencies = Counter(Counter(sample.tolist()).values())
    assert population.pitman(frequencies, 4000) == pytest.approx(truth, rel=0.25)
    naive = frequencies[1]
    assert abs(population.pitman(frequencies, 4000) - truth) < abs(naive - truth)
    found = population.estimate(frequencies, 4000)
    assert 0 < found["share_of_uniques"] <= 1


def test_zayatz_on_a_sample_of_nearly_everybody():
    rng = np.random.default_rng(3)
    everybody = rng.integers(0, 900, 2000)
    sample = rng.choice(everybody, 1800, replace=False)
    truth = sum(n == 1 for n in Counter(everybody.tolist()).values())
    frequencies = Counter(Counter(sample.tolist()).values())
    assert population.zayatz(frequencies, 2000) == pytest.approx(truth, rel=0.15)
    assert population.zayatz(frequencies, 1800) == pytest.approx(frequencies[1])  # everybody is in the sample


def test_estimates_of_edges():
    assert population.estimate({2: 5}, 100)["uniques"] == 0
    assert population.estimate({1: 3}, 100)["pitman"] is None
    with pytest.raises(Problem, match="cannot have a sample"):
        population.estimate({1: 3}, 2)
