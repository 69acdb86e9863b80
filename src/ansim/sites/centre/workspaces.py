"""A workspace: what one agreement has at this centre, from the first extract to its destruction.

    waiting -> held -> open -> closed        (federated: no data will come, only analyses at the holders)

The record is projected from notes on the ledger's stream `workspace:<agreement>`; the files lie in FOLDER/workspaces.
`parts` are what researchers may read: `linked`, or a holder's extract by itself; each was admitted or waits for it.
"""

import shutil
from pathlib import Path
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND = "workspace"


def folder(key: str, *parts: str) -> Path:
    """A folder of the workspace. The key was checked against the known agreements before it came here."""
    return site().path("workspaces", key, *parts)


def get(key: str) -> dict:
    found = Record.objects.filter(kind=KIND, key=key).first()
    if found is None:
        raise Problem("no-workspace", N_("There is no workspace {key} here."), key=key)
    return found.data


def every() -> list[dict]:
    return [found.data for found in Record.objects.filter(kind=KIND).order_by("-updated")]


def put(space: dict) -> None:
    ledger.record(KIND, space["id"], space, status=space["status"])


def change(key: str, event: str, actor: str, note: dict[str, Any], **changes: Any) -> dict:
    """One change of a workspace: the note on the ledger and the record, together."""
    with transaction.atomic():
        Record.objects.select_for_update().filter(kind=KIND, key=key).first()
        ledger.note(f"workspace:{key}", event, actor=actor, **note)
        space = get(key) | changes
        put(space)
    return space


def opened(key: str, terms: dict, paper: str) -> None:
    """The agreement came into force here, or a newer version of it did."""
    before = Record.objects.filter(kind=KIND, key=key).first()
    fresh: dict[str, Any] = {
        "id": key,
        "status": "waiting",
        "extracts": {},
        "pairs": {},
        "parts": {},
        "linkage": None,
        "review": None,
        "since": "",
    }
    data = (before.data if before else fresh) | {
        "title": terms["title"],
        "version": terms["version"],
        "not_after": terms["not_after"],
        "user": terms["user"]["id"],
        "paper": paper,
    }
    if data["status"] in ("waiting", "federated"):
        data["status"] = "waiting" if {"centre", "extract"} & set(terms["modes"]) else "federated"
    data["since"] = data["since"] or clock.iso(clock.now())
    ledger.note(f"workspace:{key}", "workspace.made", actor=terms["user"]["id"], version=terms["version"])
    put(data)


def expected(terms: dict) -> list[str]:
    """Holders whose extracts the data are made of before a workspace opens by itself."""
    linkage = terms["linkage"]
    return sorted(linkage["holders"] if linkage else [holder["id"] for holder in terms["holders"]])


def readable(space: dict) -> list[str]:
    """The admitted parts."""
    return sorted(name for name, part in space["parts"].items() if part["admitted"])


def wipe(place: Path) -> None:
    """Overwrite and unlink every file below a folder.

    Overwriting reaches the blocks themselves only on disks and file systems that write in place; on others the site's
    disk encryption has to do it. The certificate says so.
    """
    if not place.exists():
        return
    for file in place.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with file.open("r+b") as stream:
                left = file.stat().st_size
                while left > 0:
                    left -= stream.write(bytes(min(left, 1 << 20)))
                stream.flush()
    shutil.rmtree(place)
