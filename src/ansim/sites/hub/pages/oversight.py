"""The dashboard of the ministry: a finding, a chart and the same numbers as a table, each also as CSV."""

import csv
from collections.abc import Callable, Iterable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.governance import areas
from ansim.sites.hub import oversight
from ansim.sites.hub.oversight import Stage
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Column, Fact, Link, Table
from ansim.sites.wording import OFFICES, STATUS, called, tag

READERS = ("ministry", "coordinator", "auditor")
NAVIGATION: list = [(70, _("Oversight"), "/oversight/", set(READERS), None)]


@page(*READERS)
def dashboard(request: HttpRequest) -> Page:
    stages, by_site = oversight.stages(), oversight.stages_by_site()
    sections = [
        Section(_("How long each stage takes"), _stages(stages)),
        Section(
            _("Stage by stage at each site"), [_by_site(by_site)] if by_site else [Empty(_("Nothing finished yet"))]
        ),
        Section(_("What was asked for"), [_areas()]),
        Section(_("Where it ended"), [_refusals()]),
        Section(_("Data used"), [_use()]),
        Section(_("Waiting now"), [_waiting()]),
        Section(
            _("As files"), [[Fact(title, Link("CSV", f"/oversight/{name}.csv")) for name, title in TITLES.items()]]
        ),
    ]
    data = {
        "stages": [_stage_row(one) for one in by_site or stages],
        "areas": oversight.requests_by_area(),
        "refusals": oversight.refusals(),
        "use": oversight.use(),
        "waiting": oversight.waiting(),
    }
    return Page(
        _("Oversight"),
        sections,
        data,
        lead=_(
            "Counted from the entries of the record ledger, in working days of Korea. Nobody types anything in here."
        ),
    )


def _stages(stages: list[Stage]) -> list[Any]:
    if not stages:
        return [Empty(_("Nothing finished yet"), _("Stages are counted when they end."))]
    slowest = max(stages, key=lambda one: one.days.median / max(one.allowed, 1))
    title = gettext("“{stage}” takes {days} working days, the middle of {count}; {allowed} are meant").format(
        stage=phrase(tag(STATUS, slowest.stage).word),
        days=f"{slowest.days.median:g}",
        count=slowest.days.count,
        allowed=slowest.allowed,
    )
    chart = charts.stage_days(title, [(tag(STATUS, one.stage).word, one.days.median, one.allowed) for one in stages])
    rows = [
        [tag(STATUS, one.stage), one.days.count, f"{one.days.median:g}", f"{one.days.p90:g}", one.allowed]
        for one in stages
    ]
    return [figure(chart, Table(_("Stages"), [Column(_("Stage")), *_figures()], rows))]


def _figures() -> list[Column]:
    unit = _("working days")
    return [
        Column(_("Finished"), number=True),
        Column(_("Median"), unit, number=True),
        Column(_("90th percentile"), unit, number=True),
        Column(_("Meant"), unit, number=True),
    ]


def _by_site(stages: list[Stage]) -> Table:
    rows = [
        [
            called(one.site),
            tag(STATUS, one.stage),
            one.days.count,
            f"{one.days.median:g}",
            f"{one.days.p90:g}",
            one.allowed,
        ]
        for one in stages
    ]
    columns = [Column(_("Hospital or public body")), Column(_("Stage")), *_figures()]
    return Table(_("Stages at each site"), columns, rows, hide_caption=True)


def _areas() -> Any:
    known = areas.tree()
    rows = [
        [known.get(area, {"ko": area, "en": area}), asked, applied]
        for area, asked, applied in oversight.requests_by_area()
    ]
    columns = [
        Column(_("Area of research")),
        Column(_("Requests"), number=True),
        Column(_("Applications"), number=True),
    ]
    return Table(_("Requests by area"), columns, rows, hide_caption=True) if rows else Empty(_("No requests yet"))


def _refusals() -> Any:
    rows = [[called(site), tag(STATUS, state), count] for site, state, count in oversight.refusals()]
    columns = [Column(_("Hospital or public body")), Column(_("State")), Column(_("Cases"), number=True)]
    note = _("The reasons in words stay with the hospitals and their applicants.")
    return Table(_("Where it ended"), columns, rows, note=note, hide_caption=True) if rows else Empty(_("No refusals"))


def _use() -> Any:
    rows = [[called(site), agreed, released] for site, agreed, released in oversight.use()]
    columns = [
        Column(_("Hospital or public body")),
        Column(_("Agreements"), number=True),
        Column(_("Results released"), number=True),
    ]
    return Table(_("Data used"), columns, rows, hide_caption=True) if rows else Empty(_("No agreements yet"))


def _waiting() -> Any:
    rows = [[OFFICES.get(office) or called(office), count] for office, count in oversight.waiting()]
    columns = [Column(_("Waiting on")), Column(_("Cases"), number=True)]
    return Table(_("Waiting now"), columns, rows, hide_caption=True) if rows else Empty(_("Nothing waits"))


def _stage_row(one: Stage) -> list[Any]:
    return [one.site, one.stage, one.days.count, one.days.median, one.days.p90, one.allowed]


TABLES: dict[str, tuple[tuple[str, ...], Callable[[], Iterable[Iterable[Any]]]]] = {
    "stages": (
        ("site", "stage", "finished", "median_days", "p90_days", "meant_days"),
        lambda: [_stage_row(one) for one in [*oversight.stages(), *oversight.stages_by_site()]],
    ),
    "areas": (("area", "requests", "applications"), oversight.requests_by_area),
    "refusals": (("site", "state", "cases"), oversight.refusals),
    "use": (("site", "agreements", "releases"), oversight.use),
    "waiting": (("office", "cases"), oversight.waiting),
}


TITLES = {
    "stages": _("Stages"),
    "areas": _("Requests by area"),
    "refusals": _("Where it ended"),
    "use": _("Data used"),
    "waiting": _("Waiting now"),
}


@page(*READERS)
def table(request: HttpRequest, name: str) -> HttpResponse:
    """A table of the dashboard as CSV, UTF-8 with a mark so that spreadsheets read the Korean in it."""
    if name not in TABLES:
        raise Http404
    head, rows = TABLES[name]
    response = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f"attachment; filename={name}.csv"}
    )
    response.write("\ufeff")
    out = csv.writer(response)
    out.writerow(head)
    out.writerows(rows())
    return response


urlpatterns = [path("oversight/", dashboard), path("oversight/<str:name>.csv", table)]
