"""What the sandbox needs of its host, each with a remedy."""

import shutil
import tempfile
from collections.abc import Callable

from ansim.errors import N_, Problem

from .languages import PYTHON
from .run import bwrap_version
from .syscalls import write_filter


def doctor() -> list[tuple[str, bool, str]]:
    """(check, ok, remedy) for each need; the remedy is empty when all is well."""

    def seccomp() -> None:
        with tempfile.TemporaryFile() as target:
            write_filter(target)

    return [_try("bubblewrap and user namespaces", bwrap_version), _try("seccomp", seccomp)] + [
        (program, ok := shutil.which(program) is not None, "" if ok else N_("apt install ") + package)
        for program, package in (("/usr/bin/setpriv", "util-linux"), ("/usr/bin/tar", "tar"), (PYTHON, "python3"))
    ]


def _try(name: str, check: Callable[[], object]) -> tuple[str, bool, str]:
    try:
        check()
    except Problem as problem:
        return name, False, problem.remedy
    return name, True, ""
