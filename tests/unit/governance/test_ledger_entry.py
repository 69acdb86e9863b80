"""What an entry commits to, and that the verifier's own canonical form is the house's."""

import hashlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import documents
from ansim.governance.ledger import entry

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = {
    "salt": bytes(range(32)),
    "stream": "agreement-1",
    "version": 1,
    "type": "agreement.signed",
    "at": "2026-01-05T09:00:00+09:00",
    "actor": "user-1",
    "data": {"party": "가나병원"},
}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUE)
def test_canonical_is_the_house_form(value):
    assert entry.canonical(value) == documents.canonical(value)
    assert entry.canonical(entry.parse(entry.canonical(value).decode())) == entry.canonical(value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e21, "1e+21"), (1e20, "100000000000000000000"), (1e-7, "1e-7"), (0.000001, "0.000001"), (-0.0, "0"),
        (333333333.33333329, "333333333.3333333"), (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (123.456, "123.456"), (1.0, "1"), (-1.5e-9, "-1.5e-9"),
    ],
)  # fmt: skip
def test_numbers_in_ecmascript_form(number, text):
    assert entry.canonical(number).decode() == text == documents.canonical(number).decode()


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, {1: "a"}, {"a": {1}}, "\ud800", b"x"])
def test_what_has_no_canonical_form(value):
    with pytest.raises(ValueError):  # noqa: PT011  the reasons differ, the kind does not
        entry.canonical(value)


def test_names_are_ordered_by_utf_16():
    assert entry.canonical({"\U0001f600": 1, "\ufb33": 2}) == documents.canonical({"\U0001f600": 1, "\ufb33": 2})


def test_commitment_is_the_stated_formula():
    content = {name: value for name, value in FIELDS.items() if name != "salt"}
    inner = hashlib.sha256(FIELDS["salt"] + documents.canonical(content)).digest()
    assert entry.commitment(**FIELDS) == hashlib.sha256(b"\x00" + inner).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"salt": bytes(32)}, {"stream": "x"}, {"version": 2}, {"type": "x"}, {"at": "x"}, {"actor": "x"},
        {"data": {"party": "다라병원"}}, {"data": None},
    ],
)  # fmt: skip
def test_every_field_is_committed_to(change):
    assert entry.commitment(**{**FIELDS, **change}) != entry.commitment(**FIELDS)


def test_a_short_salt_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        entry.commitment(**{**FIELDS, "salt": b"short"})


def test_a_repeated_name_is_refused():
    with pytest.raises(ValueError, match="twice"):
        entry.parse('{"a": 1, "a": 2}')
