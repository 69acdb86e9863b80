"""The nation's processes: one a site, and the courier of the separated hospital; started, watched, stopped together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import httpx

from ansim.demo.nation import Nation
from ansim.errors import N_, Problem
from ansim.sites import fitness

SLOW = float(os.environ.get("ANSIM_SLOW", "1"))  # how much longer to be patient, on a machine that has much else to do


def answers(nation: Nation, site: str) -> bool:
    """Whether this very site of this nation answers."""
    try:
        return httpx.get(f"{nation.url(site)}/health/", timeout=2).json()["site"] == site
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def hold(nation: Nation) -> IO[str]:
    """The nation for one runner at a time, until the runner's process ends, however it ends. Raises Problem."""
    nation.folder.mkdir(parents=True, exist_ok=True)
    try:
        return fitness.lock(nation.folder, "runner.lock", seconds=1)
    except Problem as problem:
        raise Problem(
            "runs-already",
            N_("This nation runs already: {url}."),
            url=nation.url("hub"),
            remedy=N_("Open it, or stop it first."),
        ) from problem


class Running:
    """The processes of a nation that runs."""

    def __init__(self, nation: Nation):
        self.nation = nation
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, progress: Callable[[str], None] = lambda text: None, only: list[str] | None = None) -> None:
        """Start every site (or those named) and wait until each answers."""
        wanted = only or [place.id for place in self.nation.places]
        for site in wanted:
            self._spawn(site)
        for place in self.nation.places:
            if place.transport == "folder" and place.id in wanted:
                self._spawn(f"courier-{place.id}")
        for site in wanted:
            self.wait(site)
            progress(site)

    def revive(self) -> None:
        """Start again whatever has ended, without waiting for it."""
        for name in self.dead():
            self._spawn(name)

    def _spawn(self, name: str) -> None:
        """Start a site, or a separated site's courier (`courier-<site>`)."""
        verb, site = ("courier", name.removeprefix("courier-")) if name.startswith("courier-") else ("serve", name)
        command = [sys.executable, "-m", "ansim.cli.main", verb, str(self.nation.site(site))]
        if verb == "courier":
            command.append(self.nation.url("hub"))
        logs = self.nation.folder / "logs"
        logs.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "ANSIM_PASSPHRASE_FILE": str(self.nation.passphrase_file(name)),
            "PYTHONUNBUFFERED": "1",
        }
        with (logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        self._pid_file(name).write_text(str(self.processes[name].pid))

    def wait(self, site: str, seconds: float = 60) -> None:
        """Until the site answers; raises Problem with the place of its log if it does not."""
        until = time.monotonic() + seconds * SLOW
        while time.monotonic() < until:
            if self.processes[site].poll() is not None:
                break
            try:
                if httpx.get(f"{self.nation.url(site)}/health/", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        log = self.nation.folder / "logs" / f"{site}.log"
        tail = log.read_text("utf-8", "replace")[-1500:].replace("{", "{{").replace("}", "}}")
        raise Problem("not-started", N_("{site} did not start; its log says: ") + tail, site=site, where=str(log))

    def _pid_file(self, name: str) -> Path:
        return self.nation.folder / "logs" / f"{name}.pid"

    def kill(self, site: str) -> None:
        """SIGKILL, as a power cut would; also a process that `ansim demo` started and this one did not."""
        if site in self.processes:
            self.processes[site].send_signal(signal.SIGKILL)
            self.processes[site].wait()
        else:
            os.kill(int(self._pid_file(site).read_text()), signal.SIGKILL)

    def end_left_over(self, seconds: float = 10) -> list[str]:
        """Stop what an earlier run left running because it was killed itself; gives their names.

        Whoever calls this holds the nation's lock, so nobody else is looking after them.
        """
        left = {file.stem: int(file.read_text() or 0) for file in (self.nation.folder / "logs").glob("*.pid")}
        left = {name: pid for name, pid in left.items() if name not in self.processes and self.is_ours(name, pid)}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for name, pid in left.items():
                with contextlib.suppress(ProcessLookupError):
                    if self.is_ours(name, pid):
                        os.kill(pid, number)
            until = time.monotonic() + seconds
            while any(self.is_ours(*each) for each in left.items()) and time.monotonic() < until:
                time.sleep(0.05)
        return sorted(left)

    def is_ours(self, name: str, pid: int) -> bool:
        """Whether this process runs a site of this very nation: numbers of processes are used again."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return str(self.nation.site(name.removeprefix("courier-"))).encode() in command

    def dead(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
