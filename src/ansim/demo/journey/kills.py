"""Pulling the plug: processes are killed (SIGKILL) at random moments while the journey goes on, and started again.

The moments and the victims come from a fixed seed; what is in the middle of what at that moment does not, so every run
hits other places. The journey's own promises then say whether anything was lost or doubled.
"""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from types import TracebackType

from ansim.demo.nation import PLACES
from ansim.demo.processes import Running, answers
from ansim.errors import Problem

SITE, KEY_PROCESS, COURIER = "site", "key process", "courier"
MOST_DOWN = 3
DOWN = (0.0, 1.5)  # seconds before somebody starts it again


class Kills:
    """While this context is open, `most` times: wait a little, kill one of the nation's processes, start it again.

    A site's own guard starts its key process again; the rest is started here, and is not waited for: the next victim
    may be one that is just starting. But where several are down, nobody is killed: the machine must get on. At the end
    everything runs. `victims` counts (kind, place).
    """

    def __init__(self, running: Running, *, seed: int, most: int, pause: tuple[float, float] = (0.5, 4.0)):
        self._running, self._most, self._pause = running, most, pause
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self.victims: Counter[tuple[str, str]] = Counter()
        sites = [(SITE, place.id) for place in PLACES]
        keepers = [(KEY_PROCESS, place.id) for place in PLACES]
        couriers = [(COURIER, place.id) for place in PLACES if place.transport == "folder"]
        self._choices = [*sites, *sites, *keepers, *couriers]

    def _go(self) -> None:
        while self.victims.total() < self._most and not self._stop.wait(self._random.uniform(*self._pause)):
            kind, place = self._random.choice(self._choices)
            if self._standing() and self._killed(kind, place):
                self.victims[kind, place] += 1
                self._stop.wait(self._random.uniform(*DOWN))
                self._running.revive()
        self._running.revive()
        for each in PLACES:
            self._running.wait(each.id, 120)

    def _standing(self) -> bool:
        return sum(not answers(self._running.nation, place.id) for place in PLACES) < MOST_DOWN

    def _killed(self, kind: str, place: str) -> bool:
        """Whether there was something to kill: a site that is only just starting has no key process yet."""
        if kind != KEY_PROCESS:
            name = place if kind == SITE else f"courier-{place}"
            alive = name not in self._running.dead()
            self._running.kill(name)
            return alive
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            number = int((self._running.nation.site(place) / "keeper.lock").read_text())
            if self._running.is_ours(place, number):
                os.kill(number, signal.SIGKILL)
                return True
        return False

    def __enter__(self) -> "Kills":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(180)
        if self._thread.is_alive():
            raise Problem("not-started", "Killed processes did not come back.")
