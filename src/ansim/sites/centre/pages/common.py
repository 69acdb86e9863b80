"""What the centre's pages share: who may look at a workspace, and how states are called."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ansim.governance.core import civil_day
from ansim.sites import clock, people
from ansim.sites.centre import agreements, workspaces
from ansim.sites.web.parts import Link, Tag
from ansim.sites.wording import WORKSPACE

STAFF = ("room", "checker", "senior", "exporter", "auditor")
OVER = Tag(_("Period over"), "danger")


def is_staff(request: HttpRequest) -> bool:
    return bool(people.roles(request.user) & set(STAFF))


def visit(request: HttpRequest, key: str, what: str) -> tuple[dict, dict, str]:
    """(workspace, terms, member): staff may look at any time, a researcher only as an admitted member."""
    space = workspaces.get(key)
    terms = agreements.terms(key)
    member = agreements.member_of(request.user.get_username(), terms)
    if not is_staff(request):
        agreements.admit(key, member, what)
    return space, terms, member


def mine(request: HttpRequest) -> list[dict]:
    """The workspaces that this person may see: staff all, a researcher those of agreements that name them."""
    found = workspaces.every()
    if is_staff(request):
        return found
    name = request.user.get_username()
    return [space for space in found if agreements.member_of(name, agreements.terms(space["id"])) != name]


def over(space: dict) -> bool:
    return date.fromisoformat(space["not_after"]) < civil_day(clock.now())


def state_of(space: dict) -> Tag:
    return OVER if space["status"] != "closed" and over(space) else WORKSPACE[space["status"]]


def when(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def trail(space: dict | None = None) -> list[Any]:
    start = [Link(_("Workspaces"), "/workspaces/")]
    return start + ([Link(space["title"], f"/workspaces/{space['id']}/")] if space else [])
