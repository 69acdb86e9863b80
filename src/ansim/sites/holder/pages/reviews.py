"""The inbox: what waits for whom and until when; and one request with its thread, screening and next steps."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.governance.core import civil_day
from ansim.governance.review import HolderReview, shown_to_applicant, waiting
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.sites import clock, people, takes
from ansim.sites.daysoff import days_off
from ansim.sites.holder import conditions, reviews, screening
from ansim.sites.holder.pages import advice
from ansim.sites.holder.pages.board import READERS as BOARD_READERS
from ansim.sites.pages import Done, Empty, FormPart, Page, Section, Text, Timeline, act, given, needed, page
from ansim.sites.routes import ASKED, route_table, rule_cells
from ansim.sites.store.models import Record
from ansim.sites.uses import use_facts, verdict_table
from ansim.sites.web.formats import language
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Link, Moment, Table, Tag
from ansim.sites.wording import (
    MODES,
    OFFICES,
    PURPOSES,
    SPECIAL,
    STATUS,
    TIER_REASONS,
    TIERS,
    area_names,
    called,
    day,
    lines,
    named,
    tag,
    yes,
)

# Which office of WAITING each role here fills.
MINE = {
    "steward": {"contact desk"},
    "officer": {"privacy officer"},
    "secretary": {"board secretary"},
    "signatory": {"legal", "parties"},
    "operator": {"data team"},
}
JUDGED = {
    "sensitive": _("Sensitive information, such as health"),
    "peculiar": _("Unique identifying information"),
    "repeat": _("Repeated case with the same conditions"),
    "consent": _("People consented to this very use"),
    "human_subjects": _("Human-subjects research under the Bioethics Act"),
}


def offices(request: HttpRequest) -> set[str]:
    return {office for role in people.roles(request.user) for office in MINE.get(role, ())}


def mine(request: HttpRequest) -> int:
    """How many reviews wait for an office of this person."""
    return Record.objects.filter(kind="review", data__waiting_on__in=sorted(offices(request))).count()


NAVIGATION: list[tuple] = [(10, _("Inbox"), "/reviews/", set(), mine)]


class ReplyForm(Form):
    answer = forms.ChoiceField(
        label=_("Our answer"),
        choices=[("yes", _("Yes")), ("conditions", _("Yes, with conditions")), ("no", _("No"))],
        widget=forms.RadioSelect,
    )
    conditions = forms.CharField(
        label=_("Conditions, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        help_text=_("With a no it stays in our own record."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MessageForm(Form):
    text = forms.CharField(label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}))
    internal = forms.BooleanField(label=_("Internal note, never sent to the applicant"), required=False)


class ScreenForm(Form):
    """What the documents cannot tell. Unsaid, the more careful answer holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in JUDGED.items():
            self.fields[name] = forms.ChoiceField(
                label=label,
                choices=[("yes", _("Yes")), ("no", _("No"))],
                initial="yes" if screening.JUDGED[name] else "no",
            )


class ReturnForm(Form):
    reason = forms.CharField(label=_("What to mend"), widget=forms.Textarea(attrs={"rows": 3}))


@page()
def inbox(request: HttpRequest) -> Page:
    """Every open case: late first, then by the day on which it is due."""
    today, holidays = civil_day(clock.now()), days_off()
    rows = []
    for found in Record.objects.filter(kind="review"):
        state = HolderReview(**found.data)
        rows.append((state, waiting(state, today, holidays)))
    rows.sort(key=lambda row: (row[0].status == "closed", not row[1]["due"], -row[1]["days_late"], row[1]["due"]))
    if not rows:
        text = _("Requests from researchers appear here; each says who must act and by when.")
        return Page(_("Inbox"), [Section("", [Empty(_("No requests yet"), text)])], {"reviews": []})
    own = offices(request)
    table = Table(
        _("Requests"),
        [
            Column(_("Study")),
            Column(_("Organisation")),
            Column(_("State")),
            Column(_("Waiting for")),
            Column(_("Until")),
            Column(_("Working days late"), number=True),
        ],
        [
            [
                Link(state.title, f"/reviews/{state.request}/"),
                called(state.applicant),
                tag(STATUS, state.status),
                _waits(wait["on"], own),
                day(wait["due"]),
                max(0, wait["days_late"]) if wait["due"] else None,
            ]
            for state, wait in rows
        ],
        hide_caption=True,
    )
    late = sum(1 for _state, wait in rows if wait["due"] and wait["days_late"] > 0)
    to_me = sum(1 for _state, wait in rows if wait["on"] in own)
    facts = [Fact(_("Waiting for you"), to_me), Fact(_("Late"), late), Fact(_("All requests"), len(rows))]
    data = [
        {"id": state.request, "title": state.title, "status": state.status, "applicant": state.applicant, **wait}
        for state, wait in rows
    ]
    return Page(
        _("Inbox"),
        [Section("", [facts, table])],
        {"reviews": data},
        lead=_("Every request to us, who must act next, and by when."),
    )


def _waits(office: str, own: set[str]) -> Any:
    word = OFFICES.get(office, office) if office else None
    return [word, Tag(_("You"), "warning")] if office in own else word


@page()
def detail(request: HttpRequest, key: str) -> Page:
    state, case = reviews.get(key), reviews.case(key)
    found, document = screening.of(key), reviews.application(key) if case["application"] else None
    wait = waiting(state, civil_day(clock.now()), days_off())
    fit = conditions.verdict(case, document)
    sections = [*_next(request, state, document), *_thread(request, key, state), *_asked(case, document)]
    sections.insert(1, Section(_("Purpose and conditions of use"), [verdict_table(fit)]))
    if found:
        sections.insert(1, _assessed(found))
    sections += advice.sections(request, key, ask=state.status != "closed")
    return Page(
        state.title,
        sections,
        {
            "review": {**state.as_data(), "shown": shown_to_applicant(state)},
            "waiting": wait,
            "case": case,
            "application": document,
            "screening": found,
            "fit": fit.as_data(),
        },
        answer=Answer(
            tag(STATUS, state.status),
            who=OFFICES.get(wait["on"], wait["on"]),
            by=day(wait["due"]),
            since=day(state.since),
            late=wait["days_late"] > 0,
            text=gettext(state.reason) if state.reason and state.status in {"returned", "closed"} else "",
            actions=_board_link(request, key, state),
        ),
        over=called(state.applicant),
        trail=[Link(_("Inbox"), "/reviews/")],
    )


def _board_link(request: HttpRequest, key: str, state: HolderReview) -> list[Action]:
    there = state.status == "board" or bool(state.outcome)
    mine = people.roles(request.user) & set(BOARD_READERS)
    return [Action(_("Open the board case"), f"/board/{key}/", "secondary")] if there and mine else []


def _next(request: HttpRequest, state: HolderReview, document: dict | None) -> list[Section]:
    """What this person can do now."""
    roles, key, items = people.roles(request.user), state.request, []
    if "steward" in roles and state.status in {"asked", "replied"}:
        items.append(FormPart(ReplyForm(), f"/reviews/{key}/reply/", _("Send the answer")))
    if "officer" in roles and state.status in {"received", "screening"}:
        label = _("Begin the screening") if state.status == "received" else _("Judge anew")
        items.append(FormPart(ScreenForm(), f"/reviews/{key}/screen/", label))
    if "officer" in roles and state.status == "screening":
        items.append(FormPart(None, f"/reviews/{key}/to-board/", _("Send to the board")))
        items.append(FormPart(ReturnForm(), f"/reviews/{key}/return/", _("Return to the applicant")))
    items += _clock(roles, state)
    return [Section(_("What you can do"), items)] if items else []


STOPS = {
    "applicant-asked": _("The applicant was asked something"),
    "irb-pending": _("The IRB has not decided"),
    "advice-pending": _("Advice is awaited"),
    "data-unavailable": _("The data cannot be reached"),
    "incident": _("An incident is looked into"),
}


class StopForm(Form):
    reason = forms.ChoiceField(label=_("Why the clock should stand"), choices=list(STOPS.items()))


def _clock(roles: set[str], state: HolderReview) -> list[Any]:
    """Stopping the clock, or letting it go on, for the offices that answer for it."""
    if not roles & {"steward", "officer"}:
        return []
    at = f"/reviews/{state.request}"
    if state.paused:
        text = gettext("The clock stands: {reason}").format(reason=STOPS[state.paused["reason"]])
        return [FormPart(None, f"{at}/start-clock/", _("Let the clock go on"), text=text)]
    if state.due:
        form = StopForm(auto_id="stop_%s")
        return [FormPart(form, f"{at}/stop-clock/", _("Stop the clock"))]
    return []


def _assessed(found: dict) -> Section:
    """Route and tier, with the rule behind each step."""
    tier, route = found["tier"], found["route"]
    reasons = [[TIER_REASONS.get(each["fact"], each["fact"]), *rule_cells(each["rule"])] for each in tier["reasons"]]
    facts = [
        Fact(_("Risk tier"), tag(TIERS, tier["level"])),
        Fact(_("Adequacy reviewers"), tier["reviewers"]),
        Fact(_("Meeting in person"), _("Yes") if tier["in_person"] else _("No")),
        Fact(
            _("Special categories touched"),
            ", ".join(str(SPECIAL.get(each, each)) for each in found["facts"]["special"]) or _("None"),
        ),
    ]
    if route["ask"]:
        open_facts = [str(JUDGED.get(fact) or ASKED.get(fact) or fact) for fact in route["ask"]]
        facts.append(Fact(_("Still to find out"), ", ".join(open_facts)))
    facts.append(Fact(_("Judged by the rules of"), day(found["at"])))
    return Section(_("Route and risk"), [facts, route_table(route, reasons)])


def _thread(request: HttpRequest, key: str, state: HolderReview) -> list[Section]:
    sides = {"applicant": _("Applicant"), "holder": _("We"), "internal": _("Internal note")}
    moments = [
        Moment(datetime.fromisoformat(note["at"]), note["text"], who=note["by"], detail=sides[note["side"]])
        for note in reversed(state.thread)
    ]
    items: list[Any] = [Timeline(moments) if moments else Empty(_("No messages yet"))]
    if people.roles(request.user) & {"steward", "officer"} and state.status != "closed":
        items.append(FormPart(MessageForm(), f"/reviews/{key}/message/", _("Send")))
    return [Section(_("Messages"), items)]


def _asked(case: dict, document: dict | None) -> list[Section]:
    facts = [
        Fact(_("Organisation"), called(case["org"])),
        Fact(_("Asked by"), case["person"]),
        Fact(_("Area of research"), area_names(case["areas"])),
        Fact(_("Purpose"), PURPOSES.get(case["purpose"], case["purpose"])),
        Fact(_("Asked"), datetime.fromisoformat(case["opened"])),
        *use_facts((document or case).get("use") or {}),
    ]
    query = document["query"] if document else case["query"]
    sections = [
        Section(_("What is asked"), [facts, Text(case["text"])]),
        Section(_("Patient group and variables"), [Text(explain(parse(query), language()))]),
    ]
    if document:
        linked = document["linkage"]["holders"] if document["linkage"] else []
        told = [
            Fact(_("Lay summary"), document["summary"]),
            Fact(_("Period asked for"), f"{document['not_before']} – {document['not_after']}"),
            Fact(_("Mode"), ", ".join(str(MODES.get(mode, mode)) for mode in document["modes"])),
            Fact(_("Place of analysis"), called(document["place"]["centre"])),
            Fact(_("Members"), ", ".join(f"{each['name']} ({each['id']})" for each in document["people"])),
            Fact(_("Most persons"), document["max_persons"] or _("None")),
            Fact(_("Protocol, SHA-256"), Code(document["protocol"]["sha256"], 16)),
            Fact(_("Linkage"), ", ".join(map(named, linked)) or _("None")),
        ]
        sections.insert(0, Section(_("Application"), [told]))
    return sections


@act(
    "steward",
    takes={"answer": takes.text(), "conditions": takes.texts(required=False), "reason": takes.text(required=False)},
)
def reply(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (answer,) = needed(values, "answer")
    person = request.user.get_username()
    reviews.reply(key, answer, lines(values.get("conditions")), str(values.get("reason") or ""), person)
    return Done(f"/reviews/{key}/", _("The answer is on its way."), {"id": key})


@act("steward", "officer", takes={"text": takes.text(), "internal": takes.yes_or_no()})
def message(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (text,) = needed(values, "text")
    reviews.write(key, text, request.user.get_username(), internal=yes(values.get("internal")))
    return Done(f"/reviews/{key}/", _("Sent."), {"id": key})


@act("steward", "officer", takes={"reason": takes.one_of(*STOPS)})
def stop_clock(request: HttpRequest, key: str) -> Done:
    (reason,) = needed(given(request), "reason")
    reviews.clock_stands(key, reason, request.user.get_username())
    return Done(f"/reviews/{key}/", _("The clock stands; the applicant sees it."), {"id": key})


@act("steward", "officer", takes={})
def start_clock(request: HttpRequest, key: str) -> Done:
    reviews.clock_goes_on(key, request.user.get_username())
    return Done(f"/reviews/{key}/", _("The clock goes on."), {"id": key})


@act("officer", takes={name: takes.yes_or_no() for name in JUDGED})
def screen(request: HttpRequest, key: str) -> Done:
    values = given(request)
    judged = {name: yes(values[name]) for name in JUDGED if name in values}
    found = screening.screen(key, judged, request.user.get_username())
    return Done(f"/reviews/{key}/", _("Route and risk are assessed."), {"id": key, "screening": found})


@act("officer")
def to_board(request: HttpRequest, key: str) -> Done:
    reviews.to_board(key, request.user.get_username())
    return Done(f"/reviews/{key}/", _("The board has it now."), {"id": key})


@act("officer", takes={"reason": takes.text()})
def send_back(request: HttpRequest, key: str) -> Done:
    (reason,) = needed(given(request), "reason")
    reviews.send_back(key, reason, request.user.get_username())
    return Done(f"/reviews/{key}/", _("Returned to the applicant."), {"id": key})


urlpatterns = [
    path("", inbox),
    path("reviews/", inbox),
    path("reviews/<str:key>/", detail),
    path("reviews/<str:key>/reply/", reply),
    path("reviews/<str:key>/message/", message),
    path("reviews/<str:key>/screen/", screen),
    path("reviews/<str:key>/to-board/", to_board),
    path("reviews/<str:key>/return/", send_back),
    path("reviews/<str:key>/stop-clock/", stop_clock),
    path("reviews/<str:key>/start-clock/", start_clock),
]
