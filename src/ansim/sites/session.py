"""Signing in and out, and proving once more that it is you before an act that binds others."""

import time

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people
from ansim.sites.pages import Done, act, form_page, page
from ansim.sites.web.forms import Form


def _target(request: HttpRequest) -> str:
    """Where to go on: a page of this site, never another site."""
    target = request.GET.get("next", "/")
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}) else "/"


class SignIn(Form):
    username = forms.CharField(label=_("User name"), max_length=150)
    password = forms.CharField(label=_("Password"), widget=forms.PasswordInput)


@page(public=True, form=SignIn)
def sign_in(request: HttpRequest) -> HttpResponse:
    """Begin a session."""
    target = _target(request)

    def on_valid(data: dict) -> Done:
        people.admit(request, data["username"])
        user = authenticate(request, username=data["username"], password=data["password"])
        people.tried(request, data["username"], succeeded=user is not None)
        if user is None:
            raise Problem("sign-in", N_("The user name or the password is wrong."))
        login(request, user)  # a new session: one that was planted before is worth nothing
        request.session["stepped_up"] = time.time()
        return Done(target, "", {"user": user.get_username(), "roles": sorted(people.roles(user))})

    return form_page(request, SignIn, _("Sign in"), on_valid, template="web/sign_in.html")


@act()
def sign_out(request: HttpRequest) -> Done:
    """End the session."""
    logout(request)
    return Done("/")


class StepUp(Form):
    password = forms.CharField(label=_("Password"), widget=forms.PasswordInput)


@page(form=StepUp)
def step_up(request: HttpRequest) -> HttpResponse:
    """A fresh proof of identity before an act that binds others."""
    target = _target(request)

    def on_valid(data: dict) -> Done:
        name = request.user.get_username()
        people.admit(request, name)
        right = request.user.check_password(data["password"])
        people.tried(request, name, succeeded=right)
        if not right:
            raise Problem("sign-in", N_("The password is wrong."))
        request.session["stepped_up"] = time.time()
        return Done(target, _("Thank you. You can go on for ten minutes."))

    return form_page(request, StepUp, _("Confirm that it is you"), on_valid, template="web/step_up.html", back=target)
