"""What holds for every aggregate: its table, its refusals, its event names, and reading old events."""

from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from ansim.errors import Problem
from ansim.governance import tables
from ansim.governance.core import Aggregate, Event, State, act, civil_day, day
from ansim.governance.core import Command as BaseCommand
from ansim.governance.tables import AGGREGATES

# The names stand in ledgers for ever: renaming one must break this test.
EVENTS = {
    "application": ["closed", "reported", "submitted", "withdrawn"],
    "review": ["clock-started", "clock-stopped", "message-written", "moved", "reminded"],
    "board": [
        "closed",
        "conflict-declared",
        "decided",
        "docketed",
        "irb-confirmed",
        "irb-entered",
        "minuted",
        "minutes-confirmed",
        "minutes-objected",
        "revoked",
        "voted",
        "voting-opened",
    ],
    "advice": ["moved"],
    "agreement": [
        "closed",
        "countered",
        "drafted",
        "ended",
        "in-force",
        "member-removed",
        "offer-withdrawn",
        "resumed",
        "signed",
        "suspended",
        "terminated",
    ],
    "extract-review": ["closed", "opened", "reviewed"],
    "output": ["checked", "examined", "export-reviewed", "released", "revoked", "settled", "submitted", "withdrawn"],
}
PAIRS = [
    (aggregate, status, name) for aggregate in AGGREGATES for status in aggregate.statuses for name in aggregate.steps
]


def blank(command):
    """A command with empty facts: enough to be refused by the table, which looks before the command does."""
    return command(**{field.name: "x" for field in fields(command)})


@pytest.mark.parametrize(("aggregate", "status", "name"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_every_pair_of_status_and_command(aggregate, status, name, world):
    step = aggregate.steps[name]
    state = replace(aggregate.initial(), status=status)
    if status in step.source:
        assert name in aggregate.possible(status)
        return
    with pytest.raises(Problem) as caught:
        aggregate.decide(state, blank(step.command), world.NOW)
    assert caught.value.code == "illegal-transition"
    assert f"'{status}'" in str(caught.value)
    assert (", ".join(aggregate.possible(status)) or "-") in str(caught.value)


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.name)
def test_tables_are_sound(aggregate):
    """Known statuses only, all reachable, each with a way to an end, nothing possible there, a role for each act."""
    ways = {status: set() for status in aggregate.statuses}
    for step in aggregate.steps.values():
        assert step.role
        assert {*step.source, *step.target} <= ways.keys()
        for source in step.source:
            ways[source] |= set(step.target)
    reached, grew = {"none"}, True
    while grew:
        more = reached.union(*(ways[status] for status in reached))
        reached, grew = more, more != reached
    assert reached == set(aggregate.statuses)
    ending, grew = set(aggregate.final), True
    while grew:
        more = ending | {status for status in ways if ways[status] & ending}
        ending, grew = more, more != ending
    assert ending == set(aggregate.statuses)
    assert all(not aggregate.possible(status) for status in aggregate.final)


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.name)
def test_event_names_are_kept(aggregate):
    assert sorted(aggregate.events) == [f"{aggregate.name}.{name}" for name in EVENTS[aggregate.name]]


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.name)
def test_unknown_newer_and_torn_events_are_refused(aggregate):
    name = next(iter(aggregate.events))
    for row, code in [
        (("nothing.such", {"v": 1}), "unknown-event"),
        ((name, {"v": 99, "at": "", "by": ""}), "unknown-version"),
        ((name, {"v": 1, "surprise": 1}), "unreadable-event"),
    ]:
        with pytest.raises(Problem) as caught:
            aggregate.replay([row])
        assert caught.value.code == code


def test_an_old_event_is_lifted_when_read():
    class Lamp(State):
        colour: str = ""

    lamp = Aggregate("lamp", Lamp, ("none", "lit"), final=("lit",))

    class Lit(Event, of=lamp, schema=3):
        colour: str

        def evolve(self, state):
            return replace(state, status="lit", colour=self.colour)

    lamp.upcast("lamp.lit", 1)(lambda data: {**data, "color": "white"})
    lamp.upcast("lamp.lit", 2)(lambda data: {"colour": data.pop("color"), **data})
    old = {"v": 1, "at": "2026-01-01T00:00:00+00:00", "by": "x"}
    state = lamp.replay([("lamp.lit", old)])
    assert (state.colour, state.status, state.version, state.since) == ("white", "lit", 1, old["at"])
    assert old == {"v": 1, "at": "2026-01-01T00:00:00+00:00", "by": "x"}  # the log is never rewritten
    assert lamp.load("lamp.lit", old).data() == {"v": 3, "colour": "white", "at": old["at"], "by": "x"}


def test_a_command_that_leads_outside_its_table_is_a_fault(world):
    class Lamp(State):
        pass

    lamp = Aggregate("lamp", Lamp, ("none", "lit"), final=("lit",))

    class Lit(Event, of=lamp):
        def evolve(self, state):
            return replace(state, status="elsewhere")

    class Light(BaseCommand, of=lamp, source=("none",), target=("lit",), role="x"):
        def decide(self, state, now):
            return [Lit(at=now.isoformat(), by=self.by)]

    with pytest.raises(AssertionError, match="elsewhere"):
        lamp.decide(Lamp(), Light(by="x"), world.NOW)


def test_time_and_actor_are_needed(world):
    from ansim.governance.review import Ask, Close, HolderReview, review

    ask = Ask(by="ann", request="r", applicant="c", title={})
    world.refused("naive-time", review, HolderReview(), ask, now=datetime(2026, 1, 1))
    world.refused("nobody", review, HolderReview(), replace(ask, by=""))
    state, _events = act(review, HolderReview(), ask, world.NOW)
    world.refused("clock-behind", review, state, Close(by="x", reason=""), now=world.NOW - timedelta(seconds=1))
    assert civil_day(world.NOW.replace(hour=15)).day == world.NOW.day + 1  # midnight in Seoul


def test_days_that_do_not_exist():
    assert day("2028-02-29", "x").day == 29
    for text in ("2027-02-29", "20270101", "2027-1-1", "", None, 5, "2027-01-01T00:00"):
        with pytest.raises(Problem, match="not a date"):
            day(text, "x")


def test_the_page_of_tables_names_everything():
    page = tables.markdown()
    for aggregate in AGGREGATES:
        assert f"## {aggregate.name}\n" in page
        assert all(f"| {name} |" in page for name in (*aggregate.steps, *aggregate.statuses))
    assert "people only" in page
    for block in page.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
