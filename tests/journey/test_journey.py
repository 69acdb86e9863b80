"""The whole journey, stage by stage, on a nation of real processes: every promise must hold."""

import socket

import pytest

from ansim.demo.journey.run import play
from ansim.demo.journey.stages import STAGES

SITES = 8


def free_ports(count: int) -> int:
    """The first of `count` ports in a row on which nobody listens."""
    for first in range(21_000, 29_000, 20):
        probes = [socket.socket() for _ in range(count)]
        try:
            for number, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + number))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError("no free ports")


@pytest.mark.slow
@pytest.mark.network
def test_every_promise_of_the_journey_holds(tmp_path):
    report = tmp_path / "journey.html"
    played = play(tmp_path / "nation", port=free_ports(SITES), scale=0.5, report=report)
    broken = [
        f"{stage.number} {each.text}: {each.detail}" for stage in played for each in stage.promises if not each.held
    ]
    assert not broken, "\n".join(broken)
    assert [(stage.number, stage.en) for stage in played] == [(stage.number, stage.en) for stage in STAGES]
    assert all(stage.promises for stage in played)
    text = report.read_text("utf-8")
    assert all(stage.ko in text and stage.en in text for stage in STAGES)
    assert "<svg" in text
    assert "<script" not in text
    assert 'src="http' not in text
