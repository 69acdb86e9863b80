"""Memory, cuts, budget: against brute force over all combinations of cells."""

import hmac
import random
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from ansim.errors import Problem
from ansim.privacy.disclosure.budget import Budget
from ansim.privacy.disclosure.cuts import _minimum_cut, small_cut
from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory, Record, keyed_names
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect
from ansim.privacy.disclosure.table import TableSpec, tabulate

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = b"a node secret for tests only"
MINSU, YUNA = Asker("minsu", "alpha"), Asker("yuna", "beta")
MODEST = settings(max_examples=60, deadline=None, derandomize=True)


def frame(ids, **columns):
    return pa.table({"person_id": pa.array(list(ids), pa.int64())} | columns)


def ask(memory, data, spec, asker=MINSU, policy=None):
    table = tabulate(data, spec, memory.codes)
    released = protect(table, policy or memory.policy, memory.for_asker(asker))
    memory.remember(table, released, asker, NOW)
    return released


def test_keyed_names_are_hmac_and_codes_survive_reopening():
    ids = pa.array([11, 5, 11, 700])
    expected = [int.from_bytes(hmac.digest(SECRET, str(one).encode(), "sha256")[:8], "big") for one in ids.to_pylist()]
    assert keyed_names(ids, SECRET).tolist() == expected
    storage = ListStorage()
    first = Memory(storage, SECRET).codes(ids)
    memory = Memory(storage, SECRET)
    memory.codes(pa.array([4, 900, 8]))
    assert Memory(storage, SECRET).codes(ids).tolist() == first.tolist()
    assert len({*memory.codes(pa.array([4, 900, 8, 11, 5, 700]))}) == 6
    assert memory.codes(pa.array(["11", "5"])).tolist() == first[:2].tolist()


def test_long_secrets_and_hostile_records():
    assert keyed_names(pa.array(["a"]), b"x" * 100)[0] == int.from_bytes(
        hmac.digest(b"x" * 100, b"a", "sha256")[:8], "big"
    )
    with pytest.raises(Problem):
        Memory(ListStorage(), b"short")
    storage = ListStorage()
    storage.append(Record("other", {}, b""))
    with pytest.raises(Problem, match="unknown kind"):
        Memory(storage, SECRET)


def test_difference_by_few_people_is_found_and_the_same_set_is_not():
    memory = Memory(ListStorage(), SECRET)
    whole, but_one, but_many = (frame(range(n)) for n in (100, 99, 80))
    spec = TableSpec((), ())
    assert not ask(memory, whole, spec).refused
    assert not ask(memory, whole, spec).refused
    assert not ask(memory, but_many, spec).refused
    refused = ask(memory, but_one, spec)
    assert refused.refused
    assert [finding.rule for finding in refused.findings] == ["difference"]
    assert refused.cells[()].text == "–"


def test_only_the_differing_cell_and_its_margins_are_hidden():
    memory = Memory(ListStorage(), SECRET, Policy(class_percent=100))
    sexes = ["F", "M"] * 60
    bands = ["30", "40", "50", "30", "40", "50"] * 20
    spec = TableSpec(("band",), ("sex",))
    assert not ask(memory, frame(range(120), sex=sexes, band=bands), spec).hidden
    later = ask(memory, frame(range(119), sex=sexes[:119], band=bands[:119]), spec)
    assert ("50", "M") in later.hidden
    assert any("difference" in cell.rules for cell in later.cells.values())
    assert later.shown


def test_sums_of_disjoint_cells_are_compared_too():
    """No two cells are near, but 30-39 and 40-49 of one table add up to 30-49 of the other but for three people."""
    memory = Memory(ListStorage(), SECRET)
    ask(memory, frame(range(100), band=["30"] * 47 + ["40"] * 53), TableSpec(("band",), ()))
    wide = ask(
        memory, frame([*range(97), *range(200, 260)], wide=["30-49"] * 97 + ["50"] * 60), TableSpec(("wide",), ())
    )
    assert wide.cells[("30-49",)].n is None


def test_audience_of_the_comparison():
    spec = TableSpec((), ())
    for audience, refused in (("anyone", True), ("organisation", False), ("requester", False)):
        memory = Memory(ListStorage(), SECRET, Policy(audience=audience))
        ask(memory, frame(range(100)), spec, MINSU)
        assert ask(memory, frame(range(99)), spec, YUNA).refused is refused


def test_overlapping_categories_are_compared_pair_by_pair():
    memory = Memory(ListStorage(), SECRET)
    both = frame([*range(60), *range(30, 100)], drug=["a"] * 60 + ["b"] * 70)
    assert not ask(memory, both, TableSpec(("drug",), ())).hidden
    near = frame([*range(57), *range(300, 400)], drug=["c"] * 57 + ["d"] * 100)
    assert ask(memory, near, TableSpec(("drug",), ())).cells[("c",)].n is None


CELLS = st.lists(st.integers(0, 4), min_size=24, max_size=24)


def unions(family):
    return chain.from_iterable(combinations(family, size) for size in range(len(family) + 1))


@MODEST
@given(CELLS, CELLS, st.integers(2, 6))
def test_cuts_equal_brute_force_over_all_unions(first, second, threshold):
    """Random labels of 24 people in two tables of up to four cells (0: in none)."""

    def family(labels):
        sets = [frozenset(np.flatnonzero(np.array(labels) == cell).tolist()) for cell in range(1, 5)]
        return [one for one in sets if len(one) >= threshold]

    new, old = family(first), family(second)
    distances = {
        len(frozenset().union(*one) ^ frozenset().union(*other)) for one in unions(new) for other in unions(old)
    }
    expected = any(0 < distance < threshold for distance in distances)
    sets = [frozenset(range(24)).difference(*new, *old), *new, *old]
    weights = np.zeros((len(sets), len(sets)), np.int64)
    for place, one in enumerate(new, start=1):
        weights[place, 0] = len(one.difference(*old))
        for other_place, other in enumerate(old, start=1 + len(new)):
            weights[place, other_place] = len(one & other)
    for place, one in enumerate(old, start=1 + len(new)):
        weights[place, 0] = len(one.difference(*new))
    side = small_cut(weights + weights.T, threshold)
    assert (side is not None) is expected
    if side:
        mine = frozenset().union(*(sets[node] for node in side if node <= len(new)))
        theirs = frozenset().union(*(sets[node] for node in side if node > len(new)))
        assert 0 < len(mine ^ theirs) < threshold


def test_minimum_cut_equals_brute_force():
    rng = random.Random(3)
    for _ in range(40):
        size = rng.randrange(2, 7)
        weights = np.triu(np.array([[rng.choice([0, 1, 2, 5]) for _ in range(size)] for _ in range(size)]), 1)
        weights = weights + weights.T
        cuts = {
            side: weights[np.ix_(side, [node for node in range(size) if node not in side])].sum()
            for length in range(1, size)
            for side in combinations(range(size), length)
        }
        weight, side = _minimum_cut(weights)
        assert weight == min(cuts.values()) == cuts[tuple(sorted(side))]


def test_budget_keeps_a_share_for_each_colleague():
    policy = Policy(feasibility_per_requester=8, feasibility_reserved=2, feasibility_per_organisation=6)
    budget = Budget(policy)
    assert sum(budget.spend("minsu", "alpha", NOW) for _ in range(20)) == 8  # 2 reserved and the whole pool of 6
    assert sum(budget.spend("jiho", "alpha", NOW) for _ in range(20)) == 2  # the reserve nobody else can touch
    assert sum(budget.spend("yuna", "beta", NOW) for _ in range(20)) == 8
    assert budget.left("minsu", "alpha", NOW + timedelta(days=1)) == 8
    with pytest.raises(ValueError, match="timezone"):
        budget.spend("minsu", "alpha", datetime(2026, 3, 2))


def test_bitmaps_are_stored_compressed():
    memory = Memory(ListStorage(), SECRET)
    ask(memory, frame(range(20000)), TableSpec((), ()))
    release = next(record for record in memory.storage.load() if record.kind == "release")
    assert len(release.body) < 20000
    assert BitMap.deserialize(release.body) == BitMap(range(20000))
