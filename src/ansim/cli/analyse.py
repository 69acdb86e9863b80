"""`ansim analyse`: any method over one or several CDM files, as if each were a site."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

EXAMPLE = """

Example: ansim analyse logistic --query study.yaml --cdm a.duckdb --cdm b.duckdb --spec model.yaml
"""


def analyse(
    method: Annotated[str, typer.Argument(help="the method's name; `list` names them all")],
    query: Annotated[Path | None, typer.Option(help="the cohort and its variables (query/1, YAML or JSON)")] = None,
    cdm: Annotated[list[Path] | None, typer.Option(help="a CDM file; give it once for each site")] = None,
    spec: Annotated[
        Path | None, typer.Option(help="what to compute (YAML or JSON); else an example is printed")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="where the result goes as JSON; else to the screen")] = None,
) -> None:
    """Run an analysis over CDM files as if they were sites: the same rounds of sums, the pooled result.

    The result is the true one: no disclosure rule has touched it. It is for whoever may see the data anyway.
    """
    from ansim.errors import N_, Problem
    from ansim.research.analysis import methods

    if method == "list":
        for name, each in methods.METHODS.items():
            typer.echo(f"{name:14} {each.title}")
        return
    methods.method(method)
    if query is None:
        raise Problem("no-query", N_("A query is needed."), where="--query", remedy=N_("Name its file."))
    asked = _query(query)
    if spec is None:
        from ansim.research.analysis.examples import example

        Console(stderr=True).print("No --spec given. One that fits this query, to be changed:")
        typer.echo(json.dumps(example(method, asked.document()), indent=1, ensure_ascii=False))
        return
    if not cdm:
        raise Problem("no-cdm", N_("There is no CDM file here."), where="--cdm", remedy=N_("Name one or several."))
    result = run(method, asked, _read(spec), cdm)
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
    if output is None:
        typer.echo(text)
        return
    output.write_text(text + "\n", "utf-8")
    Console(stderr=True).print(f"[bold]{output}[/] has the result: {result.get('people', '?')} people.")


analyse.__doc__ = (analyse.__doc__ or "") + EXAMPLE


def run(method: str, query: Any, spec: dict, files: list[Path]) -> dict:
    """The pooled result over these files. Raises Problem that names the file which cannot be read."""
    from rich.progress import track

    from ansim.data.cdm.files import open_cdm
    from ansim.errors import Problem
    from ansim.research.analysis import methods
    from ansim.research.cohort import compile as compiler

    methods.start(method, spec)  # a wrong specification is told before anything is read
    frames = []
    for file in track(files, "Reading", console=Console(stderr=True), transient=True):
        try:
            with open_cdm(file) as con:
                frames.append(compiler.frame(con, query))
        except Problem as problem:
            problem.where = problem.where or str(file)
            raise
    return methods.run(method, frames, spec)


def _query(file: Path) -> Any:
    from ansim.research.cohort.query import parse

    return parse(_bytes(file))


def _read(file: Path) -> dict:
    import yaml

    from ansim.errors import N_, Problem

    try:
        found = yaml.safe_load(_bytes(file))  # JSON is YAML too
    except yaml.YAMLError as error:
        found = error
    if not isinstance(found, dict):
        raise Problem("specification", N_("The file is no specification."), where=str(file), remedy=N_("See --help."))
    return found


def _bytes(file: Path) -> bytes:
    from ansim.errors import N_, Problem

    try:
        return file.read_bytes()
    except OSError as error:
        text = N_("The file cannot be read: {error}.")
        raise Problem("no-file", text, where=str(file), error=error.strerror or "") from error
