"""Which hospitals to ask: a ranking and the smallest set that reaches the wanted number, with a reason for each."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.governance import areas
from ansim.governance.matching import Candidate, Choice, rank, smallest
from ansim.sites.hub import matching
from ansim.sites.hub.pages import feasibility
from ansim.sites.pages import FormPart, Notice, Page, Section, page
from ansim.sites.uses import VERDICTS, UseForm, use_from, verdict_table
from ansim.sites.web.formats import phrase
from ansim.sites.web.parts import Column, Link, Table, Tag
from ansim.sites.wording import called

REASONS: dict[str, Tag] = {
    "chosen": Tag(_("Ask this one"), "success"),
    "not-needed": Tag(_("Not needed for the number"), "neutral"),
    "purpose": Tag(_("Its conditions rule the purpose out"), "danger"),
    "variables": Tag(_("Lacks variables"), "warning"),
    "no-count": Tag(_("Showed no number"), "neutral"),
}


class NeedsForm(UseForm):
    """What the study needs: how many patients, which variables, for which purpose."""

    wanted = forms.IntegerField(label=_("How many patients the study needs"), min_value=1)
    least = forms.IntegerField(
        label=_("Least share of the variables, in percent"), min_value=0, max_value=100, initial=50, required=False
    )
    areas = forms.MultipleChoiceField(label=_("Area of research"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["areas"].choices = [(code, phrase(area)) for code, area in areas.tree().items()]  # type: ignore[attr-defined]
        self.order_fields(["wanted", "least", "areas", "investigation"])


@page("researcher", "coordinator")
def propose(request: HttpRequest, key: str) -> Page:
    """The form, and below it the proposal for what was filled in. Nothing is sent to anybody."""
    found = feasibility.asked_by(request, key)
    form = NeedsForm(request.GET if request.GET.get("wanted") else None)
    sections = [Section(_("What the study needs"), [FormPart(form, "", _("Propose hospitals"), method="get")])]
    data: dict[str, Any] = {"id": key}
    if form.is_bound and form.is_valid():
        told = form.cleaned_data
        pairs = matching.candidates(
            found.data["answers"], found.data["query"], use_from(told), told["areas"], found.data["organisation"]
        )
        every = [candidate for candidate, _fit in pairs]
        choice = smallest(every, told["wanted"], (told["least"] if told["least"] is not None else 50) / 100)
        sections = [Section(_("Proposal"), [_outcome(choice), _ranking(rank(every), choice)]), *sections]
        sections += [Section(called(each.id), [verdict_table(fit, called(each.id))]) for each, fit in pairs if fit]
        data |= {
            "chosen": list(choice.chosen),
            "total": choice.total,
            "enough": choice.enough,
            "reasons": choice.reasons,
            "fit": {each.id: fit.as_data() if fit else None for each, fit in pairs},
        }
    return Page(
        found.data["query"]["title"],
        sections,
        data,
        over=_("Which hospitals to ask"),
        lead=_("Fewest hospitals first; among equals, those that fit the purpose, have the variables and answer soon."),
        trail=[Link(_("Feasibility"), "/feasibility/"), Link(_("Answers"), f"/feasibility/{key}/")],
    )


def _outcome(choice: Choice) -> Notice:
    if choice.enough:
        text = gettext("{count} hospitals reach {total} of the {wanted} patients wanted.")
        tone = "success"
    else:
        text = gettext("Even all {count} that could take part reach only {total} of the {wanted} patients wanted.")
        tone = "warning"
    return Notice(text.format(count=len(choice.chosen), total=choice.total, wanted=choice.wanted), tone)


def _ranking(every: list[Candidate], choice: Choice) -> Table:
    rows = [
        [
            called(one.id),
            REASONS[choice.reasons[one.id]],
            one.count,
            VERDICTS[one.fit],
            round(one.coverage * 100),
            None if one.quality is None else round(one.quality * 100),
            None if one.days is None else round(one.days),
        ]
        for one in every
    ]
    columns = [
        Column(_("Hospital or public body")),
        Column(_("Proposal")),
        Column(_("Patients"), _("rounded"), number=True),
        Column(_("Purpose")),
        Column(_("Variables it has"), "%", number=True),
        Column(_("Quality checks passed"), "%", number=True),
        Column(_("Working days to an answer"), _("median"), number=True),
    ]
    note = _("Somebody who went to two hospitals is counted in both, so the sum may be above the number of people.")
    return Table(_("Hospitals, most patients first"), columns, rows, note=note)


urlpatterns = [path("feasibility/<str:key>/match/", propose)]
