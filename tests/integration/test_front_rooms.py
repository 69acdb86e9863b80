"""The holder's front rooms at a real site; the story is in front_rooms_life.py."""

import subprocess
import sys
from pathlib import Path


def test_a_case_from_the_first_count_to_the_end_of_its_agreement(tmp_path):
    file = Path(__file__).with_name("front_rooms_life.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
