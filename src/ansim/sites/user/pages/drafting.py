"""At the desk: drawing up an agreement from an application and what was negotiated, and signing it first."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.sites import takes
from ansim.sites.exchange import trust
from ansim.sites.pages import Done, act, form_page, given, needed, page
from ansim.sites.user import agreements, cases
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.wording import lines


class DraftForm(Form):
    """What was negotiated; the rest comes from the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        directory = trust.directory()
        self.fields["holders"].choices = [(each["id"], phrase(each["name"])) for each in directory.of_kind("holder")]  # type: ignore[attr-defined]
        self.fields["linked"].choices = self.fields["holders"].choices  # type: ignore[attr-defined]

    holders = forms.MultipleChoiceField(
        label=_("Hospitals and public bodies that approved"), widget=forms.CheckboxSelectMultiple
    )
    not_before = forms.DateField(label=_("First day"), widget=DayInput)
    not_after = forms.DateField(label=_("Last day"), widget=DayInput)
    linked = forms.MultipleChoiceField(
        label=_("Linked with each other"), widget=forms.CheckboxSelectMultiple, required=False
    )
    destroy_days = forms.IntegerField(label=_("Destroyed within days of the end"), initial=30, min_value=0)
    threshold = forms.IntegerField(label=_("Smallest count shown"), initial=10, min_value=3)
    rounding = forms.IntegerField(label=_("Counts rounded to"), initial=5, min_value=1)


@page("legal", form=DraftForm, step_up=True)
def write(request: HttpRequest, key: str) -> HttpResponse:
    case = cases.get(key)
    application = case["application"] or {}

    def on_valid(data: dict) -> Done:
        linkage = None
        if data["linked"]:
            bodies = agreements.linkage_bodies(application["place"]["centre"])
            linkage = {**bodies, "holders": sorted(data["linked"])}
        number = agreements.draft(
            request=key,
            holders=data["holders"],
            not_before=data["not_before"].isoformat(),
            not_after=data["not_after"].isoformat(),
            modes=application["modes"],
            areas=application["areas"],
            linkage=linkage,
            place=application["place"],
            output={"threshold": data["threshold"], "rounding": data["rounding"], "checkers": 2},
            destruction={"within_days": data["destroy_days"]},
            max_persons=application["max_persons"],
            person=request.user.get_username(),
            fees=cases.quoted(case, data["holders"]),
        )
        return Done(
            f"/agreements/{number}/",
            _("Signed for your organisation; the paper goes to the hospitals one after another."),
            {"id": number},
        )

    return form_page(
        request,
        DraftForm,
        _("Research agreement"),
        on_valid,
        submit_label=_("Draw up and sign"),
        back=f"/requests/{key}/",
        initial={
            "not_before": application.get("not_before"),
            "not_after": application.get("not_after"),
            "holders": application.get("holders"),
        },
    )


@act(
    "legal",
    step_up=True,
    takes={
        "request": takes.text(),
        "holders": takes.texts(),
        "not_before": takes.day(),
        "not_after": takes.day(),
        "modes": takes.texts(),
        "areas": takes.texts(),
        "place": takes.document(),
        "output": takes.document(),
        "destruction": takes.document(),
        "linkage": takes.document(required=False),
        "max_persons": takes.number(required=False),
        "names": takes.document(required=False),
        "supersedes": takes.text(required=False),
        "query": takes.document(required=False),
        "members": takes.texts(required=False),
    },
)
def draft(request: HttpRequest) -> Done:
    """Draw up an agreement or its next version, sign it for the company, and pass it on."""
    values = given(request)
    key, holders, first, last, modes, codes, place, output, destruction = needed(
        values, "request", "holders", "not_before", "not_after", "modes", "areas", "place", "output", "destruction"
    )
    number = agreements.draft(
        request=key,
        holders=lines(holders),
        not_before=first,
        not_after=last,
        modes=lines(modes),
        areas=lines(codes),
        linkage=values.get("linkage"),
        place=place,
        output=output,
        destruction=destruction,
        max_persons=values.get("max_persons"),
        person=request.user.get_username(),
        names=values.get("names"),
        supersedes=values.get("supersedes", ""),
        query=values.get("query"),
        members=lines(values.get("members")),
    )
    return Done(f"/agreements/{number}/", _("Signed for your organisation; the paper goes round."), {"id": number})


urlpatterns = [path("requests/<str:key>/agreement/", write), path("agreements/new/", draft)]
