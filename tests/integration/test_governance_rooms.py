"""Governance at real sites, one story a process; the stories are in the files of those names."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("story", ["purpose_life", "matching_life", "oversight_life", "advice_life"])
def test_a_story_of_governance(story, tmp_path):
    file = Path(__file__).with_name(f"{story}.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
