"""Output files that smuggle rows. Positive control: each carrier gives its payload back, byte for byte, from the files
as they were written. docs/protection/carriers.md has the rates; here stands what must not get worse."""

import random

import pytest
from carrier_rates import false_alarms, rate
from carriers import CARRIERS, SIZES, honest

from ansim.privacy.airlock.safe import make_safe
from ansim.privacy.disclosure.policy import Policy

# Carriers that no look at a single file finds; the page says so. A new rule that finds one takes it off this list.
NOT_FOUND = {
    "base32 in words of 12 letters",
    "capital first letters of words",
    "the fourth digit of estimates",
    "whether a rounded count is odd",
    "the order of rows",
    "numbers in the names of files",
    "the times of files",
    "a stream in a PDF that no page shows",
    "the lowest bit of pixels",
    "the last digits of coordinates",
    "the colours of bars",
}
ASKED = {
    "letters of another alphabet that look alike",
    "blanks at the ends of lines",
    "values in the names of columns",
    "the last digits of long decimals",
    "the names of files",
    "points of single people in an SVG",
    "a comment in an SVG",
}
BY_NAME = {carrier.name: carrier for carrier in CARRIERS}
REFUSED = sorted(set(BY_NAME) - NOT_FOUND - ASKED)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_each_carrier_works(name):
    """The positive control, and what a release does not carry along."""
    found = rate(BY_NAME[name], seeds=2)
    assert set(found.control.values()) == {1.0}
    assert set(found.released.values()) == {1.0 if BY_NAME[name].crosses else 0.0}


@pytest.mark.parametrize("name", REFUSED)
def test_some_rows_are_refused(name):
    assert rate(BY_NAME[name], sizes=(512,), seeds=3).refused == {512: 1.0}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_some_rows_are_pointed_out(name):
    assert rate(BY_NAME[name], sizes=(512,), seeds=3).seen == {512: 1.0}


@pytest.mark.parametrize("name", sorted(NOT_FOUND))
def test_what_is_said_not_to_be_found_is_not(name):
    """Kept true in this direction, too: a page that says less than it could is out of date."""
    assert set(rate(BY_NAME[name], seeds=2).seen.values()) == {0.0}


def test_no_honest_file_is_refused():
    found = false_alarms(seeds=15, plots=0)
    assert {name: refused for name, (_, refused, _, _) in found.items() if refused} == {}
    asked = {name for name, (tries, _, seen, _) in found.items() if seen == tries}
    assert asked == {"unrounded.csv"}  # which is what it is for


def test_safe_versions_of_honest_files_exist():
    for seed in range(5):
        for name, content in honest(random.Random(seed)).items():
            made = make_safe(name, content.encode() if isinstance(content, str) else content, Policy())
            assert made.content is not None, name


def test_sizes_reach_from_one_number_to_rows():
    assert (min(SIZES), max(SIZES)) == (8, 512)
