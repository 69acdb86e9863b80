"""Charts as files of their own: the content security policy forbids inline styles, and images can be cached.

A chart's name is an HMAC of its content, so only someone who was shown the page can ask for the drawing.
"""

from __future__ import annotations

import hmac
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from ansim.documents import canonical
from ansim.sites.web import charts
from ansim.sites.web.parts import Figure, Table

NAME = re.compile(r"[0-9a-f]{64}")


def figure(chart: charts.Chart, table: Table | None = None, *, alt: Any = "", note: Any = "") -> Figure:
    """Draws the chart once in both schemes, keeps the files in the site's chart folder and returns its figure."""
    content = canonical([charts.edition(), chart.as_data()])
    name = hmac.new(settings.SECRET_KEY.encode(), content, "sha256").hexdigest()
    for scheme in charts.SCHEMES:
        path = folder() / f"{name}.{scheme}.svg"
        if not path.exists():
            _write(path, charts.draw(chart, scheme=scheme))
    light, dark = (reverse("chart", args=[name, scheme]) for scheme in ("light", "dark"))
    width, height = _size(folder() / f"{name}.light.svg")
    return Figure(chart.title, light, dark, alt or chart.title, table, note, width, height)


def drawn(title: Any, make: Callable[[str], str], *, alt: Any = "", note: Any = "") -> Figure:
    """A figure that is SVG text already; make: scheme ("light", "dark") to the drawing."""
    made = {scheme: make(scheme) for scheme in charts.SCHEMES}
    name = hmac.new(settings.SECRET_KEY.encode(), canonical(made), "sha256").hexdigest()
    for scheme, svg in made.items():
        path = folder() / f"{name}.{scheme}.svg"
        if not path.exists():
            _write(path, svg)
    light, dark = (reverse("chart", args=[name, scheme]) for scheme in ("light", "dark"))
    width, height = _size(folder() / f"{name}.light.svg")
    return Figure(title, light, dark, alt or title, None, note, width, height)


def folder() -> Path:
    """Where drawings are kept: ``ANSIM_CHARTS``; derived data, may be emptied at any time."""
    return Path(getattr(settings, "ANSIM_CHARTS", Path(tempfile.gettempdir()) / "ansim-charts"))


def drawing(request: HttpRequest, name: str, scheme: str) -> HttpResponse:
    path = folder() / f"{name}.{scheme}.svg"
    if scheme not in charts.SCHEMES or not NAME.fullmatch(name) or not path.exists():
        raise Http404
    response = HttpResponse(path.read_bytes(), content_type="image/svg+xml")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


def _size(path: Path) -> tuple[int, int]:
    """Width and height in px from the head of the drawing, so that the page does not jump when it arrives."""
    with path.open(encoding="utf-8") as file:
        head = file.read(600)
    width, height = (re.search(rf'\b{side}="([\d.]+)"', head) for side in ("width", "height"))
    if width is None or height is None:
        raise ValueError(f"{path} is no drawing with a size")
    return round(float(width.group(1))), round(float(height.group(1)))


def _write(path: Path, svg: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(svg, encoding="utf-8")
    partial.replace(path)
