"""Random lives: two hospitals, one company, a hub. Nobody gets an illegal step, replay equals the state, any prefix of
a log is legal, and no grant stands outside any bound, judged by a model kept apart from the code."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ansim.documents import digest
from ansim.errors import Problem
from ansim.governance import agreement as ag
from ansim.governance import application as ap
from ansim.governance import board as bd
from ansim.governance import review as rv
from ansim.governance.core import civil_day
from ansim.governance.grant import Facts, decide_grant

HOLDERS = ("a", "b")
PARTIES = ("company", *HOLDERS)
VOTERS = ("chair", "m1", "m2", "m3", "out")
MEMBERS = [
    {"id": name, "name": name, "org": name, "kind": "outsider" if name == "out" else "internal"} for name in VOTERS
]
LETTER, KEY = "a" * 64, {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
AGGREGATES = {"agreement": ag.agreement, "board": bd.board, "review": rv.review, "application": ap.application}
HUB = "hub"  # the sole writer of the application


def terms(version, supersedes, most):
    return {
        "ansim": "agreement/1",
        "id": "agr",
        "version": version,
        "supersedes": supersedes,
        "title": {"ko": "가", "en": "a"},
        "user": {"id": "company", "name": "C"},
        "holders": [{"id": holder, "name": holder} for holder in HOLDERS],
        "members": [{"id": "ann", "name": "Ann", "role": "analyst", "key": KEY}],
        "purpose": "statistics",
        "areas": ["sinusitis"],
        "query": {"ansim": "query/1"},
        "modes": ["federated"],
        "place": {"centre": "centre", "remote": False},
        "linkage": None,
        "max_persons": most,
        "not_before": "2026-11-01",
        "not_after": "2026-12-31",
        "output": {"threshold": 10, "rounding": 5, "checkers": 2},
        "reidentification": "forbidden",
        "destruction": {"within_days": 30},
        "publication": None,
        "fees": None,
    }


class Nation(RuleBasedStateMachine):
    """Each command goes to the aggregate; the model notes only what a plain reader would conclude from the answers."""

    def __init__(self):
        super().__init__()
        self.now = datetime(2026, 11, 2, tzinfo=UTC)
        self.states = {
            (kind, holder): aggregate.initial() for kind, aggregate in AGGREGATES.items() for holder in (*HOLDERS, HUB)
        }
        self.logs = {place: [] for place in self.states}
        self.model = {
            holder: {"signed": {}, "force": None, "halted": False, "removed": False, "board": "", "irb": ""}
            for holder in HOLDERS
        }
        self.suspended = False
        self.listed = True

    def do(self, kind, holder, command):
        """True if the command was admitted. Others' states must not move."""
        place, aggregate = (kind, holder), AGGREGATES[kind]
        before = dict(self.states)
        try:
            events = aggregate.decide(self.states[place], command, self.now)
        except Problem as problem:
            refusal = problem
        else:
            refusal = None
        if refusal is not None:
            admitted = self.states[place].status in aggregate.steps[command.name].source
            assert admitted == (refusal.code != "illegal-transition")
            return False
        assert before[place].status in aggregate.steps[command.name].source
        self.logs[place] += [(event.type, json.loads(json.dumps(event.data()))) for event in events]
        self.states[place] = aggregate.fold(events, self.states[place])
        assert all(self.states[other] == before[other] for other in before if other != place)
        return True

    @initialize(ready=st.sets(st.sampled_from(HOLDERS)))
    def begin(self, ready):
        """Most lives begin where something could be granted, or they would seldom get there."""
        for holder in sorted(ready):
            self.draft(holder, 1000, 0)
            self.all_sign(holder)
            self.approve_in_full(holder, 40)

    @rule(days=st.sampled_from([0, 0, 1, 3, 30]), hours=st.integers(0, 23))
    def time_passes(self, days, hours):
        self.now += timedelta(days=days, hours=hours)

    @rule(suspended=st.booleans())
    def ministry(self, suspended):
        self.suspended = suspended

    @rule(listed=st.booleans())
    def organisation(self, listed):
        self.listed = listed

    @rule(holder=st.sampled_from(HOLDERS), most=st.sampled_from([100, 1000]), jump=st.sampled_from([0, 0, 0, 1]))
    def draft(self, holder, most, jump):
        current = self.states["agreement", holder].current
        version = current["version"] + 1 if current else 1
        document = terms(version + jump, current.get("digest"), most)
        if self.do("agreement", holder, ag.Draft(by="company", terms=document)):
            # A plain reader: who is asked to give more people signs again; fewer or as many is the company's own word.
            wider = not current or most > current["terms"]["max_persons"]
            self.model[holder]["signed"] = {digest(document): set()}
            self.model[holder]["needed"] = set(PARTIES) if wider else {"company"}

    @rule(
        holder=st.sampled_from(HOLDERS), party=st.sampled_from([*PARTIES, "rival"]), wrong=st.sampled_from([0, 0, 0, 1])
    )
    def sign(self, holder, party, wrong):
        self.put_signature(holder, party, wrong)

    @rule(holder=st.sampled_from(HOLDERS))
    def all_sign(self, holder):
        for party in PARTIES:
            self.put_signature(holder, party, False)

    def put_signature(self, holder, party, wrong):
        name = self.states["agreement", holder].pending.get("digest", "c" * 64)
        name = "c" * 64 if wrong else name
        command = ag.Sign(by=party, party=party, digest=name, key="k", paper=LETTER)
        if self.do("agreement", holder, command):
            signers = self.model[holder]["signed"][name]
            signers.add(party)
            if signers >= self.model[holder]["needed"]:
                self.model[holder]["force"] = name

    @rule(
        holder=st.sampled_from(HOLDERS),
        act=st.sampled_from(["suspend", "resume", "terminate", "end", "remove", "withdraw", "counter"]),
    )
    def change_agreement(self, holder, act):
        commands = {
            "suspend": ag.Suspend(by="a", reason="r"),
            "resume": ag.Resume(by="a", reason="r"),
            "terminate": ag.Terminate(by="a", reason="r"),
            "end": ag.End(by="clock"),
            "remove": ag.RemoveMember(by="a", member="ann", reason="r"),
            "withdraw": ag.WithdrawOffer(by="a"),
            "counter": ag.Counter(by="a", party="a", reason="r", proposal={"max_persons": 1}),
        }
        if self.do("agreement", holder, commands[act]):
            model = self.model[holder]
            if act == "remove":
                model["removed"] = True
            elif act in ("suspend", "terminate", "end"):
                model["halted"] = True
            elif act == "resume":
                model["halted"] = False

    @rule(holder=st.sampled_from(HOLDERS))
    def docket(self, holder):
        command = bd.Docket(
            by="sec", case="c", application={"id": "x"}, applicant_org="company", chair="chair", members=MEMBERS
        )
        if self.do("board", holder, command):
            self.model[holder]["board"] = ""
            for person in VOTERS:
                self.do("board", holder, bd.DeclareConflict(by=person, conflict=person == "m3", about="kin"))
            self.do("board", holder, bd.OpenVoting(by="sec"))

    @rule(
        holder=st.sampled_from(HOLDERS),
        person=st.sampled_from([*VOTERS, "eve"]),
        choice=st.sampled_from(["approve", "approve", "reject"]),
    )
    def vote(self, holder, person, choice):
        admitted = self.do("board", holder, bd.Vote(by=person, choice=choice, reason="r"))
        assert not (admitted and person in ("m3", "eve"))

    @rule(
        holder=st.sampled_from(HOLDERS),
        outcome=st.sampled_from(["approved", "approved", "rejected", "deferred"]),
        days=st.integers(0, 60),
    )
    def decide(self, holder, outcome, days):
        case = self.states["board", holder]
        expires = (civil_day(self.now) + timedelta(days=days)).isoformat()
        if self.do("board", holder, bd.Decide(by="chair", outcome=outcome, letter=LETTER, expires=expires)):
            assert len(case.votes) >= 3
            self.model[holder]["board"] = expires if outcome == "approved" else ""

    @rule(holder=st.sampled_from(HOLDERS), days=st.integers(5, 60))
    def approve_in_full(self, holder, days):
        self.docket(holder)
        for person in ("chair", "m1", "out"):
            self.vote(holder, person, "approve")
        self.decide(holder, "approved", days)
        self.irb(holder, "approved", days, "dpo")

    @rule(holder=st.sampled_from(HOLDERS))
    def revoke(self, holder):
        if self.do("board", holder, bd.Revoke(by="chair", reason="r")):
            self.model[holder]["board"] = ""

    @rule(
        holder=st.sampled_from(HOLDERS),
        decision=st.sampled_from(["approved", "exempt", "suspended"]),
        days=st.integers(-5, 60),
        second=st.sampled_from(["dpo", "dpo", "sec"]),
    )
    def irb(self, holder, decision, days, second):
        expires = (civil_day(self.now) + timedelta(days=days)).isoformat()
        entered = self.do(
            "board", holder, bd.EnterIrb(by="sec", number="1", letter=LETTER, decision=decision, expires=expires)
        )
        confirmed = self.do("board", holder, bd.ConfirmIrb(by=second, letter=LETTER))
        assert not (confirmed and second == "sec")
        if entered and confirmed:
            self.model[holder]["irb"] = expires if decision != "suspended" else ""

    @rule(
        holder=st.sampled_from(HOLDERS),
        step=st.sampled_from(sorted(rv.review.steps)),
        answer=st.sampled_from(["yes", "no"]),
    )
    def review(self, holder, step, answer):
        facts = {
            "ask": {"request": "r", "applicant": "c", "title": {}},
            "reply": {"answer": answer},
            "receive": {"application": LETTER},
            "return": {"reason": "r"},
            "stop-clock": {"reason": "incident"},
            "record-outcome": {"outcome": "approved" if answer == "yes" else "deferred"},
            "negotiate": {"agreement": "agr"},
            "close": {"reason": "r"},
            "write": {"text": "hello", "side": "holder"},
        }
        self.do("review", holder, rv.review.steps[step].command(by="x", **facts.get(step, {})))

    @rule(
        step=st.sampled_from(sorted(ap.application.steps)),
        holder=st.sampled_from([*HOLDERS, "rival"]),
        status=st.sampled_from(sorted(rv.WAITING)),
        version=st.integers(0, 9),
        letter=st.sampled_from("abc"),
    )
    def application(self, step, holder, status, version, letter):
        """What the hub hears moves the application only, and late news of a hospital never overwrites newer."""
        news = {"reported": status, "waiting_on": "", "since": "", "due": "", "holder_version": version}
        facts = {
            "submit": {
                "id": "app", "applicant": "company", "title": {}, "areas": ["sinusitis"], "digest": letter * 64,
                "signature": {"key": "k", "digest": letter * 64}, "holders": dict.fromkeys(HOLDERS, "2026-12-01"),
            },
            "report": news,
        }  # fmt: skip
        seen = dict(self.states["application", HUB].holders)
        by = holder if step == "report" else "company"
        self.do("application", HUB, ap.application.steps[step].command(by=by, **facts.get(step, {})))
        after = self.states["application", HUB].holders
        assert all(after[name]["version"] >= entry["version"] for name, entry in seen.items())

    def grant(self, holder, persons):
        case = self.states["agreement", holder]
        moment = self.now.isoformat()
        fresh = {"seq": 1, "issued": moment, "expires": (self.now + timedelta(days=1)).isoformat()}
        bodies = [
            {
                "id": "centre",
                "roles": ["centre"],
                "not_before": "2026-01-01",
                "not_after": "2029-01-01",
                "suspended": self.suspended,
            }
        ]
        facts = Facts(
            holder=holder,
            agreement=case,
            board=self.states["board", holder],
            signer=KEY,
            members={"org": "company", **fresh, "members": [{"id": "ann", "key": KEY}] * self.listed},
            designations={**fresh, "designations": bodies},
            persons=persons,
            last_entry=moment,
            outside=lambda asked, agreed: [],
        )
        request = {
            "ansim": "job/1",
            "agreement": "agr",
            "version": case.current.get("version", 1),
            "terms": case.current.get("digest", "c" * 64),
            "area": "sinusitis",
            "mode": "federated",
            "query": {},
            "member": "ann",
            "at": moment,
            "nonce": "n" * 16,
        }
        return decide_grant(facts, request, self.now), case

    @invariant()
    def a_grant_stands_exactly_within_the_bounds(self):
        today = civil_day(self.now).isoformat()
        for holder in HOLDERS:
            model = self.model[holder]
            grant, case = self.grant(holder, 500)
            most = case.current["terms"]["max_persons"] if case.current else 0
            within = (
                model["force"] is not None
                and model["force"] == case.current.get("digest")
                and not model["halted"]
                and not model["removed"]
                and today <= "2026-12-31"
                and today <= model["board"]
                and today <= model["irb"]
                and not self.suspended
                and self.listed
                and most >= 500
            )
            assert grant.allowed == within, [str(reason) for reason in grant.reasons]
            COUNT[grant.allowed] += 1

    def teardown(self):
        for place, rows in self.logs.items():
            aggregate = AGGREGATES[place[0]]
            assert aggregate.replay(rows) == self.states[place]
            for length in range(len(rows) + 1):
                state = aggregate.replay(rows[:length])
                assert state.status in aggregate.statuses
                assert state.version == length


COUNT = {True: 0, False: 0}


def test_random_lives():
    few = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    COUNT.update({True: 0, False: 0})
    run_state_machine_as_test(Nation, settings=few)
    assert min(COUNT.values()) > 100, COUNT  # both answers came often enough to mean something


def test_one_life_told_out():
    machine = Nation()
    machine.draft("a", 1000, 0)
    machine.all_sign("a")
    machine.approve_in_full("a", 30)
    machine.a_grant_stands_exactly_within_the_bounds()
    assert machine.grant("a", 500)[0].allowed
    assert not machine.grant("b", 500)[0].allowed
    machine.time_passes(31, 0)
    assert {reason.code for reason in machine.grant("a", 500)[0].reasons} == {"board-expired", "irb-expired"}
    machine.teardown()


def test_decisions_of_different_hospitals_commute():
    """Two hospitals' acts interleaved either way end in the same states."""

    def life(order):
        machine = Nation()
        for holder in order:
            machine.draft(holder, 1000, 0)
        for holder in order:
            machine.all_sign(holder)
        for holder in order:
            machine.approve_in_full(holder, 30)
        machine.revoke("b")
        return machine.states

    assert life("ab") == life("ba")
