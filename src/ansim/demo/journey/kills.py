"""Pulling the plug: processes are killed (SIGKILL) at random moments while the journey goes on, and started again.

The moments and the victims come from a fixed seed; what is in the middle of what at that moment does not, so every run
hits other places. The journey's own promises then say whether anything was lost or doubled.
"""

import random
import threading
from types import TracebackType

from ansim.demo.nation import PLACES
from ansim.demo.processes import Running


class Kills:
    """While this context is open, `most` times: wait a little, kill one of the nation's processes, start it again."""

    def __init__(self, running: Running, *, seed: int, most: int, pause: tuple[float, float] = (0.5, 6.0)):
        self._running, self._most, self._pause = running, most, pause
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self.victims: list[str] = []

    def _go(self) -> None:
        names = [place.id for place in PLACES]
        while len(self.victims) < self._most and not self._stop.wait(self._random.uniform(*self._pause)):
            victim = self._random.choice(names)
            self._running.kill(victim)
            self.victims.append(victim)
            if self._stop.wait(self._random.uniform(0.0, 1.5)):
                break
            self._running.start(only=[victim])
        if self.victims:
            dead = [name for name in names if self._running.processes[name].poll() is not None]
            if dead:
                self._running.start(only=dead)

    def __enter__(self) -> "Kills":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(120)
