"""Writes docs/attacks.md: each attack with its defence on, and with only that defence off. Run by `make docs`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "attacks"))

from test_trust_and_grant import ATTACKS  # noqa: E402

HEAD = """# Attacks and their positive controls

Each attack is played by `tests/attacks`. *Defence on*: what the software does. *That one defence off*: the same attack
with only the named defence switched off in the test. That shows that the test can fail, and that this defence is what
holds.

| attack | defence | defence on | that one defence off |
|---|---|---|---|
"""


def row(attack) -> str:
    on = "succeeds" if attack.attempt() else "fails"
    with attack.without():
        without = "succeeds" if attack.attempt() else "fails"
    return f"| {attack.what} | {attack.defence} | {on} | {without} |\n"


if __name__ == "__main__":
    (ROOT / "docs" / "attacks.md").write_text(HEAD + "".join(map(row, ATTACKS)), encoding="utf-8")
