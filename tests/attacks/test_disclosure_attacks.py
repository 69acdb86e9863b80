"""Attacks on released tables and feasibility counts. Each has its positive control: with that defence off, or under a
plain threshold-and-round rule, the attacker succeeds."""

import math
import os
import random
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyroaring import BitMap
from strategies import NOW, PEOPLE, STRATEGIES, Node, interval, known, learned, random_strategy

from ansim.privacy.disclosure import exposure
from ansim.privacy.disclosure.feasibility import answer
from ansim.privacy.disclosure.files import check_file
from ansim.privacy.disclosure.memory import Asker, ListStorage, Memory
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import protect, round_to
from ansim.privacy.disclosure.secondary import Pattern
from ansim.privacy.disclosure.table import TOTAL, TableSpec, tabulate

ASKER = Asker("mallory", "alpha")


def secret(seed):
    return b"node secret of seed %012d" % seed


# --- tables -----------------------------------------------------------------------------------------------------------


def difference_of_two_tables(memory):
    """Positive people among all 60, and among all but the victim: their difference is the victim's diagnosis."""
    flags = [True] * 25 + [False] * 35  # the victim, person 0, is positive
    frame = pa.table({"person_id": list(range(60)), "positive": flags})
    policy, spec = Policy(rounding=1), TableSpec(("positive",), ())
    seen = []
    for data in (frame, frame.slice(1)):
        table = tabulate(data, spec, memory.codes if memory else None)
        released = protect(table, policy, memory.for_asker(ASKER) if memory else None)
        if memory:
            memory.remember(table, released, ASKER, NOW)
        seen.append(released.cells[(True,)].n)
    return None if None in seen else seen[0] - seen[1]


def test_differencing_tables_by_one_person():
    assert difference_of_two_tables(None) == 1  # positive control: no memory
    assert difference_of_two_tables(Memory(ListStorage(), secret(1), Policy(rounding=1))) is None


def test_twelve_rows_of_one_person():
    """A count of 12 that rests on one person."""
    frame = pa.table({"person_id": [7] * 12 + list(range(100, 160)), "drug": ["rare"] * 12 + ["common"] * 60})
    rows = frame.group_by("drug").aggregate([("person_id", "count")])
    count = {row["drug"]: row["person_id_count"] for row in rows.to_pylist()}
    assert count["rare"] >= Policy().threshold  # positive control: a row-count rule lets it pass
    file = "drug,n\nrare,10\ncommon,60\n"
    assert check_file("table.csv", file.encode(), Policy()).verdict == "human"  # nobody knows: never a pass
    released = protect(tabulate(frame, TableSpec(("drug",), ())), Policy())
    assert "small-cell" in released.cells[("rare",)].rules


def test_hidden_cell_from_margins():
    counts = {("30", "F"): 4, ("30", "M"): 38, ("40", "F"): 52, ("40", "M"): 63}
    keys = [key for key, n in counts.items() for _ in range(n)]
    frame = pa.table({"person_id": list(range(len(keys))), "band": [k[0] for k in keys], "sex": [k[1] for k in keys]})
    table = tabulate(frame, TableSpec(("band",), ("sex",)))

    def attack(policy):
        cells = protect(table, policy).cells
        parts = cells[("30", TOTAL)].n, cells[("30", "M")].n
        return None if None in parts else parts[0] - parts[1]

    off = Policy(rounding=1, class_percent=100, secondary=False)
    assert attack(off) == 4  # positive control
    on = Policy(rounding=1, class_percent=100)
    assert attack(on) is None
    released = protect(table, on)
    small = {key for key in released.hidden if released.cells[key].marker == "<10"}
    low, high = Pattern(table.counts(), table.categories, on).interval(("30", "F"), small, released.hidden)
    assert (low, high) == (0, 9)


# --- feasibility: the strategies of strategies.py ---------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.what)
def test_right_guesses_stay_below_the_stated_bound(strategy):
    tries = min(500, max(100, 6000 // strategy.questions))
    controls = tries // 2
    held = interval(strategy.right(range(tries)), tries)
    control = interval(strategy.right(range(controls), strategy.off), controls)
    assert held[1] < strategy.most(Policy())
    assert control[0] > 0.5
    assert sum(control) > sum(held)  # the missing defence is what holds


def test_random_strategies_learn_little():
    """What a learner finds in the answers to strategies drawn at random; thousands of them in `make soak`."""
    seeds = range(3)
    hits = sum(learned(random_strategy(seed), range(100), range(1000, 1060)) for seed in seeds)
    assert interval(hits, 60 * len(seeds))[1] < Policy().guess_everybody / 100
    plain = sum(learned(random_strategy(seed), range(60), range(1000, 1060), "plain") for seed in seeds)
    assert plain > hits + 20


@pytest.mark.soak
def test_thousands_of_random_strategies():
    count = int(os.environ.get("ANSIM_STRATEGIES", "2000"))
    worst, total = 0, 0
    for seed in range(count):
        hits = learned(random_strategy(seed), range(100), range(1000, 1100))
        worst, total = max(worst, hits), total + hits
    assert interval(total, 100 * count)[1] < 0.6
    # the largest of thousands of binomials: 5 standard deviations above the bound would be a strategy that breaks it
    assert worst / 100 < Policy().guess_everybody / 100 + 5 * 0.036


def test_what_an_answer_gives_away_is_what_it_costs():
    """The affinity of what is shown for n and for n + 1 people, counted over all noises, against the charge."""
    policy = Policy()
    coins = (np.arange(40000) + 0.5) / 40000
    for count in (9, 24, 200, 299, 300, 301, 640):
        shares = []
        for n in (count, count + 1):
            noise = np.interp(coins, exposure._SHARES, exposure._PLACES) * exposure.reach(n, policy)
            shown = np.floor(n + noise + 0.5)
            values, counts = np.unique(np.where(shown < 25, 0, round_to(shown, 5)), return_counts=True)
            shares.append(dict(zip(values.tolist(), counts / len(coins), strict=True)))
        affinity = sum(math.sqrt(share * shares[1].get(value, 0.0)) for value, share in shares[0].items())
        assert -math.log(affinity) <= 1.001 * exposure.answer_cost(count, policy)
    for apart in range(10, 30):
        near = [math.cos(math.pi / 2 * min(max(d / 10 - 1, 0) / 2, 1)) ** 2 for d in (apart, apart + 1)]
        affinity = math.sqrt(near[0] * near[1]) + math.sqrt((1 - near[0]) * (1 - near[1]))
        assert -math.log(affinity) <= exposure.test_cost(policy) * 1.0001


def test_nobody_is_charged_beyond_the_limit():
    node = Node(1, has=True)
    for place in range(60):
        node.ask([*known(0, 60), *known(1 + place, 140)], "has", f"mallory{place % 5}")
    day, policy = NOW.date().toordinal(), Policy()
    assert all(charge.day == day for charge in node.memory.exposure.charges)
    for who, most in (*((f"x/mallory{n}", policy.guess_requester) for n in range(5)), ("", policy.guess_everybody)):
        used = np.zeros(PEOPLE)
        for charge in node.memory.exposure.charges:
            if charge.asker == who or not who:
                used[charge.people.to_array()] += charge.cost
        assert used.max() <= exposure.limit(most) + 1e-6
        assert used.max() > 0.4 * exposure.limit(most)


def test_asking_again_gives_the_same_number_and_a_year_later_people_count_again():
    node = Node(3, has=False)
    memory, policy = node.memory, Policy()
    asker = Asker("minsu", "x")

    def told(people, question, now):
        return answer(BitMap(people), policy, memory, node.secret, now, question=question, asker=asker)

    first = told(range(200), "a", NOW)
    other = told(range(200, 400), "b", NOW)
    assert told(range(200), "a", NOW).value == first.value
    assert told(range(198), "c", NOW).value == first.value
    assert not told(range(200), "a", NOW).fresh
    for number in range(20):  # the same hundred people in ever other sets
        worn = told([*range(200, 300), *range(1000 + 150 * number, 1150 + 150 * number)], f"d{number}", NOW)
    assert worn.fresh
    assert worn.worn == 100
    late = told([*range(200, 300), *range(9000, 9150)], "e", NOW + timedelta(days=366))
    assert late.worn == 0
    assert other.fresh


# --- usefulness -------------------------------------------------------------------------------------------------------


def refinements():
    """30 honest steps of one researcher over 5,000 synthetic people: age bands, sex, a drug, a test, years."""
    rng = random.Random(11)
    age = [rng.randrange(18, 95) for _ in range(5000)]
    sex = [rng.random() < 0.53 for _ in range(5000)]
    drug = [rng.random() < 0.2 for _ in range(5000)]
    test = [rng.random() < 0.35 for _ in range(5000)]
    year = [rng.randrange(2010, 2024) for _ in range(5000)]
    steps = [lambda p: True]
    steps += [lambda p, low=low: age[p] >= low for low in (20, 30, 40, 50, 60, 65, 70)]
    steps += [lambda p, low=low: age[p] >= low and sex[p] for low in (40, 50, 60, 70)]
    steps += [lambda p, low=low: low <= age[p] < low + 10 for low in (40, 50, 60, 70, 80)]
    steps += [lambda p, low=low: age[p] >= low and drug[p] for low in (40, 50, 60, 70)]
    steps += [lambda p, low=low: age[p] >= low and drug[p] and sex[p] for low in (50, 60)]
    steps += [lambda p, since=since: year[p] >= since and test[p] for since in (2012, 2015, 2018, 2021)]
    steps += [lambda p, since=since: year[p] >= since and drug[p] and test[p] for since in (2012, 2018, 2022)]
    return [BitMap([p for p in range(5000) if step(p)]) for step in steps]


def test_honest_refinements_are_answered():
    script = refinements()
    assert len(script) == 30
    policy = Policy()
    for seed in range(10):
        memory = Memory(ListStorage(), secret(seed), policy)
        memory.codes(pa.array(range(5000)))
        answers = [
            answer(people, policy, memory, secret(seed), NOW, question=str(place), asker=ASKER)
            for place, people in enumerate(script)
        ]
        answered = [
            abs(one.value - len(people)) <= max(20, 0.06 * len(people))
            for one, people in zip(answers, script, strict=True)
            if not one.low
        ]
        assert len(answered) >= 27
        assert sum(answered) >= 0.9 * len(answered)  # and the numbers are of use
