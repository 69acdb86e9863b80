"""The expert desk's pages: the coordinator assigns, advisers answer, everybody reads what became guidance."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance import advice as core
from ansim.governance import rules
from ansim.governance.advice import Advice
from ansim.governance.core import civil_day
from ansim.sites import clock, people, takes
from ansim.sites.daysoff import days_off
from ansim.sites.hub import advice
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, Text, act, given, needed, page
from ansim.sites.store.models import Record
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Answer, Column, Fact, Link, Table, Tag
from ansim.sites.web.problems import problem_text
from ansim.sites.wording import ADVICE, ADVICE_FIELDS, ADVICE_OBJECTS, ADVICE_OFFICES, called, day, tag, yes

READERS = ("adviser", "coordinator")


def mine(request: HttpRequest) -> int:
    roles, rows = people.roles(request.user), Record.objects.filter(kind="advice")
    count = rows.filter(status="asked").count() if "coordinator" in roles else 0
    name = request.user.get_username()
    return count + rows.filter(status__in=["assigned", "working"], data__adviser=name).count()


NAVIGATION: list = [
    (50, _("Expert advice"), "/advice/", set(READERS), mine),
    (65, _("Guidance"), "/guidance/", set(), None),
]


def _visible(request: HttpRequest) -> Any:
    rows = Record.objects.filter(kind="advice").order_by("-updated")
    if "coordinator" in people.roles(request.user):
        return rows
    return rows.filter(data__adviser=request.user.get_username())


@page(*READERS)
def listing(request: HttpRequest) -> Page:
    rows = list(_visible(request)[:200])
    if not rows:
        text = _("Hospitals ask about one case and one rule; questions come here.")
        return Page(_("Expert advice"), [Section("", [Empty(_("No questions yet"), text)])], {"questions": []})
    table = Table(
        _("Questions"),
        [Column(_("About")), Column(_("Field")), Column(_("Rule")), Column(_("State")), Column(_("Due"))],
        [
            [
                Link(ADVICE_OBJECTS.get(row.data["about"]["object"], "?"), f"/advice/{row.key}/"),
                ADVICE_FIELDS.get(row.data["expertise"], row.data["expertise"]),
                row.data["rule"],
                tag(ADVICE, row.status),
                day(row.data["due"]) or "–",
            ]
            for row in rows
        ],
        hide_caption=True,
    )
    return Page(_("Expert advice"), [Section("", [table])], {"questions": [row.key for row in rows]})


@page(*READERS)
def detail(request: HttpRequest, key: str) -> Page:
    if not _visible(request).filter(key=key).exists():
        raise Problem("no-question", N_("There is no such question."))
    state = advice.get(key)
    rule = rules.at(civil_day(clock.now())).get(state.rule, {})
    due = day(state.due)
    facts = [
        Fact(_("Hospital or public body"), called(state.holder)),
        Fact(_("About"), [ADVICE_OBJECTS.get(state.about["object"], "?"), state.about["name"]]),
        Fact(_("Field"), ADVICE_FIELDS.get(state.expertise, state.expertise)),
        Fact(_("Rule"), rule.get("title", state.rule), note=state.rule),
    ]
    sections = [*_next(request, key, state), Section(_("The question"), [facts, Text(state.question)])]
    if state.answer:
        sections.append(Section(_("The advice"), [Text(state.answer["text"]), *_change(state)]))
    return Page(
        ADVICE_OBJECTS.get(state.about["object"], "?"),
        sections,
        {"advice": state.as_data()},
        answer=Answer(
            tag(ADVICE, state.status),
            who=_who(state),
            by=due,
            since=day(state.since),
            late=due is not None and due < civil_day(clock.now()),
        ),
        over=_("Question to an expert"),
        trail=[Link(_("Expert advice"), "/advice/")],
    )


def _who(state: Advice) -> Any:
    waits = core.WAITING[state.status]
    return ADVICE_OFFICES[waits[0]] if waits else ""


def _change(state: Advice) -> list[Any]:
    items: list[Any] = [Notice(state.answer["change"])] if state.answer["change"] else []
    if state.status in ("taken", "declined"):
        items.append([Fact(_("The owner"), tag(ADVICE, state.status)), Fact(_("Reason"), state.reason or "–")])
    return items


class DeclareForm(Form):
    conflict = forms.ChoiceField(
        label=_("Do you have a conflict of interest in this case?"),
        choices=[("no", _("No")), ("yes", _("Yes"))],
        widget=forms.RadioSelect,
    )


class AnswerForm(Form):
    text = forms.CharField(label=_("Your advice"), widget=forms.Textarea(attrs={"rows": 6}))
    change = forms.CharField(
        label=_("What should be changed, in words"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class GuidanceForm(Form):
    title_ko = forms.CharField(label=_("Title, in Korean"), max_length=200)
    title_en = forms.CharField(label=_("Title, in English"), max_length=200)
    text_ko = forms.CharField(label=_("Text, in Korean"), widget=forms.Textarea(attrs={"rows": 4}))
    text_en = forms.CharField(label=_("Text, in English"), widget=forms.Textarea(attrs={"rows": 4}))


def _next(request: HttpRequest, key: str, state: Advice) -> list[Section]:
    roles, me, at, items = people.roles(request.user), request.user.get_username(), f"/advice/{key}", []
    if "coordinator" in roles and state.status == "asked":
        items += _assign(at, state)
    if me == state.adviser and state.status == "assigned":
        items.append(FormPart(DeclareForm(), f"{at}/declare/", _("Declare")))
    if me == state.adviser and state.status == "working":
        items.append(FormPart(AnswerForm(), f"{at}/answer/", _("Send the advice")))
    if "coordinator" in roles and state.status in ("taken", "declined"):
        text = _("In words of its own: no case, no applicant.")
        items.append(FormPart(GuidanceForm(), f"{at}/publish/", _("Publish as guidance"), text=text))
    return [Section(_("What you can do"), items)] if items else []


def _assign(at: str, state: Advice) -> list[Any]:
    """Each adviser with what speaks against; a button for those against whom nothing does."""
    found = advice.advisers(state)
    rows = [
        [person["id"], called(person["org"]), "; ".join(map(problem_text, problems)) or Tag(_("May advise"), "success")]
        for person, problems in found
    ]
    columns = [Column(_("Adviser")), Column(_("Organisation")), Column(_("Conflict check"))]
    buttons = [
        FormPart(None, f"{at}/assign/", _("Assign"), values={"adviser": person["id"]}, text=person["id"])
        for person, problems in found
        if not problems
    ]
    return [Table(_("Advisers"), columns, rows), *buttons] if rows else [Empty(_("No advisers yet"))]


@act("coordinator", takes={"adviser": takes.text()})
def assign(request: HttpRequest, key: str) -> Done:
    (name,) = needed(given(request), "adviser")
    return _done(request, key, core.Assign(by=_me(request), person=advice.profile(name), holidays=days_off()))


@act("adviser", takes={"conflict": takes.yes_or_no(required=True)})
def declare(request: HttpRequest, key: str) -> Done:
    (conflict,) = needed(given(request), "conflict")
    return _done(request, key, core.Declare(by=_me(request), conflict=yes(conflict), holidays=days_off()), "/advice/")


@act("adviser", takes={"text": takes.text(), "change": takes.text(required=False)})
def answer(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (text,) = needed(values, "text")
    command = core.Answer(by=_me(request), text=text, change=str(values.get("change") or ""), holidays=days_off())
    return _done(request, key, command)


WORDS = ("title_ko", "title_en", "text_ko", "text_en")


@act("coordinator", takes={name: takes.text() for name in WORDS})
def publish(request: HttpRequest, key: str) -> Done:
    title_ko, title_en, text_ko, text_en = needed(given(request), *WORDS)
    title, text = {"ko": title_ko, "en": title_en}, {"ko": text_ko, "en": text_en}
    return _done(request, key, core.Publish(by=_me(request), title=title, text=text))


@act("coordinator", takes={"adviser": takes.text(), "fields": takes.texts()})
def fields(request: HttpRequest) -> Done:
    name, chosen = needed(given(request), "adviser", "fields")
    advice.set_fields(name, [chosen] if isinstance(chosen, str) else chosen, _me(request))
    return Done("/advice/", _("Recorded."), {})


def _me(request: HttpRequest) -> str:
    return request.user.get_username()


def _done(request: HttpRequest, key: str, command: core.Step, to: str = "") -> Done:
    advice.act(key, command, _me(request))
    return Done(to or f"/advice/{key}/", _("Recorded."), {"id": key})


@page(public=True)
def guidance(request: HttpRequest) -> Page:
    """What experts have said that helps others too."""
    found = advice.guidance()
    sections = [
        Section(each["title"], [Text(each["text"]), [Fact(_("Rule"), each["rule"]), Fact(_("Since"), _at(each["at"]))]])
        for each in found
    ]
    empty = Section("", [Empty(_("No guidance yet"), _("Answers of experts that help others stand here."))])
    return Page(_("Guidance"), sections or [empty], {"guidance": found})


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


urlpatterns = [
    path("advice/", listing),
    path("advice/advisers/", fields),
    path("advice/<str:key>/", detail),
    path("advice/<str:key>/assign/", assign),
    path("advice/<str:key>/declare/", declare),
    path("advice/<str:key>/answer/", answer),
    path("advice/<str:key>/publish/", publish),
    path("guidance/", guidance),
]
