"""`ansim upgrade`: what the installed version would change in a site's database, and changing it."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ansim.errors import N_, Problem
from ansim.sites import config, fitness

OLDEST_BACKUP = timedelta(hours=24)
console = Console(soft_wrap=True)


def upgrade(
    folder: Annotated[Path, typer.Argument(help="a site's folder; the site is stopped")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    without_backup: Annotated[bool, typer.Option("--without-backup", help="although no backup is a day old")] = False,
) -> None:
    """Bring a site's database to the installed version. `ansim serve` does the same at its start.

    Example: ansim upgrade /srv/ansim/hospital --dry-run
    """
    here = config.read(folder)
    os.environ["ANSIM_SITE"] = str(here.folder)
    from ansim.sites import asgi

    asgi.load_kind()
    from ansim.sites.operate import upgrade as upgrades

    found = upgrades.plan()
    upgrades.check(found)
    console.print(f"{here.id}: database of {found['from'] or 'before 0.2, or none'}, software {found['to']}.")
    for name in found["pending"] or ["nothing to do"]:
        console.print(f"  {name}")
    if dry_run:
        return
    if found["pending"] and not without_backup:
        _backed_up(here)
    held = fitness.lock(here.folder, "site.lock", seconds=1)
    upgrades.run()
    held.close()
    console.print("[green]Done.[/]")


def _backed_up(here: config.Site) -> None:
    try:
        last = datetime.fromisoformat(json.loads(here.path("backup.json").read_text("utf-8"))["at"])
    except (OSError, ValueError, KeyError):
        last = None
    if last is None or datetime.now(UTC) - last > OLDEST_BACKUP:
        raise Problem(
            "no-backup",
            N_("There is no backup of the last 24 hours."),
            remedy=N_("Run `ansim backup` first, or say --without-backup."),
        )
