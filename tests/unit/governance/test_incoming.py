"""Files coming in: every ordered pair of states, and nobody of the project decides."""

from datetime import UTC, datetime
from itertools import product

import pytest

from ansim.errors import Problem
from ansim.governance import incoming as inc
from ansim.governance.core import act
from ansim.governance.incoming import STATUSES, IncomingRequest, incoming

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
FILES = [{"name": "helper.py", "sha256": "4" * 64, "size": 10}]
LEGAL = {
    "none": {"submitted"}, "submitted": {"waiting", "refused", "withdrawn"},
    "waiting": {"admitted", "refused", "withdrawn"}, "admitted": set(), "refused": set(), "withdrawn": set(),
}  # fmt: skip
BRING = inc.Bring(by="author", project="p", members=["author", "member"], files=FILES, purpose="x")
CLEAN = inc.RecordScan(by="checks", findings=[])
DIRTY = inc.RecordScan(by="checks", findings=[{"file": "helper.py", "level": "refuse"}])


def decide(person, admit=True, files=FILES, reason="a"):
    return inc.Decide(by=person, admit=admit, reason=reason, files=files)


WAYS = [[], [BRING], [BRING, CLEAN], [BRING, DIRTY], [BRING, CLEAN, decide("op")], [BRING, inc.TakeBack(by="author")]]


def tried():
    for way, person in product(WAYS, ("author", "member", "op")):
        state = IncomingRequest()
        for command in way:
            state, _ = act(incoming, state, command, NOW)
        mine = inc.Bring(by=person, project="p", members=["author", "member"], files=FILES, purpose="x")
        for command in (mine, CLEAN, DIRTY, decide(person), decide(person, False), inc.TakeBack(by=person)):
            try:
                yield state.status, command, act(incoming, state, command, NOW)[0].status
            except Problem:
                yield state.status, command, None


def test_every_ordered_pair():
    seen = {(before, after) for before, _, after in tried() if after}
    assert seen == {(one, other) for one in STATUSES for other in LEGAL[one]}


def test_only_a_second_person_decides():
    assert {command.by for _, command, after in tried() if after and command.name == "decide"} == {"op"}


@pytest.mark.parametrize(
    "command",
    [decide("op", reason=" "), decide("op", files=[{"name": "helper.py", "sha256": "5" * 64}]), decide("op", files=[])],
)
def test_a_decision_is_about_the_scanned_files_and_has_its_reason(command):
    state, _ = act(incoming, act(incoming, IncomingRequest(), BRING, NOW)[0], CLEAN, NOW)
    with pytest.raises(Problem):
        act(incoming, state, command, NOW)
