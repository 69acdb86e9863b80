"""The packages that scripts may import: made once for this centre, in the background, and sealed by its hash."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from ansim.errors import N_, Problem
from ansim.sites.centre import vault
from ansim.sites.centre.sandbox import prepare_package_set, sweep, walkable
from ansim.sites.centre.sandbox.packages import offered
from ansim.sites.config import site
from ansim.sites.store import worker


def place() -> Path:
    """Where the set lies: in the site's folder, or, where the sandbox's user could not reach that, in a public place.

    A centre that root runs starts the sandbox as nobody, who must be able to walk to the folder.
    """
    own = site().path("packages")
    if walkable(site().folder):
        return own
    name = hashlib.sha256(str(site().folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ansim-packages-{name}"


@worker.beat("packages", lambda: 10.0)
def prepare() -> None:
    """At start, or when the set was lost; it takes some seconds and only scripts wait for it."""
    sweep()
    sweep(vault.memory())
    if ready():
        return
    target = place()
    work = target.with_name(f"{target.name}.making")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    prepare_package_set(work, offered())
    work.rename(target)
    site().path("packages.sha256").write_text(_seal(target))


def ready() -> bool:
    """Whether the set is there, is ours, and is the one that was made."""
    target, seal = place(), site().path("packages.sha256")
    if not seal.exists() or not (target / "packages.json").exists() or target.stat().st_uid != os.geteuid():
        return False
    return seal.read_text() == _seal(target)


def folder() -> Path:
    if not ready():
        raise Problem("no-packages", N_("The packages for scripts are still being prepared."))
    return place()


def _seal(target: Path) -> str:
    return hashlib.sha256((target / "packages.json").read_bytes()).hexdigest()
