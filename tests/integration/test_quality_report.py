"""The quality report at a real hospital's site; the story is in quality_life.py."""

import subprocess
import sys
from pathlib import Path


def test_a_steward_sees_what_is_broken_mends_it_and_sees_that(tmp_path):
    file = Path(__file__).with_name("quality_life.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
