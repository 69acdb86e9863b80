"""The incident desk, the logs and the monthly self-inspection."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import people, takes
from ansim.sites.centre import desk, incidents, workspaces
from ansim.sites.centre.pages import common
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, act, given, page
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Answer, Column, Fact, Link, Table, Tag

SEES = ("room", "checker", "exporter", "auditor")
FREEZES = ("room", "exporter", "auditor")
LOGS = {"asset": _("Assets"), "media": _("Media"), "shift": _("Shifts"), "visitor": _("Visitors")}


def _open(request: HttpRequest) -> int:
    return sum(each["status"] == "open" for each in incidents.every())


NAVIGATION = [
    (50, _("Incidents"), "/incidents/", set(SEES), _open),
    (60, _("Logbook"), "/logbook/", {"room", "auditor"}, None),
]


class Freeze(Form):
    agreement = forms.ChoiceField(label=_("Project"))
    reason = forms.CharField(label=_("What happened"), widget=forms.Textarea(attrs={"rows": 3}))


class Close(Form):
    outcome = forms.CharField(label=_("What was found and done"), widget=forms.Textarea(attrs={"rows": 3}))
    resume = forms.BooleanField(label=_("Work on the project goes on."), required=False)


class Entry(Form):
    kind = forms.ChoiceField(label=_("Log"), choices=list(LOGS.items()))
    text = forms.CharField(label=_("What happened"), widget=forms.Textarea(attrs={"rows": 3}))


class Inspection(Form):
    def __init__(self, *args: Any, **named: Any):
        super().__init__(*args, **named)
        for name, question in desk.INSPECTION.items():
            self.fields[name] = forms.BooleanField(label=_(question), required=False)
        self.fields["remarks"] = forms.CharField(
            label=_("Remarks"), required=False, widget=forms.Textarea(attrs={"rows": 3})
        )


@page(*SEES)
def listing(request: HttpRequest) -> Page:
    found = incidents.every()
    rows = [
        [
            Link(each["id"], f"/incidents/{each['id']}/"),
            each["agreement"],
            _state(each),
            common.when(each["opened"]),
            common.when(each["due"]),
        ]
        for each in found
    ]
    columns = [Column(_("Incident")), Column(_("Project")), Column(_("State")), Column(_("Opened"))]
    columns.append(Column(_("To be told by")))
    table = Table(_("Incidents"), columns, rows, note=_("72 hours from when it was known (PIPA, article 34)."))
    shown: Any = table if rows else Empty(_("No incidents"), _("A freeze stands here with its clock."))
    sections = [Section(_("Incidents"), [shown])]
    spaces = [space for space in workspaces.every() if space["status"] != "closed"]
    if people.roles(request.user) & set(FREEZES) and spaces:
        form = Freeze()
        form.fields["agreement"].choices = [(space["id"], phrase(space["title"])) for space in spaces]  # type: ignore[attr-defined]
        text = _("Ends every session and script of the project here, and every access to it, at once.")
        part = FormPart(form, "/incidents/freeze/", _("Freeze the project"), danger=True, text=text)
        sections.insert(0, Section(_("Freeze a project"), [part]))
    return Page(_("Incidents"), sections, {"incidents": found})


def _state(incident: dict) -> Tag:
    if incident["status"] == "closed":
        return Tag(_("Closed"), "neutral")
    return Tag(_("Late"), "danger") if incidents.late(incident) else Tag(_("Open"), "warning")


@page(*SEES)
def detail(request: HttpRequest, name: str) -> Page:
    found = next((each for each in incidents.every() if each["id"] == name), None)
    if found is None:
        raise Problem("no-incident", N_("There is no such incident."))
    facts = [
        Fact(_("Project"), Link(found["agreement"], f"/workspaces/{found['agreement']}/")),
        Fact(_("Opened by"), found["by"]),
        Fact(_("What happened"), found["reason"]),
        Fact(_("Opened"), common.when(found["opened"])),
        Fact(_("To be told by"), common.when(found["due"])),
        Fact(_("What was found and done"), found["outcome"]),
    ]
    sections = [Section(_("Incident"), [facts])]
    if found["status"] == "open" and people.roles(request.user) & set(FREEZES):
        part = FormPart(Close(), f"/incidents/{name}/close/", _("Close the incident"))
        sections.append(Section(_("Close"), [part]))
    return Page(name, sections, found, answer=Answer(_state(found)), trail=[Link(_("Incidents"), "/incidents/")])


@act(*FREEZES, takes={"agreement": takes.text(), "reason": takes.text()})
def freeze(request: HttpRequest) -> Done:
    """Without a step-up: in an emergency seconds count, and a freeze loses nothing."""
    values = given(request)
    name = incidents.freeze(str(values["agreement"]), request.user.get_username(), str(values["reason"]))
    return Done(f"/incidents/{name}/", _("The project is frozen."), {"id": name})


@act(*FREEZES, step_up=True, takes={"outcome": takes.text(), "resume": takes.yes_or_no()})
def close(request: HttpRequest, name: str) -> Done:
    values = given(request)
    resume = str(values.get("resume", "")).lower() in {"true", "yes", "on", "1"}
    incidents.close(name, request.user.get_username(), str(values["outcome"]), resume=resume)
    return Done(f"/incidents/{name}/", _("The incident is closed."))


@page("room", "auditor")
def logbook(request: HttpRequest) -> Page:
    entries = [[LOGS[each["kind"]], each["text"], each["by"], common.when(each["at"])] for each in desk.logs()]
    columns = [Column(_("Log")), Column(_("What happened")), Column(_("By")), Column(_("When"))]
    log: Any = Table(_("Entries"), columns, entries) if entries else Empty(_("No entries yet"))
    months = [
        [each["month"], f"{sum(each['answers'].values())}/{len(each['answers'])}", each["remarks"], each["by"]]
        for each in desk.inspections()
    ]
    columns = [Column(_("Month")), Column(_("In order")), Column(_("Remarks")), Column(_("By"))]
    done: Any = Table(_("Self-inspections"), columns, months) if months else Empty(_("No inspection yet"))
    sections = [Section(_("Entries"), [log]), Section(_("Self-inspections"), [done])]
    if "room" in people.roles(request.user):
        sections.insert(0, Section(_("New entry"), [FormPart(Entry(), "/logbook/new/", _("Put on record"))]))
        text = _("Tick what is in order; say of the rest what will be done.")
        part = FormPart(Inspection(), "/logbook/inspection/", _("Record this month's inspection"), text=text)
        sections.append(Section(_("This month"), [part]))
    return Page(_("Logbook"), sections, {"entries": desk.logs(), "inspections": desk.inspections()})


@act("room", takes={"kind": takes.one_of(*LOGS), "text": takes.text()})
def entry(request: HttpRequest) -> Done:
    values = given(request)
    desk.log(str(values["kind"]), str(values["text"]), request.user.get_username())
    return Done("/logbook/", _("The entry is on record."))


@act("room", takes={**{name: takes.yes_or_no() for name in desk.INSPECTION}, "remarks": takes.text(required=False)})
def inspect(request: HttpRequest) -> Done:
    values = given(request)
    answers = {name: str(values.get(name, "")).lower() in {"true", "yes", "on", "1"} for name in desk.INSPECTION}
    month = desk.inspect(answers, str(values.get("remarks") or ""), request.user.get_username())
    return Done("/logbook/", _("The inspection is on record."), {"month": month})


urlpatterns = [
    path("incidents/", listing),
    path("incidents/freeze/", freeze),
    path("incidents/<slug:name>/", detail),
    path("incidents/<slug:name>/close/", close),
    path("logbook/", logbook),
    path("logbook/new/", entry),
    path("logbook/inspection/", inspect),
]
