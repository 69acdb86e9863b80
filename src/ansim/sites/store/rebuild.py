"""Projections from the ledger anew: every aggregate's record as its events give it, and which stored ones differ.

A record is only a view of its stream. After a restore, a change of an aggregate's code, or a doubt about the database,
`rebuild` makes all of them again in one transaction; `differing` tells without changing anything.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction

from ansim.documents import canonical
from ansim.governance.core import Aggregate
from ansim.governance.tables import AGGREGATES
from ansim.sites.store.models import Event, Record

BATCH = 500  # records written at once


def folded(aggregates: Iterable[Aggregate] = AGGREGATES) -> Iterator[tuple[Aggregate, str, Any, str]]:
    """(aggregate, key, state, ISO time of the last event) of each stream. Erased events leave their stream out."""
    for aggregate in aggregates:
        prefix = f"{aggregate.name}:"
        rows = Event.objects.filter(stream__startswith=prefix, type__startswith=f"{aggregate.name}.")
        stream, state, last, whole = "", aggregate.initial(), "", True
        for name, kind, data, at in (
            rows.order_by("stream", "version").values_list("stream", "type", "data", "at").iterator(chunk_size=5000)
        ):
            if name != stream:
                if stream and whole:
                    yield aggregate, stream.removeprefix(prefix), state, last
                stream, state, whole = name, aggregate.initial(), True
            whole = whole and bool(data)
            if whole:
                state = aggregate.evolve(state, aggregate.load(kind, json.loads(data)))
            last = at
        if stream and whole:
            yield aggregate, stream.removeprefix(prefix), state, last


def rebuild(aggregates: Iterable[Aggregate] = AGGREGATES) -> int:
    """Write every record of these aggregates as its events give it; gives how many. Other kinds are not touched."""
    aggregates = tuple(aggregates)
    made, count = [], 0
    with transaction.atomic():
        for aggregate, key, state, last in folded(aggregates):
            data = state.as_data()
            facts = {"status": str(data["status"]), "data": data, "version": state.version, "updated": last}
            made.append(Record(kind=aggregate.name, key=key, **facts))
            if len(made) == BATCH:
                count += _write(made)
                made = []
        count += _write(made)
    return count


def _write(records: list[Record]) -> int:
    Record.objects.bulk_create(
        records,
        update_conflicts=True,
        unique_fields=["kind", "key"],
        update_fields=["status", "data", "version", "updated"],
    )
    return len(records)


def differing(aggregates: Iterable[Aggregate] = AGGREGATES) -> list[tuple[str, str]]:
    """(kind, key) of each record that is not what its events give, or is missing."""
    found = []
    for aggregate in tuple(aggregates):
        held = dict(Record.objects.filter(kind=aggregate.name).values_list("key", "data"))
        for _aggregate, key, state, _last in folded((aggregate,)):
            if key not in held or canonical(held[key]) != canonical(state.as_data()):
                found.append((aggregate.name, key))
    return found
