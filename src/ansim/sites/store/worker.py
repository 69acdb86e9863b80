"""The site's worker: threads that run due jobs, and beats that do something every few seconds."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import connection

from ansim.errors import Problem
from ansim.sites import fitness
from ansim.sites.config import site
from ansim.sites.store import jobs

log = logging.getLogger("ansim.worker")
MAX_PAUSE = 10.0  # seconds between tries of a beat that keeps failing
WHILE_RESTORED = {"poll", "restored"}  # beats of a site that the others have not agreed with yet
_beats: list[tuple[str, Callable[[], float], Callable[[], None]]] = []


def beat(name: str, seconds: Callable[[], float]) -> Callable:
    """Declare something to do again and again, `seconds()` after it last ended."""

    def declare(function: Callable) -> Callable:
        _beats.append((name, seconds, function))
        return function

    return declare


def _work(stop: threading.Event) -> None:
    while not stop.is_set():
        if fitness.restoring(site().folder):
            stop.wait(1)
            continue
        try:
            task = jobs.handed() or jobs.take()
            if task is not None:
                jobs.wake.set()  # there may be more: let the other threads look
                jobs.run(task)
        except Exception as error:  # a job's own failure is written down by `run`; here the database itself failed
            log.error("the job thread goes on after: %s", jobs.describe(error))
            connection.close()
            stop.wait(1)
            continue
        if task is None:
            jobs.wake.wait(0.25)  # due retries are looked for four times a second; new work wakes at once
            jobs.wake.clear()
    connection.close()


def _work_together(stop: threading.Event) -> None:
    """Jobs that can be done in one go, as soon as they are handed over; left-over ones come to the others' turn."""
    while not stop.is_set():
        jobs.wake_together.wait(0.25)
        jobs.wake_together.clear()
        if fitness.restoring(site().folder):
            continue
        try:
            while tasks := jobs.all_handed_together():
                for kind in {task.kind for task in tasks}:
                    jobs.run_together([task for task in tasks if task.kind == kind])
        except Exception as error:
            log.error("the job thread goes on after: %s", jobs.describe(error))
            connection.close()
    connection.close()


def _beat(name: str, seconds: Callable[[], float], function: Callable[[], None], stop: threading.Event) -> None:
    failures = 0
    while not stop.is_set():
        if name not in WHILE_RESTORED and fitness.restoring(site().folder):
            stop.wait(1)
            continue
        started = time.monotonic()
        try:
            function()
            failures = 0
        except Exception as error:
            failures += 1
            if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th, ... in a row: a fault fills no disk with lines
                log.warning("%s failed %s times in a row: %s", name, failures, _reason(error))
            connection.close()
        pause = seconds() - (time.monotonic() - started)
        if failures:
            pause = max(pause, min(MAX_PAUSE, 0.25 * 2 ** min(failures, 8)))
        if pause > 0:
            stop.wait(pause)
    connection.close()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Problem) else jobs.describe(error)


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start the job threads and beats of this process."""
    jobs.release_leases()
    jobs.working.set()
    threads = [threading.Thread(target=_work_together, args=(stop,), daemon=True)]
    threads += [threading.Thread(target=_work, args=(stop,), daemon=True) for _ in range(site().workers)]
    threads += [threading.Thread(target=_beat, args=(*each, stop), daemon=True) for each in _beats]
    for thread in threads:
        thread.start()
    return threads
