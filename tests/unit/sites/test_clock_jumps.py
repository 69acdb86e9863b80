"""A clock that jumps, either way, is noticed; one that is gently put right is followed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim.sites.clock import Jumps

MOST = 300.0


@pytest.mark.parametrize("jump", [301.0, -301.0, 86_400.0, -86_400.0, 31_536_000.0])
def test_a_jump_is_noticed_until_the_clock_is_back(jump):
    clock = Jumps(MOST)
    assert not clock.jumped(1000.0, 50.0)
    assert clock.jumped(1060.0 + jump, 110.0)
    assert clock.jumped(1120.0 + jump, 170.0), "it does not get used to the wrong time"
    assert not clock.jumped(1180.0, 230.0)


@given(st.lists(st.tuples(st.floats(0, 10_000), st.floats(-250, 250)), max_size=40))
def test_small_steps_are_followed_however_many(steps):
    clock, wall, boot = Jumps(MOST), 1_000_000.0, 0.0
    for passed, step in steps:
        wall, boot = wall + passed + step, boot + passed
        assert not clock.jumped(wall, boot)


def test_a_sleeping_machine_has_not_jumped():
    clock = Jumps(MOST)
    assert not clock.jumped(0.0, 0.0)
    assert not clock.jumped(50_000.0, 50_000.0)  # time since boot counts sleep too
