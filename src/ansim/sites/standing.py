"""Agreements as this site's ledger has them, folded again only when the ledger has something new about one."""

from datetime import date, datetime
from functools import lru_cache

from ansim.errors import Problem
from ansim.governance.agreement import Agreement, agreement, unusable
from ansim.governance.core import civil_day
from ansim.sites import clock
from ansim.sites.store import ledger
from ansim.sites.store.models import Event


def state(key: str) -> Agreement:
    """The agreement's present state; nobody changes what is given back."""
    return _state(key, _newest(key))


def not_in_force(key: str, version: int, terms: str, now: datetime) -> list[Problem]:
    """Why nothing may happen under this version now (governance.agreement.unusable)."""
    return list(_unusable(key, _newest(key), version, terms, civil_day(now)))


def _newest(key: str) -> int:
    found = (
        Event.objects.filter(stream=f"{agreement.name}:{key}").order_by("-version").values_list("version", flat=True)
    )
    return found.first() or 0


@lru_cache(maxsize=256)
def _state(key: str, newest: int) -> Agreement:
    return ledger.load(agreement, key)


@lru_cache(maxsize=256)
def _unusable(key: str, newest: int, version: int, terms: str, today: date) -> tuple[Problem, ...]:
    """Of the time only the civil day counts."""
    return tuple(unusable(_state(key, newest), version, terms, clock.now()))
