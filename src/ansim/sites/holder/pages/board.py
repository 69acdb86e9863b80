"""The board's console. Before the decision everyone sees the own vote only, and how many are in."""

import hashlib
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance import board as core
from ansim.governance import rules
from ansim.governance.board import BoardCase, view
from ansim.governance.board import advice as composition_advice
from ansim.governance.core import civil_day
from ansim.sites import clock, people, takes
from ansim.sites.holder import board, reviews, screening
from ansim.sites.holder.pages import advice, meetings
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, given, needed, page
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web.attachments import Attachment, attached
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.web.problems import problem_text
from ansim.sites.wording import CHOICES, IRB, OUTCOMES, TIERS, called, day, lines, tag, yes

READERS = ("secretary", "chair", "member", "outsider", "officer", "steward", "signatory", "auditor")


OPEN = ("none", "docketed", "voting", "meeting")  # before a decision


def waiting(request: HttpRequest) -> int:
    """Cases that wait for this person: a declaration, a vote, or the secretary's docket."""
    roles, me, count = people.roles(request.user), request.user.get_username(), 0
    for found in Record.objects.filter(kind="board", status__in=["docketed", "voting"]):
        named = me in {each["id"] for each in found.data["members"]}
        undone = found.data["declared"] if found.data["status"] == "docketed" else found.data["votes"]
        count += named and me not in undone
    if "secretary" in roles:
        held = set(Record.objects.filter(kind="board", status__in=["docketed", "voting"]).values_list("key", flat=True))
        at_board = Record.objects.filter(kind="review", status="board").values_list("key", flat=True)
        count += len(set(at_board) - held)
    return count


NAVIGATION = [(20, _("Review board"), "/board/", set(READERS), waiting)]


class ConflictForm(Form):
    conflict = forms.ChoiceField(
        label=_("Do you have a conflict of interest in this case?"),
        choices=[("no", _("No")), ("yes", _("Yes"))],
        widget=forms.RadioSelect,
    )
    about = forms.CharField(label=_("If yes, what it is about"), required=False)


class VoteForm(Form):
    choice = forms.ChoiceField(label=_("Your vote"), choices=list(CHOICES.items()), widget=forms.RadioSelect)
    conditions = forms.CharField(
        label=_("Conditions, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    reason = forms.CharField(label=_("Reason"), required=False, widget=forms.Textarea(attrs={"rows": 2}))


class DecideForm(Form):
    outcome = forms.ChoiceField(
        label=_("Decision"), choices=[(name, OUTCOMES[name].word) for name in core.OUTCOMES], widget=forms.RadioSelect
    )
    conditions = forms.CharField(
        label=_("Conditions, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    expires = forms.DateField(label=_("An approval holds until"), required=False, widget=DayInput)
    reason = forms.CharField(label=_("Reason, as the letter gives it"), widget=forms.Textarea(attrs={"rows": 3}))


class IrbForm(Form):
    number = forms.CharField(label=_("Number of the IRB decision"))
    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[(code, each.word) for code, each in IRB.items()],
    )
    expires = forms.DateField(label=_("It holds until"), widget=DayInput)
    file = Attachment(label=_("The IRB's letter"), required=False)
    letter = forms.CharField(label=_("Or the letter's SHA-256"), required=False, max_length=64)


class ConfirmIrbForm(Form):
    file = Attachment(label=_("The IRB's letter, as you have it"), required=False)
    letter = forms.CharField(label=_("Or the letter's SHA-256"), required=False, max_length=64)


@page(*READERS)
def listing(request: HttpRequest) -> Page:
    keys = set(Record.objects.filter(kind="board").values_list("key", flat=True))
    keys |= set(Record.objects.filter(kind="review", status="board").values_list("key", flat=True))
    cases = [(key, board.state(key), reviews.get(key)) for key in sorted(keys)]
    cases.sort(
        key=lambda case: (case[1].status not in {"none", "docketed", "voting", "meeting"}, case[2].due or "9999")
    )
    if not cases:
        text = _("Applications come here when the privacy officer has screened them.")
        return Page(_("Review board"), [Section("", [Empty(_("No cases yet"), text)])], {"cases": []})
    table = Table(
        _("Cases"),
        [
            Column(_("Study")),
            Column(_("Organisation")),
            Column(_("State")),
            Column(_("Votes in"), number=True),
            Column(_("Until")),
        ],
        [
            [
                Link(review.title, f"/board/{key}/"),
                called(review.applicant),
                tag(OUTCOMES, case.status),
                f"{len(case.votes)}/{len(case.members)}" if case.members else None,
                day(review.due) if review.status == "board" else None,
            ]
            for key, case, review in cases
        ],
        hide_caption=True,
    )
    data = [{"id": key, "status": case.status, "due": review.due} for key, case, review in cases]
    return Page(_("Review board"), [Section("", [table])], {"cases": data})


@page(*READERS)
def detail(request: HttpRequest, key: str) -> Page:
    state, review, me = board.state(key), reviews.get(key), request.user.get_username()
    shown, found = view(state, me), screening.of(key)
    due = day(review.due) if review.status == "board" else None
    sections = [*_next(request, key, state), *_members(state, shown), _irb(state)]
    sections += meetings.minutes(state)
    if state.letter:
        sections.insert(0, _decision(key, state))
    if found:
        tier = Fact(_("Risk tier"), tag(TIERS, found["tier"]["level"]))
        sections.append(Section(_("From the screening"), [[tier]]))
    sections += advice.sections(request, key, ask=False)
    return Page(
        review.title,
        sections,
        {"case": shown, "me": me},
        answer=Answer(
            tag(OUTCOMES, state.status),
            who=_who(state),
            by=due,
            late=due is not None and due < civil_day(clock.now()),
            actions=[Action(_("Read the application"), f"/reviews/{key}/", "secondary")],
        ),
        over=_("Case of the review board"),
        trail=[Link(_("Review board"), "/board/")],
    )


def _who(state: BoardCase) -> Any:
    if state.status == "docketed":
        silent = [each["name"] for each in state.members if each["id"] not in state.declared]
        return ", ".join(silent) if silent else _("Board secretary")
    if state.status == "meeting":
        enough = len(core.confirmed(state)) >= core.quorum(state)
        return _("Board chair") if enough else _("Board members who were there")
    if state.status == "voting":
        enough = len(state.votes) >= core.quorum(state)
        return _("Board chair") if enough else _("Board members")
    return _("Board secretary") if state.status in {"none", "deferred"} else ""


def _next(request: HttpRequest, key: str, state: BoardCase) -> list[Section]:
    """What this person can do now."""
    roles, me, at = people.roles(request.user), request.user.get_username(), f"/board/{key}"
    listed = me in {each["id"] for each in state.members}
    items: list[Any] = []
    if "secretary" in roles and state.status in {"none", "deferred"} and reviews.get(key).status == "board":
        items.append(FormPart(None, f"{at}/docket/", _("Put on the docket")))
    if listed and state.status in {"docketed", "voting"} and me not in state.declared:
        items.append(FormPart(ConflictForm(), f"{at}/conflict/", _("Declare")))
    if "secretary" in roles and state.status == "docketed":
        items.append(FormPart(None, f"{at}/open/", _("Open the vote")))
    if state.status == "voting" and me in core.voters(state) and me not in state.votes:
        text = _("One vote a member; it stays. Nobody sees it before the decision.")
        items.append(FormPart(VoteForm(), f"{at}/vote/", _("Vote"), text=text))
    items += meetings.steps(request, key, state)
    in_hand = len(core.confirmed(state) if state.status == "meeting" else state.votes)
    if state.status in {"voting", "meeting"} and me == state.chair and in_hand >= core.quorum(state):
        text = _("A decision may be more careful than the votes, never laxer. It is sent as a signed letter.")
        items.append(FormPart(DecideForm(), f"{at}/decide/", _("Decide"), danger=True, text=text))
    if "secretary" in roles and state.status not in {"none", "closed", "revoked"} and not state.irb:
        items.append(FormPart(IrbForm(), f"{at}/irb/", _("Enter the IRB decision")))
    if "officer" in roles and state.irb_pending:
        items.append(FormPart(ConfirmIrbForm(), f"{at}/irb/confirm/", _("Confirm the IRB decision")))
    return [Section(_("What you can do"), items)] if items else []


def _members(state: BoardCase, shown: dict) -> list[Section]:
    if not state.members:
        return []
    kinds = {"internal": _("Internal"), "outsider": _("External")}
    rows = []
    for each in state.members:
        said_so = state.declared.get(each["id"])
        conflict = Tag(_("Not declared"), "neutral")
        if said_so:
            conflict = Tag(said_so["about"], "warning") if said_so["conflict"] else Tag(_("None declared"), "success")
        vote = shown["votes"].get(each["id"])
        word: Any = CHOICES[vote["choice"]] if vote else ""
        name = [each["name"], Tag(_("Chair"), "info")] if each["id"] == state.chair else each["name"]
        rows.append([name, called(each["org"]), kinds[each["kind"]], conflict, word])
    table = Table(
        _("Members of the board"),
        [
            Column(_("Name")),
            Column(_("Organisation")),
            Column(_("Seat")),
            Column(_("Conflict of interest")),
            Column(_("Voted")),
        ],
        rows,
        note=_("Others' votes appear after the decision.") if state.status == "voting" else "",
    )
    facts = [
        Fact(_("Votes in"), shown["votes_in"]),
        Fact(_("Quorum"), shown["quorum"]),
        Fact(_("Rules of the edition"), state.edition),
    ]
    wanted = composition_advice(state.members, rules.at(civil_day(clock.now())))
    return [Section(_("The board"), [facts, table, *(Notice(problem_text(each)) for each in wanted)])]


def _irb(state: BoardCase) -> Section:
    entry = state.irb or state.irb_pending
    if not entry:
        return Section(_("IRB"), [Empty(_("No IRB decision is on file"))])
    confirmed = Tag(_("Confirmed"), "success") if state.irb else Tag(_("Waits for a second person"), "warning")
    facts = [
        Fact(_("State"), confirmed),
        Fact(_("Number"), entry["number"]),
        Fact(_("Decision"), tag(IRB, entry["decision"])),
        Fact(_("It holds until"), day(entry["expires"])),
        Fact(_("Letter, SHA-256"), Code(entry["letter"], 16)),
        Fact(_("Entered by"), entry["entered_by"]),
        Fact(_("Confirmed by"), entry.get("confirmed_by")),
    ]
    return Section(_("IRB"), [facts])


def _decision(key: str, state: BoardCase) -> Section:
    facts = [
        Fact(_("Decision"), tag(OUTCOMES, state.outcome)),
        Fact(_("It holds until"), day(state.expires)),
        Fact(_("Conditions"), "; ".join(state.conditions) or _("None")),
        Fact(_("Reason"), state.reason),
        Fact(_("Letter"), Link(_("Open the decision letter (PDF)"), f"/board/{key}/letter/")),
        Fact(_("Letter, SHA-256"), Code(state.letter, 16)),
    ]
    return Section(_("Decision"), [facts])


@page(*READERS)
def letter(request: HttpRequest, key: str) -> HttpResponse:
    """The signed decision letter."""
    state = board.state(key)
    if not state.letter:
        raise Problem("no-letter", N_("There is no decision letter yet."))
    return HttpResponse(ledger.document_bytes(state.letter), content_type="application/pdf")


@act("secretary", takes={"chair": takes.text(required=False)})
def docket(request: HttpRequest, key: str) -> Done:
    state = board.docket(key, request.user.get_username(), str(given(request).get("chair") or ""))
    return Done(f"/board/{key}/", _("The case is on the docket."), {"id": key, "members": state.members})


@act(
    "chair",
    "member",
    "outsider",
    takes={"conflict": takes.yes_or_no(required=True), "about": takes.text(required=False)},
)
def conflict(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (said_so,) = [str(each) for each in needed(values, "conflict")]
    command = core.DeclareConflict(
        by=request.user.get_username(), conflict=yes(said_so), about=str(values.get("about") or "")
    )
    board.act(key, command, request.user.get_username())
    return Done(f"/board/{key}/", _("Your declaration is on record."), {"id": key})


@act("secretary", takes={"chair": takes.text(required=False)})
def open_vote(request: HttpRequest, key: str) -> Done:
    person = request.user.get_username()
    board.act(key, core.OpenVoting(by=person, chair=str(given(request).get("chair") or "")), person)
    return Done(f"/board/{key}/", _("The vote is open."), {"id": key})


@act(
    "chair",
    "member",
    "outsider",
    step_up=True,
    takes={"choice": takes.text(), "conditions": takes.texts(required=False), "reason": takes.text(required=False)},
)
def vote(request: HttpRequest, key: str) -> Done:
    values, person = given(request), request.user.get_username()
    (choice,) = needed(values, "choice")
    conditions, reason = lines(values.get("conditions")), str(values.get("reason") or "")
    board.act(key, core.Vote(by=person, choice=choice, conditions=conditions, reason=reason), person)
    return Done(f"/board/{key}/", _("Your vote is in. It stays."), {"id": key})


@act(
    "chair",
    step_up=True,
    takes={
        "outcome": takes.text(),
        "conditions": takes.texts(required=False),
        "expires": takes.day(required=False),
        "reason": takes.text(required=False),
    },
)
def decide(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (outcome,) = needed(values, "outcome")
    reason, expires = (str(values.get(name) or "") for name in ("reason", "expires"))
    state = board.decide(key, request.user.get_username(), outcome, lines(values.get("conditions")), expires, reason)
    data = {"id": key, "outcome": state.outcome, "letter": state.letter}
    return Done(f"/board/{key}/", _("Decided. The letter is on its way."), data)


def _letter_digest(request: HttpRequest) -> str:
    """The SHA-256 of the uploaded letter, or the one that was written."""
    if (content := attached(request, "file")) is not None:
        return hashlib.sha256(content).hexdigest()
    return str(given(request).get("letter") or "").strip().lower()


@act(
    "secretary",
    takes={
        "number": takes.text(),
        "decision": takes.text(),
        "expires": takes.day(),
        "letter": takes.text(required=False),
    },
)
def enter_irb(request: HttpRequest, key: str) -> Done:
    number, decision, expires = needed(given(request), "number", "decision", "expires")
    board.enter_irb(key, request.user.get_username(), number, _letter_digest(request), decision, expires)
    return Done(f"/board/{key}/", _("Entered. A second person confirms it with the letter at hand."), {"id": key})


@act("officer", takes={"letter": takes.text(required=False)})
def confirm_irb(request: HttpRequest, key: str) -> Done:
    board.confirm_irb(key, request.user.get_username(), _letter_digest(request))
    return Done(f"/board/{key}/", _("The IRB decision is confirmed."), {"id": key})


urlpatterns = [
    path("board/", listing),
    path("board/<str:key>/", detail),
    path("board/<str:key>/letter/", letter),
    path("board/<str:key>/docket/", docket),
    path("board/<str:key>/conflict/", conflict),
    path("board/<str:key>/open/", open_vote),
    path("board/<str:key>/vote/", vote),
    path("board/<str:key>/decide/", decide),
    path("board/<str:key>/irb/", enter_irb),
    path("board/<str:key>/irb/confirm/", confirm_irb),
]
