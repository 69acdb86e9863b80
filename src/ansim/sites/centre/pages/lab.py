"""Interactive work in a workspace: open it, work in it, hand files in, end it."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people
from ansim.sites.centre import desk, labs, labserver, workspaces
from ansim.sites.centre.pages import common
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, page, page_and_act
from ansim.sites.web.parts import Answer, Column, Fact, Link, Table, Tag

STATES = {"open": Tag(_("Open"), "success"), "ended": Tag(_("Ended"), "neutral")}
WHY = {
    "member": _("Ended by the member"),
    "idle": _("Nobody worked in it"),
    "limit": _("Its time was over"),
    "lost": _("The server ended"),
    "no longer allowed": _("Access ended"),
    "frozen": _("Frozen by the incident desk"),
}


@page("researcher", *common.STAFF)
def detail(request: HttpRequest, key: str) -> Page:
    space, _terms, member = common.visit(request, key, "lab")
    works = "researcher" in people.roles(request.user)
    held = labs.current(key, member) if works else None
    sections: list[Section] = []
    if works and workspaces.readable(space):
        sections.append(Section(_("JupyterLab"), _work(key, held)))
    sections.append(Section(_("Sessions"), [_sessions(key, "" if common.is_staff(request) else member)]))
    frame = f"{labserver.origin(request.get_host(), request.scheme or 'http')}/s/{held['id']}/lab" if held else ""
    data = {"session": held["id"] if held else "", "address": frame, "sessions": labs.of(key, member if works else "")}
    return Page(
        _("Interactive work"),
        sections,
        data,
        answer=Answer(STATES["open" if held else "ended"] if works else common.state_of(space)),
        lead=_("A notebook server in the sealed room: no network, read-only data, files leave as outputs only."),
        trail=common.trail(space),
        template="web/lab.html",
        shown={"frame": frame},
    )


def _work(key: str, held: dict | None) -> list[Any]:
    if not labs.offered():
        return [Empty(_("This centre offers scripts only"), _("JupyterLab is not installed, or has no address yet."))]
    if held is None:
        return [
            FormPart(None, f"/workspaces/{key}/lab/", _("Open JupyterLab"), text=_("It takes some seconds to start.")),
        ]
    return [
        Notice(_("What is shown on the screen is counted and on record; what leaves goes through the output check.")),
        FormPart(
            None,
            f"/workspaces/{key}/lab/hand-in/",
            _("Hand in the files of /work/out"),
            text=_("They become files of a run; ask for their release there."),
        ),
        FormPart(None, f"/workspaces/{key}/lab/end/", _("End the session"), text=_("Your files stay, sealed.")),
    ]


def _sessions(key: str, member: str) -> Any:
    found = labs.of(key, member)
    if not found:
        return Empty(_("No sessions yet"), _("Each session and what went through its door stands here."))
    rows = [
        [
            each["by"],
            STATES[each["status"]],
            common.when(each["opened"]),
            WHY.get(each.get("why", ""), ""),
            each.get("figures", {}).get("shown"),
            sum(each.get("figures", {}).get("refused", {}).values()) if each.get("figures") else None,
        ]
        for each in found
    ]
    columns = [
        Column(_("By")),
        Column(_("State")),
        Column(_("Opened")),
        Column(_("Why it ended")),
        Column(_("Bytes shown"), number=True),
        Column(_("Refused"), number=True),
    ]
    return Table(_("Sessions"), columns, rows)


@act("researcher")
def start(request: HttpRequest, key: str) -> Done:
    _space, _terms, member = common.visit(request, key, "lab")
    if not labs.offered():
        raise Problem(
            "no-lab",
            N_("This centre offers no interactive work."),
            remedy=N_("Run a script instead."),
        )
    desk.require(member, key, request.META.get("REMOTE_ADDR", ""))
    name = labs.start(key, member)
    return Done(f"/workspaces/{key}/lab/", _("JupyterLab is starting."), {"session": name})


@act("researcher")
def end(request: HttpRequest, key: str) -> Done:
    _space, _terms, member = common.visit(request, key, "lab")
    if held := labs.current(key, member):
        labs.stop(held["id"], "member")
    return Done(f"/workspaces/{key}/lab/", _("The session has ended; your files are kept, sealed."))


@act("researcher")
def hand_in(request: HttpRequest, key: str) -> Done:
    _space, _terms, member = common.visit(request, key, "lab")
    run = labs.hand_in(key, member)
    return Done(f"/workspaces/{key}/runs/{run}/", _("The files are here as a run's."), {"run": run})


def link(key: str) -> Link:
    return Link(_("Interactive work"), f"/workspaces/{key}/lab/")


def facts(key: str, status: str) -> list[Fact]:
    """For the workspace's page."""
    return [Fact(_("Interactive work"), link(key))] if status == "open" and labs.offered() else []


@functools.wraps(detail)
def framed(request: HttpRequest, key: str) -> HttpResponse:
    """The page may frame the notebooks' address and nothing else."""
    answer = detail(request, key)
    answer._csp_update = {"frame-src": [labserver.origin(request.get_host(), request.scheme or "http")]}
    return answer


urlpatterns = [
    path("workspaces/<slug:key>/lab/", page_and_act(framed, start)),
    path("workspaces/<slug:key>/lab/end/", end),
    path("workspaces/<slug:key>/lab/hand-in/", hand_in),
]
