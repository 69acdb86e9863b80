"""Bringing up the small nation: found it, make its data, start its processes; and `ansim demo` around that."""

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ansim.demo import datasets
from ansim.demo.journey.client import Person
from ansim.demo.journey.promises import until
from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running, answers, hold
from ansim.errors import N_, Problem

Tell = Callable[[str], None]
HOLDERS = [place.id for place in PLACES if place.kind == "holder"]


def nation_of(folder: Path, port: int) -> Nation:
    """The folder's nation; one that is there keeps the ports that it was founded with."""
    import tomllib

    file = folder / PLACES[0].id / "site.toml"
    if file.exists():
        port = tomllib.loads(file.read_text("utf-8"))["port"]
    return Nation(folder.resolve(), port)


def is_running(nation: Nation) -> bool:
    """Whether every site of this very nation answers."""
    return all(answers(nation, place.id) for place in PLACES)


def check_ports(nation: Nation) -> None:
    """Raises Problem naming the ports that somebody else listens on."""
    taken = []
    for place in PLACES:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", nation.port_of(place.id)))
            except OSError:
                taken.append(nation.port_of(place.id))
    if taken:
        raise Problem(
            "port-taken",
            N_("Ports that the nation needs are taken: {ports}."),
            remedy=N_("Stop what listens there, or choose others with --port."),
            ports=", ".join(map(str, taken)),
        )


def bring_up(nation: Nation, running: Running, scale: float, tell: Tell) -> None:
    """Found what is missing, make the data that are missing, and start all; data are made while sites start."""
    check_ports(nation)
    if not nation.exists():
        tell("keys, trust and accounts")
        nation.found()
    data = _Data(nation, scale, tell)
    data.start()
    try:
        running.start(tell)
    except BaseException:
        running.stop()
        raise
    data.wait()


class _Data(threading.Thread):
    """The holders' data, made beside the start of the processes; `data.json` says that they are whole."""

    def __init__(self, nation: Nation, scale: float, tell: Tell):
        super().__init__(daemon=True)
        self.nation, self.scale, self.tell = nation, scale, tell
        self.mark = nation.folder / "data.json"
        self.error: Exception | None = None

    def run(self) -> None:
        if self.mark.exists():
            return
        try:
            datasets.build(self.nation.folder, scale=self.scale, progress=lambda text: self.tell(f"data: {text}"))
            self.mark.write_text(json.dumps({"scale": self.scale}))
        except Exception as error:
            self.error = error

    def wait(self) -> None:
        """Until the data are there; raises what went wrong."""
        while self.is_alive():
            self.join(0.5)
        if self.error:
            raise self.error


def publish(nation: Nation, tell: Tell, seconds: float = 300) -> None:
    """Have the stewards publish what the hub's catalogue lacks, so that a visitor finds something there."""
    researcher = _sign_in(nation, "hub", "researcher")
    there = _holders_in(researcher)
    for holder in HOLDERS:
        if holder not in there:
            tell(f"{holder} publishes its data set")
            steward = _sign_in(nation, holder, f"steward-{holder.removeprefix('hospital-')[0]}")
            steward.do("/datasets/publish/")
    until(lambda: _holders_in(researcher) >= set(HOLDERS), seconds, "publishing of all data sets")


def _holders_in(researcher: Person) -> set[str]:
    return {found["holder"] for found in researcher.get("/catalogue/")["datasets"]}


def _sign_in(nation: Nation, site: str, name: str) -> Person:
    return Person(nation.url(site), site, name, nation.sign_ins[site][name])


def demo(folder: Path, *, port: int, scale: float, console: Console | None = None) -> None:
    """Run the nation until Ctrl-C or SIGTERM; what was made stays and is used again the next time."""
    console = console or Console()
    nation = nation_of(folder, port)
    held = hold(nation)
    running, stop = Running(nation), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _interrupt(stop))
    try:
        if left := running.end_left_over():
            console.print(f"An earlier run was killed and left sites running; they were stopped: {', '.join(left)}.")
        _start(nation, running, scale, console)
        _watch(nation, running, stop, console)
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # once is enough: stopping is under way
        with console.status("The nation stops …"):
            running.stop()
        held.close()
    console.print(f"Stopped. Everything is kept in [bold]{nation.folder}[/]; run it again to go on.")


def _interrupt(stop: threading.Event) -> None:
    stop.set()
    raise KeyboardInterrupt


def _start(nation: Nation, running: Running, scale: float, console: Console) -> None:
    began = time.monotonic()
    with Progress(
        SpinnerColumn(),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        steps = len(PLACES) + (0 if (nation.folder / "data.json").exists() else 6)
        task = progress.add_task("the nation starts", total=steps)

        def tell(text: str) -> None:
            progress.update(task, description=text, advance=1 if text in _PLACES or text.startswith("data:") else 0)

        bring_up(nation, running, scale, tell)
    console.print(_table(nation))
    console.print(f"[green]●[/] The nation runs after {time.monotonic() - began:.0f} s. Ctrl-C stops it.")
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("the catalogue is looked at")
        publish(nation, lambda text: progress.update(task, description=text))
    console.print("[green]●[/] Four data sets stand in the catalogue: " + f"{nation.url('hub')}/catalogue/")


_PLACES = {place.id for place in PLACES}


def _table(nation: Nation) -> Table:
    """Addresses, roles and sign-ins; one row a person, so that a password stands beside its name at any width."""
    table = Table(title="안심 Ansim: a small nation")
    table.add_column("Site · address · role", overflow="fold")
    for heading in ("Sign in as", "Password"):
        table.add_column(heading, no_wrap=True)
    sign_ins = nation.sign_ins
    for place in PLACES:
        table.add_row(f"[bold]{place.ko} · {place.en}[/]\n{nation.url(place.id)}")
        for name, (_who, roles) in place.people.items():
            table.add_row(f"  {', '.join(roles)}", name, sign_ins[place.id][name])
        table.add_section()
    return table


def _watch(nation: Nation, running: Running, stop: threading.Event, console: Console) -> None:
    """Until stopped; says when a process has ended by itself."""
    said: set[str] = set()
    while not stop.is_set():
        for name in set(running.dead()) - said:
            said.add(name)
            log = nation.folder / "logs" / f"{name}.log"
            console.print(f"[bold red]![/] {name} has ended; its log: {log}")
        with contextlib.suppress(InterruptedError):
            stop.wait(1)
