"""Run a researcher's script in bubblewrap and seccomp, without network, on read-only data.

The collector (a shell that kills what is left and tars /out to a pipe) runs inside, with no more rights than the user's
code: it is a convenience that nobody trusts. What it sends is checked outside, in collect.
"""

import fcntl
import os
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO

from ansim.errors import N_, Problem

from . import cgroup, inodes, isolation, languages
from .collect import extract
from .job import SandboxJob, SandboxResult
from .syscalls import write_filter

PREFIX = "ansim-job-"
LOOK_SECONDS = 0.03
INODE_SECONDS = 0.1
INNER = """
[ -d /packages/.matplotlib ] && cp -r /packages/.matplotlib /tmp/matplotlib
"$@" 3>&-
code=$?
kill -9 -1 2>/dev/null
tar --format=posix -C /out -cf - . >&3 2>/dev/null
exit $code
"""


@cache
def bwrap_version() -> str:
    """Version of bubblewrap, after a trial start. Raises Problem when it or user namespaces are missing."""
    program = shutil.which("bwrap", path="/usr/bin:/bin")
    trial = ["--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "/usr/bin/true"]
    if program is None or subprocess.run([program, *trial], capture_output=True, check=False).returncode:
        raise Problem(
            "sandbox-no-bwrap",
            N_("Researchers' code does not run without bubblewrap and user namespaces."),
            remedy=N_("Install it: apt install bubblewrap; allow user namespaces (sysctl user.max_user_namespaces)."),
        )
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


def run(job: SandboxJob, cancel: threading.Event | None = None) -> SandboxResult:
    """Run the job to its end, its limit or cancel. Raises Problem when it can't be isolated; then nothing ran."""
    version = bwrap_version()
    if job.uid == 0 or not (job.code / job.script).is_file():
        raise Problem("sandbox-job", N_("The job names no script in its code, or asks to run as root."))
    job.out.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=job.staging_root))
    try:
        for part in ("code", "data"):
            copy_plain(getattr(job, part), stage / part)
        give_to(stage, job.uid)
        with cgroup.limited(stage.name, job.limits.memory, job.limits.processes + 8) as (level, groups):
            uid = job.uid if os.geteuid() == 0 else os.geteuid()
            facts = {"bwrap": version, "userns": True, "seccomp": True, "cgroup": level, "uid": uid}
            return _supervise(job, stage, groups, facts, cancel or threading.Event())
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def sweep(staging_root: Path | None = None) -> int:
    """Remove the staging folders of runners that are no more; give their number."""
    gone = 0
    for stage in Path(staging_root or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = stage.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and not stage.is_symlink():
            shutil.rmtree(stage, ignore_errors=True)
            gone += 1
    return gone


def give_to(stage: Path, uid: int) -> None:
    """For the sandbox's user alone, where we are root and that is somebody else."""
    stage.chmod(0o700)
    if os.geteuid() == 0:
        for path in (stage, *stage.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)


def copy_plain(source: Path, target: Path) -> None:
    """Copy regular files only: a link in the source could name any file of the host."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        mode = entry.lstat().st_mode
        if stat.S_ISDIR(mode):
            copy_plain(entry, target / entry.name)
        elif stat.S_ISREG(mode):
            shutil.copyfile(entry, target / entry.name, follow_symlinks=False)
        else:
            raise Problem("sandbox-input", N_("{name} is not a plain file."), name=entry.name)


def _command(job: SandboxJob, stage: Path, groups: list[Path], filter_fd: int, out_fd: int, args_fd: int) -> list[str]:
    limit = job.limits
    options = [
        *isolation.base(limit, job.packages),
        *isolation.words(f"--size {limit.output} --tmpfs /out"),
        *["--ro-bind", str(stage / "data"), "/data", "--ro-bind", str(stage / "code"), "/code"],
        *isolation.closed("/out"),
        *["--setenv", "PYTHONPATH", "/packages", "--seccomp", str(filter_fd)],
    ]
    inner = ["/usr/bin/prlimit", f"--nproc={limit.processes}", "/bin/sh", "-c", f"exec 3>&{out_fd}\n{INNER}", "sh"]
    started = isolation.launch(limit, job.uid, groups, isolation.args_file(args_fd, options))
    return [*started, *inner, *languages.command(job)]


class _Capped(threading.Thread):
    """Reads a pipe to its end and keeps at most cap bytes, so that a flood neither blocks nor fills us."""

    def __init__(self, stream: IO[bytes], cap: int, keep: IO[bytes]):
        super().__init__(daemon=True)
        self.stream, self.cap, self.keep, self.size = stream, cap, keep, 0
        self.start()

    def run(self) -> None:
        while block := os.read(self.stream.fileno(), 65536):
            self.keep.write(block[: max(0, self.cap - self.size)])
            self.size += len(block)

    def text(self) -> str:
        self.keep.seek(0)
        return self.keep.read().decode("utf-8", "replace")


def high(descriptor: int) -> int:
    """A copy of the descriptor out of the way of the one-digit numbers."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 20)


def _supervise(job: SandboxJob, stage: Path, groups: list[Path], facts: dict, cancel: threading.Event) -> SandboxResult:
    began = time.monotonic()
    limit = job.limits
    read_end, low = os.pipe()
    write_end = high(low)
    os.close(low)
    out_fd = 9  # dash redirects to one-digit descriptors only
    with (
        tempfile.TemporaryFile() as rules,
        tempfile.TemporaryFile() as args,
        tempfile.TemporaryFile() as tar,
        tempfile.TemporaryFile() as text_out,
        tempfile.TemporaryFile() as text_err,
        os.fdopen(read_end, "rb") as outlet,
    ):
        passed: list[int] = []
        try:
            write_filter(rules)
            rules.seek(0)
            passed = [high(rules.fileno()), high(args.fileno())]
            command = _command(job, stage, groups, passed[0], out_fd, passed[1])
            redirect = ["/bin/bash", "-c", f'exec {out_fd}>&{write_end} {write_end}>&-; exec "$@"', "bash"]
            process = subprocess.Popen(
                [*redirect, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(*passed, write_end),
                env={"PATH": "/usr/bin:/bin"},
                cwd="/",
                start_new_session=True,
            )
        finally:
            for descriptor in (write_end, *passed):
                os.close(descriptor)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            readers = [
                _Capped(process.stdout, limit.text, text_out),
                _Capped(process.stderr, limit.text, text_err),
                _Capped(outlet, limit.output + 4096 * limit.files, tar),
            ]
            status = _wait(process, began + limit.wall, cancel)
            for reader in readers:
                reader.join()
        tar.seek(0)
        files, refused = extract(tar, job.out, limit) if status == "done" else ((), ())
        if status == "done" and process.returncode:
            status = "failed"
        return SandboxResult(
            status=status,
            exit_code=process.returncode if status in ("done", "failed") else None,
            seconds=time.monotonic() - began,
            stdout=readers[0].text(),
            stderr=readers[1].text(),
            text_truncated=any(reader.size > limit.text for reader in readers[:2]),
            files=files,
            refused=refused,
            isolation=facts,
        )


def _wait(process: subprocess.Popen, until: float, cancel: threading.Event) -> str:
    """Wait for the end; kill the tree at the limit or on cancel (bwrap dies, and with it its process namespace)."""
    looked = time.monotonic()
    ended = os.pidfd_open(process.pid)  # readable at the end, so a short job is not waited for in steps
    try:
        while not select.select([ended], [], [], LOOK_SECONDS)[0]:
            now = time.monotonic()
            status = "cancelled" if cancel.is_set() else "timeout" if now > until else ""
            if not status and now - looked > INODE_SECONDS:
                looked = now
                status = "failed" if inodes.used(process.pid) > inodes.MOST else ""
            if status:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return status
    finally:
        os.close(ended)
    process.wait()
    return "done"
