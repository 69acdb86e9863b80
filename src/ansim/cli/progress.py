"""A progress bar for work that names its next step and the share that is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def showing(what: str) -> Iterator[Callable[[str, float], None]]:
    """Give a function (name of the next step, share from 0 to 1) that moves the bar; on standard error."""
    percent = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda name, share: progress.update(task, description=f"{what}: {name}", completed=share)
        progress.update(task, completed=1.0)
