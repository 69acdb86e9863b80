"""The notices this site holds: stored, asked, and refreshed."""

import json
from datetime import datetime, timedelta

from django.db import transaction

from ansim.errors import Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import notices
from ansim.sites.store import ledger
from ansim.sites.store.models import Notice


def pinned() -> notices.Trust:
    here = site()
    return notices.Trust(here.roots, here.threshold, here.ministry, here.demo)


def document(name: str) -> dict | None:
    body = Notice.objects.filter(name=name).values_list("body", flat=True).first()
    return body["document"] if body else None


def directory() -> notices.Directory:
    """The accepted site directory, if it is still in date."""
    return notices.Directory(notices.fresh(document("directory"), "directory", clock.now()))


def members(org: str) -> dict:
    """The organisation's member list, refused when it was attested too long ago."""
    name = f"members:{org}"
    return notices.fresh(document(name), name, clock.now(), site().member_list_days)


def member_list(org: str) -> dict | None:
    """The list as the grant looks at it: its end is this site's limit where that is sooner."""
    held = document(f"members:{org}")
    if held is None:
        return None
    limit = datetime.fromisoformat(held["issued"]) + timedelta(days=site().member_list_days)
    return {**held, "expires": min(datetime.fromisoformat(held["expires"]), limit).isoformat()}


def designations() -> dict | None:
    """The ministry's list as it stands; whoever uses it checks its dates (governance.attest)."""
    return document("designations")


def take(notice: dict) -> bool:
    """Accept a newer notice; False when it is not newer; a forged one is refused, and the refusal is on the ledger."""
    try:
        name = notices.name_of(notice.get("document"))
        with transaction.atomic():
            held = Notice.objects.select_for_update().filter(name=name).first()
            directory_now = None
            if name != "directory" and (known := document("directory")):
                directory_now = notices.Directory(known)
            name, accepted = notices.accept(notice, held.seq if held else 0, pinned(), directory_now, clock.now())
            Notice.objects.update_or_create(name=name, defaults={"seq": accepted["seq"], "body": notice})
            ledger.note("trust", "notice.accepted", name=name, seq=accepted["seq"])
    except Problem as problem:
        if problem.code != "old-notice":
            ledger.note("trust", "notice.refused", reason=problem.code, message=str(problem))
        return False
    return True


def load_initial() -> None:
    """Take the notices that came with the pairing (files in FOLDER/notices), the directory first."""
    files = sorted(site().path("notices").glob("*.json"), key=lambda file: (file.stem != "directory", file.name))
    for file in files:
        take(json.loads(file.read_text("utf-8")))
