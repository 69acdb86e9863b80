"""Whether the site itself can act.

A rule's refusal is a `Problem`: it ends what was asked. `Unfit` is another thing: the site's key process is gone, or
its clock stands behind its own ledger. Then nothing is refused and nothing is lost: jobs and messages wait, acts answer
503, until somebody has put the site right.
"""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import IO

from django.db import InterfaceError, OperationalError

from ansim.errors import N_, Problem

RESTORED = "restored.json"  # in a site's folder, from a restore until the others agree (operate/restored.py)


def restoring(folder: Path) -> bool:
    """Whether the site was laid from a backup and the others have not agreed yet: it acts on nothing."""
    return (folder / RESTORED).exists()


class Unfit(Problem):
    """The site cannot act now; what was asked is tried again or asked again, never refused for good."""


OF_THE_MACHINE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip


def machine_fault(error: BaseException) -> str:
    """Why the machine, and not what was asked, is at fault: a short code; empty if it is not.

    A full or read-only disk, a database that is locked or gone, no memory: it passes, and nothing was done.
    """
    for each in (error, error.__cause__):
        if isinstance(each, MemoryError):
            return "no-memory"
        if isinstance(each, OSError) and each.errno in OF_THE_MACHINE:
            return "disk" if each.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO} else "no-resources"
        if isinstance(each, OperationalError | InterfaceError):
            return "database"
    return ""


def lock(folder: Path, name: str, seconds: float = 0.0) -> IO[str]:
    """Hold FOLDER/NAME for this process until it ends, however it ends; refused while another holds it."""
    stream = (folder / name).open("a+")
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= until:
                stream.close()
                raise Problem(
                    "runs-already",
                    N_("The site in {folder} runs already."),
                    folder=str(folder),
                    remedy=N_("Stop the other one first."),
                ) from None
            time.sleep(0.05)
    stream.truncate(0)
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream
