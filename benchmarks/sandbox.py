"""What the sandbox adds to a job's start: processor time and time by the clock, beside the same script without it.

    python benchmarks/sandbox.py [ROUNDS]

The target is 50 ms. Rounds alternate, so that a busy machine is as busy for both; the medians and the least of each are
given, and how busy it was. Results go to benchmarks/results/sandbox.json.
"""

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ansim.sites.centre.sandbox import SandboxJob, run

RESULT = Path(__file__).parent / "results" / "sandbox.json"


@contextlib.contextmanager
def accounted() -> Iterator[Callable[[], float]]:
    """Gives the processor seconds of all that this process starts, killed ones too: by a cgroup (v1) of its own.

    Where there is none, by getrusage, which does not see what nobody waited for.
    """
    group = Path(f"/sys/fs/cgroup/cpuacct/ansim-bench-{os.getpid()}")
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield lambda: sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return
    try:
        yield lambda: int((group / "cpuacct.usage").read_text()) / 1e9
    finally:
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def measured(work: Callable[[], object], used: Callable[[], float]) -> tuple[float, float]:
    """(seconds by the clock, processor seconds of all processes)."""
    before, began = used(), time.monotonic()
    work()
    return time.monotonic() - began, used() - before


def figures(samples: list[tuple[float, float]]) -> dict[str, float]:
    clock, processor = zip(*samples, strict=True)
    return {
        "clock_ms_least": round(1000 * min(clock), 1),
        "clock_ms_median": round(1000 * statistics.median(clock), 1),
        "processor_ms_median": round(1000 * statistics.median(processor), 1),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for part in ("code", "data"):
            (work / part).mkdir()
        (work / "code" / "main.py").write_text("")
        job = SandboxJob(work / "code", work / "data", work / "out")
        bare = ["/usr/bin/python3", "-I", str(work / "code" / "main.py")]
        run(job)
        inside, outside = [], []
        with accounted() as used:
            for _ in range(rounds):
                inside.append(measured(lambda: run(job), used))
                outside.append(measured(lambda: subprocess.run(bare, check=True), used))
    sandbox, plain = figures(inside), figures(outside)
    found = {
        "rounds": rounds,
        "sandbox": sandbox,
        "plain": plain,
        "added": {key: round(sandbox[key] - plain[key], 1) for key in sandbox},
        "load": [round(each, 1) for each in os.getloadavg()],
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
