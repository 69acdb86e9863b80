"""Expert advice at a case: asking, the answers, and what became of each; on the review's and on the board's page."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.governance import advice as core
from ansim.governance import rules
from ansim.governance.core import civil_day
from ansim.sites import clock, people, takes
from ansim.sites.holder import advice
from ansim.sites.pages import Done, FormPart, Notice, Section, Text, act, given, needed
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Fact
from ansim.sites.wording import ADVICE, ADVICE_FIELDS, ADVICE_OBJECTS, tag, yes

OWNERS = ("steward", "officer", "operator")


class AskForm(Form):
    object = forms.ChoiceField(label=_("What the question is about"), choices=list(ADVICE_OBJECTS.items()))
    name = forms.CharField(label=_("Its name"), max_length=200)
    rule = forms.ChoiceField(label=_("Rule"))
    expertise = forms.ChoiceField(label=_("Field"), choices=list(ADVICE_FIELDS.items()))
    question = forms.CharField(
        label=_("Question"),
        max_length=core.LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The portal can read it: write nothing of a patient, and no more of the study than is needed."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        edition = rules.at(civil_day(clock.now()))
        self.fields["rule"].choices = [  # type: ignore[attr-defined]
            (name, f"{name} · {phrase(rule['title'])}") for name, rule in edition.items()
        ]


class SettleForm(Form):
    taken = forms.ChoiceField(
        label=_("The proposed change"),
        choices=[("yes", _("We take it")), ("no", _("We decline it"))],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label=_("Reason"), required=False, widget=forms.Textarea(attrs={"rows": 2}))


def sections(request: HttpRequest, key: str, *, ask: bool) -> list[Section]:
    """Every question of the case with its answer; ask: also the form for a new one, for who may ask."""
    owner = bool(people.roles(request.user) & set(OWNERS))
    items: list[Any] = []
    for found in advice.of(key):
        items += _one(found, owner and ask, key)
    if ask and owner:
        items.append(FormPart(AskForm(auto_id="ask_%s"), f"/reviews/{key}/advice/", _("Ask an expert")))
    return [Section(_("Expert advice"), items)] if items else []


def _one(found: dict, owner: bool, key: str) -> list[Any]:
    facts = [
        Fact(_("State"), tag(ADVICE, found["status"])),
        Fact(_("About"), [ADVICE_OBJECTS.get(found["about"]["object"], "?"), found["about"]["name"]]),
        Fact(_("Rule"), found["rule"]),
        Fact(_("Question"), found["question"]),
    ]
    items: list[Any] = [facts]
    if answer := found.get("answer"):
        items.append(Text(answer["text"]))
        if answer["change"]:
            items.append(Notice(answer["change"]))
    if found["status"] in ("taken", "declined") and found.get("reason"):
        items.append([Fact(_("Reason"), found["reason"])])
    if owner and found["status"] == "answered":
        form = SettleForm(auto_id=f"{found['id']}_%s")
        items.append(FormPart(form, f"/reviews/{key}/advice/{found['id']}/", _("Record")))
    return items


ASKED = {
    "object": takes.one_of(*core.OBJECTS),
    "name": takes.text(),
    "rule": takes.text(),
    "expertise": takes.one_of(*core.FIELDS),
    "question": takes.text(),
}


@act(*OWNERS, takes=ASKED)
def ask(request: HttpRequest, key: str) -> Done:
    thing, name, rule, expertise, question = needed(given(request), *ASKED)
    about = {"object": thing, "name": name}
    person = request.user.get_username()
    number = advice.ask(key, rule=rule, expertise=expertise, about=about, question=question, person=person)
    return Done(f"/reviews/{key}/", _("The question is on its way to the expert desk."), {"id": number})


@act(*OWNERS, takes={"taken": takes.yes_or_no(required=True), "reason": takes.text(required=False)})
def settle(request: HttpRequest, key: str, number: str) -> Done:
    values = given(request)
    (taken,) = needed(values, "taken")
    with transaction.atomic():
        reason, person = str(values.get("reason") or ""), request.user.get_username()
        advice.settle(key, number, taken=yes(taken), reason=reason, person=person)
    return Done(f"/reviews/{key}/", _("Recorded; the board sees it."), {"id": number})


urlpatterns = [path("reviews/<str:key>/advice/", ask), path("reviews/<str:key>/advice/<str:number>/", settle)]
