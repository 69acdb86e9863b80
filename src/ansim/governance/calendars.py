"""Korea's days off, from the `holidays` library: public holidays, alternative ones, election days, Labour Day.

A site may add days of its own (an anniversary of the hospital); the library's list of coming years is as good as its
release, and a holiday that the government declares at short notice is added by hand until then.
"""

from collections.abc import Iterable
from functools import cache

import holidays
import numpy as np


@cache
def korean(first_year: int, last_year: int) -> frozenset[str]:
    """ISO days of the public holidays of these years (both included)."""
    return frozenset(day.isoformat() for day in holidays.country_holidays("KR", years=range(first_year, last_year + 1)))


def around(year: int, own: Iterable[str] = ()) -> frozenset[str]:
    """The holidays that clocks of this year need: from the year before until two years after; and a site's own days."""
    return korean(year - 1, year + 2) | frozenset(own)


def working_days(starts: Iterable[str], ends: Iterable[str], days_off: Iterable[str] = ()) -> np.ndarray:
    """Working days in (start, end] of many pairs of ISO days at once, as `workdays.working_days_between` counts one."""
    day = np.timedelta64(1, "D")
    first = np.array([text[:10] for text in starts], dtype="datetime64[D]") + day
    last = np.array([text[:10] for text in ends], dtype="datetime64[D]") + day
    return np.busday_count(first, last, holidays=np.array(sorted(days_off), dtype="datetime64[D]"))
