"""Federated runs at this holder: which rounds were answered or refused, and why."""

from datetime import datetime

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.sites.holder import federated
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Code, Column, Table, Tag
from ansim.sites.wording import METHODS

ROLES = ("steward", "officer", "auditor")
NAVIGATION = [(70, _("Federated analyses"), "/federated/", set(ROLES), None)]
STATES = {
    "running": Tag(_("Answered"), "success"),
    "refused": Tag(_("Refused"), "danger"),
    "over": Tag(_("Agreement over"), "neutral"),
}


@page(*ROLES)
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind=federated.KIND).order_by("-updated")[:200]]
    shown = [{name: each[name] for name in _SHOWN} | {"rounds": each["rounds"]} for each in rows]
    lead = _("Only sums over people leave this site; each answer passes the site's own guard.")
    if not rows:
        text = _("They come when a member of a research agreement starts one at the agreed centre.")
        empty = Empty(_("No federated analyses yet"), text)
        return Page(_("Federated analyses"), [Section("", [empty])], {"runs": []}, lead=lead)
    table = Table(
        _("Federated analyses"),
        [
            Column(_("Analysis")),
            Column(_("Method")),
            Column(_("State")),
            Column(_("Rounds answered"), number=True),
            Column(_("Asked by")),
            Column(_("Begun")),
        ],
        [
            [
                phrase(each["title"]) or Code(each["id"], 12),
                METHODS.get(each["method"], each["method"]),
                STATES[each["status"]],
                each["rounds"],
                each["member"],
                datetime.fromisoformat(each["began"]),
            ]
            for each in rows
        ],
        note=_("Reasons of refusals stand under Extracts, with the other refused requests."),
        hide_caption=True,
    )
    return Page(_("Federated analyses"), [Section("", [table])], {"runs": shown}, lead=lead)


_SHOWN = ("id", "job", "agreement", "member", "method", "status", "round", "began")
urlpatterns = [path("federated/", listing)]
