"""Upgrades from the first release, on both databases; and a node of the first release with today's hub."""

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from network import Network

ROOT = Path(__file__).parents[2]
FIRST = "78a9de8"  # the commit of the first release
COSIGNED = "SELECT count(*) FROM ledger_cosignature WHERE witness = ?"
STORY = Path(__file__).with_name("upgrade_life.py")


def story(*arguments: str) -> None:
    command = [sys.executable, str(STORY), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-6000:]


def test_the_first_releases_data_come_along(tmp_path):
    story(str(tmp_path / "nation"))


def test_and_on_postgresql(tmp_path, postgres_dsn):
    place = dict(part.split("=") for part in postgres_dsn.split())["host"]
    database = f"ansim_upgrade_{os.getpid()}"
    make = ["psql", "-h", place, "-U", "ansim", "-d", "postgres", "-q", "-c", f"CREATE DATABASE {database}"]
    subprocess.run(make, check=True, capture_output=True)
    story(str(tmp_path / "nation"), f"postgresql://ansim@{quote(place, safe='')}/{database}")


@pytest.fixture
def first_source(tmp_path) -> Path:
    """The first release's source, out of the history."""
    packed = subprocess.run(["git", "archive", FIRST, "src"], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip("the history is not here (a shallow clone)")
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as tar:
        tar.extractall(tmp_path / "first", filter="data")
    return tmp_path / "first" / "src"


@pytest.mark.soak
@pytest.mark.network
def test_a_node_of_the_first_release_works_with_todays_hub(tmp_path, first_source, monkeypatch):
    """It fetches the directory, tells its head, cosigns the others' heads, and they cosign its."""
    network = Network(tmp_path / "nation")
    try:
        network.start("hub", "company-x")
        monkeypatch.setenv("PYTHONPATH", str(first_source))
        network.start("hospital-a")
        assert network.rows("hospital-a", "SELECT count(*) FROM django_migrations WHERE app = 'store'") == [(1,)]
        for one, other in (("hub", "hospital-a"), ("hospital-a", "hub"), ("company-x", "hospital-a")):
            network.until(lambda one=one, other=other: network.rows(one, COSIGNED, other)[0][0] > 0, seconds=90)
        refused = "SELECT count(*) FROM ledger_event WHERE type IN ('envelope.refused', 'message.refused')"
        assert {site: network.rows(site, refused) for site in ("hub", "company-x", "hospital-a")} == {
            "hub": [(0,)], "company-x": [(0,)], "hospital-a": [(0,)]
        }  # fmt: skip
    finally:
        network.running.stop()
