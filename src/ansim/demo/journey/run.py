"""Plays the journey: stage after stage, one line each, a report at the end."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ansim.demo import start
from ansim.demo.journey import report as paper
from ansim.demo.journey.promises import Played
from ansim.demo.journey.stages import STAGES
from ansim.demo.journey.world import Journey
from ansim.demo.processes import Running, hold


def command(
    folder: Path | None, port: int, scale: float, *, keep: bool, report: Path, stages: tuple[int, int] = (1, 99)
) -> bool:
    """`ansim journey`: whether every promise held. Without a folder the nation is a fresh one, and forgotten after."""
    console = Console()
    place = folder or Path(tempfile.mkdtemp(prefix="ansim-journey-"))
    try:
        played = play(place, port=port, scale=scale, report=report, stages=stages, console=console)
    finally:
        if folder is None and not keep:
            shutil.rmtree(place, ignore_errors=True)
        elif folder is None:
            console.print(f"The nation is kept in [bold]{place}[/].")
    return bool(played) and all(each.held for each in played)


def play(
    folder: Path,
    *,
    port: int,
    scale: float,
    report: Path | None = None,
    stages: tuple[int, int] = (1, 99),
    console: Console | None = None,
    running: Running | None = None,
) -> list[Played]:
    """Play the stages from the first to the last named in the nation of this folder; gives them as played.

    A nation that runs already (`ansim demo`, or the processes in `running`) is used as it is and left running; else it
    is founded and started, and stopped at the end. The report is written in any case.
    """
    console = console or Console()
    began = time.monotonic()
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("…")

        def tell(text: str) -> None:
            progress.update(task, description=text)

        nation = start.nation_of(folder, port)
        running = running or Running(nation)
        own = not (running.processes or (nation.exists() and start.is_running(nation)))
        held = hold(nation) if own else None
        journey = Journey(nation, running, tell)
        try:
            if held:
                running.end_left_over()
                start.bring_up(nation, running, scale, tell)
            if stages[0] > 1:
                journey.load()
            play_stages(journey, stages, lambda played: _line(progress.console, played))
        finally:
            journey.close()
            if held:
                tell("the nation stops")
                running.stop()
                held.close()
    if report:
        paper.write(report, journey, time.monotonic() - began)
        console.print(f"Report: [bold]{report}[/]")
    return journey.played


def play_stages(journey: Journey, stages: tuple[int, int], done: Callable[[Played], None]) -> None:
    """Stages in order, until one cannot be played to its end."""
    first, last = stages
    for stage in STAGES:
        if first <= stage.number <= last:
            journey.tell(f"{stage.number} {stage.en}")
            played = stage.run(journey)
            done(played)
            if played.broken_off:
                return


def _line(console: Console, played: Played) -> None:
    """What happened in one line, and each promise that was broken below it."""
    mark = "[green]✓[/]" if played.held else "[bold red]✗[/]"
    took = f"[dim]({len(played.promises)} promises, {played.seconds:.1f} s)[/]"
    console.print(f"{mark} [bold]{played.number:>2} {played.en}[/] · {escape(played.story)} {took}", highlight=False)
    for promise in played.promises:
        if not promise.held:
            console.print(
                f"     [red]broken:[/] {escape(promise.text)} [dim]{escape(promise.detail)}[/]", highlight=False
            )
