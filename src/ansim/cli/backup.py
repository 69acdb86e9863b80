"""`ansim escrow`, `backup`, `verify-backup`, `restore`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ansim.errors import N_, Problem
from ansim.sites import config
from ansim.sites.keeper.keystore import Keystore, write_private
from ansim.sites.operate import backup as backups
from ansim.sites.operate import escrow

console = Console(soft_wrap=True)
Folder = Annotated[Path, typer.Argument(help="a site's folder")]
Shares = Annotated[list[Path], typer.Option("--share", help="a file with one person's share; as many as are needed")]
Snapshot = Annotated[str, typer.Option(help="a snapshot's name; else the newest")]


def escrow_keys(
    folder: Folder,
    output: Annotated[Path, typer.Option(help="a folder for the shares, one file each")],
    shares: Annotated[int, typer.Option(help="people who get a share")] = 3,
    threshold: Annotated[int, typer.Option(help="how many of them must come together")] = 2,
) -> None:
    """Make the key that backups are opened with, in shares: give each to another person and delete the files.

    Example: ansim escrow /srv/ansim/hospital --output /mnt/stick
    """
    here = config.read(folder)
    words = escrow.make(here.path("keys"), shares=shares, threshold=threshold)
    output.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number, each in enumerate(words, 1):
        write_private(output / f"{here.id}-share-{number}.txt", each.encode() + b"\n")
    console.print(f"{shares} shares in {output}; any {threshold} of them open a backup. The site keeps none.")


def backup(folder: Folder, target: Annotated[Path, typer.Argument(help="the backup's folder")]) -> None:
    """Add a snapshot of a site, which may be running, to an encrypted backup; what is there already is not copied.

    Example: ansim backup /srv/ansim/hospital /mnt/backup/hospital
    """
    here, now = config.read(folder), datetime.now(UTC)
    passphrase = config.passphrase(folder)
    Keystore(here.path("keys"), passphrase)  # a passphrase that opens nothing is not worth keeping
    made = backups.make(here, target, passphrase, now)
    write_private(here.path("backup.json"), json.dumps({"at": datetime.now(UTC).isoformat()}).encode())
    size, new = made["bytes"] / 1e6, made["added"] / 1e6
    console.print(f"[bold]{made['name']}[/]: {made['files']} files, {size:.1f} MB, {new:.1f} MB new.")


def verify_backup(
    target: Annotated[Path, typer.Argument(help="the backup's folder")],
    folder: Annotated[Path | None, typer.Option(help="the site, whose key folder has the backup's key")] = None,
    share: Shares = [],  # noqa: B006 - typer's way of a repeated option
    snapshot: Snapshot = "",
) -> None:
    """Read a whole snapshot and check every piece, with the site's own key or with the shares."""
    found = backups.verify(target, _key(target, folder, share), snapshot)
    console.print(f"[green]Whole[/]: {found['site']} of {found['at']}, {found['files']} files.")


def restore(
    target: Annotated[Path, typer.Argument(help="the backup's folder")],
    folder: Annotated[Path, typer.Argument(help="a new folder for the site")],
    share: Shares,
    passphrase_to: Annotated[Path, typer.Option(help="where the passphrase of the keys is written (mode 600)")],
    snapshot: Snapshot = "",
) -> None:
    """Lay a site from a backup. When it runs it answers nothing until the other sites agree that nothing is missing.

    Example: ansim restore /mnt/backup/hospital /srv/ansim/hospital --share a.txt --share b.txt --passphrase-to /root/p
    """
    opened = backups.unseal(target, [each.read_text("utf-8") for each in share])
    found = backups.restore(target, bytes.fromhex(opened["key"]), folder, snapshot)
    write_private(passphrase_to, opened["passphrase"].encode())
    console.print(f"[bold]{folder}[/]: {found['site']} as of {found['at']}.")
    if (folder / backups.DUMP).exists():
        console.print(f"Now fill an empty database: pg_restore --dbname URL {folder / backups.DUMP}; then delete it.")
    console.print("Stop the old site for good, then `ansim serve`. See /operations/ for who has agreed.")


def _key(target: Path, folder: Path | None, shares: list[Path]) -> bytes:
    if folder:
        return bytes.fromhex((folder / "keys" / backups.KEY).read_text("utf-8").strip())
    if not shares:
        raise Problem("no-key", N_("Give the site with --folder, or the shares with --share."))
    return bytes.fromhex(backups.unseal(target, [each.read_text("utf-8") for each in shares])["key"])
