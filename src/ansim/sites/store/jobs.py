"""Jobs: at least once, idempotent, exactly one effect.

A job is queued in the transaction of the act that causes it, under a key that makes queueing twice harmless. A worker
leases it, so that a killed worker's job is taken up again when the lease ends, and finishes it in one transaction
together with its effect. A job whose lease keeps running out, or that fails for good, ends on the dead-letter page.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Q

from ansim.errors import Problem
from ansim.sites.store.models import Job

log = logging.getLogger("ansim.jobs")

LEASE_SECONDS = 60.0
MAX_ATTEMPTS = 12
wake = threading.Event()
_kinds: dict[str, tuple[Callable, Callable | None]] = {}


class Later(Exception):
    """Try the job again after some seconds (the receiver is down, a part has not arrived yet)."""

    def __init__(self, seconds: float, reason: str, *, counts: bool = True):
        super().__init__(reason)
        self.seconds, self.counts = seconds, counts


def job(kind: str, *, finish: Callable[[dict, Any], None] | None = None) -> Callable:
    """Declare what a kind of job does.

    Without `finish` the function runs wholly in the transaction that marks the job done: for short work. With it, the
    function may take long and touches no database rows; `finish(payload, result)` then runs in that transaction.
    """

    def declare(function: Callable) -> Callable:
        _kinds[kind] = (function, finish)
        return function

    return declare


def queue(kind: str, key: str, payload: dict, *, after: float = 0) -> None:
    """Queue a job unless one of this key was ever queued; it starts when the surrounding transaction commits."""
    Job.objects.get_or_create(
        key=f"{kind}:{key}"[:200], defaults={"kind": kind, "payload": payload, "due": time.time() + after}
    )
    transaction.on_commit(wake.set)


def progress(job_id: int, text: str) -> None:
    Job.objects.filter(id=job_id).update(progress=text[:200])


def take(kinds: list[str] | None = None) -> Job | None:
    """Lease the next due job, oldest first."""
    moment = time.time()
    due = Job.objects.filter(Q(state="queued", due__lte=moment) | Q(state="leased", lease__lte=moment))
    if kinds is not None:
        due = due.filter(kind__in=kinds)
    if not due.exists():  # a plain read: idle workers take no write lock
        return None
    with transaction.atomic():
        found = due.select_for_update(skip_locked=True).order_by("due", "id").first()
        if found is None:
            return None
        found.state, found.lease, found.attempts = "leased", moment + LEASE_SECONDS, found.attempts + 1
        found.save(update_fields=["state", "lease", "attempts"])
    return found


def run(task: Job) -> None:
    """Run one leased job and write down how it ended."""
    stop = threading.Event()
    threading.Thread(target=_keep_lease, args=(task.id, stop), daemon=True).start()
    try:
        function, finish = _kinds[task.kind]
        if finish is None:
            with transaction.atomic():
                function(task.payload)
                _done(task)
        else:
            result = function(task.payload)
            with transaction.atomic():
                finish(task.payload, result)
                _done(task)
    except Later as later:
        _retry(task, later.seconds, str(later), counts=later.counts)
    except Problem as problem:  # a rule refused: trying again would refuse again
        _end(task, "dead", str(problem))
    except Exception as error:
        log.exception("job %s %s failed", task.kind, task.id)
        _retry(task, min(60.0, 0.5 * 2**task.attempts), f"{type(error).__name__}: {error}"[:500])
    finally:
        stop.set()


def release_leases() -> None:
    """At start: nobody else works on this site's jobs now, so take up at once what a killed process had leased."""
    Job.objects.filter(state="leased").update(state="queued", lease=0)


def _keep_lease(job_id: int, stop: threading.Event) -> None:
    from django.db import connection

    while not stop.wait(LEASE_SECONDS / 3):
        Job.objects.filter(id=job_id, state="leased").update(lease=time.time() + LEASE_SECONDS)
    connection.close()


FORGET = {"send", "receive"}  # envelopes: (sender, jti) is remembered elsewhere


def _done(task: Job) -> None:
    if task.kind in FORGET:
        Job.objects.filter(id=task.id).delete()
    else:
        Job.objects.filter(id=task.id).update(state="done", error="")


def _retry(task: Job, seconds: float, reason: str, *, counts: bool = True) -> None:
    if counts and task.attempts >= MAX_ATTEMPTS and task.kind != "send":
        _end(task, "dead", reason)
        return
    attempts = task.attempts if counts else task.attempts - 1
    Job.objects.filter(id=task.id).update(state="queued", due=time.time() + seconds, error=reason, attempts=attempts)


def _end(task: Job, state: str, reason: str) -> None:
    log.warning("job %s ended %s: %s", task.kind, state, reason)
    Job.objects.filter(id=task.id).update(state=state, error=reason)
