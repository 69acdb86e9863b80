"""How many feasibility answers a requester may have in a day, so that neither noise nor a node is worn down.

Each requester has a reserved share that no colleague can use up; beyond it an organisation's members share one pool.
So one user can exhaust the pool, never another's reserve. Above both stands what the node answers to everybody in a
day: requesters are named by the hub that carries the question, so a stolen hub could invent as many as it likes. Days
are those of the timezone of `now`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from ansim.privacy.disclosure.policy import Policy


@dataclass
class Budget:
    """Use per (day, organisation, requester). Restore it from a site's own log by calling spend with old times."""

    policy: Policy
    used: dict[tuple[date, str, str], int] = field(default_factory=dict)

    def left(self, requester: str, organisation: str, now: datetime) -> int:
        """Answers that this requester may still have today."""
        day, policy = _day(now), self.policy
        own = self.used.get((day, organisation, requester), 0)
        reserve = min(policy.feasibility_reserved, policy.feasibility_per_requester)
        pooled = sum(
            max(0, count - reserve)
            for (when, whose, _), count in self.used.items()
            if (when, whose) == (day, organisation)
        )
        pool = max(0, policy.feasibility_per_organisation - pooled)
        everybody = sum(count for (when, _, _), count in self.used.items() if when == day)
        whole = policy.feasibility_per_day - everybody
        return min(policy.feasibility_per_requester - own, max(0, reserve - own) + pool, whole)

    def spend(self, requester: str, organisation: str, now: datetime, count: int = 1) -> bool:
        """Take so many answers; False, and nothing taken, if fewer are left. Refused questions cost nothing."""
        if self.left(requester, organisation, now) < count:
            return False
        place = (_day(now), organisation, requester)
        self.used[place] = self.used.get(place, 0) + count
        return True


def _day(now: datetime) -> date:
    if now.tzinfo is None:
        raise ValueError("now needs a timezone")
    return now.date()
