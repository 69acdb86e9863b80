"""Every address of every kind of site under requests that fit its OpenAPI description, and under many that do not."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["hub", "holder", "centre", "keyagency", "user"])
def test_no_request_brings_a_site_down_or_leaves_half_of_an_act(kind, tmp_path):
    life = Path(__file__).with_name("api_life.py")
    done = subprocess.run(
        [sys.executable, str(life), kind, str(tmp_path / "nation")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-500:]


def test_bad_input_is_refused_by_field_in_words_and_leaves_nothing(tmp_path):
    life = Path(__file__).with_name("bad_input_life.py")
    done = subprocess.run(
        [sys.executable, str(life), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]
