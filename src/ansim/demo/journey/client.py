"""A person at a site, as a program: signs in, steps up when an act asks for it, and speaks JSON to the same pages."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx

from ansim.demo.processes import SLOW
from ansim.errors import N_, Problem
from ansim.sites.fitness import Unfit
from ansim.sites.keeper.client import Keeper

SECONDS = 120 * SLOW  # an act answers at once, but the machine may be busy


class Refused(Exception):
    """A site said no. `code` is its Problem's code, `message` its words, `data` the whole answer."""

    def __init__(self, where: str, status: int, data: dict):
        self.status, self.data = status, data
        self.code = str(data.get("code", status))
        self.message = str(data.get("message") or data)
        super().__init__(f"{where}: {status} {self.code}: {self.message}")


def patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again when the connection breaks or the site cannot act just now (503). Raises the last failure."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            answer = ask()
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


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


class Person:
    """One signed-in person at one site."""

    def __init__(self, url: str, site: str, name: str, password: str, language: str = "en"):
        self.site, self.name, self._password = site, name, password
        self._http = httpx.Client(
            base_url=url,
            timeout=SECONDS,
            headers={"Accept": "application/json", "Accept-Language": language, "Referer": f"{url}/"},
        )
        self.sign_in()

    def sign_in(self) -> None:
        self._patiently("GET", "/sign-in/", headers={"Accept": "text/html"})  # gives the CSRF cookie
        self._post("/sign-in/", {"username": self.name, "password": self._password})

    def get(self, path: str, **params: Any) -> dict:
        """A page's data. Raises Refused."""
        return self._data("GET", path, self._patiently("GET", path, params=params))

    def file(self, path: str) -> bytes:
        """A file that a page offers. Raises Refused."""
        answer = self._patiently("GET", path, headers={"Accept": "*/*"})
        if answer.status_code != 200:
            self._data("GET", path, answer)
        return answer.content

    def page(self, path: str, language: str = "ko") -> httpx.Response:
        """A page as a browser gets it."""
        return self._patiently("GET", path, headers={"Accept": "text/html", "Accept-Language": language})

    def do(self, path: str, **values: Any) -> dict:
        """An act; proves identity once more when the act asks for it. Raises Refused."""
        try:
            return self._post(path, values)
        except Refused as refused:
            if refused.code != "step-up":
                raise
        self._post("/step-up/", {"password": self._password})
        return self._post(path, values)

    def _post(self, path: str, values: dict) -> dict:
        headers = {"X-CSRFToken": self._token(), "Idempotency-Key": secrets.token_hex(16)}
        return self._data("POST", path, self._patiently("POST", path, json=values, headers=headers))

    def _patiently(self, method: str, path: str, **options: Any) -> httpx.Response:
        """With the same key each time: an act has one effect however often it arrives."""
        return patiently(lambda: self._http.request(method, path, **options))

    def _token(self) -> str:
        return next((value for name, value in self._http.cookies.items() if name.startswith("ansim_csrf")), "")

    def _data(self, method: str, path: str, answer: httpx.Response) -> dict:
        where = f"{method} {self.site}{path} as {self.name}"
        try:
            data = answer.json()
        except ValueError:
            data = {"message": answer.text[:300] if answer.status_code >= 400 else "not JSON"}
            if answer.status_code < 400:
                raise Problem("not-json", N_("{where} gave no JSON."), where=where) from None
        if answer.status_code >= 400:
            raise Refused(where, answer.status_code, data)
        return data

    def close(self) -> None:
        self._http.close()
