"""`ansim quality`: how good a CDM is, check by check."""

from pathlib import Path
from typing import Annotated, Any

import typer


def quality(
    cdm: Annotated[Path, typer.Argument(help="a DuckDB file, or a TOML file that says where the CDM lives")],
    dqd: Annotated[Path | None, typer.Option(help="write the results as DataQualityDashboard's JSON")] = None,
    site_table: Annotated[Path | None, typer.Option(help="TOML: this site's thresholds and notes by check id")] = None,
    vocabulary: Annotated[bool, typer.Option("--vocabulary", help="check the vocabulary tables too")] = False,
    more: Annotated[bool, typer.Option("--more", help="look for what DQD does not: gaps, copies, identifiers")] = False,
    portrait: Annotated[Path | None, typer.Option(help="write this version in counts, for the next one")] = None,
    previous: Annotated[Path | None, typer.Option(help="the portrait of the version before: what changed?")] = None,
    other: Annotated[list[Path] | None, typer.Option(help="a portrait that another hospital shared")] = None,
    query: Annotated[Path | None, typer.Option(help="a query document: is the data fit for this study?")] = None,
    memory: Annotated[str, typer.Option(help="at most so much memory; the rest spills to disk")] = "4GB",
    worst: Annotated[int, typer.Option(help="how many broken checks to show")] = 15,
) -> None:
    """Run every check of OHDSI's DataQualityDashboard 2.8 for CDM 5.4.

    Example: ansim quality cdm.duckdb --dqd results.json

    Next year: ansim quality cdm.duckdb --portrait 2027.json --previous 2026.json

    A TOML file in place of the CDM names another engine: kind = "postgres", dsn = "…", schema = "cdm54"; or
    kind = "spark", schema = "cdm54". Exits with 0 when every check ran, whatever it found; with 1 when one could not.
    """
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import Progress

    from ansim.data.quality import ERROR, assess, checks, read_site_table
    from ansim.data.quality.dqd import as_dqd, source_of

    console = Console()
    chosen = checks(vocabulary=vocabulary, site=read_site_table(site_table) if site_table else None)
    before, others = _read(previous), [_read(path) for path in other or ()]
    study = _query(query)
    engine = engine_at(cdm, memory)
    started = datetime.now(UTC)
    try:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("", total=1.0)

            def progress(table: str, done: float) -> None:
                bar.update(task, description=table, completed=done)

            results = assess(engine, now=started, chosen=chosen, progress=progress)
            ended = datetime.now(UTC)
            if dqd:
                _write(dqd, as_dqd(results, started=started, ended=ended, source=source_of(engine)))
            beyond = more or portrait or before or others
            found = _beyond(engine, before, others, portrait, progress) if beyond else []
            fit = _fit(engine, study, results) if study else []
    finally:
        engine.close()
    _show(console, results, worst, (ended - started).total_seconds())
    if beyond:
        _show_findings(console, found)
    if study:
        _show_fitness(console, fit)
    if any(one.verdict == ERROR for one in results):
        raise typer.Exit(1)


def engine_at(cdm: Path, memory: str) -> Any:
    import tomllib

    from ansim.data.engine import open_engine

    if cdm.suffix == ".toml" and cdm.is_file():
        return open_engine(tomllib.loads(cdm.read_text("utf-8")))
    return open_engine({"path": str(cdm), "memory": memory})


def _read(path: Path | None) -> Any:
    """A portrait, or None without a path."""
    import json

    from ansim.data.quality.portrait import KIND
    from ansim.errors import N_, Problem

    if path is None:
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(
            "not-a-portrait", N_("This file cannot be read: {detail}"), where=str(path), detail=error
        ) from error
    if not isinstance(found, dict) or found.get("ansim") != KIND:
        raise Problem(
            "not-a-portrait", N_("This is not a portrait of a dataset."), where=str(path),
            remedy=N_("Give a file that 'ansim quality --portrait' wrote."),
        )  # fmt: skip
    return found


def _query(path: Path | None) -> Any:
    if path is None:
        return None
    import yaml

    from ansim.research.cohort.query import parse

    return parse(yaml.safe_load(path.read_text("utf-8"))).document()


def _write(path: Path, document: Any) -> None:
    """Whole or not at all."""
    import json

    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
    part.replace(path)


def _beyond(engine: Any, before: Any, others: list, path: Path | None, progress: Any) -> list:
    from ansim.data.quality.change import elsewhere, gaps, since
    from ansim.data.quality.oddities import oddities
    from ansim.data.quality.portrait import portrait

    drawn = portrait(engine, progress=progress)
    if path:
        _write(path, drawn)
    return [
        *(since(drawn, before) if before else ()),
        *gaps(drawn),
        *(elsewhere(drawn, others) if others else ()),
        *oddities(engine, progress=progress),
    ]


def _fit(engine: Any, study: Any, results: list) -> list:
    from ansim.data.quality.fit import fitness

    return fitness(engine, study, results)


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


def _show_findings(console: Any, found: list) -> None:
    from rich.table import Table

    from ansim.data.quality.findings import kinds

    table = Table("Finding", "Where", "About", "Rows", "Share", title=f"{len(found)} other findings")
    for one in found:
        where = ".".join(part for part in (one.table, one.field) if part)
        share = f"{100 * one.share:.1f} %" if one.of else ""
        table.add_row(kinds()[one.kind].title["en"], where, one.subject, f"{one.rows:,}", share)
    console.print(table if found else "Nothing else stands out.")


def _show_fitness(console: Any, fit: list) -> None:
    from rich.table import Table

    table = Table(
        "Need", "People", "Rows", "Filled", "From", "To", "Without rows", "Broken checks", title="For this study"
    )
    for one in fit:
        filled = f"{100 * one.filled / one.rows:.0f} %" if one.rows else ""
        absent = ", ".join(map(str, one.absent))
        days = [str(day or "") for day in (one.first, one.last)]
        table.add_row(one.need.name, f"{one.people:,}", f"{one.rows:,}", filled, *days, absent, str(len(one.broken)))
    console.print(table)
