"""The web process's side of the key process: start it, and call its verbs."""

import base64
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ansim.errors import N_, Problem
from ansim.sites.fitness import Unfit

log = logging.getLogger("ansim.keeper")
SECONDS = 120.0  # the longest a verb may take: pseudonyms of a million people need some 10 s


def start(folder: Path) -> subprocess.Popen:
    """Start the key process of a site and wait until it serves; it ends by itself when this process does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ansim.sites.keeper", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if not process.stdout or process.stdout.readline() != b"ready\n":
        process.wait(10)
        raise Problem(
            "keeper",
            N_("The key process of {folder} did not start."),
            folder=str(folder),
            remedy=N_("See its log above."),
        )
    return process


def wait(keeper: "Keeper", seconds: float) -> None:
    """Until a key process of its own answers; raises Unfit if it does not."""
    until = time.monotonic() + seconds
    while True:
        try:
            keeper.public()
            return
        except Unfit:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def guard(folder: Path, process: subprocess.Popen, stop: threading.Event) -> None:
    """Start the key process again whenever it has died, until `stop`; the last one is ended at the end."""
    pause = 0.5
    while not stop.wait(0.5):
        if process.poll() is None:
            continue
        log.error("the key process ended with %s; it is started again", process.returncode)
        try:
            process = start(folder)
            pause = 0.5
        except (Problem, OSError) as error:
            log.error("the key process does not start: %s", error)
            stop.wait(pause)
            pause = min(60.0, 2 * pause)
    end(process)


def end(process: subprocess.Popen) -> None:
    """Ask the key process to end (its input closes) and see that it does."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Keeper:
    """Calls to one site's key process, one connection a thread."""

    def __init__(self, folder: Path, socket_file: Path | None = None):
        """socket_file: where a key process of its own user listens; else in the folder."""
        self._folder, self._socket = folder, socket_file
        self._local = threading.local()

    def _stream(self):
        if getattr(self._local, "pid", None) != os.getpid() or self._local.stream is None:
            descriptor = os.open(self._socket.parent if self._socket else self._folder, os.O_RDONLY | os.O_DIRECTORY)
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(SECONDS)
            try:
                name = self._socket.name if self._socket else "keeper.sock"
                connection.connect(f"/proc/self/fd/{descriptor}/{name}")  # however long the folder's path is
                self._local.stream = connection.makefile("rwb")
            finally:
                os.close(descriptor)
                connection.close()  # the stream keeps its own reference
            self._local.pid = os.getpid()
        return self._local.stream

    def _ask(self, request: bytes) -> Any:
        stream = self._stream()
        try:
            stream.write(request)
            stream.flush()
            return json.loads(stream.readline())
        except BaseException:
            self._local.stream = None  # half an answer may still stand in it
            raise

    def call(self, verb: str, **arguments: Any) -> Any:
        """The verb's result. Raises Unfit when the key process does not answer, Problem when it refuses."""
        request = json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n"
        try:
            try:
                answer = self._ask(request)
            except TimeoutError:
                raise
            except (OSError, ValueError):  # it was started anew meanwhile; every verb may be asked twice
                answer = self._ask(request)
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            raise Unfit("keeper", N_("The key process does not answer ({error})."), error=reason) from error
        if refused := answer.get("error"):
            if refused["code"] == "machine":
                raise Unfit("keeper", N_("The key process does not answer ({error})."), error=refused["message"])
            raise Problem(refused["code"], refused["message"].replace("{", "{{").replace("}", "}}"))
        return answer["result"]

    def sign(self, data: bytes, key: str = "site") -> bytes:
        return base64.b64decode(self.call("sign", key=key, data=base64.b64encode(data).decode()))

    def decrypt(self, token: str, key: str = "receive") -> bytes:
        return base64.b64decode(self.call("decrypt", key=key, token=token))

    def public(self) -> dict[str, dict]:
        return self.call("public")
