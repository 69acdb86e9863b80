"""The flags of bubblewrap that every room shares, whether a script runs in it or a notebook server."""

import os
from pathlib import Path

from .job import MIB, Limits

JOIN = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 97; shift; n=$((n-1)); done; exec "$@"'
SHM = 64 * MIB


def words(text: str) -> list[str]:
    return text.split()


def base(limits: Limits, packages: Path | None) -> list[str]:
    """New namespaces of every kind, the system's programs read-only, and sized places in memory to write to."""
    return [
        *words("--unshare-all --unshare-user --disable-userns --uid 1000 --gid 1000 --hostname sandbox"),
        *words("--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64"),
        # Debian keeps R's settings, and the choice between libraries of linear algebra, outside /usr.
        *words("--ro-bind-try /etc/R /etc/R --ro-bind-try /etc/alternatives /etc/alternatives"),
        *words("--proc /proc --ro-bind /dev/null /proc/cmdline --dev /dev"),
        *words(f"--size {SHM} --tmpfs /dev/shm --size {limits.scratch} --tmpfs /tmp"),
        *(["--ro-bind", str(packages), "/packages"] if packages else []),
    ]


def closed(home: str) -> list[str]:
    """The last flags: nothing more can be mounted or written outside the places made for it."""
    settings = {
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox
        "LANG": "C.UTF-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "2",
    }
    environment = [word for name, value in settings.items() for word in ("--setenv", name, value)]
    flags = words(f"--remount-ro /dev --remount-ro / --chdir {home} --new-session --die-with-parent --cap-drop ALL")
    return [*flags, *environment]


def args_file(descriptor: int, options: list[str]) -> int:
    """Write the flags where bwrap reads them, so that no path of the host stands in a command line."""
    os.write(descriptor, "\0".join(options).encode() + b"\0")
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def launch(limits: Limits, uid: int, groups: list[Path], args_fd: int) -> list[str]:
    """What starts bwrap: into the cgroups, as the service's user when we are root, with limits, without environment."""
    user = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if os.geteuid() == 0 else []
    return [
        *["/bin/sh", "-c", JOIN, "sh", str(len(groups)), *map(str, groups)],
        *["/usr/bin/setpriv", *user, "--no-new-privs", "/usr/bin/prlimit", f"--as={limits.memory}"],
        *[f"--cpu={limits.cpu}", f"--fsize={limits.file_size}", "--nofile=256", "--core=0"],
        *["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "/usr/bin/bwrap", "--args", str(args_fd)],
    ]
