"""The public register: which agreements are in force, what was released, what was closed. For anybody."""

import csv
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.documents import canonical
from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.hub.pages import comments
from ansim.sites.pages import Empty, Page, Section, Text, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Answer, Clock, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import area_names, called, named

NAVIGATION: list = [(60, _("Public register"), "/register/", set(), None)]
DIFFERS = Tag(_("Reports differ"), "warning")
LONGEST = 5000  # characters of a lay summary
SAID = {
    "version": _("Version"),
    "title": _("Title"),
    "areas": _("Area of research"),
    "user": _("Research organisation"),
    "holders": _("Hospitals and public bodies"),
    "digest": _("Terms"),
}
TAGS = {
    "agreement": Tag(_("Agreement"), "info"),
    "release": Tag(_("Release"), "success"),
    "release-revoked": Tag(_("Release taken back"), "danger"),
    "closed": Tag(_("Closed"), "neutral"),
}


def entries() -> list[dict]:
    return [
        {**found.data, "kind": found.status} for found in Record.objects.filter(kind="register").order_by("-updated")
    ]


def _stage_days() -> list[Clock]:
    """Working stages of the agreements: days from the request's opening to now or to its end."""
    rows = []
    for found in Record.objects.filter(kind="request")[:50]:
        opened = datetime.fromisoformat(found.data["opened"])
        rows.append(Clock(found.data["title"], round((clock.now() - opened).total_seconds() / 86400, 1), 100))
    return rows


@page(public=True)
def register(request: HttpRequest) -> Page:
    found = entries()
    if not found:
        return Page(
            _("Public register"),
            [
                Section(
                    "",
                    [
                        Empty(
                            _("Nothing registered yet"),
                            _("Agreements, releases and closures will stand here for everybody to read."),
                        )
                    ],
                )
            ],
            {"entries": []},
        )
    table = Table(
        _("Entries"),
        [
            Column(_("Kind")),
            Column(_("What")),
            Column(_("Area of research")),
            Column(_("Reported by")),
            Column(_("When")),
        ],
        [
            [
                [TAGS[entry["kind"]], *([DIFFERS] if entry.get("differs") else [])],
                Link(entry.get("title", entry["id"]), f"/agreements/{entry.get('agreement', entry['id'])}/"),
                area_names(entry.get("areas", [])),
                ", ".join(named(each) for each in entry["said_by"]),
                datetime.fromisoformat(entry["at"]),
            ]
            for entry in found
        ],
    )
    return Page(
        _("Public register"),
        [Section("", [table])],
        {"entries": found, "days": [c.used for c in _stage_days()]},
        lead=_("How medical data are used: for what, by whom, with which result."),
        answer=None,
    )


def register_csv(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": "attachment; filename=register.csv"}
    )
    response.write("\ufeff")  # spreadsheets read Korean then
    out = csv.writer(response)
    out.writerow(["kind", "id", "title", "areas", "reported by", "at"])
    for entry in entries():
        title = phrase(entry.get("title", ""))
        safe = f"'{title}" if title[:1] in "=+-@" else title  # a spreadsheet must not run it
        out.writerow(
            [
                entry["kind"],
                entry["id"],
                safe,
                " ".join(entry.get("areas", [])),
                " ".join(entry["said_by"]),
                entry["at"],
            ]
        )
    return response


@page(public=True)
def agreement(request: HttpRequest, key: str) -> Page:
    """One agreement, as far as it is public."""
    mine = [entry for entry in entries() if key in (entry["id"], entry.get("agreement"))]
    made = next((entry for entry in mine if entry["kind"] == "agreement"), None)
    if made is None:
        raise Problem("no-agreement", N_("There is no such agreement in the register."))
    closed = any(entry["kind"] == "closed" for entry in mine)
    facts = [
        Fact(_("Research organisation"), called(made.get("user", ""))),
        Fact(
            _("Hospitals and public bodies"),
            ", ".join(named(each) for each in made.get("holders", [])),
        ),
        Fact(_("Area of research"), area_names(made.get("areas", []))),
        Fact(_("Period"), f"{made.get('not_before', '')} – {made.get('not_after', '')}"),
        Fact(_("Version"), made.get("version")),
        Fact(_("Terms"), Code(made.get("digest", ""), 16), note=_("SHA-256 of the terms that every party signed")),
        Fact(_("In force at"), ", ".join(named(each) for each in made["said_by"])),
    ]
    releases = [entry for entry in mine if entry["kind"] == "release"]
    revoked = {entry["id"] for entry in mine if entry["kind"] == "release-revoked"}
    table = Table(
        _("Released results"),
        [Column(_("Release")), Column(_("Files"), number=True), Column(_("When")), Column(_("State"))],
        [
            [
                Code(entry["id"]),
                len(entry.get("files", [])),
                datetime.fromisoformat(entry["at"]),
                TAGS["release-revoked" if entry["id"] in revoked else "release"],
            ]
            for entry in releases
        ],
    )
    state = Tag(_("Closed"), "neutral") if closed else Tag(_("In force"), "success")
    return Page(
        made.get("title", key),
        [
            *([Section(_("In plain words"), [Text(made["summary"])])] if _both(made.get("summary")) else []),
            Section(_("Agreement"), [facts]),
            *_differences(made),
            Section(_("Releases"), [table] if releases else [Empty(_("Nothing released yet"))]),
            *comments.section(request, key),
        ],
        {
            "agreement": made,
            "releases": releases,
            "revoked": sorted(revoked),
            "closed": closed,
            "comments": comments.of(key),
        },
        answer=Answer(state),
        trail=[Link(_("Public register"), "/register/")],
        over=_("Research agreement"),
    )


def _both(summary: Any) -> bool:
    """A summary in both languages, as texts of a length that a page can show."""
    return isinstance(summary, dict) and all(
        isinstance(summary.get(code), str) and 0 < len(summary[code]) <= LONGEST for code in ("ko", "en")
    )


def _differences(entry: dict) -> list[Section]:
    """Where the sites' words about one agreement are not the same: side by side, nobody's word over the others'."""
    if not entry.get("differs"):
        return []
    words = entry["words"]
    odd = [name for name in SAID if len({canonical(word.get(name)) for word in words.values()}) > 1]
    rows = [[named(site), *(_said(name, word.get(name)) for name in odd)] for site, word in sorted(words.items())]
    note = _("Each site enters its own word. After a change of an agreement they differ until all have entered it.")
    columns = [Column(_("Reported by")), *(Column(SAID[name]) for name in odd)]
    table = Table(_("Where the reports differ"), columns, rows, note=note, hide_caption=True)
    return [Section(_("Where the reports differ"), [table])]


def _said(name: str, value: Any) -> Any:
    if name == "areas":
        return area_names(value or [])
    if name == "holders":
        return ", ".join(named(each) for each in value or [])
    return called(value) if name == "user" else Code(value, 16) if name == "digest" and value else value


urlpatterns = [
    path("register/", register),
    path("register.csv", register_csv),
    path("agreements/<str:key>/comment/", comments.comment),
    path("agreements/<str:key>/", agreement),
]
