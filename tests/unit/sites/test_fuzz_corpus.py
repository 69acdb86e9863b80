"""Every input that fuzzing has kept is read or refused, and by none does a parser break; a broken parser is noticed."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import fuzz_targets  # noqa: E402

FILES = [(name, file) for name in fuzz_targets.TARGETS for file in sorted((fuzz_targets.CORPUS / name).iterdir())]


@pytest.mark.parametrize(("name", "file"), FILES, ids=[f"{name}-{file.name}" for name, file in FILES])
def test_a_kept_input_breaks_nothing(name, file):
    fuzz_targets.one(name, file.read_bytes())


@pytest.mark.parametrize("name", ["envelope", "ticket"])
def test_the_genuine_ones_are_read_to_the_end(name):
    file = next(file for kind, file in FILES if kind == name and file.name.startswith("genuine"))
    fuzz_targets.TARGETS[name](file.read_bytes())  # no Problem: so the others reach beyond the first check


def test_what_is_neither_read_nor_refused_counts_as_broken(monkeypatch):
    def broken(data: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setitem(fuzz_targets.TARGETS, "envelope", broken)
    with pytest.raises(KeyError):
        fuzz_targets.one("envelope", b"{}")
