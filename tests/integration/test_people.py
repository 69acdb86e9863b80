"""Accounts, sign-in and the second factor at real sites; the stories are in the files named `*_life.py`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("story", ["second_factor_life", "accounts_life"])
def test_people(story: str, tmp_path: Path) -> None:
    life = Path(__file__).with_name(f"{story}.py")
    done = subprocess.run(
        [sys.executable, str(life), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
