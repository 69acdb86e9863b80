"""What the sandbox adds to a job's start: processor time and time by the clock, beside the same script without it.

    python benchmarks/sandbox.py [ROUNDS]

The target is 50 ms. Rounds alternate, so that a busy machine is as busy for both; the medians and the least of each are
given, and how busy it was. Results go to benchmarks/results/sandbox.json.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansim.sites.centre.sandbox import SandboxJob, run

RESULT = Path(__file__).parent / "results" / "sandbox.json"


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds by the clock, processor seconds of the children)."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
        for _ in range(rounds):
            inside.append(measured(lambda: run(job)))
            outside.append(measured(lambda: subprocess.run(bare, check=True)))
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
