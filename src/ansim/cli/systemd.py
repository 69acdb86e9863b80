"""`ansim systemd`: the services of one site."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ansim.sites import config
from ansim.sites.operate import units


def systemd(
    folder: Annotated[Path, typer.Argument(help="a site's folder")],
    output: Annotated[Path, typer.Option(help="where the files are written")] = Path("systemd"),
) -> None:
    """Write a site's systemd services: hardened, the key process apart, each as a user of its own.

    Example: ansim systemd /srv/ansim/hub --output /root/hub-units && sh /root/hub-units/ansim-hub-setup.sh
    """
    program = Path(shutil.which("ansim") or sys.argv[0]).resolve()
    output.mkdir(parents=True, exist_ok=True)
    for name, content in units.files(config.read(folder), program).items():
        (output / name).write_text(content, encoding="utf-8")
        typer.echo(output / name)
    typer.echo("Look at them, then run the -setup.sh as root with the site stopped.")
