"""`ansim verify-dist` and `ansim bundle`: is a release genuine, and how it gets into a separated network."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ansim.governance.papers.certificate import grouped
from ansim.sites.operate import bundle as bundles
from ansim.sites.operate import release

console = Console(soft_wrap=True)
Release = Annotated[Path, typer.Argument(help="the folder of a release: wheel, locks, SHA256SUMS and its signature")]
Key = Annotated[Path, typer.Option(help="the release key (PEM), got and compared by another way than the release")]


def verify_dist(folder: Release, key: Key) -> None:
    """Whether every file of a release is as its makers signed it (exit code 1: no).

    Example: ansim verify-dist dist --key ansim-release.pem
    """
    known = release.read_pem(key.read_bytes())
    names = release.verify(folder, known)
    console.print(f"[green]Genuine[/]: {len(names)} files, signed by the key {grouped(release.fingerprint(known))}.")


def bundle(
    folder: Release,
    key: Key,
    kind: Annotated[str, typer.Option("--for", help="hub, holder, centre, keyagency or user")],
    output: Annotated[Path, typer.Option(help="the tar to write")],
    wheels: Annotated[Path | None, typer.Option(help="a folder that has the wheels; else pip fetches them")] = None,
) -> None:
    """One tar that installs a site where there is no network: unpack it and run install.sh.

    Example: ansim bundle dist --key ansim-release.pem --for holder --output ansim-holder.tar
    """
    with console.status("Collecting the wheels …"):
        packed = bundles.make(folder, kind, output, release.read_pem(key.read_bytes()), wheels=wheels)
    console.print(f"[bold]{output}[/]: the release and {len(packed)} wheels, {output.stat().st_size / 1e6:.0f} MB.")
