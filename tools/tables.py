"""Writes docs/governance-tables.md from the code. `make docs` runs it; `make check` runs it with --check."""

import difflib
import importlib
import sys
from pathlib import Path

from ansim.governance import tables
from ansim.governance.clauses import CLAUSES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "governance-tables.md"


def missing_tests() -> list[str]:
    """Tests that a clause names and that are not there: a clause must not claim what nothing shows."""
    named = sorted({clause.test for clause in CLAUSES if clause.test})
    return [test for test in named if not _defined(*test.split("::"))]


def _defined(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and f"def {name}(" in path.read_text(encoding="utf-8")


def missing_controls() -> list[str]:
    """Controls that a clause names and that are not in the code."""
    named = sorted({clause.control for clause in CLAUSES if clause.control})
    return [name for name in named if not _exists(*name.split("."))]


def _exists(module: str, name: str) -> bool:
    return hasattr(importlib.import_module(f"ansim.governance.{module}"), name)


def main(arguments: list[str]) -> int:
    lost = missing_tests() + missing_controls()
    if lost:
        print("Clauses name what is not there:", *lost, sep="\n  ", file=sys.stderr)
        return 1
    new = tables.markdown()
    if "--check" not in arguments:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "in docs", "by the code"))
    if old != new:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run `make docs`.", file=sys.stderr)
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
