"""What every page knows: the site's face, the person in force, the navigation.

A site says it by one setting, ``ANSIM_FACE = "module.function"``; the function takes the request and returns
``(Face, Actor | None, [NavItem, …])``. Views may override each of the three names in their own context.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

WATERMARKED = ("/workspaces/", "/outputs/")  # of a centre: a photograph of the screen says whose it was


def face(request: HttpRequest) -> dict[str, Any]:
    who_speaks = getattr(settings, "ANSIM_FACE", None)
    if who_speaks is None or not hasattr(request, "user"):  # refused before anybody was looked up: a wrong host name
        return {}
    site, actor, navigation = import_string(who_speaks)(request)
    marked = actor and site.kind == "centre" and request.path.startswith(WATERMARKED)
    mark = f"{request.user.get_username()} · {request.META.get('REMOTE_ADDR', '')}" if marked else ""
    return {"face": site, "actor": actor, "navigation": navigation, "watermark": mark}
