"""The company's desk: requests to hospitals, their replies and threads, and the application."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance import areas, rules
from ansim.governance.core import civil_day
from ansim.governance.rules.route import Route
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse as parse_query
from ansim.sites import clock, people, takes
from ansim.sites.config import site
from ansim.sites.exchange import trust
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, Text, Timeline, act, form_page, given, needed, page
from ansim.sites.routes import ASKED, route_table
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.user import cases, routes, signing
from ansim.sites.uses import UseForm, use_facts, use_from
from ansim.sites.web.attachments import Attachment
from ansim.sites.web.formats import language, phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.group_page import builder, draft
from ansim.sites.web.parts import Action, Answer, Column, Fact, Link, Moment, Table, Tag
from ansim.sites.wording import MODES, OFFICES, PURPOSES, STATUS, day, lines, tag

NAVIGATION = [(10, _("Requests"), "/", {"researcher", "legal"}, None)]
ANSWERS = {
    "yes": Tag(_("Yes"), "success"),
    "conditions": Tag(_("Yes, with conditions"), "warning"),
    "no": Tag(_("No"), "neutral"),
    "": Tag(_("Not yet"), "info"),
}


def _areas() -> list[tuple[str, str]]:
    return [(code, phrase(area)) for code, area in areas.tree().items()]


def _purposes() -> list[tuple[str, str]]:
    return [
        (each, PURPOSES.get(each, each)) for each in rules.at(civil_day(clock.now()))["L1"]["parameters"]["purposes"]
    ]


def _holders() -> list[tuple[str, str]]:
    return [(each["id"], phrase(each["name"])) for each in trust.directory().of_kind("holder")]


class RequestForm(UseForm):
    """A request: what is planned, with which patients, at which hospitals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["title_ko", "title_en", "areas", "purpose", "text", "query", "holders", "investigation"])
        self.fields["areas"].choices = _areas()  # type: ignore[attr-defined]
        self.fields["purpose"].choices = _purposes()  # type: ignore[attr-defined]
        self.fields["holders"].choices = _holders()  # type: ignore[attr-defined]

    title_ko = forms.CharField(label=_("Name of the study, in Korean"), max_length=200)
    title_en = forms.CharField(label=_("Name of the study, in English"), max_length=200)
    areas = forms.MultipleChoiceField(label=_("Area of research"))
    purpose = forms.ChoiceField(label=_("Purpose"))
    text = forms.CharField(label=_("What you ask the hospitals"), widget=forms.Textarea(attrs={"rows": 5}))
    query = forms.CharField(
        label=_("Patient group and variables (YAML or JSON)"),
        help_text=_(
            "A query, a cohort definition, or the JSON of an OHDSI ATLAS cohort; to the last two, sex and age in bands "
            "are added as variables."
        ),
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
    )
    holders = forms.MultipleChoiceField(label=_("Hospitals and public bodies"), widget=forms.CheckboxSelectMultiple)


class ApplicationForm(Form):
    """The application; what the request says already is not asked again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].choices = [(each["id"], f"{each['name']} ({each['id']})") for each in signing.members()]  # type: ignore[attr-defined]
        self.fields["centre"].choices = [
            (each["id"], phrase(each["name"])) for each in trust.directory().of_kind("centre")
        ]  # type: ignore[attr-defined]

    summary_ko = forms.CharField(label=_("Lay summary, in Korean"), widget=forms.Textarea(attrs={"rows": 4}))
    summary_en = forms.CharField(label=_("Lay summary, in English"), widget=forms.Textarea(attrs={"rows": 4}))
    modes = forms.MultipleChoiceField(
        label=_("Mode"),
        choices=list(MODES.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    centre = forms.ChoiceField(label=_("Safe-utilisation centre"))
    not_before = forms.DateField(label=_("First day"), widget=DayInput)
    not_after = forms.DateField(label=_("Last day"), widget=DayInput)
    max_persons = forms.IntegerField(label=_("At most how many people"), min_value=1)
    people = forms.MultipleChoiceField(label=_("People who will work on it"), widget=forms.CheckboxSelectMultiple)
    protocol = Attachment(label=_("Protocol file"))


def _state(case: dict) -> Tag:
    if case["agreement"]:
        return Tag(_("Agreement drafted"), "success")
    return Tag(_("Applied"), "info") if case["application"] else Tag(_("Asked"), "info")


@page("researcher", "legal")
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind="case").order_by("-updated")[:200]]
    start = Action(_("Write a request"), "/requests/new/") if "researcher" in people.roles(request.user) else None
    if not rows:
        empty = Empty(
            _("No requests yet"),
            _("Describe your study once; it goes sealed to as many hospitals as you choose."),
            start,
        )
        return Page(_("Requests"), [Section("", [empty])], {"requests": []})
    table = Table(
        _("Requests"),
        [
            Column(_("Study")),
            Column(_("State")),
            Column(_("Hospitals that said yes"), number=True),
            Column(_("Opened")),
        ],
        [
            [
                Link(case["title"], f"/requests/{case['id']}/"),
                _state(case),
                f"{sum(h['answer'] in {'yes', 'conditions'} for h in case['holders'].values())}/{len(case['holders'])}",
                datetime.fromisoformat(case["opened"]),
            ]
            for case in rows
        ],
    )
    return Page(
        _("Requests"),
        [Section("", [table])],
        {"requests": [case["id"] for case in rows]},
        answer=Answer(actions=[start] if start else []),
    )


REQUEST = {
    "title": takes.document(),
    "areas": takes.texts(),
    "purpose": takes.text(),
    "text": takes.text(),
    "query": takes.document(texts=True),
    "holders": takes.texts(),
    "use": takes.document(required=False),
}


@page("researcher", form=RequestForm, takes=REQUEST)
def new(request: HttpRequest) -> HttpResponse:
    """A program may send the request as JSON: {title, areas, purpose, text, query, holders, use}; use may be absent."""
    if request.method == "POST" and request.content_type == "application/json":
        return _program_request(request)

    def on_valid(data: dict) -> Done:
        key = cases.open_request(
            title={"ko": data["title_ko"], "en": data["title_en"]},
            areas=data["areas"],
            purpose=data["purpose"],
            text=data["text"],
            query=data["query"],
            holders=data["holders"],
            person=request.user.get_username(),
            use=use_from(data),
        )
        return Done(f"/requests/{key}/", _("The request is on its way."), {"id": key})

    return form_page(
        request,
        RequestForm,
        _("A request to several hospitals"),
        on_valid,
        submit_label=_("Send to the hospitals"),
        back="/",
        initial=draft(request),
        template="web/ask.html",
        group="/requests/group/",
    )


@act("researcher", takes=REQUEST)
def _program_request(request: HttpRequest) -> Done:
    values = given(request)
    title, codes, purpose, text, query, holders = needed(
        values, "title", "areas", "purpose", "text", "query", "holders"
    )
    key = cases.open_request(
        title=title,
        areas=lines(codes),
        purpose=purpose,
        text=text,
        query=query,
        holders=lines(holders),
        person=request.user.get_username(),
        use=values.get("use"),
    )
    return Done(f"/requests/{key}/", _("The request is on its way."), {"id": key})


@page("researcher", "legal")
def detail(request: HttpRequest, key: str) -> Page:
    case = cases.get(key)
    called = dict(_holders())
    waiting = {name: entry for name, entry in case["holders"].items() if entry.get("waiting_on")}
    due = min((entry["due"][:10] for entry in waiting.values() if entry.get("due")), default="")
    rows = [
        [
            called.get(name, name),
            ANSWERS.get(entry["answer"], entry["answer"]),
            tag(STATUS, entry["status"]),
            OFFICES.get(
                entry.get("waiting_on", ""), called.get(entry.get("waiting_on", ""), entry.get("waiting_on") or "–")
            ),
            date.fromisoformat(entry["due"][:10]) if entry.get("due") else "–",
            Link(_("Letter"), f"/requests/{key}/letters/{name}/") if entry.get("letter") else "–",
            _price(entry.get("quote") or {}),
        ]
        for name, entry in case["holders"].items()
    ]
    table = Table(
        _("Hospitals"),
        [
            Column(_("Hospital or public body")),
            Column(_("Reply")),
            Column(_("State")),
            Column(_("Waiting on")),
            Column(_("Due")),
            Column(_("Board")),
            Column(_("Quote"), number=True),
        ],
        rows,
    )
    moments = sorted(
        (
            Moment(datetime.fromisoformat(entry["at"]), entry["text"], f"{called.get(name, name)} · {entry['by']}")
            for name, holder in case["holders"].items()
            for entry in holder["thread"]
        ),
        key=lambda moment: moment.at,
        reverse=True,
    )
    mine, actions = people.roles(request.user), []
    if case["agreement"]:
        actions.append(Action(_("Open the agreement"), f"/agreements/{case['agreement']}/"))
    elif case["application"] and "legal" in mine:
        actions.append(Action(_("Draft the agreement"), f"/requests/{key}/agreement/"))
    elif not case["application"] and "researcher" in mine:
        actions.append(Action(_("Write the application"), f"/requests/{key}/apply/"))
    sections = [
        Section(_("Hospitals"), [table]),
        Section(
            _("Messages"),
            [
                Timeline(moments) if moments else Empty(_("No messages yet")),
                FormPart(_message_form(called, case), f"/requests/{key}/message/", _("Send")),
            ],
        ),
        Section(
            _("What was asked"),
            [
                [
                    Fact(_("Area of research"), ", ".join(phrase(areas.tree()[code]) for code in case["areas"])),
                    Fact(_("Purpose"), PURPOSES.get(case["purpose"], case["purpose"])),
                    *use_facts(case.get("use") or {}),
                ],
                Text(case["text"]),
            ],
        ),
        Section(_("Patient group"), [Text(explain(parse_query(case["query"]), language()))]),
    ]
    route = routes.of_case(case, civil_day(clock.now()), clock.now())
    sections.insert(1, _route(route))
    answer = Answer(
        _state(case),
        who=", ".join(called.get(name, name) for name in waiting),
        by=date.fromisoformat(due) if due else None,
        since=day(min((entry["since"] for entry in waiting.values() if entry.get("since")), default="")),
        late=bool(due) and date.fromisoformat(due) < civil_day(clock.now()),
        actions=actions,
    )
    return Page(
        case["title"],
        sections,
        {"request": case, "route": route.as_data()},
        answer=answer,
        trail=[Link(_("Requests"), "/")],
        over=_("Request to several hospitals"),
    )


def _price(quote: dict) -> str:
    return f"{quote['total']:,} {quote['currency']}" if quote.get("total") is not None else "–"


def _route(route: Route) -> Section:
    """Which reviews this will need, by today's rules; what only the hospitals can find out is asked."""
    today = civil_day(clock.now())
    facts = [Fact(_("Judged by the rules of"), today)]
    if route.ask:
        facts.append(Fact(_("The hospitals find out"), ", ".join(str(ASKED.get(fact, fact)) for fact in route.ask)))
    text = _("Taken without consent of each person and as research on people, unless the hospital judges otherwise.")
    return Section(_("Which reviews this needs"), [Text(text), facts, route_table(route.as_data())])


def _message_form(called: dict, case: dict) -> Form:
    class MessageForm(Form):
        holder = forms.ChoiceField(
            label=_("Recipient"), choices=[(name, called.get(name, name)) for name in case["holders"]]
        )
        text = forms.CharField(label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}))

    return MessageForm()


@act("researcher", "legal", takes={"holder": takes.text(), "text": takes.text()})
def message(request: HttpRequest, key: str) -> Done:
    holder, text = needed(given(request), "holder", "text")
    cases.write(key, holder, text, request.user.get_username())
    return Done(f"/requests/{key}/", _("Sent."))


@page("researcher", "legal")
def letter(request: HttpRequest, key: str, holder: str) -> HttpResponse:
    """A board's letter, as the hospital sent it."""
    entry = cases.get(key)["holders"].get(holder, {})
    if not entry.get("letter"):
        raise Problem("no-letter", N_("There is no letter from {holder}."), holder=holder)
    return HttpResponse(ledger.document_bytes(entry["letter"]), content_type="application/pdf")


@act("researcher", takes={"document": takes.document()})
def check(request: HttpRequest) -> Done:
    """What is missing or contradictory in an application, before anything is sent."""
    (document,) = needed(given(request), "document")
    problems = cases.check(document, signing.member_of(request.user.get_username()))
    return Done("/", "", {"problems": [problem.as_data() for problem in problems]})


@act("researcher", step_up=True, takes={"document": takes.document(), "request": takes.text()})
def submit(request: HttpRequest) -> Done:
    """Sign and send an application document."""
    document, key = needed(given(request), "document", "request")
    number = cases.apply(key, document, request.user.get_username())
    return Done(f"/requests/{key}/", _("The application is signed and on its way."), {"id": number})


@page("researcher", form=ApplicationForm, step_up=True)
def write_application(request: HttpRequest, key: str) -> HttpResponse:
    """The application as a form; signing asks for a step-up like every binding act."""
    case = cases.get(key)

    def on_valid(data: dict) -> Done:
        document = compose(case, data, request.user.get_username())
        number = cases.apply(key, document, request.user.get_username())
        return Done(f"/requests/{key}/", _("The application is signed and on its way."), {"id": number})

    return form_page(
        request,
        ApplicationForm,
        _("Application"),
        on_valid,
        submit_label=_("Sign and send"),
        back=f"/requests/{key}/",
        lead=_("What your request says already is taken over. Your key signs it; only the hospitals can read it."),
    )


def compose(case: dict, data: dict, username: str) -> dict:
    """application/1 from a request and what the form adds."""
    protocol = ledger.keep_bytes(
        data["protocol"].read(), "protocol", data["protocol"].content_type or "application/octet-stream"
    )
    people = [each for each in signing.members() if each["id"] in data["people"]]
    return {
        "ansim": "application/1",
        "id": f"app-{case['id'].removeprefix('req-')}",
        "title": case["title"],
        "applicant": {"id": site().id, "name": phrase(site().name)},
        "purpose": case["purpose"],
        "areas": case["areas"],
        "query": parse_query(case["query"]).document(),
        "modes": data["modes"],
        "place": {"centre": data["centre"], "remote": False},
        "linkage": None,
        "max_persons": data["max_persons"],
        "not_before": data["not_before"].isoformat(),
        "not_after": data["not_after"].isoformat(),
        "holders": [name for name, entry in case["holders"].items() if entry["answer"] != "no"],
        "people": [{name: each[name] for name in ("id", "name", "role", "key")} for each in people],
        "protocol": {"name": data["protocol"].name, "sha256": protocol},
        "pledges": {each["id"]: civil_day(clock.now()).isoformat() for each in people},
        "summary": {"ko": data["summary_ko"], "en": data["summary_en"]},
        **({"use": case["use"]} if case.get("use") else {}),
    }


urlpatterns = [
    path("", listing),
    path("requests/new/", new),
    path("requests/group/", builder("researcher", target="/requests/new/", back="/requests/new/")),
    path("requests/<str:key>/", detail),
    path("requests/<str:key>/message/", message),
    path("requests/<str:key>/apply/", write_application),
    path("requests/<str:key>/letters/<str:holder>/", letter),
    path("applications/prescreen/", check),
    path("applications/new/", submit),
]
