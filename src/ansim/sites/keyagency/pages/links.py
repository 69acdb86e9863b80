"""The key agency's pages: which linkages there are, whose keys have come, and how well they matched."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites.keyagency import links
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import percent
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import KEY_KINDS, LINKAGE, named

ROLES = ("operator", "admin", "auditor")
NAVIGATION = [(10, _("Linkages"), "/links/", set(ROLES), lambda request: _waiting())]


def _waiting() -> int:
    return Record.objects.filter(kind=links.KIND, status="waiting").count()


@page(*ROLES)
def listing(request: HttpRequest) -> Page:
    rows = links.every()
    data = {"links": [{"agreement": each["agreement"], "status": each["status"]} for each in rows]}
    lead = _(
        "Hospitals send numbers and match keys here, never data. The pairs go to the linker, then the keys are deleted."
    )
    if not rows:
        empty = Empty(_("No linkages yet"), _("The first keys come when a hospital sends its extract under a linkage."))
        return Page(_("Linkages"), [Section("", [empty])], data, lead=lead)
    table = Table(
        _("Linkages"),
        [
            Column(_("Agreement")),
            Column(_("State")),
            Column(_("Keys received")),
            Column(_("Linked people"), number=True),
        ],
        [
            [
                Link(each["agreement"], f"/links/{each['agreement']}/"),
                LINKAGE[each["status"]],
                f"{len(each['received'])}/{len(each['holders'])}",
                each["pairs"],
            ]
            for each in rows
        ],
        hide_caption=True,
    )
    return Page(_("Linkages"), [Section("", [table])], data, lead=lead)


@page(*ROLES)
def detail(request: HttpRequest, key: str) -> Page:
    found = Record.objects.filter(kind=links.KIND, key=key).first()
    if found is None:
        raise Problem("no-linkage", N_("There is no linkage {key} here."), key=key)
    data = found.data
    missing = [named(holder) for holder in data["holders"] if holder not in data["received"]]
    answer = Answer(
        LINKAGE[data["status"]],
        ", ".join(missing) if data["status"] == "waiting" else "",
        text=data.get("problem", ""),
    )
    facts = [
        Fact(_("Agreement"), Code(data["agreement"])),
        Fact(_("Linker"), named(data["linker"])),
        Fact(_("Linked people"), data["pairs"]),
    ]
    return Page(
        _("Linkage"),
        [Section("", [facts]), Section(_("Keys received"), [_received(data)]), *_rates(data)],
        {**data, "kept": sorted(file.name for file in links.folder(key).glob("*.json"))},
        answer=answer,
        trail=[Link(_("Linkages"), "/links/")],
    )


def _received(data: dict) -> Table:
    rows: list[list[Any]] = []
    for holder in data["holders"]:
        one = data["received"].get(holder)
        state = Tag(_("Received"), "success") if one else Tag(_("Not yet"), "info")
        rows.append([named(holder), state, one and one["people"], one and datetime.fromisoformat(one["at"])])
    columns = [Column(_("Hospital or body")), Column(_("State")), Column(_("People"), number=True), Column(_("When"))]
    return Table(_("Keys received"), columns, rows, hide_caption=True)


def _rates(data: dict) -> list[Section]:
    """How many matched, for each two holders and each kind of key."""
    sections = []
    for pair, report in data["rates"].items():
        if not isinstance(report, dict):
            continue
        one, other = pair.split("~")
        facts = [
            Fact(_("Matched"), report["matched"]),
            Fact(_("Share of the smaller list"), percent(report["match_rate_permille"] / 1000)),
        ]
        table = Table(
            gettext("{pair} by kind of key, most specific first").format(pair=f"{named(one)} – {named(other)}"),
            [Column(_("Key")), Column(_("Pairs"), number=True), Column(_("Ambiguous, left out"), number=True)],
            [
                [KEY_KINDS.get(kind, kind), count, report["ambiguous"][kind]]
                for kind, count in report["by_kind"].items()
            ],
        )
        sections.append(Section(f"{named(one)} · {named(other)}", [facts, table]))
    return sections


urlpatterns = [path("", listing), path("links/", listing), path("links/<slug:key>/", detail)]
