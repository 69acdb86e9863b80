"""How quickly hospitals answer, from the entries that the hub's own ledger has of their reports."""

import json
from functools import lru_cache

from ansim.governance import calendars, turnaround
from ansim.governance.core import civil_day
from ansim.governance.turnaround import Moved, Spell
from ansim.sites import clock
from ansim.sites.store.models import Event

TYPES = ("request.opened", "review.moved")
FIRST = "asked"  # a request that was opened waits for each hospital's first answer


def moves(newest: int) -> list[Moved]:
    """Every report up to an entry of the ledger, oldest first."""
    found = []
    rows = Event.objects.filter(type__in=TYPES, seq__lte=newest).order_by("seq")
    for kind, stream, at, actor, data in rows.values_list("type", "stream", "at", "actor", "data").iterator():
        said = json.loads(data) if data else {}
        case = stream.partition(":")[2]
        if kind == "request.opened":
            found += [Moved(case, holder, FIRST, at) for holder in said.get("holders", [])]
        else:
            found.append(Moved(case, actor, said.get("status", ""), at))
    return found


def spells() -> list[Spell]:
    """The finished stages of all cases, made anew only when a report has come."""
    newest = Event.objects.filter(type__in=TYPES).order_by("-seq").values_list("seq", flat=True).first()
    return list(_spells(-1 if newest is None else newest, civil_day(clock.now()).year))


@lru_cache(maxsize=2)
def _spells(newest: int, year: int) -> tuple[Spell, ...]:
    return tuple(turnaround.spells(moves(newest), calendars.korean(year - 10, year + 1)))


def first_answers() -> dict[str, float]:
    """Each hospital's median working days to its first answer."""
    first = [spell for spell in spells() if spell.stage == FIRST]
    return {site: days.median for site, days in turnaround.summary(first, "site").items()}
