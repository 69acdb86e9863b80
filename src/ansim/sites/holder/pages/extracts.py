"""Extracts at this holder: what was asked, the plan, the risk before and after, the decisions, and what was refused."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.governance import areas
from ansim.sites import takes
from ansim.sites.holder import extraction, extracts, source
from ansim.sites.holder.risk_paper import TREATMENTS
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, given, needed, page, wants_json
from ansim.sites.store import ledger
from ansim.sites.store.models import Record
from ansim.sites.web import charts, figures
from ansim.sites.web.formats import percent, phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag
from ansim.sites.wording import EXTRACT, EXTRACT_NEXT, SPECIAL

ROLES = ("operator", "reviewer", "steward", "officer", "auditor")
TIERS = {"low": _("low"), "medium": _("medium"), "high": _("high")}


def _mine(request: HttpRequest) -> int:
    """Extracts that wait for the reader's own act."""
    from ansim.sites import people

    roles = people.roles(request.user)
    wanted = [*(["waiting", "failed"] if "operator" in roles else []), *(["in review"] if "reviewer" in roles else [])]
    return Record.objects.filter(kind=extracts.KIND, status__in=wanted).count()


NAVIGATION = [(60, _("Extracts"), "/extracts/", set(ROLES), _mine)]


class DecisionForm(Form):
    decision = forms.ChoiceField(
        label=_("Is the pseudonymisation adequate for this use?"),
        choices=[("adequate", _("Adequate")), ("not adequate", _("Not adequate"))],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(label=_("Reason"), required=False, widget=forms.Textarea(attrs={"rows": 3}))


class MeetingForm(DecisionForm):
    present = forms.BooleanField(label=_("I sat in the review meeting"), required=False)


class OverrideForm(Form):
    category = forms.ChoiceField(label=_("Special category"))
    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}))
    protection_plan = forms.CharField(
        label=_("Protection plan"),
        help_text=_("What keeps these people safe beyond the usual measures."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expires = forms.DateField(label=_("Last day of the override"), widget=DayInput())

    def __init__(self, *args: Any, choices: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = [(name, SPECIAL.get(name, name)) for name in choices]


@page(*ROLES)
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind=extracts.KIND).order_by("-updated")[:200]]
    refused = [found.data for found in Record.objects.filter(kind="refusal").order_by("-updated")[:100]]
    data = {"extracts": [_brief(each) for each in rows], "refused": refused}
    sections = [Section("", [_table(rows)])]
    if not rows:
        text = _("They come when a member of a research agreement asks for one.")
        sections = [Section("", [Empty(_("No extracts yet"), text)])]
    if refused:
        sections.append(Section(_("Refused requests"), [_refusals(refused)]))
    return Page(_("Extracts"), sections, data)


def _brief(data: dict) -> dict:
    return {name: data[name] for name in ("id", "job", "agreement", "member", "status", "asked")}


def _table(rows: list[dict]) -> Table:
    return Table(
        _("Extracts"),
        [Column(_("Study")), Column(_("State")), Column(_("Must act")), Column(_("Asked by")), Column(_("Asked on"))],
        [
            [
                Link(each["title"], f"/extracts/{each['id']}/"),
                EXTRACT[each["status"]],
                EXTRACT_NEXT.get(each["status"], "–"),
                each["member"],
                datetime.fromisoformat(each["asked"]),
            ]
            for each in rows
        ],
        hide_caption=True,
    )


def _refusals(rows: list[dict]) -> Table:
    return Table(
        _("Refused requests"),
        [Column(_("Job")), Column(_("Asked by")), Column(_("Way")), Column(_("Reasons")), Column(_("When"))],
        [
            [
                Code(each["job"], 12),
                each["member"],
                each["mode"],
                " ".join(reason["message"] for reason in each["reasons"]),
                datetime.fromisoformat(each["at"]),
            ]
            for each in rows
        ],
        note=_("Who asked heard only that it was refused. The reasons stay here."),
        hide_caption=True,
    )


@page(*ROLES)
def detail(request: HttpRequest, key: str) -> Page:
    data = extracts.get(key)
    state = extracts.review_of(key)
    plan = ledger.document(data["plan"]) if data["plan"] else None
    report = ledger.document(data["report"]) if data.get("report") else None
    sections = [*_acts(request, data, state), Section(_("Request"), [_facts(data)])]
    if data["before"] or data.get("after"):
        drawn = not wants_json(request)
        sections.append(Section(_("Risk of re-identification"), _risk(data, plan, drawn=drawn)))
    if plan:
        sections.append(Section(_("What happens to each column"), [_plan(plan, report)]))
    if state.status != "none":
        sections.append(Section(_("Adequacy review"), [*_review(data, state)]))
    return Page(
        _("Extract"),
        sections,
        {
            **data,
            "plan_document": plan,
            "risk": report,
            "review": {**state.as_data(), "decisions": sorted(state.decisions)},
        },
        answer=Answer(EXTRACT[data["status"]], EXTRACT_NEXT.get(data["status"], ""), text=_explain(data, state)),
        over=phrase(data["title"]),
        trail=[Link(_("Extracts"), "/extracts/")],
    )


def _explain(data: dict, state: Any) -> Any:
    if data["problem"]:
        return " ".join(data["problem"]["lines"])
    if data["status"] == "in review":
        return _("{done} of {needed} reviewers have decided.").format(
            done=len(state.decisions), needed=state.reviewers_needed
        )
    return ""


def _acts(request: HttpRequest, data: dict, state: Any) -> list[Section]:
    """What this reader can do now."""
    from ansim.sites import people

    roles, user = people.roles(request.user), request.user.get_username()
    stale = data["status"] == "in review" and source.edition(data["agreement"]) != state.data_version
    if stale and "operator" not in roles:
        return [Section("", [Notice(_("The data have changed since: the operator has to make the extract again."))])]
    if "operator" in roles and (stale or data["status"] in ("waiting", "failed", "not adequate", "stopped")):
        text = _("The people of the cohort are selected, pseudonymised by the plan below, and the files are checked.")
        return [
            Section(
                _("Make the extract"),
                [FormPart(None, f"/extracts/{data['id']}/run/", _("Make the extract"), text=text)],
            )
        ]
    if "officer" in roles and data["status"] == "blocked":
        form = OverrideForm(choices=extracts.barred(ledger.document(data["plan"])))
        text = _("You answer for it by name. It holds for all extracts under this agreement until the last day.")
        part = FormPart(form, f"/extracts/{data['id']}/override/", _("Record the override"), text=text)
        return [Section(_("Override the block"), [part])]
    if "reviewer" in roles and data["status"] == "in review":
        if user in state.operators:
            return [Section("", [Notice(_("Who made an extract does not judge it."))])]
        if user in state.decisions:
            return [Section("", [Notice(_("You have decided. Others still have to."))])]
        form = MeetingForm() if state.in_person else DecisionForm()
        text = _("Your decision is signed over exactly this plan, this data version and this risk report.")
        return [
            Section(
                _("Your decision"),
                [FormPart(form, f"/extracts/{data['id']}/approve/", _("Sign the decision"), text=text)],
            )
        ]
    return []


def _facts(data: dict) -> list[Fact]:
    facts = [
        Fact(_("Asked by"), data["member"]),
        Fact(_("Asked on"), datetime.fromisoformat(data["asked"])),
        Fact(_("Area of research"), phrase(areas.tree().get(data["area"], data["area"]))),
        Fact(_("Agreement"), Link(data["agreement"], f"/agreements/{data['agreement']}/")),
        Fact(_("Signed job"), Code(data["job"], 16)),
    ]
    if data["operator"]:
        facts.append(Fact(_("Made by"), data["operator"]))
    if data.get("data_version"):
        facts.append(Fact(_("Data version"), Code(data["data_version"], 16)))
    if data.get("sent"):
        facts.append(Fact(_("Sent on"), datetime.fromisoformat(data["sent"])))
        paper = Link(_("Risk report and adequacy decision (PDF)"), f"/extracts/{data['id']}/risk-report.pdf")
        facts.append(Fact(_("Paper"), paper))
    return facts


def _risk(data: dict, plan: dict | None, *, drawn: bool) -> list[Any]:
    before, after = data["before"] or {}, data.get("after") or {}
    names: list[tuple[Any, str, Callable[[int], Any]]] = [
        (_("People"), "people", int),
        (_("Smallest group of people who look alike (k)"), "k", int),
        (_("People who are unique"), "uniques", int),
        (_("Groups"), "classes", int),
        (_("Highest risk of one person"), "highest_permille", _permille),
        (_("Average risk"), "average_permille", _permille),
    ]
    rows = [
        [label, *(form(side[name]) if name in side else None for side in (before, after))]
        for label, name, form in names
    ]
    tables = before.get("rows", {})
    rows += [
        [_("Rows of {table}").format(table=table), count, after.get("rows", {}).get(table)]
        for table, count in tables.items()
    ]
    note = _("Over sex, age and months of age at entry. After: as it stands in the files that leave.")
    columns = [Column(_("Figure")), Column(_("Before"), number=True), Column(_("After"), number=True)]
    parts: list[Any] = [Table(_("Before and after pseudonymisation"), columns, rows, note=note)]
    k = plan["policy"]["k"] if plan else extraction.plans.POLICY["k"]
    for title, side in ((_("Group sizes before"), before), (_("Group sizes after"), after)):
        if side and drawn:
            sizes = [(each["size"], each["people"]) for each in side["sizes"]]
            numbers = Table(title, [Column(_("Size of the group")), Column(_("People"), number=True)], sizes)
            parts.append(figures.figure(charts.class_sizes(title, sizes, k=k), numbers))
    return parts


def _permille(value: int) -> str:
    return percent(value / 1000)


def _plan(plan: dict, report: dict | None) -> Table:
    distinct = {(each["table"], each["column"]): each["distinct"] for each in (report or {}).get("variables", [])}
    rows = []
    for each in extraction.columns(plan):
        treatment, was, became = (phrase(text) for text in TREATMENTS[each["action"]])
        count = distinct.get((each["table"], each["column"]))
        rows.append([f"{each['table']}.{each['column']}", treatment, was, became, count])
    columns = [
        Column(_("Column")),
        Column(_("Treatment")),
        Column(_("Before")),
        Column(_("After")),
        Column(_("Different values"), number=True),
    ]
    return Table(_("Plan"), columns, rows, note=_("Columns that are not listed do not leave."), hide_caption=True)


def _review(data: dict, state: Any) -> list[Any]:
    facts = [
        Fact(_("Risk tier"), TIERS.get(state.tier, state.tier)),
        Fact(_("Reviewers needed"), state.reviewers_needed),
        Fact(_("Plan (SHA-256)"), Code(state.plan, 16)),
        Fact(_("Risk report (SHA-256)"), Code(state.report, 16)),
    ]
    papers = [each["signed"]["document"] for each in extracts.decisions_of(data, state)]
    words = {"adequate": Tag(_("Adequate"), "success"), "not adequate": Tag(_("Not adequate"), "warning")}
    table = Table(
        _("Signed decisions"),
        [Column(_("Reviewer")), Column(_("Decision")), Column(_("Reason")), Column(_("When"))],
        [[p["reviewer"], words[p["decision"]], p["reason"] or "–", datetime.fromisoformat(p["at"])] for p in papers],
    )
    return [facts, table] if papers else [facts]


@act("operator")
def run(request: HttpRequest, key: str) -> Done:
    extracts.run(key, request.user.get_username())
    return Done(f"/extracts/{key}/", _("The extract is being made."), {"id": key})


@act(
    "reviewer",
    step_up=True,
    takes={
        "decision": takes.one_of("adequate", "not adequate"),
        "reason": takes.text(required=False),
        "present": takes.yes_or_no(),
    },
)
def approve(request: HttpRequest, key: str) -> Done:
    values = given(request)
    (decision,) = needed(values, "decision")
    if decision not in ("adequate", "not adequate"):
        raise Problem("no-decision", N_("Decide: adequate, or not adequate."), where="decision")
    state = extracts.decide(
        key,
        request.user.get_username(),
        adequate=decision == "adequate",
        reason=str(values.get("reason") or ""),
        present=bool(values.get("present")),
    )
    return Done(f"/extracts/{key}/", _("Your decision is signed and recorded."), {"id": key, "status": state.status})


@page(*ROLES)
def paper(request: HttpRequest, key: str) -> HttpResponse:
    data = extracts.get(key)
    if not data.get("paper"):
        raise Problem("no-paper", N_("The report is issued when the extract has left."))
    name = f'inline; filename="risk-report-{key}.pdf"'
    return HttpResponse(
        ledger.document_bytes(data["paper"]), content_type="application/pdf", headers={"Content-Disposition": name}
    )


urlpatterns = [
    path("extracts/", listing),
    path("extracts/<slug:key>/", detail),
    path("extracts/<slug:key>/run/", run),
    path("extracts/<slug:key>/approve/", approve),
    path("extracts/<slug:key>/risk-report.pdf", paper),
]
