"""`ansim rules`: the dated rules, what changed between two days, and the route of a case."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ansim.errors import N_, Problem

rules = typer.Typer(no_args_is_help=True, help="Dated rules with their sources. No legal advice.")
console = Console()

Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="such as 2022-06-01")]


@rules.command("at")
def at(day: Day) -> None:
    """The rules in force on a day. Example: ansim rules at 2022-06-01"""
    from ansim.governance.rules import at as edition

    table = Table("rule", "edition", "says", "source", "tag")
    for id, rule in sorted(edition(day.date()).items()):
        table.add_row(id, rule["edition"], rule["title"]["en"], f"{rule['source']} {rule['article']}", rule["tag"])
    console.print(table)


@rules.command("diff")
def diff(before: Day, after: Day) -> None:
    """What changed between two days. Example: ansim rules diff 2022-06-01 2026-01-01"""
    from ansim.governance.rules import differences

    found = differences(before.date(), after.date())
    for change in found:
        console.print(f"[bold]{change['id']}[/]")
        for sign, rule in (("-", change["before"]), ("+", change["after"])):
            if rule:
                said = f"{rule['edition']}: {rule['title']['en']} {rule['parameters']}"
                console.print(f"  {sign} {said}", highlight=False)
    if not found:
        console.print("Nothing changed.")


@rules.command("route")
def route(
    facts: Annotated[Path, typer.Argument(help="TOML with what is known of the case, such as consent = false")],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="judged by the rules of this day")] = None,
) -> None:
    """Which reviews a case needs, with the rule behind each; exits with 1 if something blocks it, 2 if something is
    still to find out. Example: ansim rules route facts.toml --on 2022-06-01"""
    from ansim.governance.rules import route as engine

    found = engine.route(_facts(facts, engine.FACTS), (on or datetime.now()).date())
    for kind in ("block", "review", "condition"):
        for each in getattr(found, f"{kind}s"):
            rule = each["rule"]
            cited = f"{rule['id']} {rule['edition']}, {rule['source']} {rule['article']}, tag {rule['tag']}"
            console.print(f"{kind}: [bold]{each[kind]}[/] ({cited})", highlight=False)
    for name in found.ask:
        console.print(f"ask: {name} ({engine.FACTS.get(name, 'no rule of that day is known')})", highlight=False)
    if found.blocks or found.ask:
        raise typer.Exit(1 if found.blocks else 2)


def _facts(path: Path, known: dict[str, str]) -> dict[str, Any]:
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem("facts", N_("The facts cannot be read: {detail}."), where=str(path), detail=str(error)) from error
    kinds: dict[str, type] = {"purpose": str, "sites": int, "special": list}
    for name, value in found.items():
        if name not in known:
            raise Problem(
                "unknown-fact",
                N_("{name} is no fact that the rules ask for."),
                where=str(path),
                remedy=N_("Use these: {known}."),
                name=name,
                known=", ".join(known),
            )
        if type(value) is not kinds.get(name, bool):
            raise Problem(
                "fact-type",
                N_("The fact {name} has the wrong type."),
                where=f"{path}: {name}",
                remedy=N_("Write {example}."),
                name=name,
                example={"purpose": '"statistics"', "sites": "3", "special": '["aids"]'}.get(name, "true or false"),
            )
    return found
