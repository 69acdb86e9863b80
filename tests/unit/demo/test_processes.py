"""What a killed `ansim demo` leaves behind is ended by the next one; nobody else's process ever is."""

import subprocess
import sys

import pytest

from ansim.demo.nation import Nation
from ansim.demo.processes import Running, hold
from ansim.errors import Problem

WAITS = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print(1, flush=True); signal.pause()"
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"


@pytest.fixture
def nation(tmp_path):
    (tmp_path / "nation" / "logs").mkdir(parents=True)
    return Nation(tmp_path / "nation")


@pytest.fixture
def process(nation):
    """A process that says in its command what it serves, and whose number stands in the nation's logs."""
    made = []

    def start(name, script, serves):
        one = subprocess.Popen([sys.executable, "-c", script, str(serves)], stdout=subprocess.PIPE)
        made.append(one)
        assert one.stdout.readline() == b"1\n"
        (nation.folder / "logs" / f"{name}.pid").write_text(str(one.pid))
        return one

    yield start
    for one in made:
        one.kill()
        one.wait()
        one.stdout.close()


def test_left_over_sites_are_ended_and_strangers_are_not(nation, process):
    hub = process("hub", WAITS, nation.site("hub"))
    deaf = process("hospital-a", DEAF, nation.site("hospital-a"))
    courier = process("courier-hospital-b", WAITS, nation.site("hospital-b"))
    stranger = process("hospital-c", WAITS, nation.folder.parent / "elsewhere" / "hospital-c")
    gone = process("centre-1", WAITS, nation.site("centre-1"))
    gone.kill()
    gone.wait()
    assert Running(nation).end_left_over(seconds=0.3) == ["courier-hospital-b", "hospital-a", "hub"]
    assert (hub.wait(5), courier.wait(5), deaf.wait(5)) == (0, 0, -9)
    assert stranger.poll() is None


def test_ones_own_processes_are_not_left_over(nation, process):
    own = process("hub", WAITS, nation.site("hub"))
    running = Running(nation)
    running.processes["hub"] = own
    assert running.end_left_over(seconds=0) == []
    assert own.poll() is None


def test_one_runner_at_a_time(nation):
    with hold(nation):
        with pytest.raises(Problem) as found:
            hold(nation)
        assert found.value.code == "runs-already"
    hold(nation).close()
