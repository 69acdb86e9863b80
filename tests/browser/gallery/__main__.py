"""``python -m gallery``: serves the gallery on a free port of this machine and prints its address.

A process of its own, because Django's settings are one a process and the tests of the sites have theirs.
"""

import os
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


os.environ["DJANGO_SETTINGS_MODULE"] = "gallery.settings"
from django.core.wsgi import get_wsgi_application  # noqa: E402

with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
