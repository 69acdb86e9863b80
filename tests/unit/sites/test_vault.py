"""Workspaces sealed at rest, and interactive work in them; the story itself is in vault_life.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="notebooks need bubblewrap")
def test_a_workspace_is_sealed_opened_in_memory_and_erased(tmp_path):
    life = Path(__file__).with_name("vault_life.py")
    done = subprocess.run([sys.executable, str(life), str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-5000:]
