"""Writes docs/protection/carriers.md: for each carrier how often it is found, and how often honest files are suspected."""

# ruff: noqa: E501 (sentences of a page)

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "attacks"))

from carrier_rates import SEEDS, false_alarms, rates  # noqa: E402
from carriers import SIZES  # noqa: E402

HEAD = f"""# Carriers: how rows could be smuggled out in files, and how often that is found

Written by `python tools/carriers.py`; the carriers are in `tests/attacks/carriers.py`, and `tests/attacks/test_carriers.py` holds
the result. Each carrier writes {", ".join(map(str, SIZES))} random bytes into files that look like results, {SEEDS} times each, and reads
them back byte for byte: that positive control succeeded for every row below. Carriers and detectors are by the same
hands, so these rates say what happens to *these* carriers; another one can do better.

- *refused*: no person can wave it through. *pointed out*: refused, or a checker is told where to look.
- *left*: still readable after the step. A release carries names and bytes of files and nothing else; a *safe version* is what
  `ansim airlock check --safe` and the centre's button make.
- "–" stands for 0 %.

**No machine passes a file.** What is not pointed out still goes to two people; but nobody sees the last digit of a
coordinate. Whoever may write a program inside and bring out a hundred numbers can hide some bits in them: that is a
stated limit, held down by how few files and numbers a project needs and by its people being known and bound, not by these checks.
Tables with a specification are different: the centre makes them again itself, so only the choice of the table can say anything.

| carrier | refused at {" / ".join(map(str, SIZES))} bytes | pointed out | left in a release | left in a safe version | rules |
|---|---|---|---|---|---|
"""
HONEST = """
## Honest files

What the same checks say of honest outputs (generated; `figure.*` drawn by matplotlib). *unrounded.csv* is a table as pandas
writes it without rounding: a checker would send it back.

| file | tries | refused | something pointed out | rules |
|---|---|---|---|---|
"""


def percent(share: float) -> str:
    return f"{share:.0%}" if share else "–"


def three(shares: dict[int, float]) -> str:
    return " / ".join(percent(shares[size]) for size in SIZES)


def main() -> None:
    page = HEAD
    for one in rates():
        if set(one.control.values()) != {1.0}:
            raise SystemExit(f"{one.carrier.name} does not give its payload back")
        rules = ", ".join(f"`{rule}`" for rule in one.rules) or "none"
        page += f"| {one.carrier.name} | {three(one.refused)} | {three(one.seen)} | {three(one.released)} | {three(one.safe)} | {rules} |\n"
    page += HONEST
    for name, (tries, refused, seen, rules) in sorted(false_alarms().items()):
        listed = ", ".join(f"`{rule}`" for rule in rules) or "none"
        page += f"| {name} | {tries} | {percent(refused / tries)} | {percent(seen / tries)} | {listed} |\n"
    (ROOT / "docs" / "protection" / "carriers.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
