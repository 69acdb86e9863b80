"""The public register: which agreements are in force, what was released, what was closed. For anybody."""

import csv
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import clock
from ansim.sites.hub.pages.requests import names
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Answer, Clock, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import area_names

NAVIGATION: list = [(60, _("Public register"), "/register/", set(), None)]
TAGS = {
    "agreement": Tag(_("Agreement"), "info"),
    "release": Tag(_("Release"), "success"),
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
    found, called = entries(), names()
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
                TAGS[entry["kind"]],
                Link(entry.get("title", entry["id"]), f"/agreements/{entry.get('agreement', entry['id'])}/"),
                area_names(entry.get("areas", [])),
                ", ".join(phrase(called.get(each, each)) for each in entry["said_by"]),
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
    called = names()
    closed = any(entry["kind"] == "closed" for entry in mine)
    facts = [
        Fact(_("Research organisation"), called.get(made.get("user", ""), made.get("user", ""))),
        Fact(
            _("Hospitals and public bodies"),
            ", ".join(phrase(called.get(each, each)) for each in made.get("holders", [])),
        ),
        Fact(_("Area of research"), area_names(made.get("areas", []))),
        Fact(_("Period"), f"{made.get('not_before', '')} – {made.get('not_after', '')}"),
        Fact(_("Terms"), Code(made.get("digest", ""), 16), note=_("SHA-256 of the terms that every party signed")),
        Fact(_("In force at"), ", ".join(phrase(called.get(each, each)) for each in made["said_by"])),
    ]
    releases = [entry for entry in mine if entry["kind"] == "release"]
    table = Table(
        _("Released results"),
        [Column(_("Release")), Column(_("Files"), number=True), Column(_("When"))],
        [[Code(entry["id"]), len(entry.get("files", [])), datetime.fromisoformat(entry["at"])] for entry in releases],
    )
    state = Tag(_("Closed"), "neutral") if closed else Tag(_("In force"), "success")
    return Page(
        made.get("title", key),
        [
            Section(_("Agreement"), [facts]),
            Section(_("Releases"), [table] if releases else [Empty(_("Nothing released yet"))]),
        ],
        {"agreement": made, "releases": releases, "closed": closed},
        answer=Answer(state),
        trail=[Link(_("Public register"), "/register/")],
        over=_("Research agreement"),
    )


urlpatterns = [
    path("register/", register),
    path("register.csv", register_csv),
    path("agreements/<str:key>/", agreement),
]
