"""What a site does when its machine or its network fails: the story is in survive_life.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: it mounts a small file system")
def test_a_site_survives_its_machine_and_its_network(tmp_path):
    file = Path(__file__).with_name("survive_life.py")
    command = ["unshare", "-m", sys.executable, str(file), str(tmp_path / "nation")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]
