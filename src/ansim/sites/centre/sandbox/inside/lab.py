"""Runs inside the sandbox: JupyterLab on a socket that was opened outside. Never imported by Ansim.

argv: the descriptors of the listening socket, of the tar to restore, of the pipe that asks for a save and of the pipe
that takes it, then the base URL. Nothing here is trusted: the proxy outside decides what is passed on.
"""

import io
import os
import pathlib
import socket
import struct
import sys
import tarfile

WORK = pathlib.Path("/work")
MOST_SAVED = 192 << 20


def restore(descriptor: int) -> None:
    with os.fdopen(descriptor, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:  # plain files with plain names: the tar was checked outside
            if member.isreg() and (content := archive.extractfile(member)):
                (WORK / member.name).parent.mkdir(parents=True, exist_ok=True)
                (WORK / member.name).write_bytes(content.read())
    (WORK / "out").mkdir(exist_ok=True)
    pathlib.Path("/tmp/lab").mkdir()  # noqa: S108 - settings of this session


def keep_saving(ask: int, give: int) -> None:
    """Answer each byte with the work folder as a tar: eight bytes of length, then the tar."""
    while os.read(ask, 1):
        held = io.BytesIO()
        try:
            with tarfile.open(fileobj=held, mode="w") as archive:
                for file in sorted(WORK.rglob("*")):
                    if file.is_file() and not file.is_symlink() and ".ipynb_checkpoints" not in file.parts:
                        archive.add(file, str(file.relative_to(WORK)), recursive=False)
                    if held.tell() > MOST_SAVED:
                        break
        except OSError:
            pass  # a file went away meanwhile: what was read counts
        body = held.getvalue()
        view = memoryview(struct.pack(">Q", len(body)) + body)
        while view:
            view = view[os.write(give, view) :]


def serve(listening: int, base: str) -> None:
    from jupyter_server.serverapp import ServerApp
    from jupyterlab.labapp import LabApp

    class Given(ServerApp):
        """Serves on the socket that was handed in, and looks for no other."""

        def _bind_http_server(self) -> None:
            here = socket.socket(fileno=listening)
            here.setblocking(False)
            self.http_server.add_socket(here)

        def _find_http_port(self) -> None:
            pass

    LabApp.serverapp_class = Given
    LabApp.launch_instance(argv=[f"--ServerApp.base_url={base}"])


def main() -> None:
    listening, tar, ask, give = map(int, sys.argv[1:5])
    base = sys.argv[5]
    restore(tar)
    if os.fork() == 0:
        os.close(listening)
        keep_saving(ask, give)
        os._exit(0)
    os.close(ask)
    os.close(give)
    os.set_inheritable(listening, False)
    sys.argv = sys.argv[:1]
    serve(listening, base)


main()
