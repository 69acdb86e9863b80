"""`ansim agreement`: what an agreement's terms look like to others."""

import json
from pathlib import Path
from typing import Annotated

import typer

agreement = typer.Typer(no_args_is_help=True, help="The terms of an agreement.")


@agreement.callback()
def _group() -> None:
    """Keeps `odrl` a word of its own while it is the only command."""


@agreement.command("odrl")
def odrl(
    file: Annotated[Path, typer.Argument(help="agreement/1 as JSON, plain or signed")],
    output: Annotated[Path | None, typer.Option(help="where to write; else to the terminal")] = None,
) -> None:
    """The terms as an ODRL 2.2 policy in JSON-LD. Example: ansim agreement odrl terms.json --output policy.jsonld"""
    from ansim.cli.signing import read_json
    from ansim.governance.odrl import policy
    from ansim.governance.terms import parse_terms

    content = read_json(file)
    text = json.dumps(policy(parse_terms(content.get("document", content))), ensure_ascii=False, indent=2)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
