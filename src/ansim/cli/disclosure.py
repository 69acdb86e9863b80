"""`ansim disclosure`: what of some tables and models over a CDM may leave, by the rules that a node applies."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Shown

from ansim.errors import N_, Problem

disclosure = typer.Typer(no_args_is_help=True, help="Disclosure control without any site.")
console = Console()

FIELDS = {"query", "tables", "models", "policy"}


@disclosure.command("check")
def check(
    spec: Annotated[Path, typer.Argument(help="YAML or JSON: query, tables, models, policy (see below)")],
    cdm: Annotated[Path, typer.Option(help="the CDM (DuckDB file)")],
    output: Annotated[Path | None, typer.Option(help="a folder for the protected tables as CSV")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the whole result for programs")] = False,
) -> None:
    """Protect tables of one cohort together and say what is hidden and why; exits with 1 if anything is.

    The file: `query` (a query/1), `tables` (a list of table/1 over its variables), `models` (specifications of analysis
    methods), `policy` (thresholds that differ from the defaults). The tables are protected as one, with the cells and
    hierarchies that they share; differences of overlapping conditions are for a node's memory, not this command.

    Example: ansim disclosure check tables.yaml --cdm hospital.duckdb --output protected
    """
    from ansim.data.cdm.files import open_cdm
    from ansim.privacy.disclosure.policy import Policy
    from ansim.research.cohort.compile import frame
    from ansim.research.cohort.query import parse

    given = _read(spec)
    policy, query = Policy.from_data(given.get("policy") or {}), parse(given["query"])
    with console.status("The people of the query"), open_cdm(cdm) as con:
        people = frame(con, query)
    with console.status("Every rule, and what hides what"):
        tables = _tables(people, given.get("tables") or [], policy)
        models = [_model(people, one, policy) for one in given.get("models") or []]
    if output:
        _write(tables, output)
    clean = not any(one.hidden for one in tables) and not any(found for _, found in models)
    if as_json:
        reasons = [{"kind": kind, "problems": [str(one) for one in found]} for kind, found in models]
        facts = {"people": len(people), "clean": clean, "models": reasons}
        typer.echo(json.dumps(facts | {"tables": [one.as_data() for one in tables]}, ensure_ascii=False))
    else:
        _tell(tables, models)
    if not clean:
        raise typer.Exit(1)


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        given = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Problem("unreadable", N_("The file cannot be read: {detail}."), where=str(file), detail=error) from error
    if not isinstance(given, dict) or set(given) - FIELDS or "query" not in given:
        remedy = N_("Write query, and tables or models; see ansim disclosure check --help.")
        raise Problem("check-spec", N_("This is no specification of a check."), where=str(file), remedy=remedy)
    return given


def _tables(people: Any, given: list, policy: Any) -> list[Any]:
    from ansim.privacy.disclosure.protect import protect_linked
    from ansim.privacy.disclosure.table import TableSpec, tabulate

    specs = [TableSpec.parse(one) for one in given]
    return protect_linked([tabulate(people, one) for one in specs], policy) if specs else []


def _model(people: Any, spec: Any, policy: Any) -> tuple[str, list[Problem]]:
    from ansim.research.analysis import guard, methods, specification

    kind = specification.kind(spec)
    chosen = methods.method(kind)
    rules = guard.Policy(threshold=policy.threshold, freedom=policy.min_degrees_of_freedom)
    # released as a whole, not as one site's part of a pool: what may not stand alone is for the federated run to say
    return kind, guard.admissible(
        kind, chosen.prepare(people, spec), spec, replace(rules, alone=True), methods.start(kind, spec)
    )


def _write(tables: list[Any], folder: Path) -> None:
    from ansim.privacy.disclosure.protect import as_csv

    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(tables, start=1):
        (folder / f"table-{number}.csv").write_bytes(as_csv(one))


def _tell(tables: list[Any], models: list[tuple[str, list[Problem]]]) -> None:
    for number, one in enumerate(tables, start=1):
        title = dict(one.spec.title).get("en") or f"Table {number}"
        shown = Shown(*one.spec.dimensions, "shown", "why hidden", title=title)
        for cell in one.cells.values():
            key = ["–" if part is None else str(part) for part in cell.key]
            shown.add_row(*key, cell.text, ", ".join(cell.rules))
        console.print(shown)
        for finding in one.findings:
            console.print(f"  {finding.problem()} [dim]({finding.source})[/]", highlight=False)
    for kind, found in models:
        console.print(f"[bold]{kind}[/]: " + ("may leave" if not found else "may not leave"))
        for problem in found:
            console.print(f"  {problem}", highlight=False)
