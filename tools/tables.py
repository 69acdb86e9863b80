"""Writes the pages of docs/ that are made from the code. `make docs` runs it; `make check` runs it with --check."""

import csv
import difflib
import importlib
import sys
from pathlib import Path

import interface

from ansim.governance import rules, tables
from ansim.governance.clauses import CLAUSES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CASES = ROOT / "tests" / "unit" / "governance"


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


def rules_page() -> str:
    """Every rule with its editions, and the golden cases that the tests hold the engine to."""
    lines = [
        "# Rules and golden cases",
        "",
        "Generated from the rule packs and the tables that the tests read; do not edit. **This is no legal advice.**",
        f"Tags: {'; '.join(f'{tag}, {meaning}' for tag, meaning in rules.TAGS.items())}.",
        "`ansim rules at DAY`, `rules diff DAY DAY` and `rules route FACTS --on DAY` say the same for any day.",
        "",
        "| rule | edition | in force | says | source | tag |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for rule in sorted(rules.packs(), key=lambda rule: (rule["id"], rule["from"])):
        until = rule["to"].isoformat() if "to" in rule else ""
        says = "<br>".join(rule["title"][language] for language in ("en", "ko"))
        source = f"{rule['source']} {rule['article']}"
        cells = (rule["id"], rule["edition"], f"{rule['from']} – {until}", says, source, rule["tag"])
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## Routes",
        "",
        "The plain case: research without consent, on human subjects, one holder, nothing linked, no special category,",
        "no genome, text, image or patient number, a closed environment. A row says what differs. `BLOCK` forbids the",
        "case as it is, `IF` is a condition, `ASK` must be found out before there is a verdict, `@` names the edition.",
        "",
        *_table(CASES / "golden_cases.csv"),
        "",
        "## Risk tiers",
        "",
        *_table(CASES / "golden_tiers.csv"),
    ]
    return "\n".join(lines) + "\n"


def _table(path: Path) -> list[str]:
    with open(path, encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


PAGES = {"governance-tables.md": tables.markdown, "rules.md": rules_page, "api.md": interface.page}


def main(arguments: list[str]) -> int:
    lost = missing_tests() + missing_controls()
    if lost:
        print("Clauses name what is not there:", *lost, sep="\n  ", file=sys.stderr)
        return 1
    return max(_page(DOCS / name, make(), check="--check" in arguments) for name, make in PAGES.items())


def _page(path: Path, new: str, *, check: bool) -> int:
    if not check:
        path.write_text(new, encoding="utf-8")
        return 0
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "in docs", "by the code"))
    if old != new:
        print(f"{path.relative_to(ROOT)} is out of date: run `make docs`.", file=sys.stderr)
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
