"""Memory and process limits for the whole job by cgroup (v1 or v2) where we may make one; otherwise rlimits alone."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited(name: str, memory: int, processes: int) -> Iterator[tuple[str, list[Path]]]:
    """Give (level, cgroup.procs files that the job's first process writes itself into); level is v1, v2 or none."""
    made: list[Path] = []
    level = "none"
    try:
        try:
            if (ROOT / "cgroup.controllers").exists():
                _make(made, ROOT / name, {"memory.max": memory, "pids.max": processes})
                level = "v2"
            else:
                _make(made, ROOT / "memory" / name, {"memory.limit_in_bytes": memory})
                _make(made, ROOT / "pids" / name, {"pids.max": processes})
                level = "v1"
        except OSError:
            _remove(made)
        yield level, [group / "cgroup.procs" for group in made]
    finally:
        _remove(made)


def _make(made: list[Path], group: Path, values: dict[str, int]) -> None:
    group.mkdir()
    made.append(group)
    for key, value in values.items():
        (group / key).write_text(str(value))


def _remove(made: list[Path]) -> None:
    while made:
        group = made.pop()
        for step in range(100):  # the last processes leave a moment after they are killed
            try:
                group.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(min(0.01, 0.001 * (step + 1)))
