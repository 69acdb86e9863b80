"""The journey while the plug is pulled again and again: every promise still holds, so nothing was lost or doubled.

Not in every test run (it takes long): `make soak`, or `pytest -m soak`. ANSIM_KILLS says how often.
"""

import os

import pytest
from test_journey import BEFORE_THE_END, SCALE, free_ports, played

from ansim.demo import start
from ansim.demo.journey.kills import Kills
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.network]
MOST = int(os.environ.get("ANSIM_KILLS", "20"))
SEED = int(os.environ.get("ANSIM_SEED", "20261124"))
FEASIBILITY = 3  # it takes a hospital down itself, and says what is shown meanwhile


def test_the_journey_survives_power_cuts(tmp_path):
    nation = Nation(tmp_path / "nation", port=free_ports(len(PLACES)))
    running = Running(nation)
    try:
        start.bring_up(nation, running, SCALE, lambda text: None)
        played(running, tmp_path / "before.html", 1, FEASIBILITY)
        with Kills(running, seed=SEED, most=MOST) as kills:
            played(running, tmp_path / "meanwhile.html", FEASIBILITY + 1, BEFORE_THE_END)
        assert kills.victims
        played(running, tmp_path / "after.html", BEFORE_THE_END + 1, 99)
    finally:
        running.stop()
