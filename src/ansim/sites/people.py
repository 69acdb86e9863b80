"""Who is signed in, and what they may do here.

A person's roles are groups of the site's own accounts; each act names the roles that may do it. Acts that bind others
(vote, sign, release, destroy) ask for a step-up: a fresh proof of identity within the last ten minutes.
"""

import contextlib
import math
import time
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.core import civil_day
from ansim.sites import clock
from ansim.sites.config import site
from ansim.sites.fitness import Unfit
from ansim.sites.store.models import Record
from ansim.sites.web.parts import Actor, Face, NavItem
from ansim.sites.wording import called

STEP_UP_SECONDS = 600
ACCOUNT, DELEGATION = "account", "delegation"  # kinds of records (accounts.py)

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
    "senior": _("Senior output checker"),
    "exporter": _("Export reviewer"),
    # everywhere
    "auditor": _("Auditor"),
    "coordinator": _("National coordinator"),
    "ministry": _("Ministry"),
    "representative": _("Patient representative"),
    "adviser": _("Adviser"),
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


FREE_TRIES = 5
LONGEST_WAIT = 3600.0


def _tries(request: HttpRequest, username: str) -> tuple[str, int, float]:
    """(key, failures in a row, when the next try is allowed) of one name from one address, known or not."""
    about = f"{username.strip().casefold()}|{request.META.get('REMOTE_ADDR', '')}"
    key = salted_hmac("ansim.sign-in", about, algorithm="sha256").hexdigest()
    held = Record.objects.filter(kind="sign-in", key=key).values_list("data", flat=True).first() or {}
    return key, held.get("failures", 0), held.get("until", 0.0)


def admit(request: HttpRequest, username: str) -> None:
    """Refuse a try while earlier ones from the same address are too fresh; the answer tells nothing of the account."""
    _key, _failures, until = _tries(request, username)
    if time.time() < until:
        raise Problem(
            "too-many-tries",
            N_("Too many wrong passwords. Try again in {seconds} seconds."),
            seconds=math.ceil(until - time.time()),
        )


def tried(request: HttpRequest, username: str, *, succeeded: bool) -> None:
    """Count a try: from the fifth failure on, each doubles the wait (1 s, 2 s, ... an hour). A success forgets them.

    The ledger says who signed in, and when a known account was locked; never what was typed.
    """
    from ansim.sites.store import ledger

    with transaction.atomic():
        key, failures, _until = _tries(request, username)
        if succeeded:
            Record.objects.filter(kind="sign-in", key=key).delete()
            with contextlib.suppress(Unfit):  # who has to see what is wrong with the site may still look
                ledger.note("people", "person.signed-in", actor=username)
            return
        failures += 1
        wait = min(LONGEST_WAIT, 2.0 ** (failures - FREE_TRIES)) if failures >= FREE_TRIES else 0.0
        Record.objects.update_or_create(
            kind="sign-in",
            key=key,
            defaults={"data": {"failures": failures, "until": time.time() + wait}, "updated": ""},
        )
        if failures in {10, 20} and User.objects.filter(username=username).exists():
            with contextlib.suppress(Unfit):
                ledger.note("people", "person.locked-out", actor=username, failures=failures)


def roles(user: Any) -> set[str]:
    if not getattr(user, "is_authenticated", False):
        return set()
    if not hasattr(user, "_ansim_roles"):
        own = set(user.groups.values_list("name", flat=True))
        user._ansim_roles = _trained(user, own | _delegated(user))
    return user._ansim_roles


def _delegated(user: Any) -> set[str]:
    """Roles that others delegated, while they last and their giver's account is open and holds them."""
    found = Record.objects.filter(kind=DELEGATION, data__taker=user.username, data__until__gte=_today())
    rows = found.values_list("data__giver", "data__role")
    return {role for giver, role in rows if User.objects.filter(username=giver, is_active=True, groups__name=role)}


def _trained(user: Any, held: set[str]) -> set[str]:
    """Without the roles that need a training (setting `training` of [options]) when it is missing or over."""
    needing = held & set(site().options.get("training", ()))
    if not needing:
        return held
    known = Record.objects.filter(kind=ACCOUNT, key=user.username, data__training_until__gte=_today())
    return held if known.exists() else held - needing


def _today() -> str:
    return civil_day(clock.now()).isoformat()


def end_sessions(user: Any, but: str | None = None) -> None:
    """End this person's sessions here, all or all but one."""
    for session in Session.objects.exclude(session_key=but or ""):
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


def stepped_up(request: HttpRequest) -> bool:
    return time.time() - request.session.get("stepped_up", 0) < STEP_UP_SECONDS


def organisation(name: str) -> Any:
    """An organisation's name from the site directory, or as it stands when the directory is not usable."""
    try:
        return called(name)
    except Problem:
        return name


def face(request: HttpRequest) -> tuple[Face, Actor | None, list[NavItem]]:
    """What every page shows of the site, the person, and where to go."""
    from ansim.sites.urls import navigation as entries_for

    here = site()
    user = getattr(request, "user", None)  # a request refused early has none
    actor = None
    if user is not None and user.is_authenticated:
        words = ", ".join(str(ROLES.get(role, role)) for role in sorted(roles(user)))
        actor = Actor(user.first_name or user.username, organisation(user.last_name), words)
    entries = entries_for(request) if actor or here.kind == "hub" else []
    navigation = [
        NavItem(label, url, current=request.path == url or (url != "/" and request.path.startswith(url)), count=count)
        for label, url, count in entries
    ]
    return Face(here.kind, here.name, here.demo), actor, navigation  # type: ignore[arg-type]
