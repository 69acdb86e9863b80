"""Versions and patients' lists at a real hospital's site; the story is in loads_life.py."""

import subprocess
import sys
from pathlib import Path


def test_versions_and_lists_are_seen_and_changed(tmp_path):
    file = Path(__file__).with_name("loads_life.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
