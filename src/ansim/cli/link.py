"""`ansim link`: a linkage tried out on files, all roles played here."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ansim.errors import N_, Problem

console = Console()


def link(
    files: Annotated[list[Path], typer.Argument(help="two or more CSV files with id, name, birth_date, sex, phone")],
    output: Annotated[Path, typer.Option(help="where the pairs are written (CSV)")],
    seen: Annotated[Path | None, typer.Option(help="a new folder for what each role saw")] = None,
    column: Annotated[list[str] | None, typer.Option(help="a file's own column name, such as name=성명")] = None,
    near: Annotated[
        bool, typer.Option("--near", help="compare who was not matched by fuzzy encodings too; not the official flow")
    ] = False,
    compatibility: Annotated[
        bool, typer.Option("--compatibility", help="the guideline's salted hashes, weaker: see docs/privacy.md")
    ] = False,
) -> None:
    """Link people of several files without showing them to each other; all roles are played on this machine.

    Example: ansim link hospital.csv insurer.csv --output pairs.csv --seen roles
    """
    from ansim.privacy.linkage import play
    from ansim.privacy.linkage.keys import COMPATIBILITY, OBLIVIOUS

    names = [file.stem for file in files]
    if len(set(names)) < len(names) or len(files) < 2:
        raise Problem("too-few-lists", N_("Give two or more files with different names."))
    if seen is not None and seen.exists():
        raise Problem(
            "folder-exists", N_("The folder is there already."), where=str(seen), remedy=N_("Name a new one.")
        )
    columns = dict(_pair(text) for text in column or [])
    registers = {file.stem: play.read(file, columns) for file in files}
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        found = play.play(
            registers,
            mode=COMPATIBILITY if compatibility else OBLIVIOUS,
            seen=seen,
            near=near,
            progress=lambda what, done, whole: bar.update(task, description=what, completed=done, total=whole),
        )
    pairs = play.write_pairs(found["groups"], output)
    for pair, report in found["reports"].items():
        rate = report["match_rate_permille"] / 10
        console.print(f"{pair}: {report['matched']} pairs, {rate} % of the smaller file", highlight=False)
    if near:
        console.print(f"{found['near']} more pairs by fuzzy encodings.", highlight=False)
    console.print(f"{pairs} pairs in [bold]{output}[/], {found['contradictions']} contradictions left out.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, own = text.partition("=")
    if not equals or not own:
        raise Problem("column", N_("Write a column as name=its name in the file."), where=text)
    return name, own
