"""Jobs: at least once, idempotent, exactly one effect.

A job is queued in the transaction of the act that causes it, under a key that makes queueing twice harmless. A worker
leases it, so that a killed worker's job is taken up again when the lease ends, and finishes it in one transaction
together with its effect. Whoever lost its lease (the machine slept, say) finds its token gone and its effect undone.
A job that keeps failing, or that a rule refuses, ends on the dead-letter page.

Jobs of one *lane* run one after another in the order they were queued: messages to one receiver, messages of one
sender. A message that keeps failing steps out of its lane after some tries, so that it holds nobody else up.

In a site that works, a job whose lane is free is born leased and handed over in memory when its transaction commits:
that saves looking for it and a write. Should the process die, the lease ends as any other.
"""

import hashlib
import json
import logging
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from ansim.errors import N_, Problem
from ansim.sites.config import site
from ansim.sites.fitness import Unfit, machine_fault
from ansim.sites.store.durable import lazily
from ansim.sites.store.models import Job

log = logging.getLogger("ansim.jobs")

LEASE_SECONDS = 60.0
MAX_ATTEMPTS = 12
PATIENT_ATTEMPTS = 3  # a failing message holds up its lane for these tries (some 7 s), then steps aside
UNFIT_SECONDS = 2.0
wake = threading.Event()
wake_together = threading.Event()
working = threading.Event()  # set by the worker: jobs are handed over in memory
_handed: deque[Job] = deque()
_handed_together: deque[Job] = deque()
_together: dict[str, Callable[[list[dict]], list[Exception | None]]] = {}
_kinds: dict[str, tuple[Callable, Callable | None]] = {}
_failed: list[Callable[[Job, str], None]] = []


class Later(Exception):
    """Try the job again after some seconds (the receiver is down, a part has not arrived yet)."""

    def __init__(self, seconds: float, reason: str, *, counts: bool = True):
        super().__init__(reason)
        self.seconds, self.counts = seconds, counts


class LostLease(Exception):
    """Somebody else has taken the job up meanwhile: this run's effects are undone."""


def job(kind: str, *, finish: Callable[[dict, Any], None] | None = None) -> Callable:
    """Declare what a kind of job does.

    Without `finish` the function runs wholly in the transaction that marks the job done: for short work. With it, the
    function may take long and touches no database rows; `finish(payload, result)` then runs in that transaction.
    """

    def declare(function: Callable) -> Callable:
        _kinds[kind] = (function, finish)
        return function

    return declare


def together(kind: str) -> Callable:
    """Declare how jobs of a kind are done in one go: function(payloads) -> what went wrong with each, or None."""

    def declare(function: Callable[[list[dict]], list[Exception | None]]) -> Callable:
        _together[kind] = function
        return function

    return declare


def when_dead(function: Callable[[Job, str], None]) -> Callable:
    """Declare what else happens, in the same transaction, when a job ends dead: function(job, reason)."""
    _failed.append(function)
    return function


def queue(kind: str, key: str, payload: dict, *, after: float = 0, lane: str = "") -> None:
    """Queue a job unless one of this key was ever queued; it starts when the surrounding transaction commits."""
    moment, lane = time.time(), lane[:200]
    facts: dict[str, Any] = {"kind": kind, "payload": payload, "due": moment + after, "lane": lane}
    at_once = working.is_set() and not after and not held_up(lane)
    if at_once:
        facts |= {"state": "leased", "lease": moment + LEASE_SECONDS, "attempts": 1, "token": secrets.token_hex(8)}
    made, new = Job.objects.get_or_create(key=_short(f"{kind}:{key}"), defaults=facts)
    transaction.on_commit(partial(_hand_over, made) if at_once and new else wake.set)


def queue_new(kind: str, payloads: dict[str, dict], *, lanes: list[str]) -> None:
    """Queue several jobs of keys that were never used before, each in its own lane."""
    moment = time.time()
    busy = set(Job.objects.filter(lane__in=lanes, state__in=("queued", "leased")).values_list("lane", flat=True))
    made = []
    for (key, payload), lane in zip(payloads.items(), lanes, strict=True):
        task = Job(kind=kind, key=_short(f"{kind}:{key}"), payload=payload, due=moment, lane=lane[:200])
        if working.is_set() and lane not in busy:
            task.state, task.lease, task.attempts = "leased", moment + LEASE_SECONDS, 1
            task.token = secrets.token_hex(8)
        made.append(task)
    Job.objects.bulk_create(made)
    for task in made:
        transaction.on_commit(partial(_hand_over, task) if task.state == "leased" else wake.set)


def held_up(lane: str) -> bool:
    """Whether a job of this lane is still to be done."""
    return bool(lane) and Job.objects.filter(lane=lane, state__in=("queued", "leased")).exists()


def _hand_over(task: Job) -> None:
    task.payload = json.loads(json.dumps(task.payload))  # as it would come back from the database
    if task.kind in _together:
        _handed_together.append(task)
        wake_together.set()
    else:
        _handed.append(task)
        wake.set()


def handed() -> Job | None:
    """The next job that was born leased here."""
    try:
        return _handed.popleft()
    except IndexError:
        return None


def all_handed_together() -> list[Job]:
    found = []
    while _handed_together:
        found.append(_handed_together.popleft())
    return found


def _short(key: str) -> str:
    """Keys too long for their column keep apart by their hash."""
    return key if len(key) <= 200 else f"{key[:135]}#{hashlib.sha256(key.encode()).hexdigest()}"


def again(job_id: int) -> None:
    """Take a dead job up once more, after somebody has mended its cause."""
    changed = Job.objects.filter(id=job_id, state="dead").update(state="queued", due=time.time(), attempts=0)
    if not changed:
        raise Problem("no-dead-job", N_("This job did not fail."))
    transaction.on_commit(wake.set)


def progress(job_id: int, text: str) -> None:
    Job.objects.filter(id=job_id).update(progress=text[:200])


def _due(kinds: list[str] | None, moment: float) -> Any:
    earlier = Job.objects.filter(lane=OuterRef("lane"), id__lt=OuterRef("id"), state__in=("queued", "leased"))
    due = Job.objects.filter(
        Q(state="queued") | Q(state="leased", lease__lte=moment), Q(lane="") | ~Exists(earlier), due__lte=moment
    )
    return due if kinds is None else due.filter(kind__in=kinds)


def take(kinds: list[str] | None = None) -> Job | None:
    """Lease the next due job, oldest first, that no earlier one of its lane holds up."""
    moment = time.time()
    if not _due(kinds, moment).exists():  # an idle site takes no write lock
        return None
    with lazily():
        found = _due(kinds, moment).select_for_update(skip_locked=True, of=("self",)).order_by("due", "id").first()
        if found is None:
            return None
        found.state, found.lease, found.attempts = "leased", moment + LEASE_SECONDS, found.attempts + 1
        found.token = secrets.token_hex(8)
        found.save(update_fields=["state", "lease", "attempts", "token"])
    return found


def run(task: Job) -> None:
    """Run one leased job and write down how it ended."""
    stop = threading.Event()
    threading.Thread(target=_keep_lease, args=(task, stop), daemon=True).start()
    try:
        function, finish = _kinds[task.kind]
        if finish is None:
            with transaction.atomic():
                _own(task)
                function(task.payload)
                _done(task)
        else:
            result = function(task.payload)
            with transaction.atomic():
                _own(task)
                finish(task.payload, result)
                _done(task)
    except Exception as error:
        _failed_run(task, error)
    finally:
        stop.set()


def run_together(tasks: list[Job]) -> None:
    """Run leased jobs of one kind in one go, and write down how each ended.

    Their effect lies with the receiver, who remembers it: what a power cut undoes here is only done again.
    """
    kind = tasks[0].kind
    try:
        ends = _together[kind]([task.payload for task in tasks])
    except Exception as error:
        ends = [error] * len(tasks)
    done = [task.id for task, end in zip(tasks, ends, strict=True) if end is None]
    with lazily():
        Job.objects.filter(id__in=done, token__in=[task.token for task in tasks]).delete()
    for task, end in zip(tasks, ends, strict=True):
        if end is not None:
            _failed_run(task, end)
    if any(task.lane for task in tasks):
        wake.set()  # what waited behind them


def _failed_run(task: Job, error: Exception) -> None:
    """How a job goes on after an error."""
    if isinstance(error, LostLease):
        log.warning("job %s %s was taken up by another worker", task.kind, task.id)
    elif isinstance(error, Later):
        growing = min(60.0, 0.5 * 2**task.attempts) if error.counts else 0.0  # its cause may take minutes to start anew
        _retry(task, max(error.seconds, growing), str(error), counts=error.counts)
    elif isinstance(error, Unfit) or machine_fault(error):  # the site or its machine is at fault, not the job
        _retry(task, UNFIT_SECONDS, str(error) if isinstance(error, Unfit) else machine_fault(error), counts=False)
    elif isinstance(error, Problem):  # a rule refused: trying again would refuse again
        _end(task, "dead", str(error))
    else:
        reason = describe(error)
        log.error("job %s %s failed: %s", task.kind, task.id, reason, exc_info=error if site().demo else None)
        _retry(task, min(60.0, 0.5 * 2**task.attempts), reason)


def describe(error: Exception) -> str:
    """What failed and where. The message itself may carry a person's data, so only a demo site writes it down."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{f': {error}' if site().demo else ''}{place}"[:500]


def release_leases() -> None:
    """At start: nobody else works on this site's jobs now, so take up at once what a killed process had leased."""
    Job.objects.filter(state="leased").update(state="queued", lease=0)


def _mine(task: Job) -> Any:
    return Job.objects.filter(id=task.id, state="leased", token=task.token)


def _own(task: Job) -> None:
    """Hold the job's row to the transaction's end; the lease must still be ours."""
    if not _mine(task).select_for_update().exists():
        raise LostLease


def _keep_lease(task: Job, stop: threading.Event) -> None:
    try:
        while not stop.wait(LEASE_SECONDS / 3):
            _mine(task).update(lease=time.time() + LEASE_SECONDS)
    except Exception as error:  # a busy database: the next renewal may do; the token guards the effect
        log.warning("the lease of job %s was not renewed: %s", task.id, type(error).__name__)
    finally:
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
    aside = {"lane": ""} if attempts >= PATIENT_ATTEMPTS else {}
    _mine(task).update(state="queued", due=time.time() + seconds, error=reason, attempts=attempts, **aside)


def _end(task: Job, state: str, reason: str) -> None:
    log.warning("job %s %s ended %s%s", task.kind, task.id, state, f": {reason}" if site().demo else "")
    with transaction.atomic():
        if _mine(task).update(state=state, error=reason):
            for function in _failed:
                function(task, reason)
