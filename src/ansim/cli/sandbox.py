"""`ansim sandbox`: a script in the very sandbox of a centre, without any site."""

import os
import re
import signal
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ansim.errors import N_, Problem

app = typer.Typer(no_args_is_help=True, help="Run researchers' scripts as a safe-utilisation centre does.")
errors = Console(stderr=True)
EXIT = {"timeout": 124, "cancelled": 130}
REFUSED, NOT_ISOLATED = 3, 125
UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@app.callback()
def _group() -> None:
    """Keeps `run` a word of its own while it is the only one."""


@app.command()
def run(
    script: Annotated[Path, typer.Argument(help="Python (.py), R (.R) or SQL (.sql, on DuckDB)")],
    data: Annotated[Path, typer.Option(help="a folder; the script reads it as /data")],
    output: Annotated[Path, typer.Option(help="a new or empty folder for what the script leaves in /out")],
    memory: Annotated[str, typer.Option(help="most memory, such as 512M or 2G")] = "2G",
    seconds: Annotated[float, typer.Option(help="most time, by the clock and by the processor")] = 300,
    packages: Annotated[
        str, typer.Option(help="what may be imported, with commas between; 'none', or empty for the centre's own set")
    ] = "",
) -> None:
    """Run SCRIPT without network, on read-only data, and take out plain files only.

    What the script prints is printed here, up to 64 KiB a stream. Exit code: the script's own; 3 if a file was refused,
    124 after the time limit, 125 if nothing ran because the script could not be isolated, 130 after Ctrl-C.
    Example: ansim sandbox run table.py --data extract --output results
    """
    try:
        found = _run(script, data, output, memory, seconds, packages)
    except Problem as problem:
        errors.print(f"[bold red]ansim:[/] {problem}", highlight=False, soft_wrap=True)
        errors.print("Nothing ran. `ansim doctor` says what this machine lacks.", highlight=False)
        raise typer.Exit(NOT_ISOLATED) from problem
    typer.echo(found.stdout, nl=False)
    typer.echo(found.stderr, nl=False, err=True)
    if found.text_truncated:
        errors.print("The text was cut off at its limit.")
    for each in found.refused:
        errors.print(f"Not taken out: {each.name}: {each.reason}", markup=False, highlight=False)
    if found.status in EXIT:
        errors.print(f"The script was stopped: {found.status}; nothing was taken out.", highlight=False)
        raise typer.Exit(EXIT[found.status])
    if found.status == "failed":
        raise typer.Exit(found.exit_code if 0 < (found.exit_code or 0) < 256 else 1)
    errors.print(f"{len(found.files)} files in {output}, {found.seconds:.1f} s.", highlight=False)
    raise typer.Exit(REFUSED if found.refused else 0)


def _run(script: Path, data: Path, output: Path, memory: str, seconds: float, packages: str):  # type: ignore[no-untyped-def]
    """The result of the job. Raises Problem where an argument is wrong or the script cannot be isolated."""
    from ansim.sites.centre import sandbox

    if not script.is_file() or not data.is_dir():
        raise Problem(
            "no-input", N_("{path} is not there."), path=str(data if script.is_file() else script), where="arguments"
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise Problem("folder-exists", N_("The folder is not empty."), where=str(output), remedy=N_("Name a new one."))
    limits = sandbox.Limits(wall=seconds, cpu=max(1, int(seconds)), memory=_bytes(memory))
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="ansim-script-") as name:
        code = Path(name)
        (code / script.name).write_bytes(script.read_bytes())
        job = sandbox.SandboxJob(code, data, output, script.name, packages=_packages(packages), limits=limits)
        before = signal.signal(signal.SIGINT, lambda *_: stop.set())
        try:
            return sandbox.run(job, stop)
        finally:
            signal.signal(signal.SIGINT, before)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if not found or not int(found[1]):
        raise Problem("bad-size", N_("{given} is no size; write 512M or 2G."), given=text, where="--memory")
    return int(found[1]) * UNITS[found[2].upper()]


def _packages(names: str) -> Path | None:
    from ansim.sites.centre import sandbox
    from ansim.sites.centre.sandbox.packages import WANTED

    if names.strip() == "none":
        return None
    wanted = tuple(name.strip() for name in names.split(",") if name.strip()) or WANTED
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ansim"
    cache.mkdir(parents=True, exist_ok=True)
    if not sandbox.walkable(cache):  # root runs the sandbox as nobody, who does not come into root's home
        cache = Path(tempfile.gettempdir()) / f"ansim-{os.geteuid()}"
        cache.mkdir(mode=0o711, exist_ok=True)
    with errors.status("Preparing the packages …"):
        return sandbox.kept(wanted, cache)
