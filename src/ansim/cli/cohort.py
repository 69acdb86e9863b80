"""`ansim cohort`: definitions of patient groups on a CDM file, without any site."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Cohort definitions: run, explain, convert.")
Definitions = Annotated[
    list[Path], typer.Argument(help="definitions: our YAML (cohort/1) or OHDSI Circe JSON", exists=True, dir_okay=False)
]
Cdm = Annotated[Path, typer.Option(help="the CDM: a DuckDB file with OMOP tables", exists=True, dir_okay=False)]


@app.command()
def run(
    definition: Definitions,
    cdm: Cdm,
    output: Annotated[Path, typer.Option(help="the rows: definition, person_id, start_date, end_date (CSV)")],
    attrition: Annotated[
        Path | None, typer.Option(help="a folder for attrition tables (CSV) and figures (SVG)")
    ] = None,
    memory: Annotated[str, typer.Option(help="the most memory for the engine")] = "4GB",
) -> None:
    """Find the people of many cohorts at once; equal parts are looked up once.

    ansim cohort run asthma.yaml 1187.json --cdm cdm.duckdb --output rows.csv
    """
    import pyarrow as pa
    import pyarrow.csv
    from rich.console import Console
    from rich.progress import Progress

    from ansim.data.engine import DuckDB
    from ansim.research.cohort.definition import run as runner

    names = _names(definition)
    read = [_read(path) for path in definition]
    console = Console(stderr=True)
    engine = DuckDB(cdm, memory=memory)
    try:
        for place in runner.missing(engine, read):
            console.print(f"[yellow]{place}[/] is not in the data and counts as empty.", highlight=False)
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("cohorts", total=1.0)
            found = runner.cohorts(engine, read, progress=lambda done: bar.update(task, completed=done))
        unfinished = output.with_name(output.name + ".part")
        with pa.OSFile(str(unfinished), "wb") as sink:
            for index, (name, rows) in enumerate(zip(names, found, strict=True)):
                labelled = rows.add_column(0, "definition", pa.array([name] * len(rows), pa.string()))
                options = pyarrow.csv.WriteOptions(include_header=index == 0, quoting_style="needed")
                pyarrow.csv.write_csv(labelled, sink, options)
        unfinished.replace(output)
        if attrition is not None:
            _attrition(engine, attrition, dict(zip(names, read, strict=True)))
    finally:
        engine.close()
    for name, rows in zip(names, found, strict=True):
        console.print(
            f"{name}: {len(rows):,} periods of {len(rows.column('person_id').unique()):,} people", highlight=False
        )


@app.command()
def explain(
    definition: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="our YAML or OHDSI Circe JSON")],
    language: Annotated[str, typer.Option(help="ko or en")] = "en",
) -> None:
    """Say a definition in plain Korean or English.

    ansim cohort explain 1187.json --language ko
    """
    from ansim.research.cohort.definition.explain import explain as tell

    typer.echo(tell(_read(definition), language))


@app.command()
def convert(
    definition: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="our YAML or OHDSI Circe JSON")],
    to: Annotated[str, typer.Option(help="yaml (ours) or circe (JSON)")],
    output: Annotated[Path | None, typer.Option(help="where to write; else to the terminal")] = None,
) -> None:
    """Turn OHDSI Circe JSON into our YAML or back, without loss.

    ansim cohort convert 1187.json --to yaml --output 1187.yaml
    """
    import json

    import yaml

    from ansim.research.cohort.definition import circe_write, form

    read = _read(definition)
    if to == "circe":
        text = json.dumps(circe_write.write(read), ensure_ascii=False, indent=2) + "\n"
    elif to == "yaml":
        text = yaml.safe_dump(form.document(read), allow_unicode=True, sort_keys=False, width=120)
    else:
        raise typer.BadParameter("say yaml or circe", param_hint="--to")
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")


def _read(path: Path):  # type: ignore[no-untyped-def]
    """The definition in the file, in whichever of the two forms; errors name the file."""
    from ansim.errors import Problem
    from ansim.research.cohort.definition.reading import read

    try:
        return read(path.read_bytes())
    except Problem as problem:
        problem.where = f"{path}: {problem.where}" if problem.where else str(path)
        raise


def _names(paths: list[Path]) -> list[str]:
    """The files' names without their endings; in full where two would be the same."""
    stems = [path.stem for path in paths]
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _attrition(engine, folder: Path, definitions: dict) -> None:  # type: ignore[no-untyped-def]
    import csv

    from ansim.research.cohort.definition import attrition, consort

    folder.mkdir(parents=True, exist_ok=True)
    for name, definition in definitions.items():
        steps = attrition.steps(engine, definition)
        base = Path(name).stem
        with (folder / f"{base}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "name", "events", "people"])
            writer.writerows([[each.step, each.name, each.events, each.people] for each in steps])
        (folder / f"{base}.svg").write_text(consort.figure(steps, definition.title or base, "en"), "utf-8")
