"""The journey while the plug is pulled again and again: every promise still holds, so nothing was lost or doubled.

Not in every test run (it takes long): `make soak`, or `pytest -m soak`. ANSIM_KILLS says how often in all; a journey is
played after another, each in a nation of its own, until that many processes were killed.
"""

import os
from collections import Counter

import pytest
from test_journey import SCALE, free_ports, played

from ansim.demo import start
from ansim.demo.journey.kills import Kills
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.network]
MOST = int(os.environ.get("ANSIM_KILLS", "20"))
SEED = int(os.environ.get("ANSIM_SEED", "20261124"))
FEASIBILITY = 3  # it takes a hospital down itself, and says what is shown meanwhile
CLOSE, VERIFY = 13, 14


def journey(folder, seed: int, most: int) -> Counter:
    """One journey with at most so many kills; gives the victims. Kills go on in every stage but feasibility and the
    last, which looks at what all this has left."""
    nation = Nation(folder / "nation", port=free_ports(len(PLACES)))
    running, victims = Running(nation), Counter()
    try:
        start.bring_up(nation, running, SCALE, lambda text: None)
        with Kills(running, seed=seed, most=most) as kills:
            played(running, folder / "1.html", 1, FEASIBILITY - 1)
        victims += kills.victims
        played(running, folder / "2.html", FEASIBILITY, FEASIBILITY)
        with Kills(running, seed=seed + 1, most=most - victims.total()) as kills:
            played(running, folder / "3.html", FEASIBILITY + 1, CLOSE)
        victims += kills.victims
        played(running, folder / "4.html", VERIFY, VERIFY)
    finally:
        running.stop()
    return victims


def test_the_journey_survives_power_cuts(tmp_path, record_property):
    victims: Counter = Counter()
    journeys = 0
    while victims.total() < MOST:
        (tmp_path / str(journeys)).mkdir()
        killed = journey(tmp_path / str(journeys), SEED + 2 * journeys, MOST - victims.total())
        assert killed, "a whole journey without a kill shows nothing"
        victims, journeys = victims + killed, journeys + 1
        record_property(f"journey {journeys}", killed.total())
    for kind in sorted({kind for kind, _place in victims}):
        record_property(f"kills: {kind}", sum(count for (each, _), count in victims.items() if each == kind))
