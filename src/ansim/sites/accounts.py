"""The accounts of a site: invited, given roles that go together, locked, reviewed each half year, erased.

What an account has beside Django's own columns stands in a record (kind "account"): training, last review, invitation.
Every change is on the ledger under the user name, which therefore should name nobody; the name of the person stands in
the account only and can be erased without touching the ledger.
"""

import hashlib
import secrets
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import constant_time_compare

from ansim.errors import N_, Problem
from ansim.governance.core import civil_day
from ansim.governance.separations import VOTERS, require_account
from ansim.sites import clock, people, second
from ansim.sites.config import ID
from ansim.sites.store import ledger
from ansim.sites.store.models import Record

KIND, DELEGATION = people.ACCOUNT, people.DELEGATION
REVIEWED_EACH = timedelta(days=183)
INVITED_FOR = timedelta(days=7)
DELEGATED_FOR = 30  # days at most
PERSONAL = {"admin", "auditor", *VOTERS}  # held by the person: not to be delegated


def get(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise Problem("no-account", N_("There is no account {username}."), username=username)
    return found


def facts(username: str) -> dict[str, Any]:
    """{training, training_until, reviewed, invitation, invited_until, erased}, as far as there are any."""
    found = Record.objects.filter(kind=KIND, key=username).first()
    return found.data if found else {}


def _note(username: str, event: str, by: str, told: dict[str, Any] | None = None, **changes: Any) -> None:
    ledger.record(KIND, username, {**facts(username), **changes})
    ledger.note("people", event, actor=by, of=username, **(told or {}))


def invite(username: str, name: str, organisation: str, roles: list[str], by: str) -> str:
    """A new account; gives the code with which its owner sets a password, within a week. Told this once."""
    if not ID.fullmatch(username):
        raise Problem("bad-id", N_("A user name is made of a-z, 0-9 and hyphens, at most 60."), where="username")
    _known(roles)
    require_account(roles)
    code = secrets.token_urlsafe(18)
    with transaction.atomic():
        if User.objects.filter(username=username).exists():
            raise Problem(
                "account-exists", N_("The user name {username} is taken."), where="username", username=username
            )
        user = User.objects.create_user(username, first_name=name[:150], last_name=organisation[:150])
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        until = (clock.now() + INVITED_FOR).isoformat()
        changes = {"invitation": _hash(code), "invited_until": until, "reviewed": _today().isoformat()}
        _note(username, "account.invited", by, {"roles": sorted(roles)}, **changes)
    return code


def accept(username: str, code: str, password: str) -> None:
    """The invited person sets the first password. One answer for all that is wrong with name or code."""
    held = facts(username)
    if not (
        held.get("invitation")
        and constant_time_compare(held["invitation"], _hash(code.strip()))
        and clock.iso(clock.now()) < held["invited_until"]
    ):
        raise Problem("no-invitation", N_("There is no such invitation, or it was used, or it is older than a week."))
    set_password(get(username), password)
    with transaction.atomic():
        _note(username, "account.accepted", username, invitation="", invited_until="")


def set_password(user: User, password: str) -> None:
    """Raises Problem for one that is too short or known; ends the person's sessions."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        words = " ".join(error.messages)
        raise Problem("weak-password", "{words}", where="password", words=words) from error
    user.set_password(password)
    user.save()
    people.end_sessions(user)


def set_roles(username: str, roles: list[str], by: str) -> None:
    """Other roles from now on. Nobody changes the own; one administrator stays."""
    user = get(username)
    _known(roles)
    _not_self(username, by)
    require_account(roles)
    before = sorted(user.groups.values_list("name", flat=True))
    with transaction.atomic():
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        _one_administrator()
        _note(username, "account.roles", by, {"before": before, "roles": sorted(roles)})


def lock(username: str, by: str, reason: str) -> None:
    """From now on nobody signs in with it; who is signed in is out at once."""
    user = get(username)
    _not_self(username, by)
    with transaction.atomic():
        user.is_active = False
        user.save()
        _one_administrator()
        _note(username, "account.locked", by, {"reason": reason})
    people.end_sessions(user)


def unlock(username: str, by: str) -> None:
    user = get(username)
    if facts(username).get("erased"):
        raise Problem("erased", N_("An erased account stays closed. Invite the person anew."))
    with transaction.atomic():
        user.is_active = True
        user.save()
        _note(username, "account.unlocked", by)


def train(username: str, title: str, until: date, by: str) -> None:
    """A training certificate that was seen, and the day on which it ends."""
    get(username)
    if until < _today():
        raise Problem("past-day", N_("The certificate has ended already."), where="until")
    with transaction.atomic():
        told = {"training": title[:200], "training_until": until.isoformat()}
        _note(username, "account.trained", by, told, **told)


def review(username: str, by: str) -> None:
    """The account and its roles are still needed: looked at by an administrator, not by its owner."""
    get(username)
    _not_self(username, by)
    with transaction.atomic():
        _note(username, "account.reviewed", by, reviewed=_today().isoformat())


def due(known: dict[str, Any]) -> date:
    """When the account with these facts is to be reviewed next; at once when it never was."""
    held = known.get("reviewed")
    return date.fromisoformat(held) + REVIEWED_EACH if held else _today()


def erase(username: str, by: str) -> None:
    """Name, organisation, password and second factor go, the account closes. The ledger keeps the user name only."""
    user = get(username)
    _not_self(username, by)
    with transaction.atomic():
        user.first_name = user.last_name = user.email = ""
        user.last_login, user.is_active = None, False
        user.set_unusable_password()
        user.save()
        user.groups.clear()
        _one_administrator()
        Record.objects.filter(kind=second.KIND, key=username).delete()
        Record.objects.filter(kind=DELEGATION, data__giver=username).delete()
        Record.objects.filter(kind=DELEGATION, data__taker=username).delete()
        ledger.record(KIND, username, {"erased": _today().isoformat()})
        ledger.note("people", "account.erased", actor=by, of=username)
    people.end_sessions(user)


def delegate(giver: str, role: str, taker: str, until: date) -> None:
    """Somebody else acts in a role of yours for at most a month; what must stay apart stays apart."""
    own, other = get(giver), get(taker)
    if role not in own.groups.values_list("name", flat=True) or role in PERSONAL:
        raise Problem(
            "not-yours", N_("You can delegate your own roles; votes and administration stay yours."), where="role"
        )
    if giver == taker or not other.is_active:
        raise Problem("no-account", N_("Choose somebody else, whose account is open."), where="taker")
    if not _today() <= until <= _today() + timedelta(days=DELEGATED_FOR):
        raise Problem("bad-day", N_("A delegation ends within {days} days."), where="until", days=DELEGATED_FOR)
    require_account({*people.roles(other), role})
    with transaction.atomic():
        data = {"giver": giver, "role": role, "taker": taker, "until": until.isoformat()}
        ledger.record(DELEGATION, f"{giver}:{role}:{taker}", data)
        ledger.note("people", "role.delegated", actor=giver, **data)


def take_back(giver: str, role: str, taker: str) -> None:
    with transaction.atomic():
        gone, _kinds = Record.objects.filter(kind=DELEGATION, key=f"{giver}:{role}:{taker}").delete()
        if not gone:
            raise Problem("no-delegation", N_("There is no such delegation of yours."))
        ledger.note("people", "role.taken-back", actor=giver, giver=giver, role=role, taker=taker)


def _today() -> date:
    return civil_day(clock.now())


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()  # of 144 random bits: nothing to guess


def _known(roles: list[str]) -> None:
    wrong = sorted(set(roles) - set(people.ROLES))
    if wrong or not roles:
        raise Problem("no-role", N_("Choose roles of the list."), where="roles")


def _not_self(username: str, by: str) -> None:
    if username == by:
        raise Problem("own-account", N_("Another administrator does this to your account."))


def _one_administrator() -> None:
    if not User.objects.filter(groups__name="admin", is_active=True).exists():
        raise Problem("last-administrator", N_("The site would be without an administrator."))
