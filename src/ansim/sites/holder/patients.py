"""Patients' own word about their data: objections, withdrawn consents, and who consented to a project.

Three lists, each by the patient keys of this hospital (person_source_value): `objection` (against any use for
research), `withdrawal` (of one project, or of all), and `consent` (the only people whom a project based on consent may
use). They are asked each time a count, a federated round or an extract runs, so that a word given today holds from
today on. The lists stay in this site's database; the record ledger learns how many keys were added or taken away.

What a list covers is site policy. The Personal Information Protection Act gives the right to have processing stopped
and consent withdrawn (art. 37), and takes pseudonymised data out of it (art. 28-7); both from recall, to be read
before anybody quotes them. Ansim lets a hospital honour objections all the same.
"""

from collections.abc import Iterable
from typing import Any

import duckdb
from django.db import transaction

from ansim.documents import digest
from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

RECORD = "patients"
KINDS = {"objection": N_("Objection"), "withdrawal": N_("Withdrawal"), "consent": N_("Consent")}
LONGEST = 200  # characters of a key


def change(kind: str, project: str, keys: Iterable[str], *, remove: bool = False, person: str) -> dict[str, int]:
    """Add patient keys to a list, or take them off; returns {"added", "removed", "listed"}.

    project: an agreement's id, or "" for all (a consent list names its project). Raises Problem when nothing is given.
    """
    given = {key.strip() for key in keys if key.strip()}
    if kind not in KINDS:
        raise Problem("bad-list", N_("There is no such list."), where="kind")
    if kind == "consent" and not project:
        raise Problem("bad-list", N_("A consent list belongs to one project: name its agreement."), where="project")
    if kind == "objection" and project:
        raise Problem(
            "bad-list", N_("An objection holds against every project: leave the project out."), where="project"
        )
    if not given or any(len(key) > LONGEST for key in given):
        raise Problem("no-keys", N_("Give patient keys, one a line."), where="keys")
    with transaction.atomic():
        name = f"{kind}:{project}"
        found = Record.objects.select_for_update().filter(kind=RECORD, key=name).first()
        held: dict[str, str] = found.data["since"] if found else {}
        today = clock.iso(clock.now())[:10]
        new = (
            {key: day for key, day in held.items() if key not in given}
            if remove
            else {**{key: today for key in sorted(given)}, **held}
        )
        added, removed = len(new.keys() - held.keys()), len(held.keys() - new.keys())
        if added or removed:
            data = {"kind": kind, "project": project, "since": new, "by": person, "at": clock.iso(clock.now())}
            ledger.record(RECORD, name, data, status=kind)
            ledger.note(
                f"patients:{name}", "patients.listed", actor=person, added=added, removed=removed, listed=len(new)
            )
    return {"added": added, "removed": removed, "listed": len(new)}


def lists() -> list[dict[str, Any]]:
    return [found.data for found in Record.objects.filter(kind=RECORD).order_by("key")]


def _keys(kind: str, project: str) -> set[str] | None:
    """The keys on a list; None when there is no such list."""
    found = Record.objects.filter(kind=RECORD, key=f"{kind}:{project}").values_list("data", flat=True).first()
    return set(found["since"]) if found is not None else None


def words_on(project: str) -> dict[str, list[str]] | None:
    """What holds for a project ("" for questions of none): {"out": keys, "only": keys}; None when nothing does."""
    out = (_keys("objection", "") or set()) | (_keys("withdrawal", "") or set())
    out |= (_keys("withdrawal", project) or set()) if project else set()
    only = _keys("consent", project) if project else None
    if not out and only is None:
        return None
    return {"out": sorted(out)} | ({"only": sorted(only)} if only is not None else {})


def people_out(con: duckdb.DuckDBPyConnection, project: str) -> list[int] | None:
    """Who is left out of everything that this project runs here, as person ids; None when the lists say nothing."""
    said = words_on(project)
    if said is None:
        return None
    query = "SELECT person_id FROM person WHERE person_source_value IN (SELECT unnest($out::VARCHAR[]))"
    if "only" in said:
        query += " OR person_source_value IS NULL OR person_source_value NOT IN (SELECT unnest($only::VARCHAR[]))"
    return [person for (person,) in con.execute(query, said).fetchall()]


def stamp(project: str) -> str:
    """A name for what the lists say about a project now; "" when they say nothing."""
    said = words_on(project)
    return digest(said) if said is not None else ""
