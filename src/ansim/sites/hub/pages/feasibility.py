"""Asking how many patients fit, and the answers as they come in."""

from datetime import datetime

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.sites import people
from ansim.sites.hub import feasibility, presence
from ansim.sites.pages import Done, Empty, Page, Section, Text, form_page, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import language, phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Action, Answer, Column, Fact, Link, Table, Tag

NAVIGATION = [(30, _("Feasibility"), "/feasibility/", {"researcher", "coordinator"}, None)]
EVENTS = [
    ("condition", _("Condition")),
    ("drug", _("Drug")),
    ("measurement", _("Measurement")),
    ("procedure", _("Procedure")),
    ("observation", _("Observation")),
    ("visit", _("Visit")),
]
STATES = {
    "waiting": Tag(_("Waiting"), "info"),
    "down": Tag(_("Not reachable now"), "warning"),
    "answered": Tag(_("Answered"), "success"),
    "refused": Tag(_("No answer given"), "neutral"),
}


class Question(Form):
    """Who is looked for; the same document that YAML gives."""

    purpose = forms.CharField(label=_("What the count is for"), max_length=300)
    title = forms.CharField(label=_("Name of the patient group"), max_length=100, required=False)
    event = forms.ChoiceField(label=_("Enters the group by a first"), choices=EVENTS, required=False)
    concepts = forms.CharField(
        label=_("OMOP concept numbers"),
        required=False,
        help_text=_("Separated by commas, such as 40481087 (viral sinusitis)."),
    )
    descendants = forms.BooleanField(label=_("With narrower concepts"), required=False)
    age_from = forms.IntegerField(label=_("Youngest age"), min_value=0, max_value=120, required=False)
    age_to = forms.IntegerField(label=_("Oldest age"), min_value=0, max_value=120, required=False)
    sex = forms.MultipleChoiceField(
        label=_("Sex"),
        choices=[("F", _("Women")), ("M", _("Men"))],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: everybody."),
    )
    also_event = forms.ChoiceField(label=_("And also has"), choices=[("", _("Nothing more")), *EVENTS], required=False)
    also_concepts = forms.CharField(label=_("With these concept numbers"), required=False)
    not_event = forms.ChoiceField(label=_("And does not have"), choices=[("", _("Nothing")), *EVENTS], required=False)
    not_concepts = forms.CharField(label=_("With these concept numbers"), required=False)
    period_from = forms.DateField(label=_("From"), widget=DayInput, required=False)
    period_to = forms.DateField(label=_("To"), widget=DayInput, required=False)
    query = forms.CharField(
        label=_("Or the whole definition as YAML or JSON"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_("If you write here, the fields above are not used."),
    )


def _numbers(text: str, where: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise Problem(
            "bad-concepts", N_("Concept numbers are whole numbers, separated by commas."), where=where
        ) from None


def document(given: dict) -> object:
    """The query document that the form's fields mean, or the text that was written instead."""
    if given.get("query"):
        return given["query"]
    cohort: dict = {
        "entry": {
            "event": given["event"] or "condition",
            "concepts": _numbers(given["concepts"], "concepts"),
            "descendants": bool(given["descendants"]),
            "which": "first",
        }
    }
    if given["age_from"] is not None or given["age_to"] is not None:
        cohort["age"] = {"min": given["age_from"], "max": given["age_to"]}
    if given["sex"]:
        cohort["sex"] = sorted(given["sex"])
    for field, name in (("also", "require"), ("not", "exclude")):
        if given[f"{field}_event"]:
            concepts = _numbers(given[f"{field}_concepts"], f"{field}_concepts")
            cohort[name] = [{"event": given[f"{field}_event"], "concepts": concepts}]
    title = given["title"] or given["purpose"] or "?"
    start, end = given["period_from"], given["period_to"]
    return {
        "ansim": "query/1",
        "title": {"ko": title, "en": title},
        "cohort": cohort,
        "variables": [{"name": "sex", "kind": "sex"}, {"name": "age_band", "kind": "age_band", "width": 10}],
        "period": {
            "from": start.isoformat() if start else "1900-01-01",
            "to": end.isoformat() if end else "2099-12-31",
        },
    }


@page("researcher")
def new(request: HttpRequest) -> HttpResponse:
    """The form; a program may send {query, purpose}."""

    def on_valid(given: dict) -> Done:
        key = feasibility.ask(
            query=document(given),
            purpose=given["purpose"] or given["title"],
            person=request.user.get_username(),
            organisation=request.user.last_name or "-",
        )
        return Done(f"/feasibility/{key}/", _("The question is on its way to every hospital."), {"id": key})

    return form_page(
        request,
        Question,
        _("How many patients fit?"),
        on_valid,
        submit_label=_("Ask every hospital"),
        back="/feasibility/",
        lead=_("Each hospital answers for itself with a rounded count; no patient data leave it."),
    )


def _answers(found: Record) -> dict[str, dict]:
    answers = {}
    for holder, answer in found.data["answers"].items():
        status = "down" if answer["status"] == "waiting" and presence.down(holder) else answer["status"]
        answers[holder] = {**answer, "status": status}
    return answers


def _asks(request: HttpRequest) -> bool:
    return "researcher" in people.roles(request.user)


def _answered(found: Record) -> str:
    answers = found.data["answers"].values()
    return f"{sum(each['status'] in feasibility.ANSWERS for each in answers)}/{len(answers)}"


@page("researcher", "coordinator")
def listing(request: HttpRequest) -> Page:
    rows = Record.objects.filter(kind="feasibility").order_by("-updated")
    if "coordinator" not in request.user.groups.values_list("name", flat=True):
        rows = rows.filter(data__person=request.user.get_username(), data__organisation=request.user.last_name or "-")
    ask = Action(_("Ask a new question"), "/feasibility/new/") if _asks(request) else None
    if not rows:
        empty = Empty(
            _("No questions yet"), _("Describe a group of patients; every hospital answers with a rounded count."), ask
        )
        return Page(_("Feasibility"), [Section("", [empty])], {"questions": []})
    table = Table(
        _("Questions"),
        [Column(_("Patient group")), Column(_("Asked")), Column(_("Answers"), number=True)],
        [
            [
                Link(found.data["query"]["title"], f"/feasibility/{found.key}/"),
                datetime.fromisoformat(found.data["asked"]),
                _answered(found),
            ]
            for found in rows[:200]
        ],
    )
    return Page(
        _("Feasibility"),
        [Section("", [table])],
        {"questions": [found.key for found in rows[:200]]},
        lead=_("How many patients fit your study, hospital by hospital."),
        answer=Answer(actions=[ask] if ask else []),
    )


@page("researcher", "coordinator")
def detail(request: HttpRequest, key: str) -> Page:
    found = Record.objects.filter(kind="feasibility", key=key).first()
    if found is None or (
        "coordinator" not in request.user.groups.values_list("name", flat=True)
        and (found.data["person"], found.data["organisation"])
        != (request.user.get_username(), request.user.last_name or "-")
    ):
        raise Problem("no-question", N_("There is no such question of yours."))
    answers = _answers(found)
    names = {holder["id"]: holder["name"] for holder in presence.holders()}
    waiting = [
        names.get(holder, holder) for holder, answer in answers.items() if answer["status"] in {"waiting", "down"}
    ]
    table = Table(
        _("Answers by hospital"),
        [
            Column(_("Hospital or public body")),
            Column(_("State")),
            Column(_("Patients"), _("rounded"), number=True),
            Column(_("Answered")),
        ],
        [
            [
                names.get(holder, holder),
                STATES[answer["status"]],
                answer.get("shown"),
                datetime.fromisoformat(answer["at"]) if answer.get("at") else None,
            ]
            for holder, answer in answers.items()
        ],
        note=_(
            "Counts are rounded, small ones are not shown, and people who went to two hospitals are counted in both."
        ),
    )
    query = parse(found.data["query"])
    state = Tag(_("Waiting for answers"), "info") if waiting else Tag(_("Complete"), "success")
    return Page(
        found.data["query"]["title"],
        [
            Section(_("Answers"), [table]),
            Section(
                _("What was asked"),
                [
                    Text(explain(query, language())),
                    [
                        Fact(_("For"), found.data["purpose"]),
                        Fact(_("Asked"), datetime.fromisoformat(found.data["asked"])),
                    ],
                ],
            ),
        ],
        {"id": key, "query": found.data["query"], "answers": answers},
        answer=Answer(
            state,
            who=", ".join(phrase(name) for name in waiting),
            text=_("Reload the page for later answers; nothing is lost while a hospital is away.") if waiting else "",
            actions=[Action(_("Ask a new question"), "/feasibility/new/", "secondary")] if _asks(request) else [],
        ),
        over=_("Feasibility count"),
        trail=[Link(_("Feasibility"), "/feasibility/")],
    )


urlpatterns = [
    path("feasibility/", listing),
    path("feasibility/new/", new),
    path("feasibility/<str:key>/", detail),
]
