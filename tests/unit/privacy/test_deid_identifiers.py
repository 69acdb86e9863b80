"""Patterns of direct identifiers: what is found, and what must not be."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.privacy.deid import identifiers


def found(value, *, numeric: bool = False) -> set[str]:
    conditions = identifiers.conditions("v", numeric=numeric)
    columns = ", ".join(f"coalesce({sql}, false)" for sql in conditions.values())
    kind = "BIGINT" if numeric else "VARCHAR"
    row = duckdb.execute(f"SELECT {columns} FROM (SELECT ?::{kind} AS v)", [value]).fetchall()[0]
    return {name for name, hit in zip(conditions, row, strict=True) if hit}


numbers = st.builds(
    lambda year, month, day, rest: f"{year:02}{month:02}{day:02}{rest:06}",
    st.integers(0, 99),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(100_000, 899_999),
)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(numbers)
def test_resident_numbers_of_all_forms(first12):
    digit = identifiers.check_digit(first12)
    full, foreigner, wrong = (f"{first12}{(digit + more) % 10}" for more in (0, 2, 5))
    assert "resident-number" in found(f"환자 {full}.") & found(foreigner) & found(f"{full[:6]}-{full[6:]}")
    assert found(int(full), numeric=True) == {"resident-number"}
    assert "resident-number" not in found(wrong)  # bare digits count only with their check digit
    assert found(int(wrong), numeric=True) == set()
    assert "resident-number" in found(f"{wrong[:6]}-{wrong[6:]}")  # given since October 2020: no check digit


def test_the_check_digit_of_a_number_worked_by_hand():
    # 8*2+0*3+0*4+1*5+0*6+1*7+1*8+2*9+3*2+4*3+5*4+6*5 = 122; 122 mod 11 = 1; (11 - 1) mod 10 = 0
    assert identifiers.check_digit("800101123456") == 0


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("010-1234-5678", {"phone"}),
        ("01012345678", {"phone"}),
        ("+82 10 1234 5678", {"phone"}),
        ("+82-10-1234-5678", {"phone"}),
        ("02-123-4567", {"phone"}),
        ("031) 123-4567", {"phone"}),
        ("hong.gildong@example.co.kr", {"email"}),
        ("d3b8fca6d5de3b24b2095c6bf28e144f", set()),
        ("2012-03-20", set()),
        ("120/80 mmHg", set()),
        ("Viral sinusitis", set()),
        ("0.0123456789", set()),
    ],
)
def test_phones_and_mail_and_what_only_looks_alike(text, kinds):
    assert found(text) == kinds
