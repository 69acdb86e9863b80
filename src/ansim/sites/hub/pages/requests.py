"""Requests and applications across hospitals: who must act next and by when."""

from datetime import date, datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.core import civil_day
from ansim.sites import clock, people
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.store.models import Record
from ansim.sites.web.parts import Answer, Column, Fact, Link, Progress, ProgressRow, Step, Table, Tag
from ansim.sites.wording import APPLICATION, OFFICES, STATUS, area_names, called, day, named, tag

NAVIGATION = [(40, _("Requests"), "/requests/", {"researcher", "coordinator"}, None)]

SHOWN = 50  # requests on a page
MOST = 200  # that a program gets at once, newest first
STAGES = [_("Reply"), _("Screening"), _("Board"), _("Agreement"), _("Preparation"), _("Open")]
# In which column of the matrix a holder's state stands.
COLUMN = {
    "received": 1,
    "screening": 1,
    "returned": 1,
    "board": 2,
    "approved": 2,
    "rejected": 2,
    "agreement": 3,
    "preparing": 4,
    "open": 5,
    "closed": 5,
}


def _mine(request: HttpRequest) -> Any:
    rows = Record.objects.filter(kind="request").order_by("-updated")
    if "coordinator" in people.roles(request.user):
        return rows
    return rows.filter(data__person=request.user.get_username(), data__organisation=request.user.last_name)


def matrix(holders: dict[str, dict], today: date) -> Progress:
    """The case across hospitals: a row each, a column a stage."""
    rows = []
    for holder, entry in holders.items():
        reached = COLUMN.get(entry["status"], 0)
        late = bool(entry["due"]) and date.fromisoformat(entry["due"][:10]) < today
        steps: list[Step | None] = [
            Step(Tag(_("Done"), "success")) if column < reached else None for column in range(len(STAGES))
        ]
        steps[reached] = Step(
            tag(STATUS, entry["status"]), date.fromisoformat(entry["due"][:10]) if entry["due"] else None, late
        )
        rows.append(
            ProgressRow(called(holder), steps, waiting_on=OFFICES.get(entry["waiting_on"], entry["waiting_on"]))
        )
    return Progress(_("Where each hospital stands"), STAGES, rows)


@page("researcher", "coordinator")
def listing(request: HttpRequest) -> Page:
    found = Paginator(_mine(request), SHOWN).get_page(request.GET.get("page"))
    rows = list(found)
    if not rows:
        empty = Empty(
            _("No requests yet"),
            _("Requests are written and signed at your organisation's desk; here you see where they stand."),
        )
        return Page(_("Requests"), [Section("", [empty])], {"requests": []})
    table = Table(
        _("Requests"),
        [Column(_("Study")), Column(_("Area of research")), Column(_("Hospitals"), number=True), Column(_("Opened"))],
        [
            [
                Link(row.data["title"], f"/requests/{row.key}/"),
                area_names(row.data["areas"]),
                len(row.data["holders"]),
                datetime.fromisoformat(row.data["opened"]),
            ]
            for row in rows
        ],
    )
    keys = list(_mine(request).values_list("key", flat=True)[:MOST])
    return Page(_("Requests"), [Section("", [table])], {"requests": keys}, shown={"found": found})


@page("researcher", "coordinator")
def detail(request: HttpRequest, key: str) -> Page:
    found = _mine(request).filter(key=key).first()
    if found is None:
        raise Problem("no-request", N_("There is no such request of yours."))
    holders = found.data["holders"]
    pending = {
        name: entry
        for name, entry in holders.items()
        if entry["waiting_on"] and entry["status"] not in {"closed", "unwilling", "rejected"}
    }
    due = min((entry["due"][:10] for entry in pending.values() if entry["due"]), default="")
    application = Record.objects.filter(kind="application", key=key).first()
    facts = [
        Fact(_("Area of research"), area_names(found.data["areas"])),
        Fact(_("Organisation"), called(found.data["organisation"])),
        Fact(_("Opened"), datetime.fromisoformat(found.data["opened"])),
        Fact(_("Application"), found.data["application"] or _("Not sent yet")),
    ]
    if public := found.data.get("public"):
        facts.append(Fact(_("Period asked for"), f"{public['not_before']} – {public['not_after']}"))
    today = civil_day(clock.now())
    return Page(
        found.data["title"],
        [
            Section(_("Where each hospital stands"), [matrix(holders, today)]),
            Section(_("What this is"), [facts]),
        ],
        {"request": {**found.data}, "application": application.data if application else None},
        answer=Answer(
            tag(APPLICATION, application.data["status"]) if application else Tag(_("Asked"), "info"),
            who=", ".join(named(name) for name in pending),
            by=date.fromisoformat(due) if due else None,
            since=day(min((entry["since"] for entry in pending.values() if entry["since"]), default="")),
            late=bool(due) and date.fromisoformat(due) < today,
            text=_("Cohort, protocol and people travel sealed from desk to hospital; this portal cannot read them."),
        ),
        over=_("Request to several hospitals"),
        trail=[Link(_("Requests"), "/requests/")],
    )


urlpatterns = [path("requests/", listing), path("requests/<str:key>/", detail), path("applications/<str:key>/", detail)]
