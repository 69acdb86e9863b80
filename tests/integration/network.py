"""A hub, a hospital and a desk as processes on free ports, with every lever an attack needs: kill, start, ask."""

import contextlib
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from ansim.demo.nation import PLACES, Nation
from ansim.demo.processes import Running

SITES = ["hub", "hospital-a", "company-x"]


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody listens on."""
    for base in range(9740, 9990, count):
        held = []
        try:
            for port in range(base, base + count):
                held.append(socket.create_server(("127.0.0.1", port)))
            return base
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
    raise RuntimeError("no free ports")


class Person:
    """Somebody signed in at a site, as a program."""

    def __init__(self, url: str, username: str, password: str):
        self.client = httpx.Client(base_url=url, headers={"Accept": "application/json"}, timeout=30)
        self.client.get("/sign-in/", headers={"Accept": "text/html"})
        self.post("/sign-in/", username=username, password=password)

    def post(self, address: str, **values: Any) -> dict:
        token = next((value for name, value in self.client.cookies.items() if name.startswith("ansim_csrf")), "")
        answer = self.client.post(address, json=values, headers={"X-CSRFToken": token})
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    def get(self, address: str) -> dict:
        return self.client.get(address).raise_for_status().json()


class Network:
    def __init__(self, folder: Path):
        self.nation = Nation(folder, port=free_ports(len(PLACES)))
        self.nation.found(witness_seconds=0.5)
        self.running = Running(self.nation)
        self.people: dict[tuple[str, str], Person] = {}

    def start(self, *sites: str) -> None:
        self.running.start(only=list(sites or SITES))

    def person(self, site: str, username: str) -> Person:
        if (site, username) not in self.people:
            password = self.nation.sign_ins[site][username]
            self.people[site, username] = Person(self.nation.url(site), username, password)
        return self.people[site, username]

    def rows(self, site: str, query: str, *values: Any) -> list[tuple]:
        """What stands in a site's database, read beside it."""
        file = f"file:{self.nation.site(site)}/site.sqlite3?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True, timeout=30)) as database:
            return database.execute(query, values).fetchall()

    def health(self, site: str) -> dict:
        return httpx.get(f"{self.nation.url(site)}/health/", timeout=10).json()

    def until(self, fact: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < end, "it did not come to pass in time"
            time.sleep(0.05)

    def stop(self) -> None:
        for person in self.people.values():
            person.client.close()
        self.running.stop()
