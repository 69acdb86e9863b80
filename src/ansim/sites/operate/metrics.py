"""The site's state in the form that Prometheus fetches (text exposition format 0.0.4), and how long requests take.

Labels are kinds of jobs, ids of sites, and the kind of answer: never a path, a person or a case.
"""

import time
from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ansim.sites.operate import state

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)  # seconds
requests = CollectorRegistry()
_seconds = Histogram(
    "ansim_request_seconds", "How long requests took", ["method", "status"], buckets=BUCKETS, registry=requests
)


class Exported(Collector):
    """One state as measures."""

    def __init__(self, found: state.State):
        self._found = found

    def collect(self) -> Iterator[Metric]:
        found = self._found
        yield from _queues(found)
        yield _one("ansim_ledger_entries", "Entries of the ledger", found.entries)
        yield _one("ansim_ledger_signed_entries", "Entries under the newest signed head", found.head)
        witnessed = GaugeMetricFamily("ansim_ledger_witnessed_entries", "Entries that a site cosigned", labels=["site"])
        for name, size in found.witnesses.items():
            witnessed.add_metric([name], size)
        yield witnessed
        ends = GaugeMetricFamily("ansim_end_seconds", "Seconds until keys, notices, certificates end", labels=["what"])
        for name, end in found.ends.items():
            ends.add_metric([name.split(":")[0] if name.startswith("members:") else name], _left(found, end))
        yield ends
        yield _one("ansim_disk_free_bytes", "Free space under the site's folder", found.disk_free)
        yield _one("ansim_disk_bytes", "Space under the site's folder", found.disk_total)
        yield _one("ansim_database_bytes", "Size of the database", found.database_bytes)
        yield _one("ansim_ready", "1 if the site acts", int(not found.unfit))
        if found.backup:
            age = (found.now - found.backup).total_seconds()
            yield _one("ansim_backup_age_seconds", "Since the last backup ended", age)


def _queues(found: state.State) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("ansim_jobs_waiting", "Jobs that wait or are being done", labels=["kind"])
    lag = GaugeMetricFamily("ansim_jobs_lag_seconds", "How long the oldest job is overdue", labels=["kind"])
    dead = GaugeMetricFamily("ansim_jobs_dead", "Jobs that failed for good", labels=["kind"])
    for kind, (number, seconds, failed) in found.queues.items():
        waiting.add_metric([kind], number)
        lag.add_metric([kind], seconds)
        dead.add_metric([kind], failed)
    mail = GaugeMetricFamily("ansim_mail_waiting", "Envelopes on their way to a site", labels=["site"])
    for name, number in found.mail.items():
        mail.add_metric([name], number)
    yield from (waiting, lag, dead, mail)


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _left(found: state.State, end: object) -> float:
    return (end - found.now).total_seconds()  # type: ignore[operator]


def text() -> bytes:
    """All measures of this process as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(Exported(state.gather()))
    return generate_latest(registry) + generate_latest(requests)


def timed(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: how long each request took, by method and status."""

    def watched(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = answer(request)
        method = request.method if request.method in {"GET", "POST", "HEAD", "PUT", "DELETE"} else "other"
        _seconds.labels(method or "other", f"{response.status_code // 100}xx").observe(time.perf_counter() - began)
        return response

    return watched
