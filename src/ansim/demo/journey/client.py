"""A person of the demo at a site, as a program; and a key process that may be killed at any time."""

import time
from functools import partial
from typing import Any

import httpx

from ansim.client import session
from ansim.client.session import Refused, Session
from ansim.demo.processes import SLOW
from ansim.sites.fitness import Unfit
from ansim.sites.keeper.client import Keeper

__all__ = ["PatientKeeper", "Person", "Refused", "patiently"]
SECONDS = 120 * SLOW  # an act answers at once, but the machine may be busy
patiently = partial(session.patiently, seconds=SECONDS)


class PatientKeeper(Keeper):
    """Waits for a key process that was just killed; every verb may be asked twice."""

    def call(self, verb: str, **arguments: Any) -> Any:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return super().call(verb, **arguments)
            except Unfit:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.3)


class Person(Session):
    """One signed-in person at one site of the nation."""

    def __init__(self, url: str, site: str, name: str, password: str, language: str = "en"):
        self.site, self.name = site, name
        super().__init__(url, name, password, language=language, seconds=SECONDS)

    def page(self, path: str, language: str = "ko") -> httpx.Response:
        """A page as a browser gets it."""
        return self._patiently("GET", path, headers={"Accept": "text/html", "Accept-Language": language})
