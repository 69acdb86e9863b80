"""Running sites: stories of their operators, each at a real site in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("story", ["operations_life", "restore_life"])
def test_an_operator_sees_what_is_so(story, tmp_path):
    file = Path(__file__).with_name(f"{story}.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
