"""Output requests at a centre, and what becomes of a release at the desk; the scenes are in output_scene.py."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["centre", "user"])
def test_from_the_check_to_taking_back(kind, tmp_path):
    scene = Path(__file__).with_name("output_scene.py")
    done = subprocess.run(
        [sys.executable, str(scene), kind, str(tmp_path / "site")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-4000:]
