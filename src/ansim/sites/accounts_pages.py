"""The accounts room: who may do what here, invited, locked, trained and reviewed; and what one may delegate oneself."""

from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.core import civil_day
from ansim.sites import accounts, clock, people, second, takes
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, form_page, given, page
from ansim.sites.store.models import Record
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import lines

OPEN, LOCKED = Tag(_("Open"), "success"), Tag(_("Locked"), "warning")
INVITED, ERASED = Tag(_("Invited"), "info"), Tag(_("Erased"), "neutral")


def roles_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=_("Roles"), choices=list(people.ROLES.items()), widget=forms.CheckboxSelectMultiple
    )


NAMELESS = _("It stays on the ledger for ever: choose one that names nobody.")


class InviteForm(Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=60,
        help_text=NAMELESS,
    )
    name = forms.CharField(label=_("Name"), max_length=150)
    organisation = forms.CharField(label=_("Organisation"), max_length=150, required=False)
    roles = roles_field()


class RolesForm(Form):
    roles = roles_field()


class TrainingForm(Form):
    title = forms.CharField(label=_("Training certificate"), max_length=200)
    until = forms.DateField(label=_("Until"), widget=DayInput)


class ReasonForm(Form):
    reason = forms.CharField(label=_("Reason"), max_length=300)


class InvitedForm(Form):
    username = forms.CharField(label=_("User name"), max_length=60)
    code = forms.CharField(
        label=_("Invitation code"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = forms.CharField(
        label=_("New password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters."),
    )


class DelegateForm(Form):
    def __init__(self, *args: Any, own: list[str] = (), **kwargs: Any):  # type: ignore[assignment]
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role, people.ROLES[role]) for role in own]  # type: ignore[attr-defined]

    role = forms.ChoiceField(label=_("Role"))
    taker = forms.CharField(label=_("User name of who stands in"), max_length=60)
    until = forms.DateField(label=_("Until"), widget=DayInput, help_text=_("At most 30 days from now."))


def waiting(request: HttpRequest) -> int:
    """Accounts whose half-yearly review is due."""
    facts = _facts()
    open_ones = User.objects.filter(is_active=True).values_list("username", flat=True)
    return sum(accounts.due(facts.get(username, {})) <= _today() for username in open_ones)


def _facts() -> dict[str, dict]:
    return {found.key: found.data for found in Record.objects.filter(kind=accounts.KIND)}


def _today() -> date:
    return civil_day(clock.now())


def _state(user: User, facts: dict) -> Tag:
    if facts.get("erased"):
        return ERASED
    return LOCKED if not user.is_active else INVITED if facts.get("invitation") else OPEN


def _roles(user: User) -> str:
    return ", ".join(str(people.ROLES.get(name, name)) for name in user.groups.values_list("name", flat=True))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@page("admin", "auditor")
def listing(request: HttpRequest) -> Page:
    """Every account, those to be reviewed first."""
    facts = _facts()
    factors = set(Record.objects.filter(kind=second.KIND).values_list("key", flat=True))
    users = sorted(
        User.objects.prefetch_related("groups"),
        key=lambda user: (not user.is_active, accounts.due(facts.get(user.username, {})), user.username),
    )
    columns = [_("User name"), _("Name"), _("Roles"), _("State"), _("Second factor")]
    columns += [_("Training until"), _("Review due")]
    rows = [
        [
            Link(user.username, f"/accounts/{user.username}/"),
            user.first_name or "–",
            _roles(user),
            _state(user, facts.get(user.username, {})),
            _("Set up") if user.username in factors else _("Not set up"),
            _day(facts.get(user.username, {}).get("training_until")) or "–",
            accounts.due(facts.get(user.username, {})) if user.is_active else None,
        ]
        for user in users
    ]
    table = Table(_("Accounts"), [Column(each) for each in columns], rows)
    sections = [Section("", [table])]
    if "admin" in people.roles(request.user):
        text = _("The person sets a password with the code that you are shown next; nobody else sees it.")
        sections.append(Section(_("Invite"), [FormPart(InviteForm(), "/accounts/invite/", _("Invite"), text=text)]))
    data = [
        {
            "username": user.username,
            "active": user.is_active,
            "roles": sorted(group.name for group in user.groups.all()),
            "second_factor": user.username in factors,
            "due": accounts.due(facts.get(user.username, {})).isoformat(),
        }
        for user in users
    ]
    lead = _("Each half year an administrator looks at every account: is it still needed, with these roles?")
    return Page(_("Accounts"), sections, {"accounts": data}, lead=lead)


@page("admin", "auditor")
def detail(request: HttpRequest, username: str) -> Page:
    """One account, and what an administrator may do with it."""
    user, facts = accounts.get(username), accounts.facts(username)
    due = accounts.due(facts)
    shown = [
        Fact(_("User name"), Code(username)),
        Fact(_("Name"), user.first_name or "–"),
        Fact(_("Organisation"), people.organisation(user.last_name) or "–"),
        Fact(_("Roles"), _roles(user) or "–"),
        Fact(_("Second factor"), _("Set up") if second.of(username) else _("Not set up")),
        Fact(_("Training certificate"), facts.get("training") or "–"),
        Fact(_("Training until"), _day(facts.get("training_until")) or "–"),
        Fact(_("Last review"), _day(facts.get("reviewed")) or "–"),
        Fact(_("Review due"), due),
    ]
    sections = [Section("", [shown])]
    if "admin" in people.roles(request.user) and username != request.user.get_username() and not facts.get("erased"):
        sections += _acts(user)
    data = {"username": username, "active": user.is_active, "due": due.isoformat(), **facts}
    data["roles"] = sorted(user.groups.values_list("name", flat=True))
    data.pop("invitation", None)
    late = user.is_active and due <= _today()
    who = people.ROLES["admin"] if user.is_active else ""
    answer = Answer(_state(user, facts), who=who, by=due if user.is_active else None, late=late)
    return Page(
        user.first_name or username,
        sections,
        data,
        answer=answer,
        over=_("Account"),
        trail=[Link(_("Accounts"), "/accounts/")],
    )


def _acts(user: User) -> list[Section]:
    here = f"/accounts/{user.username}"
    held = RolesForm(initial={"roles": list(user.groups.values_list("name", flat=True))})
    door = (
        FormPart(ReasonForm(), f"{here}/lock/", _("Lock"), text=_("Who is signed in with it is out at once."))
        if user.is_active
        else FormPart(None, f"{here}/unlock/", _("Unlock"))
    )
    parts = [
        Section(_("Review"), [FormPart(None, f"{here}/review/", _("It is still needed, with these roles"))]),
        Section(_("Roles"), [FormPart(held, f"{here}/roles/", _("Change the roles"))]),
        Section(_("Training"), [FormPart(TrainingForm(), f"{here}/training/", _("I have seen the certificate"))]),
        Section(_("Lock"), [door]),
    ]
    if second.of(user.username):
        text = _("For who has lost app and recovery codes. Make sure by another way who asks for it.")
        part = FormPart(None, f"{here}/second-factor/", _("Take it away"), text=text)
        parts.append(Section(_("Second factor"), [part]))
    text = _("Name, organisation and password go for good. The ledger keeps the user name, and stays whole.")
    erase = FormPart(None, f"{here}/erase/", _("Erase the account"), danger=True, text=text)
    return [*parts, Section(_("Erase"), [erase])]


@act("admin", step_up=True, takes={
    "username": takes.text(), "name": takes.text(), "organisation": takes.text(required=False), "roles": takes.texts(),
})  # fmt: skip
def invite(request: HttpRequest) -> Page:
    """A new account; its invitation code is shown this once."""
    values = given(request)
    name, organisation = str(values["name"]), str(values.get("organisation") or "")
    code = accounts.invite(values["username"], name, organisation, lines(values["roles"]), request.user.get_username())
    words = _("Give the code to the person by a safe way. It opens /invited/ at this site for a week, once.")
    facts = [Fact(_("User name"), Code(values["username"])), Fact(_("Invitation code"), Code(code))]
    return Page(
        _("Invitation"),
        [Section("", [facts, Notice(words)])],
        {"username": values["username"], "code": code},
        trail=[Link(_("Accounts"), "/accounts/")],
    )


def _done(username: str, words: Any) -> Done:
    return Done(f"/accounts/{username}/", words, {"username": username})


@act("admin", step_up=True, takes={"roles": takes.texts()})
def change_roles(request: HttpRequest, username: str) -> Done:
    """Other roles from now on."""
    accounts.set_roles(username, lines(given(request)["roles"]), request.user.get_username())
    return _done(username, _("The roles are changed and recorded."))


@act("admin", takes={"reason": takes.text()})
def lock(request: HttpRequest, username: str) -> Done:
    """Nobody signs in with it any more."""
    accounts.lock(username, request.user.get_username(), str(given(request)["reason"]))
    return _done(username, _("The account is locked."))


@act("admin", step_up=True)
def unlock(request: HttpRequest, username: str) -> Done:
    """Open it again."""
    accounts.unlock(username, request.user.get_username())
    return _done(username, _("The account is open again."))


@act("admin", takes={"title": takes.text(), "until": takes.day()})
def train(request: HttpRequest, username: str) -> Done:
    """A training certificate that was seen."""
    values = given(request)
    accounts.train(username, values["title"], date.fromisoformat(values["until"]), request.user.get_username())
    return _done(username, _("The training is recorded."))


@act("admin")
def review(request: HttpRequest, username: str) -> Done:
    """The half-yearly look at an account."""
    accounts.review(username, request.user.get_username())
    return _done(username, _("The review is recorded."))


@act("admin", step_up=True)
def reset(request: HttpRequest, username: str) -> Done:
    """Take the second factor of who has lost it."""
    accounts.get(username)
    if username == request.user.get_username():
        raise Problem("own-account", N_("Another administrator does this to your account."))
    second.remove(username, request.user.get_username())
    return _done(username, _("The second factor is removed."))


@act("admin", step_up=True)
def erase(request: HttpRequest, username: str) -> Done:
    """Personal data go, the ledger stays whole."""
    accounts.erase(username, request.user.get_username())
    return _done(username, _("The account is erased."))


@page(public=True, form=InvitedForm)
def invited(request: HttpRequest) -> HttpResponse:
    """The invited person sets the first password."""

    def on_valid(data: dict) -> Done:
        people.admit(request, data["username"])
        try:
            accounts.accept(data["username"], data["code"], data["password"])
        except Problem as problem:
            if problem.code == "no-invitation":
                people.tried(request, data["username"], succeeded=False)
            raise
        return Done("/sign-in/", _("The password is set. Sign in."))

    return form_page(request, InvitedForm, _("Accept the invitation"), on_valid, submit_label=_("Set the password"))


@page()
def delegations(request: HttpRequest) -> Page:
    """Who stands in for whom: what one gave, and what one was given."""
    name = request.user.get_username()
    own = sorted(set(request.user.groups.values_list("name", flat=True)) - accounts.PERSONAL)
    mine = [found.data for found in Record.objects.filter(kind=accounts.DELEGATION, data__giver=name)]
    to_me = [found.data for found in Record.objects.filter(kind=accounts.DELEGATION, data__taker=name)]
    rows = [[people.ROLES[each["role"]], each["giver"], each["taker"], _day(each["until"])] for each in [*mine, *to_me]]
    columns = [Column(_("Role")), Column(_("Of")), Column(_("Who stands in")), Column(_("Until"))]
    sections = [Section("", [Table(_("Delegations"), columns, rows)])] if rows else []
    if own:
        part = FormPart(DelegateForm(own=own), "/account/delegations/give/", _("Delegate"))
        sections.append(Section(_("Delegate a role"), [part]))
    sections += [
        Section("", [FormPart(None, "/account/delegations/end/", _("Take back"), values=_key(each), text=_told(each))])
        for each in mine
    ]
    if not sections:
        sections = [Section("", [Empty(_("No role of yours can be delegated"))])]
    lead = _("For a leave of at most 30 days. Votes and administration cannot be delegated. The ledger names both.")
    trail = [Link(_("Your account"), "/account/")]
    return Page(_("Delegations"), sections, {"given": mine, "taken": to_me}, lead=lead, trail=trail)


def _key(each: dict) -> dict[str, str]:
    return {"role": each["role"], "taker": each["taker"]}


def _told(each: dict) -> str:
    return f"{people.ROLES[each['role']]}: {each['taker']}"


@act(step_up=True, takes={"role": takes.text(), "taker": takes.text(), "until": takes.day()})
def delegate(request: HttpRequest) -> Done:
    """Somebody stands in for one, in one role, for a while."""
    values = given(request)
    until = date.fromisoformat(values["until"])
    accounts.delegate(request.user.get_username(), values["role"], values["taker"], until)
    return Done("/account/delegations/", _("Delegated and recorded."))


@act(takes={"role": takes.text(), "taker": takes.text()})
def take_back(request: HttpRequest) -> Done:
    """End a delegation of one's own."""
    values = given(request)
    accounts.take_back(request.user.get_username(), values["role"], values["taker"])
    return Done("/account/delegations/", _("Taken back."))


urlpatterns = [
    path("accounts/", listing),
    path("accounts/invite/", invite),
    path("accounts/<str:username>/", detail),
    path("accounts/<str:username>/roles/", change_roles),
    path("accounts/<str:username>/lock/", lock),
    path("accounts/<str:username>/unlock/", unlock),
    path("accounts/<str:username>/training/", train),
    path("accounts/<str:username>/review/", review),
    path("accounts/<str:username>/second-factor/", reset),
    path("accounts/<str:username>/erase/", erase),
    path("invited/", invited),
    path("account/delegations/", delegations),
    path("account/delegations/give/", delegate),
    path("account/delegations/end/", take_back),
]
