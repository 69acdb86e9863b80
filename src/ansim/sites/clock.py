"""The site's clock. Rules take the time as an argument; this is where sites get it.

Only a site initialised with `--demo` has a movable clock: the file `clock` in its folder holds an offset in seconds.
Other sites refuse a demo trust root, so a movable clock never meets real data.
"""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from functools import cache

from ansim.errors import N_, Problem
from ansim.sites.config import site


def now() -> datetime:
    """The time in UTC, to the millisecond (the form that the ledger and documents carry)."""
    moment = datetime.now(UTC)
    if site().demo:
        with contextlib.suppress(FileNotFoundError, ValueError, OverflowError):
            moment += timedelta(seconds=float(site().path("clock").read_text()))
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class Jumps:
    """Whether the clock has jumped: measured against the time since boot, which nobody sets.

    Small steps (time synchronisation) are followed. After a jump by more than `most` seconds nothing is dated any more
    until the clock is back, or the site is started again by somebody who has seen to it: an entry dated a year ahead
    would hold the ledger up for a year.
    """

    def __init__(self, most: float):
        self._most = most
        self._anchor: tuple[float, float] | None = None

    def jumped(self, wall: float, since_boot: float) -> bool:
        """wall, since_boot: seconds of the two clocks, read together."""
        if self._anchor is None:
            self._anchor = (wall, since_boot)
        drift = (wall - self._anchor[0]) - (since_boot - self._anchor[1])
        if abs(drift) > self._most:
            return True
        self._anchor = (wall, since_boot)
        return False


@cache
def _jumps() -> Jumps:
    return Jumps(site().skew_seconds)


def jumped() -> bool:
    """Whether this machine's clock has jumped since the last time that it was asked."""
    return _jumps().jumped(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def move(seconds: float) -> None:
    """Set the demo clock's offset."""
    if not site().demo:
        raise Problem("no-demo", N_("Only a demo site has a movable clock."))
    temporary = site().path(".clock")
    temporary.write_text(str(seconds))
    temporary.replace(site().path("clock"))
