"""Secure aggregation: exact in the pool, random bits in any part of it, and what a coalition or a dropout can see."""

import itertools
import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from test_guard import EVERY, values

from ansim.errors import Problem
from ansim.research.analysis import masks, methods, sums
from ansim.sites.keeper.keystore import agreed

SITES = ("a", "b", "c", "d")


def public(key):
    return OKPKey.import_key(key.public_key()).as_dict()


def secrets(sites=SITES, run="run-1"):
    """{site: {other: secret}} by real key agreement; both ends must derive the same."""
    keys = {site: X25519PrivateKey.generate() for site in sites}
    made = {site: {} for site in sites}
    for one, other in itertools.permutations(sites, 2):
        made[one][other] = agreed(keys[one], public(keys[other]), masks.label(run, one, other))
    assert all(made[one][other] == made[other][one] for one, other in itertools.combinations(sites, 2))
    return made


def answers(aggregates, held=None, run="run-1", number=1):
    held = held or secrets(tuple(aggregates))
    return {site: masks.masked(each, site, held[site], run, number) for site, each in aggregates.items()}


FLOATS = st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(FLOATS, st.integers(-(2**40), 2**40)), min_size=3, max_size=5))
def test_the_pool_is_the_exact_sum(rows):
    aggregates = {f"s{k}": {"x": [x], "n": n} for k, (x, n) in enumerate(rows)}
    assert masks.unmasked(list(answers(aggregates).values())) == sums.pool(list(aggregates.values()))


@given(st.floats(-(2.0**79), 2.0**79))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_float_comes_back_to_its_last_bit_or_to_2_to_the_minus_96(value):
    [row] = masks.encode([value]).tolist()
    back = masks._number("f", row)
    assert back == value if abs(value) >= 2.0**-43 else abs(back - value) < 2.0**-95


@pytest.mark.parametrize("name", EVERY)
def test_every_method_gives_the_same_result_under_masks(name):
    """Four sites, one without people: each round's aggregates have one shape and pool to the same numbers."""
    frame, spec = values(240), EVERY[name]
    parts = [frame.slice(0, 80), frame.slice(80, 100), frame.slice(180), frame.slice(0, 0)]
    chosen, state, done, result = methods.method(name), methods.start(name, spec), False, None
    data, held, number = [chosen.prepare(part, spec) for part in parts], secrets(), 0
    while not done:
        number += 1
        seen = methods.public(name, spec, json.loads(json.dumps(state)))
        local = {site: chosen.local(part, spec, seen) for site, part in zip(SITES, data, strict=True)}
        if any("union" in each for each in local.values()):
            pooled = sums.pool(list(local.values()))
        else:
            pooled = masks.unmasked(list(answers(local, held, number=number).values()))
        state, done, result = chosen.combine(pooled, spec, state)
    expected = methods.run(name, parts, spec)
    assert json.dumps(result, sort_keys=True) == json.dumps(expected, sort_keys=True)


def bits(answer):
    import base64

    return np.unpackbits(np.frombuffer(base64.b64decode(answer["masked"]), np.uint8))


def uniform(found):
    """Mean of bits within five deviations of a fair coin's, and no byte position that stands out."""
    rows = found.reshape(-1, masks.WIDTH * 8)
    assert abs(found.mean() - 0.5) < 5 * 0.5 / np.sqrt(found.size)
    assert (np.abs(rows.mean(axis=0) - 0.5) < 6 * 0.5 / np.sqrt(len(rows))).all()


SMALL = {site: {"x": [float(k)] * 2000, "n": k} for k, site in enumerate(SITES)}


def test_what_the_centre_holds_of_a_site_looks_like_random_bits():
    """Positive control: the same numbers without masks are nearly all zero bits."""
    for answer in answers(SMALL).values():
        uniform(bits(answer))
    plain = np.unpackbits(masks.encode(sums.numbers(SMALL["b"])).view(np.uint8))
    with pytest.raises(AssertionError):
        uniform(plain)


def test_any_part_of_the_pool_looks_like_random_bits_too():
    given = answers(SMALL)
    for size in (2, 3):
        for part in itertools.combinations(SITES, size):
            total = np.zeros((2001, masks.LIMBS), np.uint64)
            for site in part:
                total = masks.add(total, masks._bytes(given[site]["masked"], 2001))
            uniform(np.unpackbits(total.view(np.uint8)))


def test_two_colluding_sites_and_the_centre_see_only_the_sum_of_the_other_two():
    """They know their own secrets and numbers. The other two's common mask still covers each of them."""
    held = secrets()
    given = answers(SMALL, held)
    left = {}
    for site in ("c", "d"):
        total = masks._bytes(given[site]["masked"], 2001)
        for other in ("a", "b"):  # take off the masks that the coalition knows
            context = masks.digest(
                {"run": "run-1", "round": 1, "state": "", "sites": list(SITES), "shape": given[site]["shape"]}
            )
            stream = masks._stream(held[other][site], context, 2001)
            total = masks.add(total, masks.negated(stream) if site < other else stream)
        left[site] = total
        uniform(np.unpackbits(total.view(np.uint8)))
    both = masks.add(left["c"], left["d"])
    assert masks._number("f", both[0].tolist()) == 2.0 + 3.0  # as the honest result tells them anyway


def test_of_three_two_colluding_sites_learn_the_third():
    """Documented: a pool hides a site from at most all but one of the others."""
    three = {site: SMALL[site] for site in "abc"}
    pooled = masks.unmasked(list(answers(three).values()))
    assert pooled["n"] - three["a"]["n"] - three["b"]["n"] == three["c"]["n"]


def test_with_one_site_missing_nothing_comes_out():
    given = answers(SMALL)
    with pytest.raises(Problem) as caught:
        masks.unmasked([given[site] for site in "abc"])
    assert caught.value.code == "aggregate-shape"


def test_after_a_dropout_the_rest_mask_anew_and_the_first_answers_stay_covered():
    held = secrets()
    first = answers(SMALL, held)
    left = {site: {other: key for other, key in held[site].items() if other != "d"} for site in "abc"}
    again = {site: masks.masked(SMALL[site], site, left[site], "run-1", 1) for site in "abc"}
    assert masks.unmasked(list(again.values()))["n"] == 0 + 1 + 2
    for site in "abc":  # both answers together are not a site's numbers: their difference is masks alone
        apart = masks.add(
            masks._bytes(first[site]["masked"], 2001), masks.negated(masks._bytes(again[site]["masked"], 2001))
        )
        uniform(np.unpackbits(apart.view(np.uint8)))


def test_sites_that_were_given_different_states_give_nothing_away():
    held = secrets()
    states = {"a": "one", "b": "one", "c": "one", "d": "two"}
    given = [masks.masked(SMALL[site], site, held[site], "run-1", 1, state) for site, state in states.items()]
    with pytest.raises(Problem) as caught:
        masks.unmasked(given)
    assert caught.value.code == "aggregate-shape"


def test_masks_differ_by_round_run_and_shape():
    held, one = secrets(), SMALL["a"]
    made = {masks.masked(one, "a", held["a"], run, number)["masked"] for run, number in (("r", 1), ("r", 2), ("s", 1))}
    assert len(made) == 3
    other = masks.masked({"x": one["x"], "n": float(one["n"])}, "a", held["a"], "r", 1)
    assert other["masked"] not in made


@pytest.mark.parametrize(
    "harm", [{"shape": {"x": ["f"]}}, {"masked": "AAAA"}, {"masked": "&"}, {"masked": None}, {"shape": None}]
)
def test_an_answer_of_another_form_is_refused(harm):
    given = answers(SMALL)
    with pytest.raises(Problem) as caught:
        masks.unmasked([given["a"], given["b"], given["c"], given["d"] | harm])
    assert caught.value.code == "aggregate-shape"


def test_two_sites_do_not_mask_and_a_number_out_of_range_is_told():
    with pytest.raises(Problem) as caught:
        masks.masked(SMALL["a"], "a", {"b": b"0" * 32}, "r", 1)
    assert caught.value.code == "few-sites"
    with pytest.raises(Problem) as caught:
        masks.masked({"x": 1e30}, "a", {"b": b"0" * 32, "c": b"1" * 32}, "r", 1)
    assert caught.value.code == "too-large"
