"""Who is signed in, and what they may do here.

A person's roles are groups of the site's own accounts; each act names the roles that may do it. Acts that bind others
(vote, sign, release, destroy) ask for a step-up: a fresh proof of identity within the last ten minutes.
"""

import time
from typing import Any

from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ansim.sites.config import site
from ansim.sites.web.parts import Actor, Face, NavItem

STEP_UP_SECONDS = 600

ROLES: dict[str, Any] = {
    # user desk
    "researcher": _("Researcher"),
    "legal": _("Legal officer"),
    # holder
    "steward": _("Data steward"),
    "operator": _("Pseudonymisation operator"),
    "reviewer": _("Adequacy reviewer"),
    "chair": _("Board chair"),
    "member": _("Board member"),
    "outsider": _("External board member"),
    "secretary": _("Board secretary"),
    "officer": _("Privacy officer"),
    "signatory": _("Signatory"),
    # centre
    "room": _("Room operator"),
    "checker": _("Output checker"),
    "exporter": _("Export reviewer"),
    # everywhere
    "auditor": _("Auditor"),
    "coordinator": _("National coordinator"),
    "admin": _("Site administrator"),
}


def add(username: str, name: str, password: str, roles: list[str], organisation: str = "") -> User:
    """An account with these roles; made again, it is updated."""
    user, _made = User.objects.get_or_create(username=username)
    user.first_name, user.last_name = name[:150], organisation[:150]
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


def roles(user: Any) -> set[str]:
    if not getattr(user, "is_authenticated", False):
        return set()
    if not hasattr(user, "_ansim_roles"):
        user._ansim_roles = set(user.groups.values_list("name", flat=True))
    return user._ansim_roles


def stepped_up(request: HttpRequest) -> bool:
    return time.time() - request.session.get("stepped_up", 0) < STEP_UP_SECONDS


def face(request: HttpRequest) -> tuple[Face, Actor | None, list[NavItem]]:
    """What every page shows of the site, the person, and where to go."""
    from ansim.sites.urls import navigation as entries_for

    here = site()
    user = request.user
    actor = None
    if user.is_authenticated:
        words = ", ".join(str(ROLES.get(role, role)) for role in sorted(roles(user)))
        actor = Actor(user.first_name or user.username, user.last_name, words)
    entries = entries_for(request) if actor or here.kind == "hub" else []
    navigation = [
        NavItem(label, url, current=request.path == url or (url != "/" and request.path.startswith(url)), count=count)
        for label, url, count in entries
    ]
    return Face(here.kind, here.name, here.demo), actor, navigation  # type: ignore[arg-type]
