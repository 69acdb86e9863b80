"""`ansim profile`: what is in a CDM, in numbers that may be published, as JSON, Parquet, figures and a page."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def profile(
    cdm: Annotated[Path, typer.Argument(help="a CDM (OMOP 5.4) as a DuckDB file", metavar="CDM.duckdb")],
    output: Annotated[Path, typer.Option(help="a folder for the profile; made if it is not there")],
    threshold: Annotated[int, typer.Option(help="fewest people behind a number")] = 10,
    base: Annotated[int, typer.Option(help="numbers are rounded to multiples of it")] = 5,
    language: Annotated[str, typer.Option(help="of the figures and the page: ko or en")] = "ko",
    memory: Annotated[str, typer.Option(help="most memory of the data engine; beyond it, it spills to disk")] = "4GB",
    figures: Annotated[bool, typer.Option(help="draw figures and the page")] = True,
    achilles: Annotated[bool, typer.Option(help="write achilles_results.csv for tools of OHDSI")] = False,
) -> None:
    """Profile a CDM: tables, columns, concepts, people and time, with small numbers hidden.

    Example: ansim profile hospital.duckdb --output profile/

    Writes profile.json, a Parquet file for each table of the profile, and index.html with its figures as SVG. A TOML
    file in place of the CDM names another engine (see ansim quality --help). Ctrl-C stops it; no file is half-written.
    """
    if language not in ("ko", "en"):
        raise typer.BadParameter("ko or en", param_hint="--language")
    from ansim.cli.progress import showing
    from ansim.cli.quality import engine_at
    from ansim.data.profile import profile as make
    from ansim.data.profile.achilles import inside
    from ansim.data.profile.export import write

    engine = engine_at(cdm, memory)
    try:
        with showing("profile") as step:
            found = make(engine, threshold=threshold, base=base, progress=step)
            kinds = inside(engine) if achilles else None
    finally:
        engine.close()
    written = write(found, output, name=cdm.stem, language=language, drawn=figures, inside=kinds)
    Console().print(f"[bold]{output}[/]: {len(written)} files, {len(found['variables'])} variables are told of.")
