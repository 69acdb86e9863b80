"""The `ansim` command."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ansim.cli import backup, deid, load, release, sandbox, signing
from ansim.cli.agreement import agreement
from ansim.cli.airlock import app as airlock
from ansim.cli.analyse import analyse
from ansim.cli.catalogue import app as catalogue
from ansim.cli.cohort import app as cohort
from ansim.cli.disclosure import disclosure
from ansim.cli.doctor import doctor
from ansim.cli.link import link
from ansim.cli.profile import profile
from ansim.cli.quality import quality
from ansim.cli.rules import rules
from ansim.cli.systemd import systemd
from ansim.cli.upgrade import upgrade
from ansim.errors import Problem

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ansim (안심): safe utilisation of medical data.",
)
console = Console()
app.command()(analyse)
app.command()(doctor)
app.add_typer(cohort, name="cohort")
app.command()(quality)
app.command()(profile)
app.command()(signing.sign)
app.command()(signing.verify)
app.command()(link)
app.command("verify-dist")(release.verify_dist)
app.command()(release.bundle)
app.command()(systemd)
app.command()(upgrade)
app.command("escrow")(backup.escrow_keys)
app.command("backup")(backup.backup)
app.command("verify-backup")(backup.verify_backup)
app.command("restore")(backup.restore)
app.add_typer(signing.keys, name="key")
app.add_typer(deid.app, name="deid")
app.add_typer(rules, name="rules")
app.add_typer(disclosure, name="disclosure")
app.add_typer(airlock, name="airlock")
app.add_typer(agreement, name="agreement")
app.add_typer(catalogue, name="catalogue")
app.add_typer(load.app, name="load")
app.add_typer(sandbox.app, name="sandbox")


@app.command()
def init(
    kind: Annotated[str, typer.Argument(help="hub, holder, centre, keyagency or user")],
    folder: Annotated[Path, typer.Argument(help="a new folder for the site")],
    id: Annotated[str, typer.Option(help="the site's id in the directory")],
    name: Annotated[str, typer.Option(help="the name people read")],
    trust: Annotated[Path, typer.Option(help="the trust roots (JSON) that were compared out of band")],
    hub_url: Annotated[str, typer.Option(help="the hub's address")] = "",
    port: Annotated[int, typer.Option(help="where to listen")] = 8000,
    transport: Annotated[str, typer.Option(help="http, or folder for a separated network")] = "http",
    demo: Annotated[bool, typer.Option(help="a demo site: movable clock, demo roots only")] = False,
) -> None:
    """Make a site: its folder, keys and settings."""
    import json

    from ansim.sites.config import passphrase
    from ansim.sites.init import make

    keys = make(
        folder,
        id=id,
        kind=kind,
        name={"ko": name, "en": name},
        passphrase=passphrase(folder),
        port=port,
        demo=demo,
        hub_url=hub_url,
        transport=transport,
        trust=json.loads(trust.read_text("utf-8")),
    )
    console.print(f"[bold]{folder}[/] is ready. Have these public keys entered into the site directory:")
    console.print_json(data=keys)


@app.command()
def serve(folder: Annotated[Path, typer.Argument(help="a site's folder")]) -> None:
    """Run a site until Ctrl-C."""
    from ansim.sites.serve import serve as run

    run(folder)


@app.command()
def keeper(folder: Annotated[Path, typer.Argument(help="a site's folder")]) -> None:
    """Run a site's key process as a service of its own user (see `ansim systemd`) until SIGTERM."""
    from ansim.sites.config import passphrase
    from ansim.sites.keeper.server import serve as run

    run(folder, passphrase(folder), apart=True)


@app.command()
def courier(
    folder: Annotated[Path, typer.Argument(help="the folder site")], hub_url: Annotated[str, typer.Argument()]
) -> None:
    """Carry a separated site's files to the hub and back, until stopped."""
    import signal

    from ansim.sites.exchange.courier import carry

    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    with contextlib.suppress(KeyboardInterrupt):
        carry(folder, hub_url, stop=lambda: bool(stopped))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="where the nation lives; made if it is not there")] = Path("nation"),
    port: Annotated[int, typer.Option(help="the first of eight ports")] = 8600,
    scale: Annotated[float, typer.Option(help="volume of the data, 1 is the packages' own")] = 1.0,
) -> None:
    """Run a small nation on this machine until Ctrl-C."""
    from ansim.demo.start import demo as run

    run(folder, port=port, scale=scale)


@app.command()
def journey(
    folder: Annotated[Path | None, typer.Option(help="a demo nation; else a fresh one in a temporary folder")] = None,
    port: Annotated[int, typer.Option(help="the first of eight ports of a fresh nation")] = 8700,
    scale: Annotated[float, typer.Option(help="volume of the data of a fresh nation")] = 1.0,
    keep: Annotated[bool, typer.Option("--keep", help="keep the temporary nation")] = False,
    report: Annotated[Path, typer.Option(help="where the HTML report is written")] = Path("journey.html"),
    from_stage: Annotated[int, typer.Option(help="go on with an earlier run of this folder")] = 1,
    to_stage: Annotated[int, typer.Option(help="stop after this stage")] = 99,
) -> None:
    """Play the whole journey by script; exits with 1 if a stage's promise was broken."""
    from ansim.demo.journey.run import command

    if not command(folder, port, scale, keep=keep, report=report, stages=(from_stage, to_stage)):
        raise typer.Exit(1)


def main() -> None:
    try:
        app()
    except Problem as problem:
        Console(stderr=True).print(f"[bold red]ansim:[/] {problem}")
        sys.exit(1)


if __name__ == "__main__":
    main()
