"""What a stage promises, whether it held, and waiting for what other processes do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansim.demo.processes import SLOW

Found = TypeVar("Found")


@dataclass(frozen=True)
class Promise:
    """One thing that must be true: said in words, whether it was, and what was seen."""

    text: str
    held: bool
    detail: str = ""


@dataclass
class Played:
    """A stage as it went: who did what (`story`), what was promised, what it took."""

    number: int
    ko: str
    en: str
    story: str = ""
    seconds: float = 0.0
    promises: list[Promise] = field(default_factory=list)
    figures: list[tuple[str, str, str]] = field(default_factory=list)  # (Korean title, English title, SVG)
    broken_off: bool = False  # could not be played to its end

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises)


class Overdue(Exception):
    """What was waited for did not come."""


def until(look: Callable[[], Found], seconds: float, what: str) -> Found:
    """Look again and again until the answer is true; gives it. Raises Overdue with the last error seen."""
    seconds *= SLOW
    deadline, last = time.monotonic() + seconds, ""
    while True:
        try:
            if found := look():
                return found
            last = f"last seen: {found!r}"
        except Exception as error:  # a site that is starting or a page that is not there yet
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise Overdue(f"{what} did not happen within {seconds:.0f} s ({last[:500]})")
        time.sleep(0.2)


def code_of(act: Callable[[], Any]) -> str:
    """The code with which an act was refused; empty if it was done."""
    from ansim.demo.journey.client import Refused

    try:
        act()
    except Refused as refused:
        return refused.code
    return ""
