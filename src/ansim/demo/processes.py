"""The nation's processes: one a site, and the courier of the separated hospital; started, watched, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from ansim.demo.nation import PLACES, Nation
from ansim.errors import N_, Problem


class Running:
    """The processes of a nation that runs."""

    def __init__(self, nation: Nation):
        self.nation = nation
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, progress: Callable[[str], None] = lambda text: None, only: list[str] | None = None) -> None:
        """Start every site (or those named) and wait until each answers."""
        wanted = only or [place.id for place in PLACES]
        for site in wanted:
            self._spawn(site, [sys.executable, "-m", "ansim.cli.main", "serve", str(self.nation.site(site))])
        for place in PLACES:
            if place.transport == "folder" and place.id in wanted:
                hub = self.nation.url("hub")
                self._spawn(
                    f"courier-{place.id}",
                    [sys.executable, "-m", "ansim.cli.main", "courier", str(self.nation.site(place.id)), hub],
                )
        for site in wanted:
            self.wait(site)
            progress(site)

    def _spawn(self, name: str, command: list[str]) -> None:
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
        until = time.monotonic() + seconds
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
