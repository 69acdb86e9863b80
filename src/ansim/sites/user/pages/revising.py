"""At the desk: the next version of an agreement (an amendment, a renewal) or a new offer after a counter-offer."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.sites import papers, people
from ansim.sites.clauses import NAMES, changes_table, said
from ansim.sites.pages import Done, Notice, Section, form_page, page
from ansim.sites.user import agreements, signing
from ansim.sites.user.pages.drafting import DraftForm
from ansim.sites.web.parts import Action, Column, Table, Tag
from ansim.sites.wording import called, named

HALTS = {
    "suspend": Tag(_("Suspended"), "warning"),
    "resume": Tag(_("In force"), "success"),
    "terminate": Tag(_("Terminated"), "danger"),
}


class ReviseForm(DraftForm):
    """What may change. What only narrows is signed by you alone; what takes more from a hospital, by it as well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["members"].choices = [(each["id"], each["name"]) for each in signing.members()]  # type: ignore[attr-defined]
        self.order_fields(["holders", "members", "not_before", "not_after", "max_persons"])

    members = forms.MultipleChoiceField(label=_("Members"), widget=forms.CheckboxSelectMultiple)
    max_persons = forms.IntegerField(label=_("At most how many people"), min_value=1, required=False)


def initial(terms: dict, proposal: dict) -> dict[str, Any]:
    """The form as the terms fill it, with what a counter-offer proposes."""
    wanted = {**terms, **{name: _merged(terms[name], value) for name, value in proposal.items() if name in terms}}
    return {
        "holders": [each["id"] for each in wanted["holders"]],
        "members": [each["id"] for each in wanted["members"]],
        "not_before": wanted["not_before"],
        "not_after": wanted["not_after"],
        "max_persons": wanted["max_persons"],
        "linked": (wanted["linkage"] or {}).get("holders", []),
        "destroy_days": wanted["destruction"]["within_days"],
        "threshold": wanted["output"]["threshold"],
        "rounding": wanted["output"]["rounding"],
    }


def _merged(old: Any, new: Any) -> Any:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


@page("legal", form=ReviseForm, step_up=True)
def revise(request: HttpRequest, key: str) -> HttpResponse:
    """An amendment of the version in force, or a new offer for one that was countered."""
    paper = agreements.get(key)
    terms, countered = paper["terms"], paper["status"] == "countered"
    if paper["status"] not in ("in force", "countered"):
        raise Problem("being-signed", N_("The last offer is still being signed."))

    def on_valid(data: dict) -> Done:
        linkage = None
        if data["linked"]:
            bodies = terms["linkage"] or agreements.linkage_bodies(terms["place"]["centre"])
            linkage = {**bodies, "holders": sorted(data["linked"])}
        agreements.draft(
            request=paper["request"],
            holders=data["holders"],
            not_before=data["not_before"].isoformat(),
            not_after=data["not_after"].isoformat(),
            modes=terms["modes"],
            areas=terms["areas"],
            linkage=linkage,
            place=terms["place"],
            output={**terms["output"], "threshold": data["threshold"], "rounding": data["rounding"]},
            destruction={"within_days": data["destroy_days"]},
            max_persons=data["max_persons"],
            person=request.user.get_username(),
            names=paper["names"],
            query=terms["query"],
            members=data["members"],
            fees=terms["fees"],
            **({"again": key} if countered else {"supersedes": key}),
        )
        return Done(f"/agreements/{key}/", _("Signed for your organisation; the paper goes round."), {"id": key})

    return form_page(
        request,
        ReviseForm,
        _("A new offer") if countered else _("Change or renew the agreement"),
        on_valid,
        submit_label=_("Draw up and sign"),
        back=f"/agreements/{key}/",
        initial=initial(terms, paper.get("counter", {}).get("proposal", {}) if countered else {}),
        lead=_("What only narrows is signed by you alone; what takes more from a hospital, by it too."),
    )


def actions(request: HttpRequest, paper: dict) -> list[Action]:
    if "legal" not in people.roles(request.user):
        return []
    if paper["status"] == "countered":
        return [Action(_("Write a new offer"), f"/agreements/{paper['id']}/revise/")]
    if paper["status"] == "in force":
        return [Action(_("Change or renew"), f"/agreements/{paper['id']}/revise/", "secondary")]
    return []


def sections(paper: dict) -> list[Section]:
    """What a counter-offer says, what the last version changed, and which hospitals halted."""
    found = []
    if paper["status"] == "countered":
        found.append(Section(_("Counter-offer"), _counter(paper)))
    if paper.get("before"):
        changed = papers.changes(paper["before"], paper["terms"])
        found.append(Section(_("What changes"), [changes_table(changed)]))
    if paper.get("halts"):
        found.append(Section(_("Halted by hospitals"), [_halts(paper["halts"])]))
    return found


def _counter(paper: dict) -> list[Any]:
    counter, terms = paper["counter"], paper["terms"]
    text = gettext("{party} does not sign: {reason}").format(party=named(counter["party"]), reason=counter["reason"])
    rows = [
        [NAMES.get(name, name), said(name, terms.get(name)), said(name, _merged(terms.get(name), value))]
        for name, value in counter["proposal"].items()
    ]
    columns = [Column(_("Clause")), Column(_("Offered")), Column(_("Would be signed"))]
    return [Notice(text, "warning"), *([Table(_("Proposed instead"), columns, rows)] if rows else [])]


def _halts(halts: dict) -> Table:
    rows = [
        [called(party), HALTS[each["act"]], each["reason"], datetime.fromisoformat(each["at"])]
        for party, each in halts.items()
    ]
    columns = [Column(_("Hospital or public body")), Column(_("State")), Column(_("Reason")), Column(_("When"))]
    return Table(_("Halted by hospitals"), columns, rows, hide_caption=True)


urlpatterns = [path("agreements/<str:key>/revise/", revise)]
