"""The site's clock. Rules take the time as an argument; this is where sites get it.

Only a site initialised with `--demo` has a movable clock: the file `clock` in its folder holds an offset in seconds.
Other sites refuse a demo trust root, so a movable clock never meets real data.
"""

import contextlib
from datetime import UTC, datetime, timedelta

from ansim.errors import N_, Problem
from ansim.sites.config import site


def now() -> datetime:
    """The time in UTC, to the millisecond (the form that the ledger and documents carry)."""
    time = datetime.now(UTC)
    if site().demo:
        with contextlib.suppress(FileNotFoundError, ValueError, OverflowError):
            time += timedelta(seconds=float(site().path("clock").read_text()))
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def move(seconds: float) -> None:
    """Set the demo clock's offset."""
    if not site().demo:
        raise Problem("no-demo", N_("Only a demo site has a movable clock."))
    temporary = site().path(".clock")
    temporary.write_text(str(seconds))
    temporary.replace(site().path("clock"))
