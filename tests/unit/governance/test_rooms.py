"""Rooms: who may sit where and when, and that each condition of entry stands by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim.errors import Problem
from ansim.governance import rooms
from ansim.governance.rooms import Booking, Room

ROOM = Room.of({"id": "r1", "name": {"ko": "방", "en": "Room"}, "seats": 2, "terminals": ["10.9.0.0/24"]})
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)  # a Tuesday, 11 o'clock in Seoul
VISIT = Booking("v1", "r1", 1, "ann@x", "agr", NOW - timedelta(hours=1), NOW + timedelta(hours=2))
HELD = {"pledge": "2026-06-01", "training": "2026-11-30"}


def booked(wanted, *held, now=NOW - timedelta(days=1)):
    try:
        rooms.book(wanted, ROOM, held, now)
    except Problem as problem:
        return problem.code
    return ""


def test_a_seat_is_for_one_and_a_person_for_one_seat():
    assert booked(VISIT) == ""
    other = replace(VISIT, id="v2", person="bob@x")
    assert booked(other, VISIT) == "seat-taken"
    assert booked(replace(other, seat=2), VISIT) == ""
    assert booked(replace(other, seat=2, person="ann@x"), VISIT) == "booked-already"
    assert booked(other, replace(VISIT, status="cancelled")) == ""
    assert booked(replace(other, seat=3)) == "no-seat"
    later = {"begins": VISIT.ends, "ends": VISIT.ends + timedelta(hours=1)}
    assert booked(replace(other, **later), VISIT) == ""


def test_hours_and_limits():
    assert booked(VISIT, now=VISIT.ends) == "booking-time"
    assert booked(replace(VISIT, ends=VISIT.begins)) == "booking-time"
    assert booked(replace(VISIT, begins=NOW - timedelta(hours=4))) == "room-closed"  # 7 o'clock
    assert booked(replace(VISIT, ends=NOW + timedelta(hours=8))) == "room-closed"  # until 19 o'clock
    saturday = {"begins": VISIT.begins + timedelta(days=4), "ends": VISIT.ends + timedelta(days=4)}
    assert booked(replace(VISIT, **saturday)) == "room-closed"
    week = [
        replace(VISIT, id=f"w{day}", begins=VISIT.begins + timedelta(days=day), ends=VISIT.ends + timedelta(days=day))
        for day in (1, 2, 3, 6, -1)
    ]
    assert booked(VISIT, *week[:4]) == ""
    assert booked(VISIT, *week) == "visit-limit"


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(1, 2), st.sampled_from("abc")), max_size=12)
)
def test_nobody_ever_shares_a_seat(wishes):
    held = []
    for number, (start, hours, seat, person) in enumerate(wishes):
        begins = datetime(2026, 12, 1, 0, 0, tzinfo=UTC) + timedelta(hours=start)
        wanted = Booking(str(number), "r1", seat, person, "agr", begins, begins + timedelta(hours=hours))
        if not booked(wanted, *held):
            held.append(wanted)
    for one in held:
        for other in held:
            assert one is other or not one.overlaps(other) or (one.seat != other.seat and one.person != other.person)


def test_each_condition_of_entry_stands_by_itself():
    present = replace(VISIT, status="present")

    def codes(person="ann@x", agreement="agr", address="10.9.0.7", bookings=(present,), held=HELD, now=NOW):
        facts = {"rooms": [ROOM], "bookings": bookings, "held": held, "now": now}
        return [each.code for each in rooms.conditions(person, agreement, address, **facts)]

    assert codes() == []
    assert codes(address="10.8.0.7") == ["not-a-terminal"]
    assert codes(address="not an address") == ["not-a-terminal"]
    assert codes(bookings=[VISIT]) == ["not-checked-in"]
    assert codes(agreement="agr-2") == ["not-checked-in"]
    assert codes(person="bob@x") == ["not-checked-in"]
    assert codes(now=VISIT.ends) == ["not-checked-in"]
    assert codes(held={**HELD, "pledge": "2025-11-30"}) == ["no-pledge"]
    assert codes(held={"pledge": HELD["pledge"]}) == ["no-training"]
    assert codes(held={**HELD, "training": "2026-12-02"}) == ["no-training"]  # not yet
    long = replace(present, begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=1))
    assert codes(bookings=[long], now=NOW + timedelta(hours=9)) == ["room-closed-now"]
    assert [each.code for each in rooms.clearance({}, date(2026, 12, 1))] == ["no-pledge", "no-training"]


def test_a_wrong_room_is_named():
    with pytest.raises(Problem) as found:
        Room.of({"id": "r1", "name": {}, "seats": 1, "terminals": ["10.9.0.1/24"]})
    assert found.value.code == "bad-room"
