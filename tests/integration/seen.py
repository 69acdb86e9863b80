"""Pages of the one site that runs in this process, as people see them: both languages, axe-core, a narrow phone."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from helpers import DESK, browser, check_page, save


@contextmanager
def served() -> Iterator[str]:
    """The site's pages over real sockets; gives the address."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()


def client(username: str, language: str = "en", **more: object):
    """A signed-in test client, with a fresh proof of identity."""
    import time

    from django.contrib.auth.models import User
    from django.test import Client

    found = Client(SERVER_NAME="localhost", headers={"accept-language": language}, **more)
    found.force_login(User.objects.get(username=username))
    session = found.session
    session["stepped_up"] = time.time()
    session.save()
    return found


def look(pages: list[tuple[str, str, str]]) -> None:
    """Each (picture's name, username, path) in Korean and English: no fault that axe-core or a narrow phone shows."""
    from django.conf import settings

    name_of = settings.SESSION_COOKIE_NAME
    keys = {who: client(who).cookies[name_of].value for _, who, _ in pages}  # before the driver's event loop runs here
    with served() as address, browser() as chromium:
        for name, username, path in pages:
            for language in ("ko", "en"):
                context = chromium.new_context(viewport=DESK, locale=language)  # type: ignore[arg-type]
                context.add_cookies([{"name": name_of, "value": keys[username], "url": address}])
                page = context.new_page()
                answer = page.goto(address + path)
                assert answer is not None
                assert answer.status == 200, (path, answer.status)
                save(page, f"{name}-{language}")
                check_page(page, keyboard=language == "ko")
                context.close()
