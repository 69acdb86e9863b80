"""The rooms of a centre: seats, bookings, and on what conditions a person works at a terminal.

Rooms stand in the site's options: `rooms = [{id, name: {ko, en}, seats, opens, closes, days, terminals}]` (hours as
"09:00", days 0-6 from Monday, terminals as networks). A centre that names none has remote work only. Where it names
some, an agreement whose terms do not allow remote work (`place.remote`) is worked on in a room and nowhere else.

The conditions are the guideline's for a closed analysis room: a pledge and a training of the last year, an own booking
that was checked in, opening hours, a listed terminal (Guideline on the utilisation of health and medical data, 2024;
known from secondary sources).
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ansim.errors import N_, Problem

SEOUL = ZoneInfo("Asia/Seoul")
VALID = timedelta(days=365)  # of a pledge and of a training
MOST_VISITS = 5  # in seven days, for one person
LONGEST = timedelta(hours=10)


@dataclass(frozen=True)
class Room:
    id: str
    name: Mapping[str, str]
    seats: int
    opens: time
    closes: time
    days: tuple[int, ...]
    terminals: tuple[Any, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Room":
        """A room of the site's options. Raises Problem naming what is wrong."""
        try:
            return cls(
                id=str(data["id"]),
                name=data["name"],
                seats=int(data["seats"]),
                opens=time.fromisoformat(data.get("opens", "09:00")),
                closes=time.fromisoformat(data.get("closes", "18:00")),
                days=tuple(data.get("days", range(5))),
                terminals=tuple(ipaddress.ip_network(each) for each in data.get("terminals", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Problem(
                "bad-room", N_("A room of the settings is not right: {error}."), where="options.rooms", error=str(error)
            ) from error

    def open_at(self, moment: datetime) -> bool:
        there = moment.astimezone(SEOUL)
        return there.weekday() in self.days and self.opens <= there.time() < self.closes

    def has_terminal(self, address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in self.terminals)
        except ValueError:
            return False


@dataclass(frozen=True)
class Booking:
    """status: booked, present, left, cancelled. `begins` and `ends` in UTC."""

    id: str
    room: str
    seat: int
    person: str
    agreement: str
    begins: datetime
    ends: datetime
    status: str = "booked"
    escort: str = ""

    def overlaps(self, other: "Booking") -> bool:
        return self.begins < other.ends and other.begins < self.ends


def book(wanted: Booking, room: Room, held: Sequence[Booking], now: datetime) -> Booking:
    """The booking, if it may stand beside those that are held. Raises Problem naming what stands against it."""
    live = [each for each in held if each.status in {"booked", "present"}]
    if not wanted.begins < wanted.ends or wanted.ends - wanted.begins > LONGEST or wanted.ends <= now:
        raise Problem("booking-time", N_("A visit begins before it ends, on one day, and not in the past."))
    last = wanted.ends - timedelta(minutes=1)
    if not room.open_at(wanted.begins) or not room.open_at(last):
        raise Problem(
            "room-closed",
            N_("The room is open from {opens} to {closes} on its days."),
            opens=f"{room.opens:%H:%M}",
            closes=f"{room.closes:%H:%M}",
        )
    if not 1 <= wanted.seat <= room.seats:
        raise Problem("no-seat", N_("The room has the seats 1 to {seats}."), seats=room.seats, where="seat")
    if any(each.room == wanted.room and each.seat == wanted.seat and each.overlaps(wanted) for each in live):
        raise Problem("seat-taken", N_("This seat is taken at that time."), where="seat")
    mine = [each for each in live if each.person == wanted.person]
    if any(each.overlaps(wanted) for each in mine):
        raise Problem("booked-already", N_("{person} has another booking at that time."), person=wanted.person)
    week = [each for each in mine if abs(each.begins - wanted.begins) < timedelta(days=7)]
    if len(week) >= MOST_VISITS:
        raise Problem("visit-limit", N_("One person comes at most {most} times in seven days."), most=MOST_VISITS)
    return wanted


def clearance(held: Mapping[str, str], today: date) -> list[Problem]:
    """What a person lacks before entering. held: ISO dates of `pledge` and `training`."""
    words = {
        "pledge": N_("The security pledge is missing or older than a year."),
        "training": N_("The training is missing or older than a year."),
    }
    return [
        Problem(f"no-{what}", text)
        for what, text in words.items()
        if not held.get(what) or not today - VALID < date.fromisoformat(held[what]) <= today
    ]


def conditions(
    person: str,
    agreement: str,
    address: str,
    *,
    rooms: Sequence[Room],
    bookings: Sequence[Booking],
    held: Mapping[str, str],
    now: datetime,
) -> list[Problem]:
    """Why this person does not work on this agreement at this address now; empty: all conditions hold."""
    reasons = clearance(held, now.astimezone(SEOUL).date())
    here = next(
        (
            each
            for each in bookings
            if each.person == person
            and each.agreement == agreement
            and each.status == "present"
            and each.begins <= now < each.ends
        ),
        None,
    )
    if here is None:
        return [*reasons, Problem("not-checked-in", N_("Nobody has checked {person} in now."), person=person)]
    room = next((each for each in rooms if each.id == here.room), None)
    if room is None or not room.open_at(now):
        reasons.append(Problem("room-closed-now", N_("The room is not open now.")))
    elif not room.has_terminal(address):
        reasons.append(Problem("not-a-terminal", N_("{address} is no terminal of this room."), address=address))
    return reasons
