"""The door for sites: /exchange/… is answered without what pages need (sessions, forms, languages, accounts).

Programs call it many times a second, and each caller is known by its signed ticket alone. A few threads answer and keep
their database connections; a long poll holds none of them while it waits.
"""

import asyncio
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve

log = logging.getLogger("ansim.exchange")
MAX_BODY = 64 * 1024 * 1024
PAGES_AT_ONCE = 16  # of one process: each takes a thread and a database connection; who comes then waits a moment
_threads = ThreadPoolExecutor(4, "exchange")


async def in_thread(function: Callable, *arguments: Any) -> Any:
    """The function's result, from a thread that keeps its database connection."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _kept, function, *arguments)


def _kept(function: Callable, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception:
        connection.close()  # it may be the connection that failed; the next call opens another
        raise


class Gate:
    """An ASGI application before another one."""

    def __init__(self, pages: Callable, at_once: int = PAGES_AT_ONCE):
        self._pages = pages
        self._room = asyncio.Semaphore(at_once)

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/exchange/"):
            async with self._room:
                await self._pages(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        if len(body) > MAX_BODY:
            await _send(send, HttpResponse(status=413))
            return
        answer = asyncio.ensure_future(_answer(ASGIRequest(scope, io.BytesIO(body))))
        gone = asyncio.ensure_future(receive())  # the caller hangs up
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if answer.done():
            await _send(send, answer.result())
        else:
            answer.cancel()


async def _body(receive: Callable) -> bytes | None:
    parts, size = [], 0
    while size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            break
    return b"".join(parts)


async def _answer(request: HttpRequest) -> HttpResponseBase:
    try:
        view, arguments, named = resolve(request.path_info)
        if asyncio.iscoroutinefunction(view):
            return await view(request, *arguments, **named)
        return await in_thread(lambda: view(request, *arguments, **named))
    except (Http404, Resolver404):
        return HttpResponse(status=404)
    except Exception as error:
        log.error("%s failed: %s", request.path_info, type(error).__name__)
        return HttpResponse(status=500)


async def _send(send: Callable, response: HttpResponseBase) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    body = getattr(response, "content", b"")
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
