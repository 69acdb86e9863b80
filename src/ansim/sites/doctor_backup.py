"""What the doctor says of a site's backups: could anybody open one, how old is it, is a restore done?"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from ansim.sites.config import Site
from ansim.sites.doctor import Finding
from ansim.sites.fitness import RESTORED, restoring
from ansim.sites.operate import escrow

OLD = timedelta(hours=50)  # a nightly backup that failed twice


def examine(here: Site, now: datetime) -> Iterator[Finding]:
    """Escrow, age of the last backup, restore. A demo site, or one that has not run yet, has nothing to lose."""
    if restoring(here.folder):
        told = json.loads(here.path(RESTORED).read_text("utf-8"))
        why = ", ".join(f"{site}: {reason}" for site, reason in sorted(told.get("why", {}).items()))
        detail = f"restored from a backup of {told.get('at', '?')}; {why or 'not all sites have told yet'}"
        yield Finding(here.id, "restore", "warn", detail, "It answers when all agree: docs/operations/backup.md.")
    if here.demo or not (here.database or here.path("site.sqlite3").exists()):
        return
    if not here.path("keys", escrow.FILE).exists():
        remedy = "ansim escrow FOLDER, with the people who will hold the shares."
        yield Finding(here.id, "backup", "warn", "no keys in escrow, so no backup can be made", remedy)
        return
    try:
        last = datetime.fromisoformat(json.loads(here.path("backup.json").read_text("utf-8"))["at"])
    except (OSError, ValueError, KeyError):
        yield Finding(here.id, "backup", "warn", "none was made yet", "ansim backup FOLDER TARGET, each night.")
        return
    state = "warn" if now - last > OLD else "ok"
    yield Finding(
        here.id, "backup", state, f"{last:%Y-%m-%d %H:%M} UTC", "" if state == "ok" else "Is the timer running?"
    )
