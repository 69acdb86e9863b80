"""`ansim quality`: how good a CDM is, check by check."""

from pathlib import Path
from typing import Annotated, Any

import typer


def quality(
    cdm: Annotated[Path, typer.Argument(help="a DuckDB file, or a TOML file that says where the CDM lives")],
    dqd: Annotated[Path | None, typer.Option(help="write the results as DataQualityDashboard's JSON")] = None,
    site_table: Annotated[Path | None, typer.Option(help="TOML: this site's thresholds and notes by check id")] = None,
    vocabulary: Annotated[bool, typer.Option("--vocabulary", help="check the vocabulary tables too")] = False,
    memory: Annotated[str, typer.Option(help="at most so much memory; the rest spills to disk")] = "4GB",
    worst: Annotated[int, typer.Option(help="how many broken checks to show")] = 15,
) -> None:
    """Run every check of OHDSI's DataQualityDashboard 2.8 for CDM 5.4.

    Example: ansim quality cdm.duckdb --dqd results.json

    A TOML file in place of the CDM names another engine: kind = "postgres", dsn = "…", schema = "cdm54"; or
    kind = "spark", schema = "cdm54". Exits with 0 when every check ran, whatever it found; with 1 when one could not.
    """
    import json
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from ansim.data.quality import ERROR, assess, checks, read_site_table
    from ansim.data.quality.dqd import as_dqd, source_of

    console = Console()
    engine = engine_at(cdm, memory)
    started = datetime.now(UTC)
    try:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("", total=1.0)
            results = assess(
                engine,
                now=started,
                chosen=checks(vocabulary=vocabulary, site=read_site_table(site_table) if site_table else None),
                progress=lambda table, done: bar.update(task, description=table, completed=done),
            )
        source = source_of(engine)
    finally:
        engine.close()
    ended = datetime.now(UTC)
    if dqd:
        part = dqd.with_name(f".{dqd.name}.part")
        part.write_text(json.dumps(as_dqd(results, started=started, ended=ended, source=source), indent=1), "utf-8")
        part.replace(dqd)
    _show(console, results, worst, (ended - started).total_seconds())
    if any(one.verdict == ERROR for one in results):
        raise typer.Exit(1)


def engine_at(cdm: Path, memory: str) -> Any:
    import tomllib

    from ansim.data.engine import open_engine

    if cdm.suffix == ".toml" and cdm.is_file():
        return open_engine(tomllib.loads(cdm.read_text("utf-8")))
    return open_engine({"path": str(cdm), "memory": memory})


def _show(console: Any, results: list, worst: int, seconds: float) -> None:
    from rich.table import Table

    from ansim.data.quality import ERROR, FAIL, PASS

    failed = sorted((one for one in results if one.verdict == FAIL), key=lambda one: -one.share)
    if failed:
        table = Table("Check", "Where", "Rows", "Share", "Allowed", title=f"The worst of {len(failed)} broken checks")
        for one in failed[:worst]:
            where = ".".join(part for part in (one.check.table, one.check.field) if part)
            concepts = ", ".join(map(str, one.check.concepts))
            allowed = "0 %" if not one.check.threshold else f"{one.check.threshold:g} %"
            name = f"{one.type.title['en']} {concepts}".strip()
            table.add_row(name, where, f"{one.violated or 0:,}", f"{100 * one.share:.1f} %", allowed)
        console.print(table)
    counted = {verdict: sum(one.verdict == verdict for one in results) for verdict in (PASS, FAIL, ERROR)}
    nothing = len(results) - sum(counted.values())
    console.print(
        f"{len(results):,} checks in {seconds:.1f} s: {counted[PASS]:,} hold, {counted[FAIL]:,} are broken, "
        f"{counted[ERROR]:,} could not run, {nothing:,} had nothing to look at."
    )
    for one in results:
        if one.verdict == ERROR:
            console.print(f"[red]{one.id}[/]: {one.reason} is missing")
