"""The room desk: bookings, check-in, clearances, logs and inspections of this centre, each on its ledger.

The rules are in `governance.rooms`. Records: `booking`, `clearance` (a person's pledge and training), `log` (assets,
media, shifts, visitors), `inspection` (a month's list).
"""

import secrets
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from ansim.errors import N_, Problem
from ansim.governance import rooms
from ansim.governance.core import civil_day
from ansim.governance.rooms import Booking, Room
from ansim.sites import clock
from ansim.sites.centre import agreements
from ansim.sites.config import site
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

LOGS = ("asset", "media", "shift", "visitor")
# What a centre looks at once a month; a question each, answered yes or no with a remark.
INSPECTION = {
    "locks": N_("Doors, locks and cameras of the rooms work."),
    "terminals": N_("Terminals have no other network, no free ports and the current software."),
    "media": N_("Every medium in the log is where the log says."),
    "accounts": N_("Accounts and roles are those of people who still work here."),
    "pledges": N_("Pledges and trainings of all who entered were valid."),
    "ledger": N_("The ledger was verified and is witnessed."),
    "keys": N_("Passphrases and credentials lie where they should, and nobody else has them."),
    "restore": N_("A backup was restored, and destroyed workspaces did not come back."),
}


def all_rooms() -> list[Room]:
    return [Room.of(each) for each in site().options.get("rooms", [])]


def room(name: str) -> Room:
    found = next((each for each in all_rooms() if each.id == name), None)
    if found is None:
        raise Problem("no-room", N_("There is no room {name} here."), name=name, where="room")
    return found


def bookings(**facts: Any) -> list[Booking]:
    named = {f"data__{name}": value for name, value in facts.items()}
    return [_booking(found.data) for found in Record.objects.filter(kind="booking", **named)]


def _booking(data: dict) -> Booking:
    times = {part: datetime.fromisoformat(data[part]) for part in ("begins", "ends")}
    return Booking(**{**data, **times})


def _put(booking: Booking, event: str, actor: str) -> None:
    data = {**vars(booking), "begins": clock.iso(booking.begins), "ends": clock.iso(booking.ends)}
    ledger.note(
        f"booking:{booking.id}", event, actor=actor, person=booking.person, room=booking.room, seat=booking.seat
    )
    ledger.record("booking", booking.id, data, status=booking.status)


def book(key: str, person: str, name: str, seat: int, begins: datetime, hours: float) -> str:
    """Book a seat for a member under an agreement in force."""
    agreements.admit(key, person, "booking")
    with transaction.atomic():
        number = f"visit-{secrets.token_hex(6)}"
        wanted = Booking(number, name, seat, person, key, begins, begins + timedelta(hours=hours))
        _put(rooms.book(wanted, room(name), bookings(), clock.now()), "visit.booked", person)
    return number


def move(number: str, status: str, actor: str, escort: str = "") -> None:
    """Check in, check out or cancel. Checking in asks for pledge, training, the hour and the agreement anew."""
    with transaction.atomic():
        found = Record.objects.select_for_update().filter(kind="booking", key=number).first()
        if found is None:
            raise Problem("no-booking", N_("There is no such booking."))
        held = _booking(found.data)
        if (held.status, status) not in {("booked", "present"), ("present", "left"), ("booked", "cancelled")}:
            raise Problem("booking-state", N_("This is not possible in the booking's present state."))
        if status == "present":
            if actor == held.person:
                raise Problem("own-check-in", N_("Somebody else checks a visitor in."))
            agreements.admit(held.agreement, held.person, "check-in")
            now = clock.now()
            missing = rooms.clearance(cleared(held.person), civil_day(now))
            if missing:
                raise missing[0]
            if not held.begins - timedelta(minutes=15) <= now < held.ends or not room(held.room).open_at(now):
                raise Problem("not-now", N_("The visit is at another time, or the room is closed."))
        _put(Booking(**{**vars(held), "status": status, "escort": escort or held.escort}), f"visit.{status}", actor)


def clear(person: str, pledge: date | None, training: date | None, actor: str) -> None:
    """Put on record when a person signed the pledge and was trained."""
    facts = {"pledge": pledge.isoformat() if pledge else "", "training": training.isoformat() if training else ""}
    with transaction.atomic():
        ledger.note("clearance", "clearance.recorded", actor=actor, person=person, **facts)
        ledger.record("clearance", person, {"person": person, **facts})


def cleared(person: str) -> dict:
    found = Record.objects.filter(kind="clearance", key=person).first()
    return found.data if found else {}


def refusals(person: str, key: str, address: str) -> list[Problem]:
    """Why a member does not work from here now; nothing without rooms, or where the terms allow remote work."""
    if not site().options.get("rooms") or agreements.terms(key)["place"]["remote"]:
        return []
    held, mine = cleared(person), bookings(person=person)
    return rooms.conditions(person, key, address, rooms=all_rooms(), bookings=mine, held=held, now=clock.now())


def require(person: str, key: str, address: str) -> None:
    """Raises Problem, the first reason; all of them go to the ledger."""
    if reasons := refusals(person, key, address):
        codes = [each.code for each in reasons]
        ledger.note(f"workspace:{key}", "room.refused", actor=person, reasons=codes)
        raise reasons[0]


def log(kind: str, text: str, actor: str) -> None:
    """An entry of the asset, media, shift or visitor log."""
    if kind not in LOGS or not text.strip():
        raise Problem("log", N_("Write what happened, under one of the logs."), where="text")
    number = secrets.token_hex(8)
    with transaction.atomic():
        ledger.note(f"log:{kind}", "log.entry", actor=actor, text=text[:2000])
        data = {"kind": kind, "text": text[:2000], "by": actor, "at": clock.iso(clock.now())}
        ledger.record("log", number, data, status=kind)


def logs(kind: str = "") -> list[dict]:
    found = Record.objects.filter(kind="log").order_by("-updated")
    return [each.data for each in (found.filter(status=kind) if kind else found)[:200]]


def inspect(answers: dict[str, bool], remarks: str, actor: str) -> str:
    """This month's self-inspection; once a month, and a no needs a remark. Gives the month."""
    month = f"{civil_day(clock.now()):%Y-%m}"
    if Record.objects.filter(kind="inspection", key=month).exists():
        raise Problem("inspected", N_("{month} was inspected already."), month=month)
    given = {name: bool(answers.get(name)) for name in INSPECTION}
    if not all(given.values()) and not remarks.strip():
        raise Problem("remark", N_("Say what is wrong and what will be done."), where="remarks")
    with transaction.atomic():
        ledger.note("inspection", "inspection.done", actor=actor, month=month, answers=given)
        data = {"month": month, "answers": given, "remarks": remarks[:4000], "by": actor, "at": clock.iso(clock.now())}
        ledger.record("inspection", month, data, status="ok" if all(given.values()) else "open")
    return month


def inspections() -> list[dict]:
    return [each.data for each in Record.objects.filter(kind="inspection").order_by("-key")]
