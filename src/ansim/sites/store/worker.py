"""The site's worker: threads that run due jobs, and beats that do something every few seconds."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import connection

from ansim.sites.config import site
from ansim.sites.store import jobs

log = logging.getLogger("ansim.worker")
_beats: list[tuple[str, Callable[[], float], Callable[[], None]]] = []


def beat(name: str, seconds: Callable[[], float]) -> Callable:
    """Declare something to do again and again, `seconds()` after it last ended."""

    def declare(function: Callable) -> Callable:
        _beats.append((name, seconds, function))
        return function

    return declare


def _work(stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            task = jobs.take()
        except Exception:
            log.exception("no job could be taken")
            stop.wait(1)
            continue
        if task is None:
            jobs.wake.wait(0.25)  # due retries are looked for four times a second; new work wakes at once
            jobs.wake.clear()
            continue
        jobs.wake.set()  # there may be more: let the other threads look
        jobs.run(task)
    connection.close()


def _beat(name: str, seconds: Callable[[], float], function: Callable[[], None], stop: threading.Event) -> None:
    while not stop.is_set():
        started = time.monotonic()
        try:
            function()
        except Exception as error:
            log.warning("%s: %s", name, error)
        stop.wait(max(0.05, seconds() - (time.monotonic() - started)))
    connection.close()


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start the job threads and beats of this process."""
    jobs.release_leases()
    threads = [threading.Thread(target=_work, args=(stop,), daemon=True) for _ in range(site().workers)]
    threads += [threading.Thread(target=_beat, args=(*each, stop), daemon=True) for each in _beats]
    for thread in threads:
        thread.start()
    return threads
