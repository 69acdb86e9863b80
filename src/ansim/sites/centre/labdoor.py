"""The only way to a notebook server: an ASGI application on an address of its own.

On every request: the address and the Origin are ours, the route is on the list, and `enter` lets this person into this
session now (own session, membership, agreement, room). Cookies go neither in nor out. Programs of the page come from
the centre's own copy, never from the sandbox, whose answers are passed on as data; so a kernel that took its server
over can put no script of its own into a browser.
"""

import asyncio
import json
import logging
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import httpx

from ansim.errors import Problem
from ansim.sites.centre import labroutes
from ansim.sites.centre.labroutes import MOST_ANSWER, MOST_BODY, MOST_MESSAGE

log = logging.getLogger("ansim.lab")
RECHECK_SECONDS = 5.0
PROTOCOL = "v1.kernel.websocket.jupyter.org"
MEDIA = {"page": "text/html; charset=utf-8", "json": "application/json", "contents": "application/json"}


class Entered(Protocol):
    """A session that a person may use now."""

    socket: Path
    static: Path
    meter: "Meter"


@dataclass
class Meter:
    """What went through a door: for the record when the session ends."""

    requests: int = 0
    shown: int = 0  # bytes towards the browser
    messages: int = 0  # of kernels
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1


Enter = Callable[[str, str, str], Awaitable[Entered]]  # (cookie header, session's name, address); raises Problem


@dataclass(frozen=True)
class Door:
    """hosts: the host names that this centre has. portal: the origin of the pages that may frame it, from the host."""

    enter: Enter
    hosts: tuple[str, ...]
    portal: Callable[[str], str]

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] not in {"http", "websocket"}:
            return
        request = _Request(scope)
        try:
            if request.host.rpartition(":")[0] not in self.hosts:
                raise Problem("host", "not an address of this centre")
            method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
            if method not in {"GET", "HEAD"} and request.origin != f"{request.scheme}://{request.host}":
                raise Problem("origin", "asked for by another page")
            name, path = request.place()
            route = labroutes.find(method, path)
            if route is None:
                raise Problem("route", "no such route")
            entered = await self.enter(request.headers.get("cookie", ""), name, request.address)
        except Problem as problem:
            await _refuse(scope, receive, send, 404 if problem.code == "route" else 403)
            return
        entered.meter.requests += 1
        if route.kind == "channel":
            await self._channel(request, entered, name, receive, send)
            return
        status, media, body = await self._answer(request, entered, route.kind, path, receive)
        entered.meter.shown += len(body)
        await _send(send, status, media, body, self._headers(request, route.kind))

    async def _answer(
        self, request: "_Request", entered: Entered, kind: str, path: str, receive: Callable
    ) -> tuple[int, str, bytes]:
        if kind == "static":
            return _static(entered.static, path)
        body = await _body(receive)
        why = "size" if body is None else labroutes.refused_in(request.method, path, body) if kind == "contents" else ""
        if body is None or why:
            return _said(entered, why, 413 if why == "size" else 403)
        headers = {"host": "localhost", "content-type": "application/json", "accept": "*/*"}
        try:
            async with (
                httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(entered.socket)), timeout=60) as client,
                client.stream(
                    request.method, f"http://localhost{request.target}", content=body, headers=headers
                ) as found,
            ):
                answer = bytearray()
                async for block in found.aiter_bytes():
                    answer += block
                    if len(answer) > MOST_ANSWER:
                        return _said(entered, "size", 403)
        except httpx.HTTPError:
            return 502, MEDIA["json"], b'{"message": "The notebook server does not answer."}'
        if 300 <= found.status_code < 400:
            return _said(entered, "redirect", 404)
        if kind == "contents" and found.status_code < 300 and (why := labroutes.refused_out(bytes(answer))):
            return _said(entered, why, 403)
        return found.status_code, MEDIA[kind], bytes(answer)

    def _headers(self, request: "_Request", kind: str) -> list[tuple[str, str]]:
        """What the browser is told; Lab needs eval, and its own styles, and nothing else beyond its own address."""
        here = f"{'wss' if request.scheme == 'https' else 'ws'}://{request.host}"
        policy = (
            "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {here}; base-uri 'none'; "
            f"form-action 'none'; frame-ancestors {self.portal(request.host)}; "
            "sandbox allow-scripts allow-same-origin allow-forms allow-modals"
        )
        return [
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "clipboard-write=(), display-capture=()"),
            ("cache-control", "private, max-age=86400" if kind == "static" else "no-store"),
        ]

    async def _channel(
        self, request: "_Request", entered: Entered, name: str, receive: Callable, send: Callable
    ) -> None:
        from websockets.asyncio.client import unix_connect
        from websockets.exceptions import WebSocketException

        await receive()  # websocket.connect
        offered: Any = [PROTOCOL] if PROTOCOL in request.protocols else None
        try:
            inner = await unix_connect(
                str(entered.socket),
                f"ws://localhost{request.target}",
                subprotocols=offered,
                max_size=MOST_ANSWER,
                compression=None,
                open_timeout=30,
            )
        except (OSError, WebSocketException, TimeoutError) as error:
            log.warning("the notebook server took no connection: %s", type(error).__name__)
            await send({"type": "websocket.close", "code": 1011})
            return
        await send({"type": "websocket.accept", "subprotocol": inner.subprotocol})
        tasks = [
            asyncio.ensure_future(each)
            for each in (_inwards(receive, inner), _outwards(inner, send, entered), self._watch(request, name))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await inner.close()
        try:
            await send({"type": "websocket.close", "code": 1000})
        except RuntimeError:
            log.debug("the browser was gone already")

    async def _watch(self, request: "_Request", name: str) -> None:
        """Ends when the person may no longer be here."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await self.enter(request.headers.get("cookie", ""), name, request.address)
            except Problem:
                return


class _Request:
    """What the door looks at of a request."""

    def __init__(self, scope: dict):
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.host, self.origin = self.headers.get("host", ""), self.headers.get("origin", "")
        self.scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
        self.method = scope.get("method", "GET")
        self.address = (scope.get("client") or ("", 0))[0]
        self.protocols = scope.get("subprotocols", [])
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        self._raw, self.target = raw, raw + (f"?{query}" if query else "")

    def place(self) -> tuple[str, str]:
        """(session's name, decoded path below it). Raises Problem for any other address."""
        parts = self._raw.split("/", 3)
        if len(parts) < 4 or parts[:2] != ["", "s"] or "%2f" in self._raw.lower() or "%5c" in self._raw.lower():
            raise Problem("route", "no such route")
        return parts[2], unquote(parts[3])


async def _inwards(receive: Callable, inner: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        content = event.get("bytes") if event.get("bytes") is not None else event.get("text")
        if content is not None and len(content) <= MOST_BODY:
            await inner.send(content)


async def _outwards(inner: Any, send: Callable, entered: Entered) -> None:
    async for content in inner:
        size = len(content)
        if size > MOST_MESSAGE:
            entered.meter.refuse("message")
            continue
        entered.meter.messages += 1
        entered.meter.shown += size
        kind = "text" if isinstance(content, str) else "bytes"
        await send({"type": "websocket.send", kind: content})


def _static(packages: Path, path: str) -> tuple[int, str, bytes]:
    lab = packages / "share" / "jupyter" / "lab"
    below = path.removeprefix("static/lab/")
    file = lab / "static" / below if below != path else lab / "themes" / path.removeprefix("lab/api/themes/")
    if not file.is_file() or not file.resolve().is_relative_to(lab.resolve()):
        return 404, "text/plain", b""
    return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()


def _said(entered: Entered, why: str, status: int) -> tuple[int, str, bytes]:
    entered.meter.refuse(why)
    text = {
        "upload": "Files come in through the import check.",
        "binary": "This file is no text; read it from a notebook.",
        "ending": "Only notebooks and scripts are opened here; results leave through the output check.",
        "size": "This is larger than what is shown here.",
    }.get(why, "This is not passed on.")
    return status, MEDIA["json"], json.dumps({"message": text, "reason": why}).encode()


async def _body(receive: Callable) -> bytes | None:
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        body += event.get("body", b"")
        if len(body) > MOST_BODY:
            return None
        if not event.get("more_body"):
            return bytes(body)


async def _refuse(scope: dict, receive: Callable, send: Callable, status: int) -> None:
    """One answer for whoever may not: it tells nothing of sessions that there are."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403})
        return
    await _send(send, status, "text/plain", b"", [("x-content-type-options", "nosniff")])


async def _send(send: Callable, status: int, media: str, body: bytes, headers: list[tuple[str, str]]) -> None:
    head = [("content-type", media), ("content-length", str(len(body))), *headers]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in head],
        }
    )
    await send({"type": "http.response.body", "body": b"" if status == 204 else body})
