"""The fuzzy leg: how well it finds people with mistyped items, and what an encoding shows to who compares it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ansim.privacy.linkage import fuzzy, score

sys.path.insert(0, str(Path(__file__).parent))
import linkage_world as world

KEY, OTHER = b"k" * 32, b"o" * 32
BIRTH = fuzzy.PASSES[0]


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.99), (0.05, 0.99)])
def test_it_finds_people_with_mistyped_items(noise, least):
    left, right, truth = world.registers(2000, 0.5, noise)
    found, limits = fuzzy.match(KEY, left, right)
    quality = score.score([(left[a]["person_id"], right[b]["person_id"]) for a, b in found], truth)
    assert quality["f1"] >= least
    assert quality["precision"] >= 0.999
    assert all(0 < limit < fuzzy.BITS / 3 for limit in limits.values())  # strangers differ in some 0.42 of the bits


def test_where_nobody_is_the_same_nobody_is_found():
    left, right, _ = world.registers(2000, 0, 0.05)
    assert fuzzy.match(KEY, left, right)[0] == []


def test_a_record_is_encoded_the_same_alone_and_among_others():
    left, right, _ = world.registers(60, 0.5, 0.3)
    rows = [*left, *right]
    for one in fuzzy.PASSES:
        whole = fuzzy.encode(KEY, rows, one)
        for place, block, bits in zip(whole.rows, whole.blocks, whole.bits, strict=True):
            alone = fuzzy.encode(KEY, [rows[place]], one)
            assert alone.blocks.tolist() == [block]
            assert (alone.bits == bits).all()
        assert len(whole.rows) == sum(len(fuzzy.encode(KEY, [row], one).rows) for row in rows)
    assert not len(fuzzy.encode(KEY, [], fuzzy.PASSES[0]).rows)


def test_what_differs_little_is_near_and_the_mask_does_not_change_by_how_much():
    one = {"name": "김경수", "birth_date": "1980-01-01", "sex": "M", "phone": "010-1234-5678"}
    rows = [one, {**one, "name": "김영수"}, {**one, "name": "박하늘", "phone": "010-9999-1111"}]

    def apart(**options):
        code = fuzzy.encode(KEY, rows, BIRTH, **options)
        return [int(np.bitwise_count(code.bits[0] ^ code.bits[n]).sum()) for n in range(3)]

    assert apart() == apart(masked=False)
    same, near, far = apart()
    assert same == 0 < near < far / 2


def test_two_blocks_and_two_projects_look_unrelated():
    rows = [{"name": "김경수", "birth_date": f"1980-01-{day:02}", "phone": "010-1234-5678"} for day in range(1, 29)]
    code, project = fuzzy.encode(KEY, rows, BIRTH), fuzzy.encode(OTHER, rows, BIRTH)
    plain = fuzzy.encode(KEY, rows, BIRTH, masked=False)
    assert len(np.unique(plain.bits, axis=0)) == 1  # control: without the mask equal names are seen to be equal
    between = np.bitwise_count(code.bits[:-1] ^ code.bits[1:]).sum(axis=1)
    assert (np.abs(between.astype(int) - fuzzy.BITS // 2) < 6 * np.sqrt(fuzzy.BITS / 4)).all()
    assert not np.intersect1d(code.blocks, project.blocks).size


def test_pattern_mining_finds_nothing_under_the_mask():
    """Bits of a frequent name are set far more often than others: with the mask every bit is a fair coin."""
    left, _, _ = world.registers(3000, 0.5, 0.0)

    def skew(**options):
        code = fuzzy.encode(KEY, left, BIRTH, **options)
        bits = np.unpackbits(code.bits.view(np.uint8), axis=1)
        return float(np.abs(bits.mean(axis=0) - 0.5).max() / np.sqrt(0.25 / len(bits)))

    assert skew(masked=False) > 20  # control: standard deviations from a fair coin
    assert skew() < 5


def test_large_blocks_are_not_compared_and_ties_have_nobody():
    twins = [{"name": "김경수", "birth_date": "1980-01-01", "phone": "010-1234-5678"}] * 3
    code = fuzzy.encode(KEY, twins, BIRTH)
    assert len(fuzzy.distances(code, code)[0]) == 9
    assert len(fuzzy.distances(code, code, most_block=2)[0]) == 0
    assert fuzzy.one_to_one(np.array([0, 0, 1]), np.array([5, 6, 7]), np.array([3, 3, 4])) == [(1, 7)]
    assert fuzzy.one_to_one(np.array([0, 0]), np.array([5, 6]), np.array([3, 4])) == [(0, 5)]


def test_nothing_to_compare_gives_nothing():
    assert fuzzy.match(KEY, [], [{"name": "김경수"}]) == ([], {"birth": -1.0, "phone": -1.0, "name": -1.0})
    assert fuzzy.threshold(np.full(1000, 128), 0.25) < 100  # strangers only
