"""Writes docs/attacks.md: each attack with its defence on, and with only that defence off. Run by `make docs`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "attacks"))

from federated_moves import MOVES  # noqa: E402
from strategies import STRATEGIES, Strategy, interval  # noqa: E402
from test_trust_and_grant import ATTACKS  # noqa: E402

from ansim.privacy.disclosure.policy import Policy  # noqa: E402

HEAD = """# Attacks and their positive controls

Each attack is played by `tests/attacks`. *Defence on*: what the software does. *That one defence off*: the same attack
with only the named defence switched off in the test. That shows that the test can fail, and that this defence is what
holds.

| attack | defence | defence on | that one defence off |
|---|---|---|---|
"""


MORE = """
These are played elsewhere, each with its control in the same test:

| attack | defence | where |
|---|---|---|
"""
DISCLOSURE, MAIL = "tests/attacks/test_disclosure_attacks.py", "tests/integration/exchange_life.py"
ROOMS = "tests/integration/holder_life.py"
ELSEWHERE = [
    ("two released tables that differ by one person", "comparison with all that was released", DISCLOSURE,
     "test_differencing_tables_by_one_person"),
    ("which rule stands behind a refusal", "one sentence for every reason", ROOMS, "refusals"),
    ("a round with a state of the centre's choice", "rounds in order, from the method's own start",
     ROOMS, "rounds"),
    ("a masked sum of fewer holders than were asked", "each that leaves signs that it does",
     ROOMS, "masked"),
    ("a replayed envelope", "each envelope is taken once", MAIL, "replayed"),
    ("stolen hub withholds a message", "a hole in the sender's numbers is noticed", MAIL, "holes"),
]  # fmt: skip


def more(what: str, defence: str, file: str, name: str) -> str:
    if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"):
        raise SystemExit(f"{file} has no {name}")
    return f"| {what} | {defence} | `{file}`: `{name}` |\n"


def row(attack) -> str:
    on = "succeeds" if attack.attempt() else "fails"
    with attack.without():
        without = "succeeds" if attack.attempt() else "fails"
    return f"| {attack.what} | {attack.defence} | {on} | {without} |\n"


FEDERATED = """
## Federated analyses

What a researcher, or the centre that combines the sums, could do to learn of one person
(`tests/attacks/federated_moves.py`). How often it is right of 12 tries, with the defence and with only that defence
off. Where a move says one of two things, half would be luck; with the defence on nothing comes out at all.

| move | defence | defence on | that one defence off |
|---|---|---|---|
"""
TRIES = 12
NOT_COVERED = """
Not covered: who knows everybody else exactly learns one person's outcome from a single exact model, as from any exact
statistic; a node that compares only tables (`federated_compare = "tables"`) lets the first move through; cohorts that
differ only by who has missing values are not told apart.
"""


def moved(move) -> str:
    on, off = (sum(move.right(seed, without) for seed in range(TRIES)) for without in (False, True))
    return f"| {move.what} | {move.defence} | {on} of {TRIES} | {off} of {TRIES} |\n"


FEASIBILITY = """
## Feasibility counts

Whoever knows everybody else asks, and then says whether one person has the attribute. Guessing is right 50 % of the
time. Each row is a strategy of `tests/attacks/strategies.py` with its number of questions: how often it is right (95 %
interval), the bound that the policy states for any strategy (`docs/privacy.md`), and how often it is right with one
defence off: *plain* is the rule of the field (hide below the threshold, round), *forgetful* has the noise but no
memory, *tireless* wears nobody out, *sharp* snaps at one exact distance. A refusal or a word for "too few" counts as
an answer.

| strategy | questions | right | bound | defence off | right then |
|---|---|---|---|---|---|
"""


def guesses(strategy: Strategy) -> str:
    tries = min(1000, 9000 // strategy.questions)
    shares = [strategy.right(range(5000, 5000 + tries), off) for off in ("", strategy.off)]
    shown = ["{:.0%} ({:.0%}-{:.0%})".format(hits / tries, *interval(hits, tries)) for hits in shares]
    bound = f"{strategy.most(Policy()):.0%}"
    return f"| {strategy.what} | {strategy.questions} | {shown[0]} | {bound} | {strategy.off} | {shown[1]} |\n"


if __name__ == "__main__":
    text = HEAD + "".join(map(row, ATTACKS)) + MORE + "".join(more(*each) for each in ELSEWHERE)
    text += FEDERATED + "".join(map(moved, MOVES)) + NOT_COVERED
    text += FEASIBILITY + "".join(map(guesses, STRATEGIES))
    (ROOT / "docs" / "attacks.md").write_text(text, encoding="utf-8")
