"""What ACRO 1.0.2 was measured to let pass, each with the rule that it has and ours: the people behind each cell.

The control of each is a rule on rows and numbers alone, as such tools have: it lets the disclosing number through.
"""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect, protect_linked
from ansim.privacy.disclosure.table import TOTAL, TableSpec, tabulate
from ansim.research.analysis import guard, methods

ASKER = Asker("mallory", "alpha")
POLICY = Policy()


def released(frame, spec, policy=POLICY):
    return protect(tabulate(frame, spec), policy)


def enough_rows(frame, by=None):
    """The threshold rule on rows: would it let every group pass?"""
    groups = frame.group_by(by).aggregate([("person_id", "count")])["person_id_count"] if by else [len(frame)]
    return all(int(str(n)) >= POLICY.threshold for n in groups)


@pytest.mark.parametrize("kind", ["min", "max"])
def test_extremes_of_a_group(kind):
    ages = [20 + n % 60 for n in range(199)] + [103]
    frame = pa.table({"person_id": range(200), "group": ["a", "b"] * 100, "age": ages})
    assert enough_rows(frame, "group")
    told = released(frame, TableSpec(("group",), (), kind, "age"))
    assert told.refused
    assert "extreme" in told.cells[("b",)].rules
    # a site may allow extremes that enough people share
    shared = pa.table({"person_id": range(60), "age": [18] * 20 + [50] * 20 + [90] * 20})
    policy = Policy(extremes="people")
    assert released(shared, TableSpec((), (), kind, "age"), policy).cells[()].text == ("18" if kind == "min" else "90")


def test_a_median_is_nobodys_own_value_and_rests_on_enough_people():
    income = [1000.0 + 7 * n for n in range(41)]
    frame = pa.table({"person_id": range(41), "income": income})
    told = released(frame, TableSpec((), (), "median", "income"), Policy(significant_digits=9)).cells[()].text
    assert abs(float(told) - 1140) < 10
    assert float(told) not in income
    few = pa.table({"person_id": range(15), "income": income[:15]})
    assert "extreme" in released(few, TableSpec((), (), "median", "income")).cells[()].rules
    assert "extreme" in released(frame, TableSpec((), (), "p95", "income")).cells[()].rules
    many = pa.table({"person_id": range(400), "income": [float(n) for n in range(400)]})
    assert released(many, TableSpec((), (), "p95", "income")).cells[()].text == "380"  # of ranks 375 to 384


def test_the_mean_of_twenty_equal_values():
    frame = pa.table({"person_id": range(20), "score": [3.0] * 20})
    assert enough_rows(frame)
    assert "all-same" in released(frame, TableSpec((), (), "mean", "score")).cells[()].rules


def test_a_group_that_is_positive_as_a_whole():
    positive = [True] * 30 + [True, False] * 20
    frame = pa.table({"person_id": range(70), "ward": ["a"] * 30 + ["b"] * 40, "positive": positive})
    assert enough_rows(frame, ["ward", "positive"])
    told = released(frame, TableSpec(("ward",), (), "share", "positive"))
    assert told.shares()[("a",)] is None
    assert "class-disclosure" in told.cells[("a", True)].rules


def test_twelve_rows_of_one_person():
    frame = pa.table({"person_id": [1] * 12 + list(range(100, 140)), "drug": ["x"] * 12 + ["y"] * 40})
    assert enough_rows(frame, "drug")
    assert "small-cell" in released(frame, TableSpec(("drug",), ())).cells[("x",)].rules


def test_two_tables_that_differ_by_eight_people():
    frame = pa.table({"person_id": range(100)})
    assert enough_rows(frame.slice(8))
    memory = Memory(ListStorage(), b"a node secret for tests", POLICY)
    seen = []
    for data in (frame, frame.slice(8)):
        table = tabulate(data, TableSpec((), ()), memory.codes)
        told = protect(table, POLICY, memory.for_asker(ASKER))
        memory.remember(table, told, ASKER, datetime(2026, 3, 2))
        seen.append(told.refused)
    assert seen == [False, True]


def logistic(frame, terms):
    spec = {
        "ansim": "model/1", "kind": "logistic", "outcome": "ill", "terms": [{"variable": name} for name in terms]
    }  # fmt: skip
    method = methods.method("logistic")
    state = method.initial_state(spec)
    return guard.admissible("logistic", method.prepare(frame, spec), spec, guard.Policy(), state)


def test_a_regression_with_a_dummy_for_one_person():
    rng = np.random.default_rng(1)
    columns = {"person_id": range(300), "ill": rng.random(300) < 0.4, "age": rng.normal(50, 10, 300)}
    frame = pa.table(columns | {"victim": [n == 0 for n in range(300)]})
    assert logistic(frame, ["age"]) == []  # the control: the same model without the dummy
    assert [one.code for one in logistic(frame, ["age", "victim"])] == ["few-in-part"]


def test_a_cell_hidden_in_one_table_is_not_given_back_by_another():
    """One table hides b beside the small c, the other hides a: together they show all but c, and the total."""
    counts = {("a", "F"): 45, ("a", "M"): 2, ("b", "F"): 30, ("b", "M"): 15, ("c", "F"): 2, ("c", "M"): 2}
    counts |= {("d", "F"): 3, ("d", "M"): 45}
    rows = [key for key, n in counts.items() for _ in range(n)]
    band, sex = zip(*rows, strict=True)
    frame = pa.table({"person_id": range(len(rows)), "band": band, "sex": sex})
    tables = [tabulate(frame, TableSpec(("band",), ())), tabulate(frame, TableSpec(("band",), ("sex",)))]
    policy = Policy(class_percent=100, rounding=1)

    def recovered(told):
        known = {}
        for table in told:
            known |= {key[0]: cell.n for key, cell in table.cells.items() if key[1:] in ((), (TOTAL,)) and cell.n}
        return known.get(TOTAL, 0) - sum(known[one] for one in "abd") if {"a", "b", "d", TOTAL} <= set(known) else None

    assert recovered([protect(table, policy) for table in tables]) == 4  # positive control: each for itself
    assert recovered(protect_linked(tables, policy)) is None


def test_fine_and_coarse_bands_of_linked_tables():
    """Bands of ten and of twenty years: the hidden fine cell follows from the coarse one less its neighbour."""
    ages = [20] * 6 + [30] * 40 + [40] * 50 + [50] * 60
    fine = [f"{age}-{age + 9}" for age in ages]
    coarse = ["20-39" if age < 40 else "40-59" for age in ages]
    frame = pa.table({"person_id": range(len(ages)), "ten": fine, "twenty": coarse})
    tables = [tabulate(frame, TableSpec((name,), ())) for name in ("ten", "twenty")]
    policy = Policy(rounding=1, class_percent=100)

    def recovered(told):
        cells = [told[1].cells[("20-39",)].n, told[0].cells[("30-39",)].n]
        return None if None in cells else cells[0] - cells[1]

    alone = [protect(tables[0], Policy(rounding=1, class_percent=100, secondary=False)), protect(tables[1], policy)]
    assert recovered(alone) == 6  # positive control
    told = protect_linked(tables, policy)
    assert recovered(told) is None
    small = told[0].cells[("20-29",)]
    assert small.marker == "<10"
    hidden_fine = {key for key in told[0].hidden if TOTAL not in key}
    assert len(hidden_fine) >= 2
