"""The own account: who one is here, and the second factor."""

import segno
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people, second
from ansim.sites.pages import Done, FormPart, Page, Section, Text, act, given, needed, page
from ansim.sites.session import ENROL, code_field
from ansim.sites.takes import text
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Fact, Figure, Link, Tag

BOX = "second-factor-begun"  # in the session: sealed by the key process


class CodeForm(Form):
    code = code_field()


@page()
def own(request: HttpRequest) -> Page:
    """Who one is at this site."""
    user, held = request.user, second.of(request.user.get_username())
    state = Tag(_("Set up"), "success") if held else Tag(_("Not set up"), "neutral")
    facts = [
        Fact(_("User name"), Code(user.get_username())),
        Fact(_("Name"), user.first_name or "–"),
        Fact(_("Organisation"), people.organisation(user.last_name) or "–"),
        Fact(_("Roles"), ", ".join(str(people.ROLES.get(role, role)) for role in sorted(people.roles(user)))),
        Fact(_("Second factor"), state),
        *([Fact(_("Recovery codes left"), len(held["codes"]))] if held else []),
    ]
    words = _("Set up the second factor") if not held else _("Set it up anew")
    sections = [Section("", [facts])]
    if held and not second.required(people.roles(user)):
        part = FormPart(None, f"{ENROL}remove/", _("Remove the second factor"), danger=True)
        sections.append(Section(_("Second factor"), [part]))
    actions = [Action(words, ENROL), Action(_("Delegations"), "/account/delegations/", "secondary")]
    data = {"user": user.get_username(), "roles": sorted(people.roles(user)), "second_factor": bool(held)}
    return Page(_("Your account"), sections, data, answer=Answer(actions=actions))


@page()
def enrolment(request: HttpRequest) -> Page:
    """A new second factor to read into the app; it counts once a first code is right."""
    name = request.user.get_username()
    _may(request)
    if BOX not in request.session:
        request.session[BOX] = second.begin(name)
    address = second.address(name, request.session[BOX])
    picture = f"{ENROL}qr.svg"
    typed = address.partition("secret=")[2].partition("&")[0]
    groups = " ".join(typed[start : start + 4] for start in range(0, len(typed), 4))
    alt = _("QR code. The same as text stands below it.")
    items = [
        Text(_("Read the picture with an authenticator app, or type the text into it. Then enter the code it shows.")),
        Figure(_("Read this with the app"), picture, picture, alt, width=240, height=240),
        [Fact(_("Or type this"), Code(groups))],
        FormPart(CodeForm(), f"{ENROL}set/", _("Set up")),
    ]
    lead = _("A password that was seen or guessed is then not enough to sign, vote or release in your name.")
    trail = [Link(_("Your account"), "/account/")]
    return Page(_("Second factor"), [Section("", items)], {"address": address}, lead=lead, trail=trail)


@page()
def picture(request: HttpRequest) -> HttpResponse:
    """The QR code of the factor that was begun, as SVG."""
    if BOX not in request.session:
        raise Problem("not-begun", N_("No second factor is being set up."))
    drawn = segno.make(second.address(request.user.get_username(), request.session[BOX]), error="m", micro=False)
    svg = drawn.svg_inline(scale=6, dark="#000", light="#fff", border=4)
    body = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return HttpResponse(body, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@act(takes={"code": text()})
def enrol(request: HttpRequest) -> Page:
    """Keep the second factor; the recovery codes are shown this once."""
    _may(request)
    name, (code,) = request.user.get_username(), needed(given(request), "code")
    if BOX not in request.session:
        raise Problem("not-begun", N_("No second factor is being set up."))
    codes = second.enrol(name, request.session[BOX], str(code))
    del request.session[BOX]
    request.session.pop("enrol", None)
    people.end_sessions(request.user, but=request.session.session_key)
    words = _("Print or write them down and lock them away. Each opens your account once when the app is lost.")
    return Page(
        _("Your recovery codes"),
        [Section("", [Text(words), Text("\n".join(codes), pre=True)])],
        {"recovery_codes": codes},
        lead=_("The second factor is set up. These codes are never shown again."),
        answer=Answer(Tag(_("Set up"), "success"), actions=[Action(_("Go on"), "/")]),
    )


@act(step_up=True)
def remove(request: HttpRequest) -> Done:
    """Go back to the password alone, where the roles allow it."""
    if second.required(people.roles(request.user)):
        raise Problem("needs-second-factor", N_("Your role needs a second factor."))
    second.remove(request.user.get_username(), request.user.get_username())
    return Done("/account/", _("The second factor is removed."))


def _may(request: HttpRequest) -> None:
    """Who has a factor already proves it first (a session left open must not replace it)."""
    if second.of(request.user.get_username()) and not people.stepped_up(request):
        raise Problem("step-up", N_("Confirm that it is you."), remedy=N_("Open /step-up/ first."))


urlpatterns = [
    path("account/", own),
    path("account/second-factor/", enrolment),
    path("account/second-factor/qr.svg", picture),
    path("account/second-factor/set/", enrol),
    path("account/second-factor/remove/", remove),
]
