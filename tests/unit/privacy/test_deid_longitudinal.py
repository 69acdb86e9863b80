"""Visits over time as quasi-identifiers, against counting by hand."""

import datetime as dt
from itertools import combinations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.privacy.deid import longitudinal, risk

START = dt.date(2020, 1, 1)
rows = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 40), st.sampled_from(["A", "B", None])), min_size=1, max_size=25
)


def table(data) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    people, days, codes = zip(*data, strict=True)
    dates = [START + dt.timedelta(days=day) for day in days]
    con.register("given", pa.table({"p": people, "day": dates, "code": pa.array(codes, pa.string())}))
    con.execute("CREATE TABLE v AS SELECT * FROM given")
    con.unregister("given")
    return con


def events(data, gap, shifted) -> dict[int, set]:
    first = {p: min(day for q, day, _ in data if q == p) for p, _, _ in data}
    found: dict[int, set] = {}
    for p, day, code in data:
        offset = (dt.date(2020, 1, 1) - dt.date(1900, 1, 1)).days
        found.setdefault(p, set()).add(((day - first[p]) // gap if shifted else (day + offset) // gap, code))
    return found


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows, st.sampled_from([1, 7]), st.booleans(), st.sampled_from([1, 2]))
def test_known_events_by_counting(data, gap, shifted, m):
    held = events(data, gap, shifted)
    found = longitudinal.known_events(
        table(data), "v", person="p", date="day", codes=["code"], m=m, gap=gap, shifted=shifted
    )
    sizes, singled = [], set()
    for p, items in held.items():
        for known in combinations(sorted(items, key=str), min(m, len(items))):
            size = sum(set(known) <= other for other in held.values())
            sizes.append(size)
            if size == 1:
                singled.add(p)
    assert (found["people"], found["k"], found["singled_out"]) == (len(held), min(sizes), len(singled))


def test_a_date_shift_hides_dates_and_keeps_the_course():
    """Three people with the same intervals are alike however their dates moved; one with another interval is not."""
    con = table(
        [(1, 0, "A"), (1, 7, "B"), (2, 5, "A"), (2, 12, "B"), (3, 9, "A"), (3, 16, "B"), (4, 0, "A"), (4, 8, "B")]
    )
    moved = risk.report(con, longitudinal.courses("v", person="p", date="day", codes=["code"]), ["course"])
    assert moved["distribution"] == [{"size": 1, "classes": 1, "people": 1}, {"size": 3, "classes": 1, "people": 3}]
    plain = risk.report(
        con, longitudinal.courses("v", person="p", date="day", codes=["code"], shifted=False), ["course"]
    )
    assert plain["uniques"] == 4
    wide = risk.report(con, longitudinal.courses("v", person="p", date="day", codes=["code"], gap=14), ["course"])
    assert wide["k"] == 4


def test_three_known_events_are_refused():
    with pytest.raises(Problem, match="one or two"):
        longitudinal.known_events(table([(1, 0, "A")]), "v", person="p", date="day", m=3)
