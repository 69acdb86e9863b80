"""Stage days from reports; working days many at once as one by one; Korea's holidays."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ansim.governance.calendars import around, korean, working_days
from ansim.governance.turnaround import Moved, days_of, spells, summary
from ansim.governance.workdays import working_days_between


def test_holidays_of_korea_with_the_alternative_ones():
    days = korean(2026, 2026)
    assert {"2026-02-17", "2026-03-01", "2026-03-02", "2026-05-05", "2026-08-17", "2026-09-25", "2026-10-09"} <= days
    assert "2026-03-03" not in days
    assert around(2026, ["2026-11-11"]) >= {"2025-12-25", "2026-11-11", "2028-01-01"}


@given(st.lists(st.tuples(st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.integers(0, 60)), min_size=1, max_size=20))
def test_many_at_once_as_one_by_one(pairs):
    off = korean(2024, 2028)
    ends = [start + timedelta(days=length) for start, length in pairs]
    counted = working_days([start.isoformat() for start, _ in pairs], [end.isoformat() for end in ends], off)
    assert list(counted) == [working_days_between(start, end, off) for (start, _), end in zip(pairs, ends, strict=True)]


def test_a_stage_ends_with_the_next_report_and_a_running_one_is_none():
    moves = [
        Moved("r1", "a", "asked", "2026-11-02T00:00:00Z"),
        Moved("r1", "b", "asked", "2026-11-02T00:00:00Z"),
        Moved("r1", "a", "asked", "2026-11-03T00:00:00Z"),  # told again
        Moved("r1", "a", "replied", "2026-11-06T00:00:00Z"),
        Moved("r1", "a", "received", "2026-11-09T00:00:00Z"),
    ]
    found = spells(moves)
    assert [(one.site, one.stage, one.days) for one in found] == [("a", "asked", 4), ("a", "replied", 1)]
    assert summary(found)["asked"].median == 4
    assert "b" not in summary(found, "site")
    assert spells([]) == []


def test_the_90th_percentile_is_a_wait_that_somebody_had():
    assert vars(days_of([1, 2, 3, 4, 100])) == {"count": 5, "median": 3.0, "p90": 100.0}
    assert days_of([7]).p90 == 7


def test_the_clock_stands_for_a_reason_and_goes_on_with_what_was_left(world):
    from datetime import datetime

    from ansim.governance import review as rv

    def at(day):
        return datetime.fromisoformat(f"{day}T01:00:00+00:00")

    off = list(korean(2026, 2027))
    ask = rv.Ask(by="x", request="r", applicant="c", title={}, holidays=off)
    state = world.play(rv.review, rv.HolderReview(), ask, now=at("2026-12-21"))
    assert state.due == "2026-12-29"  # five working days: Christmas and the weekend do not count
    world.refused("unknown-reason", rv.review, state, rv.StopClock(by="s", reason="lunch"), now=at("2026-12-22"))
    world.refused("not-stopped", rv.review, state, rv.StartClock(by="s"), now=at("2026-12-22"))
    stop = rv.StopClock(by="s", reason="irb-pending", holidays=off)
    state = world.play(rv.review, state, stop, now=at("2026-12-23"))
    assert (state.due, state.paused["left"], state.status) == ("", 3, "asked")
    world.refused("stopped-already", rv.review, state, stop, now=at("2026-12-23"))
    assert not rv.reminder_due(state, at("2027-03-01").date(), off)  # nobody is late while the clock stands
    state = world.play(rv.review, state, rv.StartClock(by="s", holidays=off), now=at("2026-12-31"))
    assert state.due == "2027-01-06"  # New Year's Day and the weekend do not count
    late = world.play(rv.review, state, stop, now=at("2027-01-13"))
    assert late.paused["left"] == -5
    late = world.play(rv.review, late, rv.StartClock(by="s", holidays=off), now=at("2027-01-20"))
    assert late.due == "2027-01-20"  # who was late when the clock stopped gets no time back
