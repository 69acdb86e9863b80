"""Back rooms at real sites: holder, key agency, mail, and the hub; the stories are in the files of those names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("story", ["holder_life", "keyagency_life", "exchange_life", "hub_life", "catalogue_life"])
def test_a_site_does_what_was_agreed_and_nothing_else(story, tmp_path):
    file = Path(__file__).with_name(f"{story}.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("kind", ["query/1", "query/2"])
def test_agreements_over_either_query_are_carried_out(kind, tmp_path):
    file = Path(__file__).with_name("definition_life.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation"), kind], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("story", ["holder_life", "keyagency_life", "exchange_life", "hub_life", "operations_life"])
def test_and_the_same_on_postgresql(story, tmp_path, postgres_dsn):
    place = dict(part.split("=") for part in postgres_dsn.split())["host"]
    file = Path(__file__).with_name(f"{story}.py")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "nation")],
        env={**os.environ, "ANSIM_TEST_POSTGRES": place},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-6000:]
