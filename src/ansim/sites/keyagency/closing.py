"""What stays behind at the key agency is looked for again and again: keys of a linkage that is done or whose agreement
is over are deleted, also if the process died before it could delete them. The project's key goes with the agreement.
"""

from collections.abc import Iterator
from pathlib import Path

from ansim.errors import Problem
from ansim.governance.agreement import End, agreement
from ansim.governance.core import civil_day, day
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import post
from ansim.sites.keyagency import links
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.store.worker import beat


@beat("closing", lambda: 2.0)
def _look() -> None:
    for found in Record.objects.filter(kind="agreement", status__in=["in force", "suspended"]):
        terms = (found.data.get("current") or {}).get("terms")
        if terms and civil_day(clock.now()) > day(terms["not_after"], "not_after"):
            _end(found.key)
    for waiting in _left():
        status = Record.objects.filter(kind=links.KIND, key=waiting.name).values_list("status", flat=True).first()
        if status in ("sent", "refused", "over"):
            links.forget(waiting.name)


def _left() -> Iterator[Path]:
    """Folders of linkages in which keys or elements still lie."""
    for place in (site().path("keys-in"), site().path("elements-in")):
        yield from place.iterdir() if place.exists() else ()


def _end(key: str) -> None:
    post.keeper().call("destroy", project=key)  # first: after a crash in between it is simply done again
    try:
        ledger.execute(agreement, key, End(by=site().id), actor="system")
    except Problem:
        return
    ledger.note(f"linkage:{key}", "key.destroyed")
    found = Record.objects.filter(kind=links.KIND, key=key).first()
    if found and found.status in ("waiting", "matching"):
        ledger.record(links.KIND, key, {**found.data, "status": "over"}, status="over")
        ledger.note(f"linkage:{key}", "keys.deleted", holders=found.data["holders"])
