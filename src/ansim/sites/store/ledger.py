"""Appending to the site's ledger, and folding aggregates out of it.

Events of an act are appended in the act's own database transaction, so a crash leaves both or neither.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ansim.documents import canonical, digest
from ansim.errors import N_, Problem
from ansim.governance.ledger import entry, tree
from ansim.sites import clock
from ansim.sites.fitness import Unfit
from ansim.sites.store.models import Document, Event, LedgerHead, Record

STEP_BACK = timedelta(seconds=2)  # what time synchronisation may set a clock back; the ledger's time stands still then


def append(stream: str, events: Iterable[tuple[str, dict]], *, actor: str) -> int:
    """Append (type, data) events to a stream; gives the stream's new version.

    Raises Unfit if the clock stands behind the last entry: then something is wrong, and the site acts no more.
    """
    with transaction.atomic():
        LedgerHead.objects.get_or_create(id=1)
        head = LedgerHead.objects.select_for_update().get(id=1)
        now = clock.now()  # read under the lock: whoever waited for it must not write an earlier time
        at = clock.iso(now)
        if clock.jumped():
            raise Unfit(
                "clock-jumped",
                N_("The clock of this machine has jumped; it says {now}."),
                now=at,
                remedy=N_("Set the clock right, then start the site again."),
            )
        last = Event.objects.filter(seq=head.size - 1).values_list("at", flat=True).first()
        if last and at < last and datetime.fromisoformat(last) - now <= STEP_BACK:
            at = last
        if last and at < last:
            raise Unfit(
                "clock-behind",
                N_("The clock says {now}, but the ledger's last entry is of {last}."),
                now=at,
                last=last,
                remedy=N_("Set the clock right."),
            )
        newest = Event.objects.filter(stream=stream).order_by("-version").values_list("version", flat=True).first()
        version = newest or 0
        frontier = tree.Frontier(head.size, tuple(bytes.fromhex(part) for part in head.frontier))
        rows = []
        for kind, data in events:
            version += 1
            salt = secrets.token_bytes(32)
            leaf = entry.commitment(salt=salt, stream=stream, version=version, type=kind, at=at, actor=actor, data=data)
            rows.append(
                Event(
                    seq=frontier.size,
                    stream=stream,
                    version=version,
                    type=kind,
                    at=at,
                    actor=actor,
                    data=canonical(data).decode(),
                    salt=salt.hex(),
                    leaf=leaf.hex(),
                )
            )
            frontier = frontier.append(leaf)
        Event.objects.bulk_create(rows)
        LedgerHead.objects.filter(id=1).update(size=frontier.size, frontier=[part.hex() for part in frontier.hashes])
    return version


def note(stream: str, kind: str, *, actor: str = "system", **data: Any) -> None:
    """Append one event that belongs to no aggregate (a refusal, an attack seen, a job's end)."""
    append(stream, [(kind, data)], actor=actor)


def events(stream: str) -> list[tuple[str, dict]]:
    rows = Event.objects.filter(stream=stream).order_by("version").values_list("type", "data")
    return [(kind, json.loads(data)) for kind, data in rows if data]


def load(aggregate: Any, key: str) -> Any:
    """The aggregate's present state, folded from its events."""
    return aggregate.replay(events(f"{aggregate.name}:{key}"))


def execute(aggregate: Any, key: str, command: Any, *, actor: str) -> Any:
    """Decide, append, project: one act on one aggregate. Raises Problem where the rules refuse it."""
    with transaction.atomic():
        LedgerHead.objects.get_or_create(id=1)
        LedgerHead.objects.select_for_update().get(id=1)  # one writer at a time: no decision on stale state
        state = load(aggregate, key)
        decided = aggregate.decide(state, command, clock.now())
        version = append(f"{aggregate.name}:{key}", [(event.type, event.data()) for event in decided], actor=actor)
        for event in decided:
            state = aggregate.evolve(state, event)
        data = state.as_data()
        record(aggregate.name, key, data, status=str(data.get("status", "")), version=version)
    return state


def record(kind: str, key: str, data: dict, *, status: str = "", version: int = 0) -> None:
    """Set the projected record of a thing."""
    Record.objects.update_or_create(
        kind=kind,
        key=key,
        defaults={"data": data, "status": status, "version": version, "updated": clock.iso(clock.now())},
    )


def keep(document: Any, kind: str) -> str:
    """Keep a JSON document under its name; keeping it twice changes nothing."""
    return keep_bytes(canonical(document), kind, "application/json", name=digest(document))


def keep_bytes(body: bytes, kind: str, content_type: str, *, name: str | None = None) -> str:
    name = name or hashlib.sha256(body).hexdigest()
    Document.objects.get_or_create(
        sha256=name,
        defaults={"kind": kind, "content_type": content_type, "body": body, "at": clock.iso(clock.now())},
    )
    return name


def document(name: str) -> Any:
    """The JSON document of this name."""
    return json.loads(document_bytes(name))


def document_bytes(name: str) -> bytes:
    found = Document.objects.filter(sha256=name).values_list("body", flat=True).first()
    if found is None:
        raise Problem("no-document", N_("There is no document {name} here."), name=name[:12])
    return bytes(found)
