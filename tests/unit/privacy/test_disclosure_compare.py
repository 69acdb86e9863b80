"""Beyond two tables, and changed values: against brute force."""

from datetime import UTC, datetime
from itertools import permutations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from ansim.privacy.disclosure.compare import Compared, families
from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect
from ansim.privacy.disclosure.table import TableSpec, tabulate

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ASKER = Asker("minsu", "alpha")
MEAN = TableSpec((), (), "mean", "cost")
MODEST = settings(max_examples=80, deadline=None, derandomize=True)


def ask(memory, data, spec):
    table = tabulate(data, spec, memory.codes)
    released = protect(table, memory.policy, memory.for_asker(ASKER))
    memory.remember(table, released, ASKER, NOW)
    return released


def costs(ids, changed=(), missing=()):
    values = [None if one in missing else 100.0 + one % 37 + (500.0 if one in changed else 0.0) for one in ids]
    return pa.table({"person_id": list(ids), "cost": pa.array(values, pa.float64())})


def test_a_new_version_with_one_changed_value_is_a_difference():
    """Two means of the same hundred people, before and after one person's cost changed, give that change away."""
    first, again = costs(range(100)), costs(range(100), changed={7})
    memory = Memory(ListStorage(), b"a node secret for tests", Policy())
    assert not ask(memory, first, MEAN).refused
    assert not ask(memory, first, MEAN).refused  # the same once more is no news
    assert [one.rule for one in ask(memory, again, MEAN).findings] == ["difference"]
    assert ask(memory, costs(range(100), missing={3}), MEAN).refused
    # as many changes as the threshold: nobody is singled out
    assert not ask(memory, costs(range(100), changed=set(range(40))), MEAN).refused
    reopened = Memory(memory.storage, b"a node secret for tests", Policy())
    assert ask(reopened, costs(range(100), changed={8}), MEAN).refused
    # positive control: people alone do not differ
    count = TableSpec((), ())
    assert not ask(memory, first, count).refused
    assert not ask(memory, again, count).refused


def test_another_variable_or_a_count_is_compared_by_people():
    memory = Memory(ListStorage(), b"a node secret for tests", Policy())
    ask(memory, costs(range(100)), MEAN)
    other = costs(range(100), changed={7}).rename_columns(["person_id", "days"])
    assert not ask(memory, other, TableSpec((), (), "mean", "days")).refused
    assert ask(memory, costs(range(99)), TableSpec((), ())).refused


def whole(ids):
    return pa.table({"person_id": list(ids)})


def test_two_disjoint_earlier_tables_count_as_one():
    """All = women + men; the women were in one table, the men but one in another: each pair differs by many."""
    memory = Memory(ListStorage(), b"a node secret for tests", Policy())
    spec = TableSpec(("part",), ())
    women = pa.table({"person_id": list(range(120)), "part": ["a"] * 60 + ["b"] * 60})
    men = pa.table({"person_id": list(range(120, 239)), "part": ["c"] * 60 + ["d"] * 59})
    assert not ask(memory, women, spec).hidden
    assert not ask(memory, men, spec).hidden
    assert ask(memory, whole(range(240)), TableSpec((), ())).refused
    assert not ask(memory, whole(range(260)), TableSpec((), ())).refused


def test_three_single_cells():
    """A and B overlap by a few, so they are no family; together they are the new group but for one."""
    memory = Memory(ListStorage(), b"a node secret for tests", Policy())
    one = TableSpec((), ())
    assert not ask(memory, whole(range(100)), one).refused
    assert not ask(memory, whole(range(97, 180)), one).refused
    assert ask(memory, whole(range(181)), one).refused
    memory = Memory(ListStorage(), b"a node secret for tests", Policy())
    assert not ask(memory, whole(range(200)), one).refused
    assert not ask(memory, whole(range(120)), one).refused
    assert ask(memory, whole(range(118, 199)), one).refused  # with the second it makes the first


PEOPLE = st.lists(st.integers(0, 7), min_size=20, max_size=20)


@MODEST
@given(PEOPLE, st.integers(2, 4))
def test_triples_equal_brute_force(member, threshold):
    """Three sets of 20 people, drawn by bits; every signed combination that could single people out."""
    sets = [BitMap(person for person, bits in enumerate(member) if bits >> place & 1) for place in range(3)]
    if any(len(one) < threshold for one in sets) or sets[0] in sets[1:]:
        return
    expected = False
    for whole, one, other in permutations(range(3)):
        indicator = np.array([(p in sets[whole]) - 1 * (p in sets[one]) - (p in sets[other]) for p in range(20)])
        expected |= 0 < np.count_nonzero(indicator) < threshold
    new, old = Compared(families({("n",): sets[0]})[0], 20), sets[1:]
    sizes = np.array([len(one) for one in old])
    inside = np.array([[len(sets[0] & one) for one in old]])
    found = bool(list(new.triples(old, sizes, inside, threshold)))
    assert found is bool(expected)
