"""Signed in at a site, as a program: the same pages and acts as a person's, as JSON."""

import secrets
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from ansim.errors import N_, Problem

SECONDS = 60.0
PAUSE = 0.3  # between tries while a site cannot be reached


class Refused(Exception):
    """A site said no. `code` is its Problem's code, `message` its words, `data` the whole answer."""

    def __init__(self, where: str, status: int, data: dict):
        self.status, self.data = status, data
        self.code = str(data.get("code", status))
        self.message = str(data.get("message") or data)
        super().__init__(f"{where}: {status} {self.code}: {self.message}")

    @property
    def fields(self) -> dict[str, str]:
        """field -> what is wrong with it, when the site named fields"""
        return {each["where"]: each["message"] for each in self.data.get("problems", [self.data]) if each.get("where")}


class Overdue(Exception):
    """What was waited for did not come in time; it may still come."""


def patiently(ask: Callable[[], httpx.Response], seconds: float = SECONDS) -> httpx.Response:
    """Ask again when the connection breaks or the site cannot act just now (503). Raises the last failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)


def wait(look: Callable[[], Any], seconds: float, what: str, pause: float = 1.0) -> Any:
    """What `look` gives once it is true. Raises Overdue after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Overdue(f"{what}: not within {seconds:g} s")
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
    return found


class Session:
    """One signed-in person at one site.

    code: gives a fresh code of the second factor when the site asks for one. language: of messages, "ko" or "en".
    seconds: how long to be patient with a site that does not answer. transport: httpx's, for tests and proxies.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        code: Callable[[], str] | None = None,
        language: str = "ko",
        seconds: float = SECONDS,
        transport: httpx.BaseTransport | None = None,
    ):
        self.username, self._password, self._code, self._seconds = username, password, code, seconds
        self._http = httpx.Client(
            base_url=url,
            timeout=seconds,
            transport=transport,
            headers={"Accept": "application/json", "Accept-Language": language, "Referer": f"{url}/"},
        )
        self.sign_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget the session here; `sign_out` ends it at the site too."""
        self._http.close()

    def sign_in(self) -> None:
        self._patiently("GET", "/sign-in/", headers={"Accept": "text/html"})  # gives the CSRF cookie
        self._post("/sign-in/", {"username": self.username, "password": self._password, **self._second()})

    def sign_out(self) -> None:
        self._post("/sign-out/", {})
        self.close()

    def _second(self) -> dict[str, str]:
        return {"code": self._code()} if self._code else {}

    def get(self, path: str, **params: Any) -> dict:
        """A page's data. Raises Refused."""
        return self._data("GET", path, self._patiently("GET", path, params=params))

    def file(self, path: str) -> bytes:
        """A file that a page offers. Raises Refused."""
        answer = self._patiently("GET", path, headers={"Accept": "*/*"})
        if answer.status_code != 200:
            self._data("GET", path, answer)
        return answer.content

    def do(self, path: str, **values: Any) -> dict:
        """An act; proves identity once more when the act asks for it. Raises Refused."""
        return self._stepping_up(lambda: self._post(path, values))

    def send_file(self, path: str, field: str, name: str, content: bytes, values: Mapping[str, Any]) -> dict:
        """A form with a file in `field`. Raises Refused."""

        def send() -> dict:
            files, headers = {field: (name, content)}, self._headers()
            return self._data("POST", path, self._http.post(path, data=values, files=files, headers=headers))

        return self._stepping_up(send)

    def _stepping_up(self, act: Callable[[], dict]) -> dict:
        try:
            return act()
        except Refused as refused:
            if refused.code != "step-up":
                raise
        self._post("/step-up/", {"password": self._password, **self._second()})
        return act()

    def _post(self, path: str, values: Mapping[str, Any]) -> dict:
        headers = {**self._headers(), "Idempotency-Key": secrets.token_hex(16)}
        return self._data("POST", path, self._patiently("POST", path, json=values, headers=headers))

    def _headers(self) -> dict[str, str]:
        token = next((value for name, value in self._http.cookies.items() if name.startswith("ansim_csrf")), "")
        return {"X-CSRFToken": token}

    def _patiently(self, method: str, path: str, **options: Any) -> httpx.Response:
        """With the same key each time: an act has one effect however often it arrives."""
        return patiently(lambda: self._http.request(method, path, **options), self._seconds)

    def _data(self, method: str, path: str, answer: httpx.Response) -> dict:
        where = f"{method} {path} as {self.username}"
        try:
            data = answer.json()
        except ValueError:
            if answer.status_code < 400:
                raise Problem("not-json", N_("{where} gave no JSON."), where=where) from None
            data = {"message": answer.text[:300]}
        if answer.status_code >= 400:
            raise Refused(where, answer.status_code, data)
        return data
