"""The synthetic twin of a workspace's data, for writing scripts outside."""

import io
import tempfile
import zipfile
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.urls import path

from ansim.errors import N_, Problem
from ansim.privacy.deid import twin
from ansim.sites.centre import agreements, vault, workspaces
from ansim.sites.centre.pages import common
from ansim.sites.pages import page
from ansim.sites.store import ledger


@page("researcher")
def download(request: HttpRequest, key: str) -> HttpResponse:
    """A zip of the twin: the same tables, columns, types and codes as /data, and nobody's values."""
    space, terms, member = common.visit(request, key, "twin")
    if not workspaces.readable(space):
        raise Problem("not-open", N_("No data have been admitted to this workspace yet."))
    held = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="ansim-twin-") as folder, zipfile.ZipFile(held, "w") as archive:
        least = max(twin.MIN_PEOPLE, agreements.policy(terms).threshold)
        with vault.opened(key) as room:
            done = twin.make(room / "data", Path(folder) / "data", min_people=least)
        for name in done:
            archive.write(Path(folder) / "data" / name, f"data/{name}")
    ledger.note(f"workspace:{key}", "twin.made", actor=member, files=sorted(done), min_people=least)
    answer = HttpResponse(held.getvalue(), content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="twin.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


urlpatterns = [path("workspaces/<slug:key>/twin.zip", download)]
