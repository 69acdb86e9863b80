"""`ansim doctor`: what is installed, what is missing, how to mend it; with a folder, whether that site may run.

A check gives findings and never raises: what it cannot read is a finding too. "fail" means that the site must not run
as it is (exit code 1), "warn" that somebody should look, "ok" that all is well.
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansim.errors import Problem, Problems

GIB = 1 << 30
LEAST_PYTHON = (3, 11)
DISK_FAIL, DISK_WARN = 1 * GIB, 5 * GIB
DEMO_PORTS = range(8600, 8608)
LEAST_PASSPHRASE = 16
# Words that guessing programs try first; a passphrase built around one is refused whatever its length.
COMMON = (
    "password", "passphrase", "passwort", "qwerty", "asdf", "abc123", "letmein", "welcome", "admin", "secret",
    "changeme", "default", "ansim", "hospital", "iloveyou", "monkey", "dragon", "123456", "987654", "비밀번호", "안심",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """group: "machine", "tests" or the site's id. state: ok | warn | fail. remedy: what to do, where there is any."""

    group: str
    check: str
    state: str
    detail: str = ""
    remedy: str = ""

    def as_data(self) -> dict:
        return asdict(self)


def examine(folder: Path | None = None, *, ports: Iterable[int] = DEMO_PORTS) -> list[Finding]:
    """Everything that can be said of this machine, and of the site in the folder."""
    from ansim.sites import doctor_site

    if folder is None:
        return [*machine(Path.cwd(), sandbox=True), *_safely("machine", lambda: _ports(ports)), *tests()]
    kind, findings = doctor_site.examine(folder)
    return [*machine(folder, sandbox=kind in {"centre", None}), *findings]


def healthy(findings: Iterable[Finding]) -> bool:
    return all(finding.state != "fail" for finding in findings)


def machine(folder: Path, *, sandbox: bool) -> list[Finding]:
    """The machine. sandbox: whether researchers' code is to run here, so that its needs are needs."""
    checks: list[Callable[[], Iterable[Finding]]] = [
        _python,
        _system,
        lambda: _sandbox(needed=sandbox),
        _font,
        lambda: _disk(folder),
        _clock,
    ]
    return [finding for check in checks for finding in _safely("machine", check)]


def tests() -> list[Finding]:
    """What only the tests need."""
    found = []
    for program, package in (("chromium", "chromium"), ("postgres", "postgresql")):
        place = shutil.which(program) or next(
            (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))), ""
        )
        remedy = "" if place else f"apt install {package} (only for `make test`)"
        found.append(Finding("tests", program, "ok" if place else "warn", place or "not found", remedy))
    return found


def _safely(group: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The check's findings; whatever it stumbles over becomes one."""
    try:
        yield from check()
    except Problems as problems:
        for problem in problems.problems:
            yield _failed(group, problem)
    except Problem as problem:
        yield _failed(group, problem)
    except Exception as error:  # an examination that breaks off hides what comes after it
        name = getattr(check, "__name__", "check").strip("_<>")
        yield Finding(group, name, "fail", f"could not be examined: {type(error).__name__}: {error}")


def _failed(group: str, problem: Problem) -> Finding:
    place = f"{problem.where}: " if problem.where else ""
    remedy = problem.remedy.format(**problem.facts)
    return Finding(group, problem.code, "fail", place + problem.text.format(**problem.facts), remedy)


def _python() -> Iterator[Finding]:
    good = sys.version_info[:2] >= LEAST_PYTHON
    remedy = "" if good else "Install Python 3.11 or newer: apt install python3-venv"
    yield Finding("machine", "Python", "ok" if good else "fail", platform.python_version(), remedy)


def _system() -> Iterator[Finding]:
    if sys.platform != "linux":
        yield Finding("machine", "operating system", "fail", sys.platform, "Ansim runs on Linux (Debian 12).")
        return
    release = platform.freedesktop_os_release()
    name, version = release.get("ID", "?"), release.get("VERSION_ID", "?")
    told = release.get("PRETTY_NAME", f"{name} {version}")
    if (name, version) == ("debian", "12"):
        yield Finding("machine", "operating system", "ok", told)
        return
    remedy = "Built and tested on Debian 12."
    if name == "ubuntu":
        remedy += " Ubuntu: the same packages; 24.04 restricts user namespaces (see bubblewrap)."
    yield Finding("machine", "operating system", "warn", f"{told}: not tried", remedy)


def _sandbox(*, needed: bool) -> Iterator[Finding]:
    from ansim.sites.centre.sandbox.doctor import doctor

    for name, good, remedy in doctor():
        if "user namespaces" in name and not good and _apparmor_restricts():
            remedy = f"{remedy} Here AppArmor restricts user namespaces: give bwrap a profile that allows userns."
        yield Finding(
            "machine", name, "ok" if good else "fail" if needed else "warn", "" if good else "missing", remedy
        )


def _apparmor_restricts() -> bool:
    try:
        return Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").read_text().strip() == "1"
    except OSError:
        return False


def _font() -> Iterator[Finding]:
    from ansim.governance.papers.fonts import korean

    yield Finding("machine", "Korean font", "ok", korean()[1])


def _disk(folder: Path) -> Iterator[Finding]:
    place = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    state = "fail" if free < DISK_FAIL else "warn" if free < DISK_WARN else "ok"
    remedy = "" if state == "ok" else f"Make room: {DISK_WARN // GIB} GiB are a comfortable least."
    yield Finding("machine", "disk", state, f"{free / GIB:.1f} GiB free at {place}", remedy)


def _clock() -> Iterator[Finding]:
    """A clock behind the program's own files is surely wrong; whether it is kept right, systemd says where it is."""
    now = datetime.now(UTC)
    if now.timestamp() < Path(__file__).stat().st_mtime - 60:
        detail = f"{now:%Y-%m-%d %H:%M} UTC is before this program was installed"
        yield Finding(
            "machine", "clock", "fail", detail, "Set the clock right and keep it so (chrony, systemd-timesyncd)."
        )
        return
    state, told = "ok", f"{now:%Y-%m-%d %H:%M} UTC"
    remedy = ""
    if program := shutil.which("timedatectl"):
        command = [program, "show", "-p", "NTPSynchronized", "--value"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
        if answer == "no":
            state, told, remedy = "warn", f"{told}, not synchronised", "Turn on time synchronisation."
    yield Finding("machine", "clock", state, told, remedy)


def _ports(ports: Iterable[int]) -> Iterator[Finding]:
    taken = [port for port in ports if in_use("127.0.0.1", port)]
    told = f"in use: {', '.join(map(str, taken))}" if taken else "free"
    remedy = "A demo nation may be running; otherwise stop what listens there." if taken else ""
    yield Finding("machine", "ports of the demo", "warn" if taken else "ok", told, remedy)


def in_use(host: str, port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def weakness(passphrase: bytes) -> str:
    """Why a passphrase is refused; empty if it may stand. (Length first: NIST SP 800-63B, 5.1.1.)"""
    text = passphrase.decode("utf-8", "replace").lower()
    if len(passphrase) < LEAST_PASSPHRASE:
        return f"shorter than {LEAST_PASSPHRASE} bytes"
    if len(set(text)) < 6:
        return "made of fewer than six different characters"
    plain = text.translate(str.maketrans("013457@$!", "oieastasi"))
    rest = re.sub("|".join(map(re.escape, sorted(COMMON, key=len, reverse=True))), "", text)
    plain_rest = re.sub("|".join(map(re.escape, COMMON)), "", plain)
    if min(len(rest), len(plain_rest)) < LEAST_PASSPHRASE // 2:
        return "little more than a common word"
    return ""


def too_open(file: Path) -> bool:
    """Whether anybody but the owner may read or change it."""
    return bool(file.stat().st_mode & 0o077)


def passphrase_file() -> Path | None:
    """Where the passphrase comes from, as config.passphrase looks for it."""
    if (directory := os.environ.get("CREDENTIALS_DIRECTORY")) and (Path(directory) / "ansim-passphrase").is_file():
        return Path(directory) / "ansim-passphrase"
    if (name := os.environ.get("ANSIM_PASSPHRASE_FILE")) and Path(name).is_file():
        return Path(name)
    return None
