"""A board that meets: the secretary's minutes of a case, and the members' word that they are right."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.governance import board as core
from ansim.governance.board import BoardCase
from ansim.sites import people, takes
from ansim.sites.holder import board
from ansim.sites.pages import Done, FormPart, Section, act, given, needed
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Fact
from ansim.sites.wording import OUTCOMES, day, lines, tag

MEMBERS = ("chair", "member", "outsider")


class MinutesForm(Form):
    held = forms.DateField(label=_("Day of the meeting"), widget=DayInput)
    agenda = forms.CharField(label=_("Agenda"), widget=forms.Textarea(attrs={"rows": 2}))
    present = forms.MultipleChoiceField(label=_("Who was there"), widget=forms.CheckboxSelectMultiple)
    outcome = forms.ChoiceField(
        label=_("What the meeting decided"),
        choices=[(name, OUTCOMES[name].word) for name in core.OUTCOMES],
        widget=forms.RadioSelect,
    )
    conditions = forms.CharField(
        label=_("Conditions, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    reason = forms.CharField(label=_("Reason"), required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, members: list[dict] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["present"].choices = [(each["id"], each["name"]) for each in members or []]  # type: ignore[attr-defined]


class ObjectForm(Form):
    reason = forms.CharField(label=_("What is wrong in the minutes"), widget=forms.Textarea(attrs={"rows": 2}))


def steps(request: HttpRequest, key: str, state: BoardCase) -> list[Any]:
    """What this person can do about a meeting of this case."""
    roles, me, at = people.roles(request.user), request.user.get_username(), f"/board/{key}"
    if "secretary" in roles and state.status == "docketed":
        text = _("Instead of a vote in writing: members who were there confirm the minutes, then the chair decides.")
        form = MinutesForm(members=state.members, auto_id="minutes_%s")
        return [FormPart(form, f"{at}/minutes/", _("Record the meeting"), text=text)]
    if state.status != "meeting" or me not in state.minutes["present"]:
        return []
    items: list[Any] = []
    if me not in core.confirmed(state) and me != state.minutes["by"]:
        items.append(FormPart(None, f"{at}/minutes/confirm/", _("The minutes are right")))
    form_ = ObjectForm(auto_id="object_%s")
    return [*items, FormPart(form_, f"{at}/minutes/object/", _("The minutes are wrong"), danger=True)]


def minutes(state: BoardCase) -> list[Section]:
    """The minutes, with who has confirmed them."""
    if not state.minutes:
        return []
    names, told = {each["id"]: each["name"] for each in state.members}, state.minutes
    facts = [
        Fact(_("Day of the meeting"), day(told["held"])),
        Fact(_("Agenda"), told["agenda"]),
        Fact(_("Who was there"), ", ".join(names.get(each, each) for each in told["present"])),
        Fact(
            _("Recused for a conflict of interest"), ", ".join(names.get(each, each) for each in told["recused"]) or "–"
        ),
        Fact(_("What the meeting decided"), tag(OUTCOMES, told["outcome"])),
        Fact(_("Conditions"), "; ".join(told["conditions"]) or "–"),
        Fact(_("Confirmed by"), ", ".join(names.get(each, each) for each in told["confirmed"]) or "–"),
    ]
    return [Section(_("Minutes"), [facts])]


RECORDED = {
    "held": takes.day(),
    "agenda": takes.text(),
    "present": takes.texts(),
    "outcome": takes.one_of(*core.OUTCOMES),
    "conditions": takes.texts(required=False),
    "reason": takes.text(required=False),
}


@act("secretary", takes=RECORDED)
def record(request: HttpRequest, key: str) -> Done:
    values = given(request)
    held, agenda, present, outcome = needed(values, "held", "agenda", "present", "outcome")
    me = request.user.get_username()
    command = core.RecordMeeting(
        by=me,
        held=str(held),
        agenda=agenda,
        present=[present] if isinstance(present, str) else present,
        outcome=outcome,
        conditions=lines(values.get("conditions")),
        reason=str(values.get("reason") or ""),
    )
    board.act(key, command, me)
    return Done(f"/board/{key}/", _("Recorded; the members are asked to confirm."), {"id": key})


@act(*MEMBERS, step_up=True, takes={})
def confirm(request: HttpRequest, key: str) -> Done:
    me = request.user.get_username()
    board.act(key, core.ConfirmMinutes(by=me), me)
    return Done(f"/board/{key}/", _("Confirmed."), {"id": key})


@act(*MEMBERS, takes={"reason": takes.text()})
def object_to(request: HttpRequest, key: str) -> Done:
    (reason,) = needed(given(request), "reason")
    me = request.user.get_username()
    board.act(key, core.ObjectToMinutes(by=me, reason=reason), me)
    return Done(f"/board/{key}/", _("The minutes are taken back."), {"id": key})


urlpatterns = [
    path("board/<str:key>/minutes/", record),
    path("board/<str:key>/minutes/confirm/", confirm),
    path("board/<str:key>/minutes/object/", object_to),
]
