"""Application at the hub, HolderReview at each hospital: clocks, threads, hospitals apart from each other."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.governance import application as ap
from ansim.governance import review as rv
from ansim.governance.application import Application, application
from ansim.governance.prescreen import prescreen, public_part
from ansim.governance.review import HolderReview, reminder_due, review, shown_to_applicant, waiting
from ansim.governance.workdays import add_working_days, is_working_day, working_days_between

DIGEST = "d" * 64


def asked(world, **clock):
    return world.play(
        review,
        HolderReview(),
        rv.Ask(by="ann", request="r1", applicant="company", title={"ko": "가", "en": "a"}, **clock),
    )


def test_a_review_from_question_to_close(world):
    state = world.play(
        review,
        asked(world),
        rv.Reply(by="desk", answer="conditions", conditions=["on site"]),
        rv.Receive(by="ann", application=DIGEST),
        rv.Screen(by="desk"),
        rv.SendToBoard(by="dpo"),
        rv.RecordOutcome(by="secretary", outcome="approved with conditions", conditions=["on site"]),
        rv.Negotiate(by="legal", agreement="agr-1"),
        rv.Prepare(by="legal"),
        rv.OpenAccess(by="steward"),
    )
    assert (state.status, state.due, state.waiting_on, state.application) == ("open", "", "", DIGEST)
    assert world.play(review, state, rv.Close(by="desk", reason="over")).status == "closed"


def test_a_returned_application_must_change(world):
    state = world.play(
        review,
        HolderReview(),
        rv.Receive(by="ann", application=DIGEST, request="r1", applicant="company"),
        rv.Screen(by="desk"),
        rv.Return(by="dpo", reason="no protocol"),
    )
    assert state.waiting_on == "applicant"
    world.refused("unchanged", review, state, rv.Receive(by="ann", application=DIGEST))
    assert world.play(review, state, rv.Receive(by="ann", application="e" * 64)).status == "received"


def test_waiting_and_reminders_count_working_days(world):
    state = asked(world, days={"asked": 3}, holidays=["2026-11-25"])  # a Monday; Wednesday is off
    assert state.due == "2026-11-27"
    assert waiting(state, date(2026, 12, 1)) == {
        "on": "contact desk",
        "since": state.since,
        "due": state.due,
        "days_late": 2,
    }
    assert not reminder_due(state, date(2026, 11, 24), ["2026-11-25"])
    assert reminder_due(state, date(2026, 11, 26), [])
    remind = rv.Remind(by="clock")
    world.refused("not-due", review, state, remind)
    for day, count in [(26, 1), (30, 2)]:
        moment = datetime(2026, 11, day, 3, tzinfo=UTC)
        state = world.play(review, state, remind, now=moment)
        assert state.reminders == count
        world.refused("not-due", review, state, remind, now=moment)
    third = review.decide(state, remind, datetime(2026, 12, 14, 3, tzinfo=UTC))
    assert third[0].escalated


def test_internal_notes_and_a_refusals_reason_stay_inside(world):
    state = world.play(
        review,
        asked(world),
        rv.Write(by="desk", text="한글 메시지 <script>", side="holder"),
        rv.Write(by="desk", text="we did this before", side="internal"),
        rv.Reply(by="desk", answer="no", reason="another company asked the same"),
    )
    shown = shown_to_applicant(state)
    assert [note["text"] for note in shown["thread"]] == ["한글 메시지 <script>"]
    assert "another company" not in str(shown)
    world.refused("message-length", review, state, rv.Write(by="desk", text=" ", side="holder"))
    world.refused("unknown-answer", review, asked(world), rv.Reply(by="desk", answer="perhaps"))
    world.refused("conditions-mismatch", review, asked(world), rv.Reply(by="desk", answer="conditions"))


def submit(**changes):
    facts = {
        "by": "ann",
        "id": "app-1",
        "applicant": "company",
        "title": {"ko": "가", "en": "a"},
        "areas": ["sinusitis"],
        "digest": DIGEST,
        "signature": {"key": "k", "digest": DIGEST},
        "holders": {"a": "2026-12-01", "b": "2026-12-01", "c": "2026-12-01"},
    }
    return ap.Submit(**{**facts, **changes})


def report(holder, status, version):
    return ap.Report(by=holder, reported=status, waiting_on="x", since="2026-11-23", due="", holder_version=version)


def test_submitting_needs_the_signature_and_holders(world):
    world.refused("signature", application, Application(), submit(signature={"key": "k", "digest": "e" * 64}))
    world.refused("no-holders", application, Application(), submit(holders={}))
    world.refused("not-chosen", application, world.play(application, Application(), submit()), report("z", "board", 1))


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_reports_of_different_hospitals_commute(order, world):
    final = {"a": "approved", "b": "rejected", "c": "unwilling"}
    state = world.play(application, Application(), submit(), *(report(holder, final[holder], 7) for holder in order))
    assert {name: entry["status"] for name, entry in state.holders.items()} == final
    assert state.status == "decided"


def test_older_news_never_overwrites_newer(world):
    state = world.play(application, Application(), submit(), report("a", "board", 5))
    assert application.decide(state, report("a", "received", 4), world.NOW) == []
    assert application.decide(state, report("a", "board", 5), world.NOW) == []
    assert state.status == "in review"


def test_a_mended_application_goes_anew_to_those_who_returned_it(world):
    state = world.play(application, Application(), submit(), report("a", "approved", 5), report("b", "returned", 4))
    assert state.status == "returned"
    world.refused("unchanged", application, state, submit())
    mended = {"digest": "e" * 64, "signature": {"key": "k", "digest": "e" * 64}}
    world.refused("holder-dropped", application, state, submit(**mended, holders={"a": ""}))
    state = world.play(application, state, submit(**mended))
    assert {name: entry["status"] for name, entry in state.holders.items()} == {
        "a": "approved",
        "b": "sent",
        "c": "sent",
    }
    assert application.decide(state, report("b", "returned", 4), world.NOW) == []
    assert (state.status, state.revision) == ("in review", 2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    news=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["received", "board", "approved", "rejected"]), st.integers(0, 5)
        ),
        max_size=8,
        unique_by=lambda one: one[::2],
    ),
    data=st.data(),
)
def test_reports_commute_and_repeat_in_any_order(news, data, world):
    """Each holder's newest report wins, however the network orders and repeats them."""
    start = world.play(application, Application(), submit())
    shuffled = data.draw(st.permutations(news + news[:2]))
    one = world.play(application, start, *(report(*item) for item in news))
    other = world.play(application, start, *(report(*item) for item in shuffled))
    assert (one.holders, one.status) == (other.holders, other.status)


def whole(world, **changes):
    terms = world.terms()
    kept = ("title", "purpose", "areas", "query", "modes", "place", "linkage", "max_persons", "not_before", "not_after")
    return {
        "ansim": "application/1",
        "id": "app-1",
        **{key: terms[key] for key in kept},
        "applicant": terms["user"],
        "holders": ["hospital-a", "claims"],
        "people": terms["members"],
        "protocol": {"name": "p.pdf", "sha256": DIGEST},
        "pledges": {"ann": "2026-11-20", "bob": "2026-11-20"},
        "summary": {"ko": "요약", "en": "summary"},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "where", "code"),
    [
        ({"purpose": "marketing"}, "purpose", "purpose"),
        ({"purpose": None}, "purpose", "purpose"),
        ({"areas": ["magic"]}, "areas.0", "unknown-area"),
        ({"areas": [["x"]]}, "areas", "missing"),
        ({"query": {"ansim": "query/1", "variables": [1]}}, "query.cohort", "missing"),
        ({"query": {"ansim": "query/1", "cohort": {"entry": 1}, "variables": []}}, "query.variables", "missing"),
        ({"query": None}, "query", "wrong-kind"),
        ({"not_before": "2020-01-01", "not_after": "2020-12-31"}, "not_after", "contradiction"),
        ({"not_after": "2026-02-30"}, "not_after", "not-a-date"),
        (
            {"place": {"centre": None, "remote": False}, "modes": ["centre"], "linkage": None},
            "place.centre",
            "no-centre",
        ),
        ({"modes": ["federated"]}, "modes", "contradiction"),
        ({"holders": ["hospital-a"]}, "linkage.holders", "linkage"),
        ({"protocol": {"name": "p.pdf"}}, "protocol", "missing"),
        ({"people": []}, "people", "missing"),
        ({"pledges": {"ann": "2026-11-20"}}, "pledges.bob", "no-pledge"),
    ],
)
def test_the_prescreen_names_each_gap(changes, where, code, world):
    assert prescreen(whole(world), world.NOW, "ann") == []
    found = [(problem.where, problem.code) for problem in prescreen(whole(world, **changes), world.NOW, "ann")]
    assert (where, code) in found
    assert all(str(problem) for problem in prescreen(whole(world, **changes), world.NOW, "ann"))


def test_the_prescreen_wants_a_signature_and_every_field(world):
    assert [p.code for p in prescreen(whole(world), world.NOW)] == ["unsigned"]
    assert [p.code for p in prescreen(whole(world), world.NOW, "stranger")] == ["unsigned"]
    for field in whole(world):
        assert prescreen({key: value for key, value in whole(world).items() if key != field}, world.NOW, "ann")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "key", "x", "centre", "holders"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data(), junk=JUNK)
def test_the_prescreen_survives_junk_in_any_field(data, junk, world):
    field = data.draw(st.sampled_from(sorted(whole(world))))
    found = prescreen(whole(world, **{field: junk}), world.NOW, "ann")
    assert all(str(problem) for problem in found)


@pytest.mark.parametrize(
    "field", ["holders", "people", "areas", "modes", "linkage", "place", "protocol", "pledges", "query"]
)
@pytest.mark.parametrize(
    "junk", [[{}], [[]], {"holders": [{}, {}]}, {"id": []}, [{"id": []}], [{"id": "a", "key": {"x": []}}]]
)
def test_the_prescreen_survives_nested_junk(field, junk, world):
    assert prescreen(whole(world, **{field: junk}), world.NOW, "ann")


def test_the_public_part_tells_nothing_of_the_cohort(world):
    assert public_part(whole(world)).keys() == {"id", "title", "areas", "holders", "not_before", "not_after"}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(start=st.dates(date(2020, 1, 1), date(2030, 1, 1)), days=st.integers(1, 60))
def test_working_days_add_up(start, days):
    holidays = {"2026-11-25", "2026-12-25"}
    end = add_working_days(start, days, holidays)
    assert is_working_day(end, holidays)
    assert working_days_between(start, end, holidays) == days
    assert working_days_between(end, start, holidays) == -days
    every_day = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(d.weekday() < 5 and d.isoformat() not in holidays for d in every_day) == days
