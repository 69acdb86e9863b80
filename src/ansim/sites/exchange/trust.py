"""The notices this site holds: stored, asked, and refreshed."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.exchange import notices
from ansim.sites.fitness import Unfit
from ansim.sites.store import ledger
from ansim.sites.store.models import Notice


def pinned() -> notices.Trust:
    here = site()
    return notices.Trust(here.roots, here.threshold, here.ministry, here.demo)


def signed_notice(name: str) -> dict | None:
    """The notice with its signatures, as it was accepted."""
    seq = Notice.objects.filter(name=name).values_list("seq", flat=True).first()
    return None if seq is None else _read(name, seq)


@lru_cache(maxsize=64)
def _read(name: str, seq: int) -> dict | None:
    """A notice of this number never changes; nobody changes what is given back."""
    return Notice.objects.filter(name=name, seq=seq).values_list("body", flat=True).first()


def document(name: str) -> dict | None:
    body = signed_notice(name)
    return body["document"] if body else None


def directory() -> notices.Directory:
    """The accepted site directory, if it is still in date."""
    return notices.Directory(notices.fresh(document("directory"), "directory", clock.now()))


def members(org: str) -> dict:
    """The organisation's member list, refused when it was attested too long ago."""
    name = f"members:{org}"
    return notices.fresh(document(name), name, clock.now(), site().member_list_days)


def member_list(org: str) -> dict | None:
    """The list as the grant looks at it: its end is this site's limit where that is sooner."""
    held = document(f"members:{org}")
    if held is None:
        return None
    limit = datetime.fromisoformat(held["issued"]) + timedelta(days=site().member_list_days)
    return {**held, "expires": min(datetime.fromisoformat(held["expires"]), limit).isoformat()}


def designations() -> dict | None:
    """The ministry's list as it stands; whoever uses it checks its dates (governance.attest)."""
    return document("designations")


def take(notice: Any, *, known: bool = True) -> bool:
    """Accept a newer notice; False when it is not newer; a forged one is refused, and the refusal is on the ledger.

    known: whether a known site brought it; a stranger's rubbish is refused without an entry.
    """
    try:
        name = notices.name_of(notice.get("document") if isinstance(notice, dict) else None)
        with transaction.atomic():
            held = Notice.objects.select_for_update().filter(name=name).first()
            directory_now = None
            if name != "directory" and (current := document("directory")):
                directory_now = notices.Directory(current)
            name, accepted = notices.accept(notice, held.seq if held else 0, pinned(), directory_now, clock.now())
            Notice.objects.update_or_create(name=name, defaults={"seq": accepted["seq"], "body": notice})
            ledger.note("trust", "notice.accepted", name=name, seq=accepted["seq"])
    except Unfit:
        raise
    except Problem as problem:
        if problem.code != "old-notice" and known and _first_time(notice):
            ledger.note("trust", "notice.refused", reason=problem.code, message=str(problem)[:500])
        return False
    return True


_refused: set[str] = set()


def _first_time(notice: Any) -> bool:
    """Whether this refused notice is new since the start: the hub offers it again at every poll."""
    name = hashlib.sha256(json.dumps(notice, sort_keys=True, default=str).encode()).hexdigest()
    if name in _refused or len(_refused) >= 1000:
        return False
    _refused.add(name)
    return True


def in_order(names: Iterable[str]) -> list[str]:
    """Names of notices, the directory first: it says whose keys sign the others."""
    return sorted(names, key=lambda name: (name != "directory", name))


def load_initial() -> None:
    """Take the notices that came with the pairing (files in FOLDER/notices), the directory first."""
    files = sorted(site().path("notices").glob("*.json"), key=lambda file: (file.stem != "directory", file.name))
    for file in files:
        try:
            take(json.loads(file.read_text("utf-8")))
        except ValueError as error:
            raise Problem(
                "bad-notice", N_("The file is no notice: {error}."), where=str(file), error=str(error)
            ) from error
