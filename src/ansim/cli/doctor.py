"""`ansim doctor`: the findings as a table for people, as JSON for programs."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ansim.sites.doctor import Finding, examine, healthy

MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]look[/]", "fail": "[bold red]mend[/]"}


def doctor(
    folder: Annotated[Path | None, typer.Argument(help="a site's folder; without it, this machine")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """What is installed, what is missing, how to mend it; with a FOLDER: may that site run (exit code 1: no)?"""
    findings = examine(folder)
    if as_json:
        typer.echo(json.dumps({"ok": healthy(findings), "findings": [each.as_data() for each in findings]}, indent=2))
    else:
        Console().print(_table(findings))
    if not healthy(findings):
        raise typer.Exit(1)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, width in (("where", 12), ("what", 18), ("", 4)):
        table.add_column(name, min_width=width, no_wrap=not name)
    table.add_column("found and to do", overflow="fold")
    before = ""
    for each in findings:
        told = escape(each.detail) + (f"\n[bold]→ {escape(each.remedy)}[/]" if each.remedy else "")
        table.add_row(each.group if each.group != before else "", escape(each.check), MARKS[each.state], told)
        before = each.group
    return table
