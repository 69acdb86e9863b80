"""The web process's side of the key process: start it, and call its verbs."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ansim.errors import N_, Problem


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


class Keeper:
    """Calls to one site's key process, one connection a thread."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._local = threading.local()

    def _stream(self):
        if getattr(self._local, "pid", None) != os.getpid() or self._local.stream is None:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(f"/proc/self/fd/{descriptor}/keeper.sock")  # however long the folder's path is
                self._local.stream = connection.makefile("rwb")
            except OSError as error:
                raise Problem("keeper", N_("The key process does not answer ({error})."), error=str(error)) from error
            finally:
                os.close(descriptor)
                connection.close()  # the stream keeps its own reference
            self._local.pid = os.getpid()
        return self._local.stream

    def call(self, verb: str, **arguments: Any) -> Any:
        stream = self._stream()
        try:
            stream.write(json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n")
            stream.flush()
            answer = json.loads(stream.readline())
        except (OSError, ValueError) as error:
            self._local.stream = None
            raise Problem("keeper", N_("The key process does not answer ({error})."), error=str(error)) from error
        if refused := answer.get("error"):
            raise Problem(refused["code"], refused["message"].replace("{", "{{").replace("}", "}}"))
        return answer["result"]

    def sign(self, data: bytes, key: str = "site") -> bytes:
        return base64.b64decode(self.call("sign", key=key, data=base64.b64encode(data).decode()))

    def decrypt(self, token: str, key: str = "receive") -> bytes:
        return base64.b64decode(self.call("decrypt", key=key, token=token))

    def public(self) -> dict[str, dict]:
        return self.call("public")
