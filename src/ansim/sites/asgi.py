"""The site as an ASGI application; the worker starts with it."""

import importlib
import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ansim.sites.settings")

import django

warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume")  # static files are small
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402

from ansim.sites.exchange.gate import Gate  # noqa: E402

application = Gate(get_asgi_application())


def load_kind() -> None:
    """Import what this kind of site handles, so that its handlers, jobs and beats are known."""
    for name in ("transport", "witness", "missing"):
        importlib.import_module(f"ansim.sites.exchange.{name}")
    for name in ("watch", "restored"):
        importlib.import_module(f"ansim.sites.operate.{name}")
    importlib.import_module("ansim.sites.urls").kind_modules()
