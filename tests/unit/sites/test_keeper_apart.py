"""The key process as a service of its own: whom it serves, and whom it leaves without an answer."""

import json
import multiprocessing
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansim.sites import init
from ansim.sites.fitness import Unfit
from ansim.sites.keeper import client, keystore

GOOD = b"Kx7vTqLw2mZ9rBd4HsYp"
WEB = "nobody"


@pytest.fixture
def apart(tmp_path):
    """(site folder, socket) of a running key process that serves root and the user `nobody`."""
    folder, run = tmp_path / "site", tmp_path / "run"
    run.mkdir()
    secret = tmp_path / "secret"
    keystore.write_private(secret, GOOD)
    trust = {"roots": [keystore.public(keystore.new_key("sig"))], "threshold": 1}
    place = run / "keeper.sock"
    keeper = {"socket": str(place), "serves": WEB}
    init.make(folder, id="one", kind="holder", name={}, passphrase=GOOD, trust=trust, keeper=keeper)
    environment = {**os.environ, "ANSIM_PASSPHRASE_FILE": str(secret)}
    command = [sys.executable, "-m", "ansim.cli.main", "keeper", str(folder)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            client.wait(client.Keeper(folder, place), seconds=60)
            yield folder, place
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def _ask(place: str, uid: int, answer) -> None:
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(uid)
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            asked.connect(place)
            asked.sendall(json.dumps({"verb": "public"}).encode() + b"\n")
            answer.send(asked.recv(100_000))
        except OSError as error:
            answer.send(type(error).__name__.encode())
    os._exit(0)  # the libraries that the parent has loaded have nothing to clear up here


def ask(place: Path, uid: int) -> bytes:
    """What a process of this user hears."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_ask, args=(str(place), uid, theirs))
    child.start()
    child.join(30)
    return ours.recv() if ours.poll(1) else b""


def test_the_same_user_is_served_until_it_is_stopped(apart):
    folder, place = apart
    assert set(client.Keeper(folder, place).public()) == {"site", "receive"}
    assert not (folder / "keeper.sock").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to be other users")
def test_only_the_sites_own_user_is_served(apart):
    _, place = apart
    for path in (place.parent, *place.parent.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o055)
    place.chmod(0o666)  # as if modes were set wrongly: the user is asked for all the same
    assert b'"site"' in ask(place, pwd.getpwnam(WEB).pw_uid)
    assert ask(place, 61003) in (b"", b"ConnectionResetError", b"BrokenPipeError")
    place.chmod(0o660)
    assert ask(place, 61003) == b"PermissionError"


def test_a_site_whose_key_process_is_not_there_says_so(tmp_path):
    began = time.monotonic()
    with pytest.raises(Unfit):
        client.wait(client.Keeper(tmp_path, tmp_path / "none.sock"), seconds=0.3)
    assert time.monotonic() - began < 20
