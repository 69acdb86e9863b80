"""What the ministry sees: how long each stage takes, what was asked for, what was refused and why, what data were used.

All from the entries of the hub's own ledger and what sites reported; nothing here is typed in by anybody. The hub knows
titles, areas, states and times, so the figures say nothing of cohorts, people or protocols.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ansim.governance import turnaround
from ansim.governance.review import WAITING
from ansim.governance.turnaround import Days, Spell
from ansim.sites.hub.turnaround import spells
from ansim.sites.store.models import Event, Record

REFUSALS = ("unwilling", "rejected", "returned")


@dataclass(frozen=True)
class Stage:
    """Finished stages of one kind, over all sites or at one. allowed: working days that the usual policy gives."""

    stage: str
    site: str
    days: Days
    allowed: int


def stages() -> list[Stage]:
    """Each stage over all sites, in the order of the journey."""
    return _stages(spells(), "")


def stages_by_site() -> list[Stage]:
    """Each stage at each site."""
    found, every = [], spells()
    for site in sorted({spell.site for spell in every}):
        found += _stages((spell for spell in every if spell.site == site), site)
    return found


def _stages(every: Iterable[Spell], site: str) -> list[Stage]:
    summary = turnaround.summary(every)
    return [
        Stage(name, site, summary[name], waits[1])
        for name, waits in WAITING.items()
        if waits is not None and name in summary
    ]


@dataclass(frozen=True)
class Asked:
    """What the figures need of one request: its areas, whether an application came, and (site, state, waited for)."""

    areas: tuple[str, ...]
    applied: bool
    reviews: tuple[tuple[str, str, str], ...]


def asked() -> tuple[Asked, ...]:
    """Every request, read anew only when the ledger has grown."""
    return _asked(Event.objects.order_by("-seq").values_list("seq", flat=True).first() or 0)


@lru_cache(maxsize=1)
def _asked(newest: int) -> tuple[Asked, ...]:
    rows = Record.objects.filter(kind="request").values_list("data", flat=True)
    return tuple(
        Asked(
            tuple(data["areas"]),
            bool(data["application"]),
            tuple((site, one["status"], one.get("waiting_on", "")) for site, one in data["holders"].items()),
        )
        for data in rows.iterator()
    )


def requests_by_area() -> list[tuple[str, int, int]]:
    """(area, requests, of which an application came) most asked first."""
    count: Counter = Counter()
    applied: Counter = Counter()
    for one in asked():
        count.update(one.areas)
        applied.update(one.areas if one.applied else ())
    return [(area, number, applied[area]) for area, number in count.most_common()]


def refusals() -> list[tuple[str, str, int]]:
    """(site, state, cases): hospitals that take no part, boards that did not approve, applications sent back. The
    reasons in words stay with the hospitals; the state says at which gate it ended."""
    found = Counter((site, state) for one in asked() for site, state, _ in one.reviews if state in REFUSALS)
    return [(site, state, count) for (site, state), count in sorted(found.items())]


def use() -> list[tuple[str, int, int]]:
    """(site, agreements that name it, results released under them): what data were used."""
    agreements: Counter = Counter()
    parties: dict[str, list[str]] = {}
    for data in Record.objects.filter(kind="register", status="agreement").values_list("data", flat=True):
        parties[data["id"]] = data.get("holders", [])
        agreements.update(data.get("holders", []))
    releases: Counter = Counter()
    for agreement in Record.objects.filter(kind="register", status="release").values_list("data__agreement", flat=True):
        releases.update(parties.get(agreement, []))
    return [(site, count, releases[site]) for site, count in sorted(agreements.items())]


def waiting() -> list[tuple[str, int]]:
    """(office, cases that wait for it now)."""
    return Counter(office for one in asked() for _, _, office in one.reviews if office).most_common()
