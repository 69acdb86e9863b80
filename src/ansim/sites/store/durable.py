"""How durable a transaction is. All are (SQLite synchronous=FULL) but those that may be done again without harm."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def lazily() -> Iterator[None]:
    """A transaction that a power cut may undo: a lease, the end of a job whose effect the receiver remembers.

    It waits for no disk. The next durable transaction carries it along; a killed process loses nothing.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=NORMAL")
        try:
            with transaction.atomic():
                yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA synchronous=FULL")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO OFF")
            yield
