"""At a hospital's agreement page: a counter-offer instead of a signature, and the ways to halt what is in force."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.governance.agreement import Agreement
from ansim.sites import people, takes
from ansim.sites.holder import halting
from ansim.sites.pages import Done, FormPart, Section, act, given, needed
from ansim.sites.web.forms import DayInput, Form


class CounterForm(Form):
    reason = forms.CharField(label=_("Why we do not sign this"), widget=forms.Textarea(attrs={"rows": 3}))
    not_after = forms.DateField(label=_("We would sign: last day"), required=False, widget=DayInput)
    max_persons = forms.IntegerField(label=_("We would sign: at most how many people"), required=False, min_value=1)
    threshold = forms.IntegerField(label=_("We would sign: smallest count shown"), required=False, min_value=3)


class ReasonForm(Form):
    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 2}))


def sections(request: HttpRequest, data: dict, state: Agreement) -> list[Section]:
    """What this person can do besides signing."""
    roles, at, items = people.roles(request.user), f"/agreements/{data['id']}", []
    if "signatory" in roles and data["status"] == "to sign":
        text = _("The offer falls with all its signatures; the research organisation may draft it anew.")
        form = FormPart(
            CounterForm(auto_id="counter_%s"), f"{at}/counter/", _("Send the counter-offer"), danger=True, text=text
        )
        items.append(form)
    if roles & {"officer", "signatory"} and state.status == "in force":
        text = _("At once and for this hospital alone: nothing runs here any more, and the centre closes its room.")
        items.append(FormPart(ReasonForm(auto_id="suspend_%s"), f"{at}/suspend/", _("Suspend"), danger=True, text=text))
    if "officer" in roles and state.status == "suspended":
        items.append(FormPart(ReasonForm(auto_id="resume_%s"), f"{at}/resume/", _("Lift the suspension")))
    if "signatory" in roles and state.status in ("in force", "suspended"):
        text = _("For good. Keys of the project are destroyed here; it cannot be undone.")
        items.append(
            FormPart(ReasonForm(auto_id="terminate_%s"), f"{at}/terminate/", _("Terminate"), danger=True, text=text)
        )
    return [Section(_("Other steps"), items)] if items else []


PROPOSED = {
    "reason": takes.text(),
    "proposal": takes.document(required=False),
    "not_after": takes.day(required=False),
    "max_persons": takes.number(required=False),
    "threshold": takes.number(required=False),
}


@act("signatory", step_up=True, takes=PROPOSED)
def counter(request: HttpRequest, key: str) -> Done:
    """{reason, proposal: {field of the terms: value}}, or the form's fields."""
    values = given(request)
    (reason,) = needed(values, "reason")
    proposal: dict[str, Any] = dict(values.get("proposal") or {})
    if values.get("not_after"):
        proposal["not_after"] = str(values["not_after"])
    if values.get("max_persons"):
        proposal["max_persons"] = int(values["max_persons"])
    if values.get("threshold"):
        proposal["output"] = {"threshold": int(values["threshold"])}
    halting.counter(key, request.user.get_username(), reason, proposal)
    return Done(f"/agreements/{key}/", _("The counter-offer is on its way."), {"id": key})


def _halt(request: HttpRequest, key: str, act_name: str) -> Done:
    (reason,) = needed(given(request), "reason")
    halting.halt(key, act_name, request.user.get_username(), reason)
    return Done(f"/agreements/{key}/", _("Recorded; it takes effect here at once."), {"id": key})


@act("officer", "signatory", step_up=True, takes={"reason": takes.text()})
def suspend(request: HttpRequest, key: str) -> Done:
    return _halt(request, key, "suspend")


@act("officer", step_up=True, takes={"reason": takes.text()})
def resume(request: HttpRequest, key: str) -> Done:
    return _halt(request, key, "resume")


@act("signatory", step_up=True, takes={"reason": takes.text()})
def terminate(request: HttpRequest, key: str) -> Done:
    return _halt(request, key, "terminate")


urlpatterns = [
    path("agreements/<str:key>/counter/", counter),
    path("agreements/<str:key>/suspend/", suspend),
    path("agreements/<str:key>/resume/", resume),
    path("agreements/<str:key>/terminate/", terminate),
]
