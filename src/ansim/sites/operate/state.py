"""How this site is, in numbers: what health, measures, the operations page and the watch all go by.

Counts, sizes, dates and names of sites; never a person, a case, or the content of anything.
"""

import base64
import json
import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from django.db.models import Count, Max, Min

from ansim.errors import Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import notices, post, trust
from ansim.sites.fitness import restoring
from ansim.sites.store import ledger
from ansim.sites.store.models import Checkpoint, Cosignature, Event, Job, LedgerHead, Mail

RESERVE = 512 * 1024 * 1024  # bytes of disk below which a site is not ready (site option `reserve_bytes`)


@dataclass(frozen=True)
class State:
    """queues: {kind: (waiting, seconds that the oldest is overdue, failed for good)}. mail: {site: envelopes waiting to
    be sent to it}. witnesses: {site: entries it has cosigned}. ends: {what: when it ends}. unfit: why the site does not
    act, by code."""

    now: datetime
    queues: dict[str, tuple[int, float, int]]
    mail: dict[str, int]
    entries: int
    head: int
    witnesses: dict[str, int]
    last_entry: datetime | None
    ends: dict[str, datetime]
    disk_free: int
    disk_total: int
    database_bytes: int
    backup: datetime | None
    unfit: tuple[str, ...] = field(default=())

    @property
    def waiting(self) -> int:
        return sum(waiting for waiting, _, _ in self.queues.values())

    @property
    def dead(self) -> int:
        return sum(dead for _, _, dead in self.queues.values())

    @property
    def lag(self) -> float:
        """Seconds that the most overdue job has been due."""
        return max((lag for _, lag, _ in self.queues.values()), default=0.0)

    @property
    def witnessed(self) -> int:
        return max(self.witnesses.values(), default=0)


def gather() -> State:
    """The state now. Raises what the database raises when it is gone."""
    now = clock.now()
    head = LedgerHead.objects.filter(id=1).first()
    last = Event.objects.order_by("-seq").values_list("at", flat=True).first()
    cosigned = Cosignature.objects.values("witness").annotate(size=Max("size"))
    disk = shutil.disk_usage(site().folder)
    return State(
        now=now,
        queues=_queues(),
        mail=_mail(),
        entries=head.size if head else 0,
        head=Checkpoint.objects.aggregate(size=Max("size"))["size"] or 0,
        witnesses={row["witness"]: row["size"] for row in cosigned},
        last_entry=datetime.fromisoformat(last) if last else None,
        ends=_ends(),
        disk_free=disk.free,
        disk_total=disk.total,
        database_bytes=_database(),
        backup=_backup(),
        unfit=tuple(_unfit(now, last, disk.free)),
    )


def _queues() -> dict[str, tuple[int, float, int]]:
    moment = time.time()
    open_ = Job.objects.filter(state__in=("queued", "leased")).values("kind").annotate(n=Count("id"), due=Min("due"))
    found = {row["kind"]: (row["n"], max(0.0, moment - row["due"]), 0) for row in open_}
    for row in Job.objects.filter(state="dead").values("kind").annotate(n=Count("id")):
        waiting, lag, _ = found.get(row["kind"], (0, 0.0, 0))
        found[row["kind"]] = (waiting, lag, row["n"])
    return dict(sorted(found.items()))


def _mail() -> dict[str, int]:
    """Envelopes on their way to each site: in this site's outbox, and at the hub also in the mailboxes."""
    sends = Job.objects.filter(kind="send", state__in=("queued", "leased")).values("lane").annotate(n=Count("id"))
    found = {row["lane"].partition(":")[2] or "?": row["n"] for row in sends}
    if site().kind == "hub":
        for row in Mail.objects.values("receiver").annotate(n=Count("id")):
            found[row["receiver"]] = found.get(row["receiver"], 0) + row["n"]
    return dict(sorted(found.items()))


def _ends() -> dict[str, datetime]:
    """When notices, this site's keys in the directory, and certificates end."""
    found: dict[str, datetime] = {}
    names = notices_held()
    for name, document in names.items():
        found[name] = datetime.fromisoformat(document["expires"])
    if directory := names.get("directory"):
        entry = notices.Directory(directory).sites.get(site().id, {})
        for key in entry.get("keys", ()):
            what = "key site" if key["use"] == "sig" else "key receive"
            end = datetime.fromisoformat(key["not_after"])
            found[what] = max(end, found.get(what, end))
        if given := entry.get("certificate"):
            found["certificate"] = x509.load_der_x509_certificate(base64.b64decode(given)).not_valid_after_utc
    if site().tls:
        file = site().path(site().tls["certificate"])
        found["tls"] = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    return found


def notices_held() -> dict[str, dict[str, Any]]:
    from ansim.sites.store.models import Notice

    return {name: body["document"] for name, body in Notice.objects.order_by("name").values_list("name", "body")}


def _backup() -> datetime | None:
    """When the last backup ended (FOLDER/backup.json, written by `ansim backup`)."""
    try:
        return datetime.fromisoformat(json.loads(site().path("backup.json").read_text("utf-8"))["at"])
    except (OSError, ValueError, KeyError):
        return None


def _database() -> int:
    """Bytes of the database, its log included."""
    if not site().database:
        return sum(file.stat().st_size for file in site().folder.glob("site.sqlite3*"))
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _unfit(now: datetime, last: str | None, free: int) -> list[str]:
    found = ["restored"] if restoring(site().folder) else []
    if clock.jumped():
        found.append("clock-jumped")
    if last and datetime.fromisoformat(last) - now > ledger.STEP_BACK:
        found.append("clock-behind")
    try:
        post.keeper().public()
    except Problem as problem:
        found.append(problem.code)
    try:
        trust.directory()
    except Problem as problem:
        found.append(problem.code)
    if free < site().options.get("reserve_bytes", RESERVE):
        found.append("disk-full")
    return found


def due_within(state: State, days: int) -> dict[str, datetime]:
    """What ends within so many days, soonest first."""
    limit = state.now + timedelta(days=days)
    return dict(sorted(((name, end) for name, end in state.ends.items() if end <= limit), key=lambda each: each[1]))
