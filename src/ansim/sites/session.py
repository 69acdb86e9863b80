"""Signing in and out, and proving once more that it is you before an act that binds others."""

import time
from typing import Any

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people, second
from ansim.sites.pages import ENROLMENT as ENROL
from ansim.sites.pages import Done, act, form_page, page
from ansim.sites.web.forms import Form


def _target(request: HttpRequest) -> str:
    """Where to go on: a page of this site, never another site."""
    target = request.GET.get("next", "/")
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}) else "/"


def code_field(**more: Any) -> forms.CharField:
    """A code of the second factor, or a recovery code instead of it."""
    attrs = {"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false"}
    return forms.CharField(label=_("Code of your app"), max_length=40, widget=forms.TextInput(attrs=attrs), **more)


class SignIn(Form):
    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = code_field(required=False, help_text=_("If you have set up a second factor. A recovery code does as well."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not second.offered():
            del self.fields["code"]


@page(public=True, form=SignIn)
def sign_in(request: HttpRequest) -> HttpResponse:
    """Begin a session."""
    target = _target(request)

    def on_valid(data: dict) -> Done:
        name = data["username"]
        people.admit(request, name)
        user = authenticate(request, username=name, password=data["password"])
        proved = user is not None and second.right(user.get_username(), data.get("code", ""))
        people.tried(request, name, succeeded=proved)
        if user is None or not proved:
            raise Problem("sign-in", WRONG_CODE if second.offered() else WRONG)
        login(request, user)  # a new session: one that was planted before is worth nothing
        request.session["stepped_up"] = time.time()
        roles = people.roles(user)
        if second.required(roles) and second.of(user.get_username()) is None:
            request.session["enrol"] = True  # nothing else is open before (pages.py)
            return Done(ENROL, _("Your role needs a second factor. Set it up now."), {"enrol": ENROL})
        return Done(target, "", {"user": user.get_username(), "roles": sorted(roles)})

    return form_page(request, SignIn, _("Sign in"), on_valid, template="web/sign_in.html")


WRONG = N_("The user name or the password is wrong.")
WRONG_CODE = N_("The user name, the password or the code is wrong, or the code was used before.")


@act()
def sign_out(request: HttpRequest) -> Done:
    """End the session."""
    logout(request)
    return Done("/")


class StepUp(Form):
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = code_field(required=False, help_text=_("A new one: a code counts once. A recovery code does as well."))


@page(form=StepUp)
def step_up(request: HttpRequest) -> HttpResponse:
    """A fresh proof of identity before an act that binds others."""
    target, name = _target(request), request.user.get_username()
    enrolled = second.of(name) is not None

    class Shown(StepUp):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if enrolled:
                self.fields["code"].required = True
            else:
                del self.fields["code"]

    def on_valid(data: dict) -> Done:
        people.admit(request, name)
        proved = request.user.check_password(data["password"]) and second.right(name, data.get("code", ""))
        people.tried(request, name, succeeded=proved)
        if not proved:
            text = N_("The password or the code is wrong, or the code was used before.")
            raise Problem("sign-in", text if enrolled else N_("The password is wrong."))
        request.session["stepped_up"] = time.time()
        return Done(target, _("Thank you. You can go on for ten minutes."))

    return form_page(request, Shown, _("Confirm that it is you"), on_valid, template="web/step_up.html", back=target)
