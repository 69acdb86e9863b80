"""Pseudonyms, serials and shifts: what two projects, two uses and two registers may have in common."""

import hashlib
import hmac

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.privacy.deid import keys

SECRETS = st.binary(min_size=32, max_size=32)
IDS = st.lists(st.one_of(st.integers(0, 10**15), st.text(min_size=1, max_size=20)), min_size=1, max_size=30)
modest = settings(max_examples=60, deadline=None, derandomize=True)


@modest
@given(SECRETS, IDS)
def test_pseudonyms_are_the_standards_hmac_and_one_a_person(secret, ids):
    key = keys.derive(secret, "pseudonym")
    found = keys.pseudonyms(secret, ids + ids)
    assert found[: len(ids)] == found[len(ids) :]
    assert found[: len(ids)] == [hmac.new(key, str(i).encode(), hashlib.sha256).hexdigest()[:32] for i in ids]
    assert len(set(found)) == len({str(i) for i in ids})


@modest
@given(st.lists(SECRETS, min_size=2, max_size=2, unique=True), IDS)
def test_two_projects_never_join_and_two_uses_neither(secrets, ids):
    one, other = (set(keys.pseudonyms(secret, ids)) for secret in secrets)
    assert not one & other
    assert not one & set(keys.serials(secrets[0], ids))


@modest
@given(SECRETS, IDS, st.integers(1, 400))
def test_shifts_are_never_zero_never_wider_and_the_same_for_a_person(secret, ids, days):
    shifts = keys.date_shifts(secret, ids, days)
    assert shifts == keys.date_shifts(secret, [str(i) for i in ids], days)
    assert all(1 <= abs(shift) <= days for shift in shifts)


def test_shifts_are_spread_evenly():
    shifts = np.array(keys.date_shifts(b"k" * 32, range(40_000), days=10))
    values, counts = np.unique(shifts, return_counts=True)
    assert values.tolist() == [*range(-10, 0), *range(1, 11)]
    assert (abs(counts - 2000) < 250).all()  # more than five standard deviations


def test_lists_numpy_and_arrow_give_the_same():
    ids = [5, 7, 5]
    expected = keys.pseudonyms(b"k" * 32, ids)
    assert keys.pseudonyms(b"k" * 32, np.array(ids)) == expected
    assert keys.pseudonyms(b"k" * 32, pa.array(ids)) == expected
    assert keys.pseudonyms(b"k" * 32, pa.chunked_array([ids[:2], ids[2:]])) == expected


@pytest.mark.parametrize("secret", [None, b"", b"short", "k" * 32])
def test_a_destroyed_secret_gives_nothing(secret):
    for make in (keys.pseudonyms, keys.serials, keys.date_shifts):
        with pytest.raises(Problem) as caught:
            make(secret, [1])
        assert caught.value.code == "no-secret"


@pytest.mark.parametrize("wrong", [None, 1.5, True, ""])
def test_what_is_no_id_is_refused(wrong):
    with pytest.raises(Problem) as caught:
        keys.pseudonyms(b"k" * 32, [wrong])
    assert caught.value.code == "not-an-id"
