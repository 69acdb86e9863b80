"""`ansim airlock`: output files checked as a centre would, before anybody asks for their release."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Shown

from ansim.errors import N_, Problem

app = typer.Typer(no_args_is_help=True, help="Files that should leave a closed room, checked without any site.")
console = Console()


@app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="the folder of files that should leave")],
    policy: Annotated[Path | None, typer.Option(help="thresholds (TOML, YAML or JSON) that differ from ours")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report for programs")] = False,
    safe: Annotated[Path | None, typer.Option(help="write the safe versions into this new folder")] = None,
    acro: Annotated[Path | None, typer.Option(help="write the report in the form of ACRO's results.json")] = None,
) -> None:
    """Say of each file what forbids its release, where, by which rule, and what to do.

    Exits with 0 if nothing forbids it (people still look), with 1 if something does. A results.json of ACRO in the
    folder is read as a claim: shown beside our own finding, never trusted. Times of files are not looked at; a centre
    releases files without them.

    --safe writes what a machine can make safe: small cells hidden, further ones so that these do not follow from the
    totals, counts rounded, identifiers and hidden data taken out. It is made from the files alone and goes to people
    like any other file; safe-version.json says what was done to which file.

    Example: ansim airlock check outputs --policy disclosure.toml --safe outputs-safe
    """
    from ansim.privacy.airlock.folder import check_folder

    rules = _policy(policy)
    with console.status("Every file, byte by byte"):
        report = check_folder(folder, rules)
    if acro:
        _write_acro(acro, report)
    made = _make_safe(folder, report, rules, safe) if safe else []
    if as_json:
        facts = report.as_data() | ({"safe": [one.as_data() for one in made]} if safe else {})
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _tell(report)
        _tell_safe(made)
    if report.verdict == "refuse":
        raise typer.Exit(1)


def _policy(file: Path | None) -> Any:
    """`[disclosure]` of a site's TOML, or the entries themselves."""
    import tomllib

    import yaml

    from ansim.privacy.disclosure.policy import Policy

    if file is None:
        return Policy()
    try:
        text = file.read_text("utf-8")
        given = tomllib.loads(text) if file.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise Problem("unreadable", N_("The file cannot be read: {detail}."), where=str(file), detail=error) from error
    if not isinstance(given, dict):
        raise Problem("policy-unknown", N_("This is no disclosure policy."), where=str(file))
    return Policy.from_data(given.get("disclosure", given))


def _make_safe(folder: Path, report: Any, rules: Any, target: Path) -> list[Any]:
    """Each file that was opened as a plain file; a link leads nowhere here either."""
    from ansim.privacy.airlock.folder import read
    from ansim.privacy.airlock.safe import make_safe

    if target.exists() and any(target.iterdir()):
        remedy = N_("Name a new folder.")
        raise Problem("folder-not-empty", N_("The folder is not empty."), where=str(target), remedy=remedy)
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for file in report.files:
        if file.digest:
            made.append(make_safe(file.name, read(folder, file, rules), rules))
            if (content := made[-1].content) is not None:
                (target / file.name).parent.mkdir(parents=True, exist_ok=True)
                (target / file.name).write_bytes(content)
    statement = {"ansim": "safe-version/1", "policy": rules.as_data(), "files": [one.as_data() for one in made]}
    (target / "safe-version.json").write_text(json.dumps(statement, ensure_ascii=False, indent=1), "utf-8")
    return made


def _tell_safe(made: list[Any]) -> None:
    for one in made:
        if one.content is None:
            rules = ", ".join(dict.fromkeys(finding.rule for finding in one.left))
            console.print(f"[red]{escape(one.name)}[/]: no safe version ({rules})", highlight=False)
        for change in one.changes:
            console.print(f"{escape(one.name)}: {change.text.format(count=change.count)}", highlight=False)


def _write_acro(file: Path, report: Any) -> None:
    from importlib.metadata import version

    from ansim.privacy.airlock import acro

    document = acro.write(report.files, datetime.now(UTC), f"ansim {version('ansim')}")
    file.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")


def _tell(report: Any) -> None:
    shown = Shown("file", "place", "rule", "what and what to do", title="What the machine found")
    for file in report.files:
        for finding in sorted(file.findings, key=lambda one: not one.refuses):
            style = "red" if finding.refuses else "yellow"
            words = f"{finding.text} {finding.remedy}".format(**finding.facts)
            shown.add_row(escape(file.name), escape(finding.place), f"[{style}]{finding.rule}[/]", escape(words))
    if shown.row_count:
        console.print(shown)
    for claim in report.claims:
        if not claim.agrees:
            console.print(
                f"ACRO of {claim.file}: {claim.note} (claimed {claim.claimed or 'nothing'}, ours {claim.ours})"
            )
    refused = [file.name for file in report.files if file.verdict == "refuse"]
    console.print(
        f"[bold]{len(report.files)} files[/]: {len(refused)} cannot leave, "
        f"{len(report.files) - len(refused)} are for two people to judge; no machine passes them.",
        highlight=False,
    )
