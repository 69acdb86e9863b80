"""Working days: what "due in five days" means.

Weekends and the holidays passed in do not count. The day of the act is day 0, so a thing due in one working day and
begun on a Friday is due on Monday.
"""

from collections.abc import Collection
from datetime import date, timedelta


def is_working_day(day: date, holidays: Collection[str] = ()) -> bool:
    return day.weekday() < 5 and day.isoformat() not in holidays


def add_working_days(start: date, days: int, holidays: Collection[str] = ()) -> date:
    """The day that lies the given number (>= 0) of working days after the start; never a day off unless days is 0."""
    while days > 0:
        start += timedelta(days=1)
        days -= is_working_day(start, holidays)
    return start


def working_days_between(start: date, end: date, holidays: Collection[str] = ()) -> int:
    """Working days in (start, end]; negative if the end is earlier."""
    if end < start:
        return -working_days_between(end, start, holidays)
    span = (start + timedelta(days=offset) for offset in range(1, (end - start).days + 1))
    return sum(is_working_day(day, holidays) for day in span)
