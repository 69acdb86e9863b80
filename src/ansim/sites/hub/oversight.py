"""What the ministry sees: how long each stage takes, what was asked for, what was refused and why, what data were used.

All from the entries of the hub's own ledger and what sites reported; nothing here is typed in by anybody. The hub knows
titles, areas, states and times, so the figures say nothing of cohorts, people or protocols.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ansim.governance import turnaround
from ansim.governance.review import WAITING
from ansim.governance.turnaround import Days, Spell
from ansim.sites.hub.turnaround import spells
from ansim.sites.store.models import Record

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


def requests_by_area() -> list[tuple[str, int, int]]:
    """(area, requests, of which an application came) most asked first."""
    asked: Counter = Counter()
    applied: Counter = Counter()
    for areas, application in Record.objects.filter(kind="request").values_list("data__areas", "data__application"):
        asked.update(areas)
        applied.update(areas if application else [])
    return [(area, count, applied[area]) for area, count in asked.most_common()]


def refusals() -> list[tuple[str, str, int]]:
    """(site, state, cases): hospitals that take no part, boards that did not approve, applications sent back. The
    reasons in words stay with the hospitals; the state says at which gate it ended."""
    found: Counter = Counter()
    for holders in Record.objects.filter(kind="request").values_list("data__holders", flat=True):
        for site, entry in holders.items():
            if entry["status"] in REFUSALS:
                found[site, entry["status"]] += 1
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
    found: Counter = Counter()
    for holders in Record.objects.filter(kind="request").values_list("data__holders", flat=True):
        found.update(entry["waiting_on"] for entry in holders.values() if entry.get("waiting_on"))
    return found.most_common()
