"""Each question of the hub with our answer and the reason behind it: for the steward only."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.privacy.disclosure.policy import Policy
from ansim.research.cohort.explain import explain
from ansim.research.cohort.query import parse
from ansim.sites.config import site
from ansim.sites.pages import Empty, Page, Section, Text, page
from ansim.sites.store.models import Record
from ansim.sites.web.formats import language
from ansim.sites.web.parts import Answer, Column, Fact, Link, Table, Tag

NAVIGATION: list[tuple] = [(50, _("Feasibility"), "/feasibility/", {"steward", "auditor"}, None)]
STATES = {
    "waiting": Tag(_("Being counted"), "info"),
    "answered": Tag(_("Answered"), "success"),
    "refused": Tag(_("Refused"), "warning"),
    "cancelled": Tag(_("Taken back by the requester"), "neutral"),
}
SHOWN = 200


def _title(query: Any) -> Any:
    title = query.get("title") if isinstance(query, dict) else None
    return title if isinstance(title, dict) else _("A question that could not be read")


def _why(question: dict) -> Any:
    """The reason that the requester never hears."""
    if question["status"] == "refused":
        return question["why"]
    if question["status"] in {"waiting", "cancelled"}:
        return None
    if question["low"]:
        return _("Too few people for a number")
    if not question["fresh"]:
        return _("Same number as for an earlier, similar group")
    if question["worn"]:
        text = gettext("Counted, with noise, rounded; {people} people left out, as enough was asked about them")
        return text.format(people=question["worn"])
    return _("Counted, with noise, rounded")


@page("steward", "auditor")
def listing(request: HttpRequest) -> Page:
    rows = [found.data for found in Record.objects.filter(kind="feasibility").order_by("-updated")[:SHOWN]]
    policy = Policy.from_data(site().policy)
    rules = [
        Fact(_("Fewest people behind a number"), policy.threshold),
        Fact(_("Rounded to"), policy.rounding),
        Fact(
            _("Noise, at most"),
            policy.noise,
            note=gettext("Or {percent} % of the number, if that is more.").format(percent=policy.noise_percent),
        ),
        Fact(_("Groups that show one number"), policy.snap_distance, note=_("They differ by fewer people than this.")),
        Fact(_("Answers a day and person"), policy.feasibility_per_requester),
        Fact(
            _("Most that one requester learns"),
            f"{policy.guess_requester} %",
            note=gettext(
                "How often at most somebody who knows everybody else guesses rightly whether one person is in a group "
                "(50 % is no knowledge). All requesters together: {percent} % in {days} days. People about whom more "
                "is asked are left out of the answers."
            ).format(percent=policy.guess_everybody, days=policy.exposure_days),
        ),
    ]
    if not rows:
        text = _("Researchers ask all hospitals through the portal; each question and our answer appear here.")
        empty = Section("", [Empty(_("No questions yet"), text)])
        return Page(_("Feasibility"), [empty, Section(_("Our rules"), [rules])], {"questions": []})
    table = Table(
        _("Questions"),
        [
            Column(_("Patient group")),
            Column(_("Asked by")),
            Column(_("State")),
            Column(_("Shown"), number=True),
            Column(_("Why, never told to the requester")),
            Column(_("Asked")),
        ],
        [
            [
                Link(_title(row["query"]), f"/feasibility/{row['id']}/"),
                row["requester"],
                STATES[row["status"]],
                row.get("shown"),
                _why(row),
                datetime.fromisoformat(row["asked"]),
            ]
            for row in rows
        ],
        hide_caption=True,
    )
    return Page(
        _("Feasibility"),
        [Section("", [table]), Section(_("Our rules"), [rules])],
        {"questions": rows},
        lead=_("Answered by this site itself; similar groups always show the same number."),
    )


@page("steward", "auditor")
def detail(request: HttpRequest, key: str) -> Page:
    found = Record.objects.filter(kind="feasibility", key=key).first()
    if found is None:
        raise Problem("no-question", N_("There is no question {key} here."), key=key)
    row = found.data
    try:
        text = explain(parse(row["query"]), language())
    except Problem:
        text = str(row["query"])[:2000]
    facts = [
        Fact(_("Asked by"), row["requester"]),
        Fact(_("For"), row["purpose"]),
        Fact(_("Asked"), datetime.fromisoformat(row["asked"])),
        Fact(_("Shown"), row.get("shown")),
        Fact(_("Why, never told to the requester"), _why(row)),
    ]
    return Page(
        _title(row["query"]),
        [Section(_("Our answer"), [facts]), Section(_("What was asked"), [Text(text)])],
        {"question": row},
        answer=Answer(STATES[row["status"]]),
        over=_("Feasibility count"),
        trail=[Link(_("Feasibility"), "/feasibility/")],
    )


urlpatterns = [path("feasibility/", listing), path("feasibility/<str:key>/", detail)]
