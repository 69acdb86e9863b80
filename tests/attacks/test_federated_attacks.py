"""Moves against federated analyses (federated_moves.py): each fails with its defence, and succeeds without it."""

import pytest
from federated_moves import MOVES
from strategies import interval

TRIES = 12


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.what)
def test_a_move_fails_with_its_defence_and_succeeds_without_it(move):
    assert not any(move.right(seed, False) for seed in range(TRIES))
    without = sum(move.right(seed, True) for seed in range(TRIES))
    assert interval(without, TRIES)[0] > 0.6  # the positive control
