"""Dates, times and numbers as a reader of Korean or English expects them, always in Korea's time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from django.utils.translation import get_language

KOREA = ZoneInfo("Asia/Seoul")


def language() -> str:
    """The reader's language, "ko" or "en"; Korean when none is active."""
    return "en" if (get_language() or "ko").startswith("en") else "ko"


def phrase(text: Any) -> str:
    """A text in the reader's language: from ``{"ko": …, "en": …}``, a lazy translation or a string."""
    if isinstance(text, Mapping):
        return str(text.get(language()) or text.get("ko") or text.get("en") or "")
    return "" if text is None else str(text)


def day(value: dt.datetime | dt.date | str | None) -> str:
    """2026-11-23 -> "2026년 11월 23일" or "23 November 2026"; an instant counts as its day in Korea."""
    moment_or_day = _parsed(value)
    if moment_or_day is None:
        return ""
    if isinstance(moment_or_day, dt.datetime):
        moment_or_day = moment_or_day.astimezone(KOREA).date()
    return format_date(moment_or_day, format="y년 M월 d일" if language() == "ko" else "d MMMM y", locale=language())


def moment(value: dt.datetime | dt.date | str | None) -> str:
    """An instant with minutes, 24 hours; a plain date stays a date."""
    instant = _parsed(value)
    if not isinstance(instant, dt.datetime):
        return day(instant)
    pattern = "y년 M월 d일 HH:mm" if language() == "ko" else "d MMMM y, HH:mm"
    return format_datetime(instant.astimezone(KOREA), format=pattern, locale=language())


def iso(value: dt.datetime | dt.date | str | None) -> str:
    """For the datetime attribute of <time>."""
    instant = _parsed(value)
    return "" if instant is None else instant.isoformat()


def number(value: float | int | None) -> str:
    """1234.5 -> "1,234.5"; at most three decimals."""
    return "" if value is None else format_decimal(value, format="#,##0.###", locale=language())


def percent(value: float | None) -> str:
    """0.1234 -> "12.3%"."""
    return "" if value is None else format_percent(value, format="#,##0.#%", locale=language())


def _parsed(value: dt.datetime | dt.date | str | None) -> dt.datetime | dt.date | None:
    if not value:
        return None
    if isinstance(value, str):
        value = dt.date.fromisoformat(value) if len(value) == 10 else dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value
