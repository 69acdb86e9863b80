"""Checks that name the place: what the readers and the objects of this room share.

A check raises Problem with a path relative to where it stands; `within` adds the steps on the way up, so that an error
deep in a document says `cohort.require[0].window.from_days`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, TypeVar

from ansim.errors import N_, Problem

T = TypeVar("T")


def wrong(code: str, where: str, text: str, remedy: str, **facts: Any) -> Problem:
    return Problem(code, text, where=where, remedy=remedy, **facts)


def missing(where: str) -> Problem:
    return wrong("missing", where, N_("This part is missing."), N_("Add it."))


def unknown(where: str, allowed: Iterable[str]) -> Problem:
    return wrong(
        "unknown-key",
        where,
        N_("This key is not known here."),
        N_("Remove it or use one of: {allowed}."),
        allowed=", ".join(allowed),
    )


def whole(value: Any, where: str, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise wrong(
            "not-whole",
            where,
            N_("A whole number from {least} to {most} is needed here."),
            N_("Write the number without quotes or decimals."),
            least=least,
            most=most,
        )


def optional_whole(value: Any, where: str, least: int, most: int) -> None:
    if value is not None:
        whole(value, where, least, most)


def one_of(value: Any, where: str, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise wrong(
            "not-one-of",
            where,
            N_("The value is not one of those allowed here."),
            N_("Use one of: {allowed}."),
            allowed=", ".join(allowed),
        )


def truth(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise wrong("not-truth", where, N_("This must be true or false."), N_("Write true or false."))


def count(values: tuple, where: str, most: int) -> None:
    if len(values) > most:
        raise wrong("too-many", where, N_("At most {most} are allowed."), N_("Shorten the list."), most=most)


def day(value: Any) -> date:
    """A calendar day from an ISO string or a date (not a moment)."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise wrong(
            "not-a-date", "", N_("A date is needed here."), N_("Write it as year-month-day, such as 2019-12-31.")
        ) from None


@contextmanager
def within(step: str) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        joint = "" if not problem.where or problem.where.startswith("[") else "."
        problem.where = f"{step}{joint}{problem.where}"
        raise


_REQUIRED: Any = object()


def part(document: dict, key: str, read: Callable[[Any], Any], default: Any = _REQUIRED) -> Any:
    value = document.get(key)
    if value is None:
        if default is _REQUIRED:
            raise missing(key)
        return default
    with within(key):
        return read(value)


def each(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        raise wrong("not-a-list", "", N_("A list is needed here."), N_("Write [one, two] or one item a line."))
    items = []
    for index, item in enumerate(value):
        with within(f"[{index}]"):
            items.append(read(item))
    return tuple(items)


def mapping(value: Any) -> dict:
    if not isinstance(value, dict):
        raise wrong("not-a-mapping", "", N_("Keys with values are needed here."), N_("Write key: value."))
    return value


def known(document: dict, allowed: tuple[str, ...]) -> dict:
    for key in document:
        if key not in allowed:
            raise unknown(str(key), allowed)
    return document
