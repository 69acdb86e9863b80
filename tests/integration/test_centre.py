"""A workspace from agreement to destruction at a real centre site; the story itself is in centre_life.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="scripts need bubblewrap")
def test_a_workspace_lives_from_agreement_to_destruction(tmp_path):
    life = Path(__file__).with_name("centre_life.py")
    done = subprocess.run(
        [sys.executable, str(life), str(tmp_path / "nation")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-6000:]
