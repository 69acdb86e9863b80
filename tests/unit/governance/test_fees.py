"""Quotes from fee schedules: by unit, free amounts, modes; wrong schedules named field by field; never open-ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.governance.fees import UNITS, check, counts, quote

APPLICATION = {
    "max_persons": 1200,
    "not_before": "2027-01-15",
    "not_after": "2027-07-14",
    "query": {"variables": [{"name": str(n)} for n in range(12)]},
    "people": [{"id": "a"}, {"id": "b"}],
    "modes": ["federated"],
}


def item(per, amount, **more):
    return {"id": per, "ko": "가", "en": "a", "per": per, "amount": amount, **more}


def schedule(*items):
    return {"currency": "KRW", "items": list(items)}


def test_each_unit_is_counted():
    assert counts(APPLICATION) == {"case": 1, "person": 1200, "variable": 12, "month": 6, "member": 2}
    assert counts({**APPLICATION, "not_after": "2027-07-15"})["month"] == 7
    assert counts({**APPLICATION, "not_after": "2027-01-20"})["month"] == 1


def test_a_quote_adds_up_and_says_how():
    found = quote(
        schedule(
            item("case", 500_000),
            item("person", 100, free=1000),
            item("variable", 10_000, free=20),
            item("month", 30_000, modes=["centre", "extract"]),
        ),
        APPLICATION,
    )
    assert [(line["per"], line["count"], line["sum"]) for line in found["lines"]] == [
        ("case", 1, 500_000),
        ("person", 1200, 20_000),
        ("variable", 12, 0),
    ]
    assert found["total"] == 520_000


def test_a_price_by_the_person_needs_a_most():
    with pytest.raises(Problem) as caught:
        quote(schedule(item("person", 1)), {**APPLICATION, "max_persons": None})
    assert caught.value.code == "no-limit"
    assert quote(schedule(item("case", 1)), {**APPLICATION, "max_persons": None})["total"] == 1


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ([], "fees"),
        ({"items": []}, "fees.currency"),
        (schedule({**item("case", 1), "per": "row"}), "fees.items.0.per"),
        (schedule(item("case", -1)), "fees.items.0.amount"),
        (schedule(item("case", 1.5)), "fees.items.0.amount"),
        (schedule(item("case", 1, free="x")), "fees.items.0.free"),
        (schedule(item("case", 1, modes=["magic"])), "fees.items.0.modes"),
        (schedule("case"), "fees.items.0"),
    ],
)
def test_a_wrong_schedule_names_its_field(bad, where):
    assert where in {problem.where for problem in check(bad)}


@given(st.lists(st.tuples(st.sampled_from(UNITS), st.integers(0, 10**9), st.integers(0, 2000)), max_size=8))
def test_no_quote_is_negative_and_every_line_is_in_the_total(rows):
    made = schedule(*(item(per, amount, free=free) for per, amount, free in rows))
    assert check(made) == []
    found = quote(made, APPLICATION)
    assert found["total"] == sum(line["sum"] for line in found["lines"])
    assert all(line["sum"] >= 0 for line in found["lines"])
