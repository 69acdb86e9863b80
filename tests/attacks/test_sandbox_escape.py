"""Ways out of the sandbox. Probes that can succeed on the host also run there, as a positive control."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from ansim.errors import Problem
from ansim.sites.centre.sandbox import Limits, SandboxJob, inodes, isolation, run, syscalls
from ansim.sites.centre.sandbox.run import bwrap_version

QUICK = Limits(
    wall=8, cpu=4, memory=512 << 20, file_size=4 << 20, files=10, processes=16, output=8 << 20, scratch=8 << 20
)


@pytest.fixture(scope="module", autouse=True)
def _bwrap():
    try:
        bwrap_version()
    except Problem:
        if os.environ.get("ANSIM_ALLOW_MISSING"):
            pytest.skip("no bubblewrap")
        raise


@pytest.fixture
def sandbox(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("synthetic")

    def go(source, cancel=None, **limits):
        (tmp_path / "code" / "main.py").write_text(source)
        job = SandboxJob(tmp_path / "code", tmp_path / "data", tmp_path / "out", limits=replace(QUICK, **limits))
        return run(job, cancel)

    return go


def host(source):
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=20).returncode


CALL = "import ctypes,os; c=ctypes.CDLL(None,use_errno=True)\n"
# Each exits with 0 when the attack works; those of the first group do work on the host.
WORKS_OUTSIDE = {
    "inet": "import socket; socket.socket(socket.AF_INET)",
    "inet6": "import socket; socket.socket(socket.AF_INET6)",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix": "import socket; socket.socket(socket.AF_UNIX)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "passwd": "open('/etc/passwd').read()",
    "fifo": "import os,tempfile; os.mkfifo(os.path.join(tempfile.mkdtemp(),'f'))",
    "host process": f"import os; os.kill({os.getpid()}, 0)",
    "userns": CALL + "raise SystemExit(c.unshare(0x10000000) != 0)",
    "clone3": CALL + "c.syscall(435,0,0); raise SystemExit(ctypes.get_errno() == 38)",
    "ptrace": CALL + "raise SystemExit(c.ptrace(0,0,0,0) != 0)",
}
NEVER = {
    "shadow": "open('/etc/shadow').read()",
    "root": "import os; os.listdir('/root')",
    "home": "import os; os.listdir('/home')",
    "dns": "import socket; socket.getaddrinfo('example.org', 80)",
    "mount": CALL + "raise SystemExit(c.mount(b'none', b'/tmp', b'tmpfs', 0, None) != 0)",
    "keyring": CALL + "raise SystemExit(c.syscall(248, b'user', b'n', b'v', 1, -3) < 0)",
    "io_uring": CALL + "raise SystemExit(c.syscall(425, 1, ctypes.create_string_buffer(256)) < 0)",
    "bpf": CALL + "raise SystemExit(c.syscall(321, 0, ctypes.create_string_buffer(256), 72) < 0)",
    "userfaultfd": CALL + "raise SystemExit(c.syscall(323, 1) < 0)",
    "perf": CALL + "raise SystemExit(c.syscall(298, ctypes.create_string_buffer(256), 0, -1, -1, 0) < 0)",
    "tiocsti": "import fcntl,os; m,s=os.openpty(); fcntl.ioctl(s, 0x5412, b'x')",
    "tiocsti high bits": CALL + "m,s=os.openpty(); raise SystemExit(c.syscall(16,s,0x100005412,b'x') != 0)",
    "xattr": "import os; open('/out/x','w'); os.setxattr('/out/x','user.a',b'b')",
    "mknod": "import os,stat; os.mknod('/tmp/d', stat.S_IFCHR|0o666, os.makedev(1,1))",
    "memory device": "open('/dev/mem','rb')",
    "block device": "open('/dev/vda','rb')",
    **{f"write {place}": f"open('{place}/x','w')" for place in ("", "/dev", "/data", "/code", "/usr", "/etc", "/proc")},
}


@pytest.mark.parametrize("name", [*WORKS_OUTSIDE, *NEVER])
def test_attack_fails_inside(sandbox, name):
    source = (WORKS_OUTSIDE | NEVER)[name]
    result = sandbox(source)
    assert (result.status, result.exit_code) == ("failed", 1), result
    if name in WORKS_OUTSIDE:
        assert host(source) == 0, "positive control"


def test_host_environment_and_paths_stay_unknown(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("ANSIM_CANARY", "canary-7261")
    assert host("import os; raise SystemExit('canary-7261' not in os.environ.values())") == 0
    result = sandbox(
        "import glob,os\nprint(dict(os.environ))\n"
        "for f in glob.glob('/proc/[0-9]*/environ')+glob.glob('/proc/[0-9]*/cmdline')+['/proc/cmdline']:\n"
        "  try: print(f, open(f).read())\n  except OSError as e: print(e)\n"
    )
    assert result.status == "done"
    assert "canary-7261" not in result.stdout
    assert str(tmp_path) not in result.stdout
    assert "ansim-job" not in result.stdout


@pytest.mark.parametrize("place", ["/tmp", "/out", "/dev/shm"])
def test_disk_fill_ends(sandbox, place):
    source = f"for i in range(200): open('{place}/%d' % i, 'wb').write(bytes(1 << 20))"
    result = sandbox(source)
    assert result.exit_code == 1, result
    assert "No space left" in result.stderr or "Killed" in result.stderr


@pytest.mark.parametrize("place", ["/tmp", "/out", "/dev/shm"])
def test_empty_files_without_number_end(sandbox, place, monkeypatch):
    source = f"import os\nfor i in range(400_000): os.close(os.open('{place}/%d' % i, os.O_CREAT))"
    monkeypatch.setattr(inodes, "MOST", 3000)
    result = sandbox(source, wall=30, cpu=25)
    assert (result.status, result.exit_code, result.files) == ("failed", -9, ()), result
    few = source.replace("400_000", "500")
    assert sandbox(few).status == "done"  # control: what work needs goes
    monkeypatch.setattr(inodes, "MOST", 1 << 60)
    assert (
        sandbox(source.replace("400_000", "20_000"), wall=30, cpu=25).status == "done"
    )  # control: nothing else ends it


@pytest.mark.parametrize(
    ("name", "allowed"), [("keyring", {"add_key"}), ("xattr", {"setxattr"}), ("io_uring", {"io_uring_setup"})]
)
def test_the_filter_is_what_holds(sandbox, name, allowed, monkeypatch):
    """Control of the attacks by system call: with that one call let through, they succeed (or the kernel has none)."""
    assert sandbox(NEVER[name]).exit_code == 1
    monkeypatch.setattr(syscalls, "REFUSED", tuple(each for each in syscalls.REFUSED if each not in allowed))
    result = sandbox(NEVER[name])
    if name == "io_uring" and result.exit_code:
        pytest.skip("this kernel lets nobody use io_uring")
    assert result.status == "done", result


@pytest.mark.parametrize(("name", "flag"), [("write ", "--remount-ro /"), ("write /dev", "--remount-ro /dev")])
def test_the_remount_is_what_holds(sandbox, name, flag, monkeypatch):
    """Control of the attacks on places: without the one remount they succeed."""
    closed = isolation.closed
    assert sandbox(NEVER[name]).exit_code == 1
    place = flag.split()[1]

    def open_(home):
        flags = closed(home)
        at = next(i for i, (one, other) in enumerate(pairwise(flags)) if (one, other) == ("--remount-ro", place))
        return flags[:at] + flags[at + 2 :]

    monkeypatch.setattr(isolation, "closed", open_)
    assert sandbox(NEVER[name]).status == "done"


def test_data_of_another_project_are_not_there(sandbox, tmp_path):
    """Only what the job names is mounted; the control reads the same file where it lies."""
    other = tmp_path / "other-project"
    other.mkdir()
    (other / "secret.txt").write_text("canary-9921")
    probe = f"print(open({str(other / 'secret.txt')!r}).read())"
    assert host(probe) == 0
    assert "canary-9921" not in sandbox(probe).stdout
    walk = "import os\nfor p, d, f in os.walk('/'):\n  if 'secret.txt' in f: print('found', p)"
    assert sandbox(walk, wall=30, cpu=25).stdout == ""


def test_the_documents_name_every_attack():
    told = (Path(__file__).parents[2] / "docs" / "protection" / "sandbox.md").read_text("utf-8")
    missing = [name for name in (*WORKS_OUTSIDE, *NEVER) if f"`{name.strip()}`" not in told]
    assert not missing


def test_bombs_end(sandbox):
    assert "MemoryError" in sandbox("x = bytearray(2 << 30)").stderr
    assert "MemoryError" not in sandbox("x = bytearray(64 << 20)").stderr
    forks = sandbox("import os,time\nfor i in range(500):\n  if os.fork()==0: time.sleep(60); os._exit(0)")
    assert forks.exit_code == 1
    assert "BlockingIOError" in forks.stderr
    assert sandbox("while True: pass", cpu=1).status == "failed"
    assert "File too large" in sandbox("open('/tmp/x','wb').truncate(1 << 40)").stderr


def test_wall_limit_and_cancel_kill_all(sandbox):
    source = "import os,time\nif os.fork()==0: os.setsid()\ntime.sleep(4242)"
    assert sandbox(source, wall=0.6).status == "timeout"
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    began = time.monotonic()
    assert sandbox(source, cancel).status == "cancelled"
    assert time.monotonic() - began < 4


def test_daemon_does_not_outlive_the_job(sandbox):
    result = sandbox("import os,time\nif os.fork()==0: os.setsid(); time.sleep(4243)\nprint('done')", wall=6)
    assert (result.status, result.stdout) == ("done", "done\n")
    assert result.seconds < 4


def test_odd_outputs_are_refused_with_reasons(sandbox):
    result = sandbox(
        "import os\nos.symlink('/etc/passwd','link')\nopen('good.csv','w').write('a')\n"
        "open('bad\\x1bname','w')\nos.link('good.csv','hard')\nopen('.hidden','w')\n"
        "open('suid','w'); os.chmod('suid',0o4755)\nos.mkdir('sub'); open('sub/b.csv','w').write('b')\n"
    )
    assert result.status == "done"
    reasons = {entry.name: entry.reason for entry in result.refused}
    assert "sub/b.csv" in result.files
    assert len({"good.csv", "hard"} & set(result.files)) == 1  # of two names of one file the second is a link
    assert {"link", "bad\\x1bname", ".hidden", "suid"} <= set(reasons)


def test_output_text_is_capped(sandbox):
    result = sandbox("print('x' * 10_000_000)")
    assert result.text_truncated
    assert len(result.stdout) == QUICK.text
    assert "stdout" in result.needs_review


def test_too_many_files_are_refused(sandbox):
    result = sandbox("for i in range(30): open('%d.csv' % i, 'w').write('x')")
    assert len(result.files) == QUICK.files
    assert any("too many" in entry.reason for entry in result.refused)
