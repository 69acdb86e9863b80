"""When each site last called in, so that people see who is down instead of wondering."""

from datetime import datetime, timedelta

from ansim.sites import clock
from ansim.sites.exchange import trust
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

STEP = timedelta(seconds=5)  # written at most this often
DOWN_AFTER = timedelta(seconds=30)  # a long poll takes up to 25 s, a courier's round less


def saw(site_id: str) -> None:
    """Note that a site called in."""
    seen, now = last_seen(site_id), clock.now()
    if seen is None or now - seen > STEP:
        ledger.record("presence", site_id, {"at": clock.iso(now)})


def last_seen(site_id: str) -> datetime | None:
    found = Record.objects.filter(kind="presence", key=site_id).values_list("data", flat=True).first()
    return datetime.fromisoformat(found["at"]) if found else None


def down(site_id: str) -> bool:
    """Whether a site has not called in for a while."""
    seen = last_seen(site_id)
    return seen is None or clock.now() - seen > DOWN_AFTER


def holders() -> list[dict]:
    """The holders of the directory: id, name, whether they answer now."""
    return [
        {"id": each["id"], "name": each["name"], "down": down(each["id"])}
        for each in trust.directory().of_kind("holder")
    ]
