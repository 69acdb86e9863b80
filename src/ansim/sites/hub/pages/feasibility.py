"""Asking how many patients fit, and the answers as they come in."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.research.cohort.written import question
from ansim.sites import people
from ansim.sites.hub import feasibility, presence
from ansim.sites.pages import Done, Empty, Notice, Page, Section, Text, act, form_page, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import language, phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.group_page import builder, draft
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
    "cancelled": Tag(_("Taken back"), "neutral"),
}
BY = {"sex": _("Sex"), "age_band": _("Age"), "year": _("Year of entry")}
SEXES = {"F": _("Women"), "M": _("Men")}
LIVE_SECONDS = 3


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
    by = forms.MultipleChoiceField(
        label=_("Also count by"),
        choices=list(BY.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Each uses up one more answer of the day, and small parts show no number."),
    )
    quorum = forms.IntegerField(
        label=_("Show a sum when so many hospitals have answered"), min_value=1, required=False, initial=1
    )
    query = forms.CharField(
        label=_("Or the whole definition as YAML or JSON"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_(
            "A query, a cohort definition, or the JSON of an OHDSI ATLAS cohort. "
            "If you write here, the fields above that choose people are not used."
        ),
    )


def _numbers(text: str, where: str) -> list[int]:
    try:
        return [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise Problem(
            "bad-concepts", N_("Concept numbers are whole numbers, separated by commas."), where=where
        ) from None


def document(given: dict) -> object:
    """The query document that the form's fields mean, or the query or cohort definition that was written instead."""
    if given.get("query"):
        return _written(given)
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
    return _query(given, "query/1", cohort)


def _written(given: dict) -> object:
    """A query as it is; a cohort definition of either form becomes the cohort of a query/2."""
    own = _query(given, "query/2", {})
    beside = {"period": own["period"]} | ({"title": own["title"]} if given.get("title") else {})
    return question(given["query"], name=given.get("purpose") or "", beside=beside).document()


def _query(given: dict, kind: str, cohort: dict) -> dict:
    title = given.get("title") or given.get("purpose") or "?"
    start, end = given.get("period_from"), given.get("period_to")
    return {
        "ansim": kind,
        "title": {"ko": title, "en": title},
        "cohort": cohort,
        "variables": [{"name": "sex", "kind": "sex"}, {"name": "age_band", "kind": "age_band", "width": 10}],
        "period": {
            "from": start.isoformat() if start else "1900-01-01",
            "to": end.isoformat() if end else "2099-12-31",
        },
    }


@page("researcher", form=Question)
def new(request: HttpRequest) -> HttpResponse:
    """The form; a program may send {query, purpose}."""

    def on_valid(given: dict) -> Done:
        key = feasibility.ask(
            query=document(given),
            purpose=given["purpose"] or given["title"],
            person=request.user.get_username(),
            organisation=request.user.last_name or "-",
            by=given["by"],
            quorum=given["quorum"] or 1,
        )
        return Done(f"/feasibility/{key}/?live=1", _("The question is on its way to every hospital."), {"id": key})

    return form_page(
        request,
        Question,
        _("How many patients fit?"),
        on_valid,
        submit_label=_("Ask every hospital"),
        back="/feasibility/",
        lead=_("Each hospital answers for itself with a rounded count; no patient data leave it."),
        initial=draft(request),
        template="web/ask.html",
        group="/feasibility/group/",
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


def asked_by(request: HttpRequest, key: str) -> Record:
    """The question, if the person asked it or coordinates; raises Problem else."""
    found = Record.objects.filter(kind="feasibility", key=key).first()
    if found is None or (
        "coordinator" not in request.user.groups.values_list("name", flat=True)
        and (found.data["person"], found.data["organisation"])
        != (request.user.get_username(), request.user.last_name or "-")
    ):
        raise Problem("no-question", N_("There is no such question of yours."))
    return found


@page("researcher", "coordinator")
def detail(request: HttpRequest, key: str) -> Page:
    """The answers as they come in; with ?live=1 the page asks again by itself until all are there."""
    found = asked_by(request, key)
    answers = _answers(found)
    names = {holder["id"]: holder["name"] for holder in presence.holders()}
    waiting = [
        names.get(holder, holder) for holder, answer in answers.items() if answer["status"] in {"waiting", "down"}
    ]
    live = bool(waiting) and request.GET.get("live") == "1"
    return Page(
        found.data["query"]["title"],
        [
            Section(_("Answers"), [*_sum(found.data), _table(answers, names)]),
            *([Section(_("In parts"), parts)] if (parts := _parts(found.data, names)) else []),
            Section(_("What was asked"), _asked(found.data)),
        ],
        {"id": key, "query": found.data["query"], "answers": answers, "by": found.data.get("by", [])},
        answer=Answer(
            Tag(_("Waiting for answers"), "info") if waiting else Tag(_("Complete"), "success"),
            who=", ".join(phrase(name) for name in waiting),
            text=_text(live) if waiting else "",
            actions=[*(_actions(request, key, live) if waiting else _again(request)), _match(key)],
        ),
        over=_("Feasibility count"),
        trail=[Link(_("Feasibility"), "/feasibility/")],
        refresh=LIVE_SECONDS if live else 0,
    )


def _text(live: bool) -> Any:
    if live:
        return _("This page looks for answers by itself. Nothing is lost while a hospital is away.")
    return _("Reload the page for later answers; nothing is lost while a hospital is away.")


def _again(request: HttpRequest) -> list[Action]:
    return [Action(_("Ask a new question"), "/feasibility/new/", "secondary")] if _asks(request) else []


def _match(key: str) -> Action:
    return Action(_("Which hospitals to ask"), f"/feasibility/{key}/match/", "secondary")


def _actions(request: HttpRequest, key: str, live: bool) -> list[Action]:
    look = Action(_("Stop looking"), "?", "secondary") if live else Action(_("Follow live"), "?live=1")
    back = [Action(_("Take the question back"), f"/feasibility/{key}/cancel/", "danger", "post")]
    return [look, *(back if _asks(request) else []), *_again(request)]


def _sum(data: dict) -> list:
    """The sum over hospitals, once the quorum has answered."""
    total = feasibility.total(data)
    if total is None:
        text = gettext("A sum is shown when {quorum} hospitals have answered.")
        return [Notice(text.format(quorum=data.get("quorum", 1)))]
    people, counted, low = total
    note = gettext("{hospitals} hospitals with a number, {low} with too few for one.")
    return [[Fact(_("Sum of the numbers"), people, note=note.format(hospitals=counted, low=low))]]


def _table(answers: dict[str, dict], names: dict) -> Table:
    return Table(
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
            "Counts carry noise and are rounded, small ones are not shown, and people who went to two hospitals are "
            "counted in both. A hospital leaves out people about whom much was asked already."
        ),
    )


def _parts(data: dict, names: dict) -> list[Table]:
    """A table for each way of counting in parts: a row a part, a column a hospital that answered."""
    told = {holder: each["parts"] for holder, each in data["answers"].items() if each.get("parts")}
    tables = []
    for kind in data.get("by", []) if told else []:
        labels = list(dict.fromkeys(part for parts in told.values() for part in parts if part.startswith(f"{kind}=")))
        seen = [part for part in labels if any(not parts.get(part, "<").startswith("<") for parts in told.values())]
        columns = [Column(BY[kind]), *(Column(names.get(holder, holder), number=True) for holder in told)]
        rows = [[SEXES.get(_label(part), _label(part)), *(parts.get(part) for parts in told.values())] for part in seen]
        note = _("Parts in which no hospital has enough people for a number are left out. Parts need not add up.")
        tables.append(Table(BY[kind], columns, rows, note=note))
    return tables


def _label(part: str) -> str:
    return part.partition("=")[2]


def _asked(data: dict) -> list:
    facts = [Fact(_("For"), data["purpose"]), Fact(_("Asked"), datetime.fromisoformat(data["asked"]))]
    return [Text(explain(parse(data["query"]), language())), facts]


@act("researcher")
def cancel(request: HttpRequest, key: str) -> Done:
    found = asked_by(request, key)
    feasibility.cancel(found.key, request.user.get_username())
    return Done(f"/feasibility/{key}/", _("The question is taken back; answers that came stay."), {"id": key})


urlpatterns = [
    path("feasibility/", listing),
    path("feasibility/new/", new),
    path("feasibility/group/", builder("researcher", target="/feasibility/new/", back="/feasibility/new/")),
    path("feasibility/<str:key>/", detail),
    path("feasibility/<str:key>/cancel/", cancel),
]
