"""A notebook server in the sandbox: started, asked for its work folder now and then, stopped.

The listening socket is made outside, in a folder that the sandbox does not see, and handed in as a descriptor: so
nobody inside can put another socket, or a link, in its place. The work folder is a sized tmpfs inside; it comes and
goes as a tar that is checked outside like any output, and lies in clear nowhere on the host.
"""

import io
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ansim.errors import N_, Problem

from . import cgroup, inodes, isolation, labconfig
from .collect import extract
from .job import MIB, Limits, Refused
from .languages import INSIDE, PATHS, PYTHON
from .run import PREFIX, bwrap_version, copy_plain, give_to, high
from .syscalls import write_filter

LIMITS = Limits(
    cpu=8 * 3600, memory=4096 * MIB, processes=160, file_size=128 * MIB, output=256 * MIB, files=2000, wall=10 * 3600
)
SAVE_SECONDS = 20.0


@dataclass(frozen=True)
class SessionSpec:
    """data: a folder of regular files. packages: a set that holds JupyterLab. work: a tar of files, or nothing."""

    data: Path
    packages: Path
    base: str
    work: bytes = b""
    limits: Limits = LIMITS
    uid: int = 65534
    staging_root: Path | None = None


class Session:
    """One running server. `socket` is the path to dial; `isolation` says how well it is shut in."""

    def __init__(self, spec: SessionSpec):
        """Start it. Raises Problem when it can't be isolated; then nothing ran."""
        version = bwrap_version()
        if not (spec.packages / "jupyterlab").is_dir():
            raise Problem(
                "no-jupyter",
                N_("JupyterLab is not in this centre's package set."),
                remedy=N_("Install it: pip install 'ansim[jupyter]', and start the centre again."),
            )
        self.spec, self._stack, self._saving = spec, ExitStack(), threading.Lock()
        try:
            stage = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=spec.staging_root))
            self._stack.callback(shutil.rmtree, stage, ignore_errors=True)
            group = cgroup.limited(stage.name, spec.limits.memory, spec.limits.processes + 8)
            level, groups = self._stack.enter_context(group)
            uid = spec.uid if os.geteuid() == 0 else os.geteuid()
            self.isolation = {"bwrap": version, "userns": True, "seccomp": True, "cgroup": level, "uid": uid}
            self.socket = self._place_socket()
            self._start(stage, groups)
        except BaseException:
            self._stack.close()
            raise

    def _place_socket(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-s"))  # 0700, and never mounted inside
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder / "lab"

    def _start(self, stage: Path, groups: list[Path]) -> None:
        labconfig.write(stage / "code")
        copy_plain(self.spec.data, stage / "data")
        give_to(stage, self.spec.uid)
        with ExitStack() as short:
            listening = short.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(str(self.socket))
            listening.listen(64)
            ask_in, self._ask = os.pipe()
            self._saved, give = os.pipe()
            for descriptor in (ask_in, give):
                short.callback(os.close, descriptor)
            for descriptor in (self._ask, self._saved):
                self._stack.callback(os.close, descriptor)
            rules, args = (short.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            write_filter(rules, local_sockets=True)
            rules.seek(0)
            tar = os.memfd_create("work")
            short.callback(os.close, tar)
            os.write(tar, self.spec.work or _empty())
            os.lseek(tar, 0, os.SEEK_SET)
            passed = [high(number) for number in (listening.fileno(), tar, ask_in, give)]
            technical = [high(rules.fileno()), high(args.fileno())]
            for descriptor in (*passed, *technical):
                short.callback(os.close, descriptor)
            self._process = subprocess.Popen(
                self._command(stage, groups, passed, *technical),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(*passed, *technical),
                env={"PATH": "/usr/bin:/bin"},
                cwd="/",
                start_new_session=True,
            )
        self._stack.callback(self._kill)

    def _command(self, stage: Path, groups: list[Path], passed: list[int], filter_fd: int, args_fd: int) -> list[str]:
        limits = self.spec.limits
        environment = [word for name, value in labconfig.ENVIRONMENT.items() for word in ("--setenv", name, value)]
        options = [
            *isolation.base(limits, self.spec.packages),
            *isolation.words(f"--size {limits.output} --tmpfs /work"),
            *["--ro-bind", str(stage / "data"), "/data", "--ro-bind", str(stage / "code"), "/code"],
            *isolation.closed("/work"),
            *environment,
            *["--seccomp", str(filter_fd)],
        ]
        program = PATHS + (INSIDE / "lab.py").read_text("utf-8")
        # matplotlib's list of fonts is warm in the package set; each home gets its copy
        warm = '[ -d /packages/.matplotlib ] && cp -r /packages/.matplotlib /tmp/matplotlib; exec "$@"'
        inner = ["/usr/bin/prlimit", f"--nproc={limits.processes}", "/bin/sh", "-c", warm, "sh"]
        started = isolation.launch(replace(limits), self.spec.uid, groups, isolation.args_file(args_fd, options))
        return [*started, *inner, PYTHON, "-I", "-c", program, *map(str, passed), self.spec.base]

    def running(self) -> bool:
        return self._process.poll() is None

    def overfull(self) -> bool:
        """Whether it holds more files than any work needs."""
        return inodes.used(self._process.pid) > inodes.MOST

    def save(self) -> bytes | None:
        """The work folder as a tar, or nothing when the sandbox does not give it in time. The tar is hostile input."""
        with self._saving:
            until = time.monotonic() + SAVE_SECONDS
            if not self.running():
                return None
            try:
                os.write(self._ask, b"s")
                head = self._read(8, until)
                size = struct.unpack(">Q", head)[0] if len(head) == 8 else 0
                most = self.spec.limits.output + 4096 * self.spec.limits.files
                body = self._read(size, until) if 0 < size <= most else b""
            except OSError:
                return None
            return body if body and len(body) == size else None

    def _read(self, size: int, until: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            ready, _, _ = select.select([self._saved], [], [], max(0.0, until - time.monotonic()))
            block = os.read(self._saved, min(65536, size - len(found))) if ready else b""
            if not block:
                break
            found += block
        return bytes(found)

    def stop(self) -> None:
        """End every process of it, now."""
        self._stack.close()

    def _kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def unpack(work: bytes, target: Path, limits: Limits = LIMITS) -> tuple[tuple[str, ...], tuple[Refused, ...]]:
    """The plain files of a saved work folder, into target."""
    return extract(io.BytesIO(work), target, limits)


def _empty() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w"):
        pass
    return held.getvalue()
