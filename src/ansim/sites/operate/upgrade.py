"""Upgrades: what one would do to a site's database, whether it may be done, and doing it.

Migrations go forward only. Within a MINOR version they only add what earlier software need not know, so that it may run
on the newer database: roll back by installing the earlier wheel. Across MINORs an earlier software refuses to start.
"""

from importlib.metadata import version as installed
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

from ansim.errors import N_, Problem
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

SOFTWARE = installed("ansim")
KIND, KEY = "software", "version"


def minor(version: str) -> tuple[int, int]:
    """(MAJOR, MINOR) of a version."""
    major, small = version.split(".")[:2]
    return int(major), int(small)


def plan() -> dict[str, Any]:
    """{"from": version that the database is of, "to": this software's, "pending": [...], "unknown": [...]}.

    pending: migrations that this software would apply; unknown: applied ones that it has never heard of.
    """
    executor = MigrationExecutor(connection)
    targets = executor.loader.graph.leaf_nodes()
    pending = [f"{step.app_label} {step.name}" for step, _ in executor.migration_plan(targets)]
    applied = set(executor.recorder.applied_migrations())
    unknown = sorted(f"{app} {name}" for app, name in applied - set(executor.loader.disk_migrations or ()))
    return {"from": _held(), "to": SOFTWARE, "pending": pending, "unknown": unknown}


def _held() -> str:
    """The newest version that has run on this database; empty for a new one, or one of before versions were kept."""
    try:
        held = Record.objects.filter(kind=KIND, key=KEY).values_list("data", flat=True).first()
    except DatabaseError:  # no table yet
        return ""
    return str(held["version"]) if held else ""


def check(found: dict[str, Any]) -> None:
    """Raise Problem if this software must not run on the database."""
    if found["unknown"] and (not found["from"] or minor(found["from"]) != minor(found["to"])):
        raise Problem(
            "database-newer",
            N_("The database is of version {held}, this software of {own}."),
            held=found["from"] or "?",
            own=found["to"],
            remedy=N_("Install that version again, or restore the backup from before the upgrade."),
        )


def run() -> dict[str, Any]:
    """Bring the database up to date; gives what was done. Nothing is done that `check` refuses."""
    found = plan()
    check(found)
    call_command("migrate", verbosity=0, interactive=False)
    if not found["from"] or _newer(found["to"], found["from"]):
        data = {"version": found["to"]}
        ledger.record(KIND, KEY, data, status=found["to"])
    return found


def _newer(one: str, other: str) -> bool:
    return [int(part) for part in one.split(".")] > [int(part) for part in other.split(".")]
