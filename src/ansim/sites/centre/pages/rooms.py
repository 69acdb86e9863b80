"""Rooms and seats: who booked, who is here, and what somebody lacks before entering."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance.rooms import SEOUL
from ansim.sites import people, takes
from ansim.sites.centre import agreements, desk
from ansim.sites.centre.pages import common
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, act, given, needed, page
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Column, Table, Tag

NAVIGATION = [(40, _("Rooms"), "/rooms/", {"researcher", "room", "auditor"}, None)]
STATES = {
    "booked": Tag(_("Booked"), "info"),
    "present": Tag(_("Here now"), "success"),
    "left": Tag(_("Left"), "neutral"),
    "cancelled": Tag(_("Cancelled"), "neutral"),
}


class Book(Form):
    agreement = forms.ChoiceField(label=_("Agreement"))
    room = forms.ChoiceField(label=_("Room"))
    seat = forms.IntegerField(label=_("Seat"), min_value=1, initial=1)
    day = forms.DateField(label=_("Day"), help_text=_("For example 2026-12-03"))
    hour = forms.IntegerField(label=_("Begins at (hour)"), min_value=0, max_value=23, initial=10)
    hours = forms.IntegerField(label=_("Hours"), min_value=1, max_value=10, initial=3)

    def __init__(self, *args: Any, spaces: list[dict] = (), **named: Any):  # type: ignore[assignment]
        super().__init__(*args, **named)
        self.fields["agreement"].choices = [(space["id"], phrase(space["title"])) for space in spaces]  # type: ignore[attr-defined]
        self.fields["room"].choices = [(each.id, phrase(each.name)) for each in desk.all_rooms()]  # type: ignore[attr-defined]


class Clear(Form):
    person = forms.CharField(label=_("Person"), max_length=150)
    pledge = forms.DateField(label=_("Security pledge signed on"), required=False)
    training = forms.DateField(label=_("Trained on"), required=False)


@page("researcher", "room", "auditor")
def listing(request: HttpRequest) -> Page:
    spaces, staff = common.mine(request), common.is_staff(request)
    keys = {space["id"]: space for space in spaces}
    mine = {agreements.member_of(request.user.get_username(), agreements.terms(key)) for key in keys}
    found = [each for each in desk.bookings() if staff or each.person in mine]
    found.sort(key=lambda each: each.begins, reverse=True)
    runs_desk = "room" in people.roles(request.user)
    sections = [Section(_("Visits"), [_visits(found[:100], runs_desk)])]
    if not desk.all_rooms():
        empty = Empty(_("This centre has no rooms"), _("Rooms are named in the site's settings, under options."))
        return Page(_("Rooms"), [Section("", [empty])], {"bookings": [], "rooms": []})
    if "researcher" in people.roles(request.user) and spaces:
        sections.append(Section(_("Book a seat"), [FormPart(Book(spaces=spaces), "/rooms/book/", _("Book"))]))
    if runs_desk:
        text = _("Both are valid for a year and asked for at each check-in.")
        sections.append(
            Section(_("Pledge and training"), [FormPart(Clear(), "/rooms/clear/", _("Put on record"), text=text)])
        )
    data = {
        "bookings": [{"id": each.id, "room": each.room, "seat": each.seat, "status": each.status} for each in found],
        "rooms": [each.id for each in desk.all_rooms()],
    }
    return Page(_("Rooms"), sections, data, lead=_("Data that may not be worked on elsewhere are worked on here."))


def _visits(found: list[Any], runs_desk: bool) -> Any:
    if not found:
        return Empty(_("No visits yet"), _("A booked seat stands here with its hours."))
    columns = [Column(_("When")), Column(_("Room")), Column(_("Seat"), number=True), Column(_("Person"))]
    columns += [Column(_("State")), Column(_("To do"))]
    rows = []
    for each in found:
        when = f"{each.begins.astimezone(SEOUL):%Y-%m-%d %H:%M}–{each.ends.astimezone(SEOUL):%H:%M}"
        step: Any = ""
        if runs_desk and each.status == "booked":
            step = Action(_("Check in"), f"/rooms/{each.id}/in/", "secondary", "post")
        elif runs_desk and each.status == "present":
            step = Action(_("Check out"), f"/rooms/{each.id}/out/", "secondary", "post")
        elif each.status == "booked":
            step = Action(_("Cancel"), f"/rooms/{each.id}/cancel/", "secondary", "post")
        rows.append([when, each.room, each.seat, each.person, STATES[each.status], step])
    return Table(_("Visits"), columns, rows)


BOOK = {
    "agreement": takes.text(),
    "room": takes.text(),
    "seat": takes.number(),
    "day": takes.day(),
    "hour": takes.number(),
    "hours": takes.number(),
}


@act("researcher", takes=BOOK)
def book(request: HttpRequest) -> Done:
    values = given(request)
    key, room, day = needed(values, "agreement", "room", "day")
    space, _terms, member = common.visit(request, str(key), "booking")
    try:
        begins = datetime.fromisoformat(f"{day}T{int(values['hour']):02d}:00").replace(tzinfo=SEOUL)
    except ValueError as error:
        raise Problem("hour", N_("Enter an hour from 0 to 23."), where="hour") from error
    number = desk.book(space["id"], member, str(room), int(values["seat"]), begins, int(values["hours"]))
    return Done("/rooms/", _("The seat is booked."), {"id": number})


@act("room", step_up=True)
def check_in(request: HttpRequest, number: str) -> Done:
    desk.move(number, "present", request.user.get_username(), escort=request.user.get_username())
    return Done("/rooms/", _("Checked in; you are on record as who let the person in."))


@act("room")
def check_out(request: HttpRequest, number: str) -> Done:
    desk.move(number, "left", request.user.get_username())
    return Done("/rooms/", _("Checked out."))


@act("researcher", "room")
def cancel(request: HttpRequest, number: str) -> Done:
    found = next((each for each in desk.bookings(id=number)), None)
    if found is None:
        raise Problem("no-booking", N_("There is no such booking."))
    if not common.is_staff(request):
        common.visit(request, found.agreement, "booking")
        if agreements.member_of(request.user.get_username(), agreements.terms(found.agreement)) != found.person:
            raise Problem("no-booking", N_("There is no such booking."))
    desk.move(number, "cancelled", request.user.get_username())
    return Done("/rooms/", _("The booking is cancelled."))


@act(
    "room",
    takes={"person": takes.text(), "pledge": takes.day(required=False), "training": takes.day(required=False)},
)
def clear(request: HttpRequest) -> Done:
    values = given(request)
    days = [date.fromisoformat(values[name]) if values.get(name) else None for name in ("pledge", "training")]
    desk.clear(str(values["person"]), days[0], days[1], request.user.get_username())
    return Done("/rooms/", _("Pledge and training are on record."))


urlpatterns = [
    path("rooms/", listing),
    path("rooms/book/", book),
    path("rooms/clear/", clear),
    path("rooms/<slug:number>/in/", check_in),
    path("rooms/<slug:number>/out/", check_out),
    path("rooms/<slug:number>/cancel/", cancel),
]
