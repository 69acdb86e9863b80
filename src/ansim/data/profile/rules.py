"""What of a count may be told: the rules that let a profile be published.

- A number of people below the threshold is not told, nor anything told about them; other numbers are rounded to the
  base, each by itself, never to below the threshold. So a total next to its parts need not be their sum, and the
  difference gives nothing exact (a base below 3 would leave some numbers to one count alone, and is refused).
- Parts of a whole (each person in one part): the hidden parts, together with the people in no part, cover the threshold
  or nobody; else one more part is hidden. So whole less visible parts tells of no fewer people than the threshold.
- A row that is not there stands for nobody or for too few people: absence tells nothing.

See Hundepool et al., Statistical Disclosure Control (Wiley 2012), chapter 4, for small cells, rounding and margins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ansim.errors import N_, Problem

SMALLEST_BASE = 3  # then at least two counts are told as the same number, also next to the threshold
SIGNIFICANT = 3  # digits of a range's end
Key = TypeVar("Key")


@dataclass(frozen=True)
class Rule:
    """threshold: fewest people behind a number. base: of the rounding. Raises Problem if they would protect nobody."""

    threshold: int
    base: int

    def __post_init__(self) -> None:
        if self.threshold < 2 or self.base < SMALLEST_BASE:
            raise Problem(
                "bad-threshold",
                N_("The threshold must be at least 2 and the rounding base at least {base}."),
                where="policy",
                base=SMALLEST_BASE,
            )

    def told(self, count: int) -> int | None:
        return protected(count, self.threshold, self.base)

    def row(self, people: int, records: int) -> dict[str, int | None]:
        """{people, records}: records are only told where the people behind them are."""
        told = self.told(people)
        return {"people": told, "records": None if told is None else self.told(records)}

    def parts(self, cells: Mapping[Key, int], whole: int) -> dict[Key, int]:
        """The parts of a whole that may be told, rounded; the others are left out. Each person is in one part or none.

        whole: exact people, those of no part included.
        """
        hidden = hide_together(cells, self.threshold, rest=max(0, whole - sum(cells.values())))
        return {key: number for key in cells if key not in hidden if (number := self.told(cells[key])) is not None}

    def apart(self, *sides: int) -> bool:
        """Whether the sides of a division may be told: each of nobody or of enough people."""
        return all(side == 0 or side >= self.threshold for side in sides)


def protected(count: int, threshold: int, base: int) -> int | None:
    """None below the threshold, else the nearest multiple of base, but no multiple below the threshold."""
    if count < threshold:
        return None
    return max((2 * count + base) // (2 * base), -(-threshold // base)) * base


def hide_together(cells: Mapping[Key, int], threshold: int, *, rest: int = 0) -> set[Key]:
    """Which parts of a whole to hide: those below the threshold, and the smallest others until the hidden are enough.

    rest: people of the whole in none of the parts; they are hidden with them. Without the second step a whole less its
    visible parts would tell a hidden count.
    """
    hidden = {key for key, people in cells.items() if people < threshold}
    behind = rest + sum(cells[key] for key in hidden)
    for key in sorted(set(cells) - hidden, key=lambda key: (cells[key], str(key))):
        if not 0 < behind < threshold:
            break
        hidden.add(key)
        behind += cells[key]
    return hidden


def trimmed(rows: Iterable[dict]) -> list[dict]:
    """Without the first and last rows that are not told: a series starts and ends where enough people are."""
    found = list(rows)
    while found and found[0]["people"] is None:
        found.pop(0)
    while found and found[-1]["people"] is None:
        found.pop()
    return found


def decimal(value: float) -> str:
    """Decimal text with few digits: an exact extreme is a fact about one person."""
    text = f"{value:.{SIGNIFICANT}g}"
    return format(float(text), "f").rstrip("0").rstrip(".") if "e" in text or "." in text else text
