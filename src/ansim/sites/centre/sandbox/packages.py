"""The packages that researchers' code may import, copied from our environment without Ansim itself.

The sandbox runs Debian's Python, which must have our minor version: compiled modules are bound to it.
"""

import hashlib
import importlib.metadata as metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from ansim.errors import N_, Problem

from .job import Limits, SandboxJob
from .languages import PYTHON
from .run import run

LAB = ("jupyterlab", "ipykernel")  # beside WANTED where they are installed
WANTED = ("pandas", "numpy", "matplotlib", "pyarrow", "duckdb", "scipy", "statsmodels")


def closure(wanted: tuple[str, ...] = WANTED) -> dict[str, metadata.Distribution]:
    """The wanted ones and all that they need, by name. Raises Problem when one is not installed."""
    found: dict[str, metadata.Distribution] = {}
    todo = list(wanted)
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise Problem(
                "sandbox-package",
                N_("The package {name} is missing, so scripts could not be run as promised."),
                remedy=N_("Install it beside Ansim: pip install {name}."),
                name=name,
            ) from error
        needs = map(Requirement, found[name].requires or ())
        todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def lab_installed() -> bool:
    return all(importlib.util.find_spec(name) for name in LAB)


def offered() -> tuple[str, ...]:
    """What a centre's set is made of."""
    return WANTED + (LAB if lab_installed() else ())


def kept(wanted: tuple[str, ...], cache: Path) -> Path:
    """The set of these packages in a cache folder, made when it is not there or when a version changed."""
    versions = sorted(f"{name}=={found.version}" for name, found in closure(wanted).items())
    target = cache / f"packages-{hashlib.sha256(' '.join(versions).encode()).hexdigest()[:16]}"
    if not (target / "packages.json").is_file():
        work = target.with_name(f".{target.name}-{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        prepare_package_set(work, wanted)
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    if target.is_symlink() or target.stat().st_uid != os.geteuid():
        raise Problem("foreign-packages", N_("{folder} belongs to somebody else."), folder=str(target))
    return target


def walkable(folder: Path) -> bool:
    """Whether the sandbox's user comes as far as this folder: everybody does, or nobody changes user."""
    return os.geteuid() != 0 or all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def prepare_package_set(target: Path, wanted: tuple[str, ...] = WANTED) -> dict:
    """Fill the new folder target; give {name: {version, sha256}}, also written to target/packages.json.

    sha256 is over the paths and contents of the distribution's copied files. Raises Problem on another minor version.
    """
    version = subprocess.run([PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
    if version.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        raise Problem(
            "sandbox-python",
            N_("{python} has not the version of our Python."),
            python=PYTHON,
            remedy=N_("Run the site with the same minor version as Debian's python3."),
        )
    target.mkdir(parents=True, mode=0o755)
    pinned = {name: _copy(found, target) for name, found in sorted(closure(wanted).items())}
    (target / "packages.json").write_text(json.dumps(pinned, indent=1))
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    if "matplotlib" in pinned:
        _warm_fonts(target)
    return pinned


def _copy(found: metadata.Distribution, target: Path) -> dict:
    digest = hashlib.sha256()
    for file in sorted(found.files or (), key=str):
        source = Path(str(found.locate_file(file)))
        shared = file.parts[:6] == (*3 * ("..",), "share", "jupyter", "lab")  # its pages lie beside the libraries
        inside = Path(*file.parts[3:]) if shared else Path(file)
        if ".." in inside.parts or file.is_absolute() or "__pycache__" in file.parts or not source.is_file():
            continue
        copy = target / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy)
        copy.chmod(0o644)
        digest.update(f"{file}\0".encode() + hashlib.sha256(copy.read_bytes()).digest())
        _copy_compiled(source, copy)
    return {"version": found.version, "sha256": digest.hexdigest()}


def _copy_compiled(source: Path, copy: Path) -> None:
    """Bring the bytecode along where there is some: it saves compiling at each start."""
    name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    compiled = source.parent / "__pycache__" / name
    if source.suffix == ".py" and compiled.is_file():
        (copy.parent / "__pycache__").mkdir(exist_ok=True)
        shutil.copyfile(compiled, copy.parent / "__pycache__" / name)


def _warm_fonts(target: Path) -> None:
    """Let matplotlib build its font list once, in the sandbox, where it sees the sandbox's fonts."""
    script = (
        "import os, matplotlib.font_manager, glob, shutil\n"
        "for f in glob.glob('/tmp/matplotlib/fontlist*.json'): shutil.copy(f, '/out')\n"
    )
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "code").mkdir()
        (work / "data").mkdir()
        (work / "code" / "main.py").write_text(script)
        result = run(SandboxJob(work / "code", work / "data", work / "out", packages=target, limits=Limits(wall=120)))
        if not result.files:
            raise Problem("sandbox-fonts", N_("matplotlib does not start: {report}"), report=result.stderr[-500:])
        (target / ".matplotlib").mkdir(mode=0o755)
        for file in result.files:
            shutil.copyfile(work / "out" / file, target / ".matplotlib" / file)
            os.chmod(target / ".matplotlib" / file, 0o644)
