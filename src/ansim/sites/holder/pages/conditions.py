"""The conditions under which others may use this holder's data, in DUO's terms."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.governance import areas, purpose
from ansim.sites import people, takes, uses
from ansim.sites.holder import conditions
from ansim.sites.holder.pages.datasets import READERS
from ansim.sites.pages import Done, Page, Section, act, form_page, given, page
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Action, Answer, Link

# Modifiers that carry something: (term, what it carries, the form's field).
LISTS = {
    "GS": ("countries", _("Only in these countries, two letters each")),
    "US": ("users", _("Only these users")),
    "PS": ("projects", _("Only these projects")),
    "IS": ("organisations", _("Only these organisations")),
}
DAYS = {"MOR": _("Nothing published before"), "TS": _("Used until")}


class ConditionsForm(Form):
    permission = forms.ChoiceField(label=_("What the data may be used for"))
    areas = forms.MultipleChoiceField(
        label=_("Only these areas of research"),
        required=False,
        help_text=_("Needed for disease-specific research; each area includes those under it."),
    )
    simple = forms.MultipleChoiceField(label=_("And also"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = purpose.terms()
        kinds = {kind: {n: t for n, t in known.items() if t["kind"] == kind} for kind in ("permission", "modifier")}
        self.fields["permission"].choices = [(n, phrase(t)) for n, t in kinds["permission"].items()]  # type: ignore[attr-defined]
        self.fields["areas"].choices = [(code, phrase(area)) for code, area in areas.tree().items()]  # type: ignore[attr-defined]
        self.fields["simple"].choices = [(n, phrase(t)) for n, t in kinds["modifier"].items() if not t["needs"]]  # type: ignore[attr-defined]
        for code, (_name, label) in LISTS.items():
            self.fields[code] = forms.CharField(label=label, required=False, help_text=_("Separated by commas."))
        for code, label in DAYS.items():
            self.fields[code] = forms.DateField(label=label, required=False, widget=DayInput)
        self.fields["RS"] = forms.CharField(
            label=_("Another restriction, in words"),
            required=False,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("A person judges it for each request."),
        )


def from_form(data: dict) -> dict:
    """The conditions that the form's cleaned data say."""
    modifiers: list[dict] = [{"term": code} for code in data["simple"]]
    for code, (name, _label) in LISTS.items():
        if values := [part.strip() for part in data[code].split(",") if part.strip()]:
            modifiers.append({"term": code, name: [each.upper() for each in values] if code == "GS" else values})
    modifiers += [{"term": code, "until": data[code].isoformat()} for code in DAYS if data[code]]
    if data["RS"]:
        modifiers.append({"term": "RS", "text": data["RS"]})
    found = {"permission": data["permission"], "modifiers": modifiers}
    return {**found, "areas": data["areas"]} if data["permission"] == "DS" else found


def initial(held: dict) -> dict:
    """The form's fields as conditions fill them."""
    found: dict[str, Any] = {"permission": held["permission"], "areas": held.get("areas", []), "simple": []}
    for part in held.get("modifiers") or []:
        code = part["term"]
        if code in LISTS:
            found[code] = ", ".join(part[LISTS[code][0]])
        elif code in DAYS:
            found[code] = part["until"]
        elif code == "RS":
            found[code] = part["text"]
        else:
            found["simple"].append(code)
    return found


@page(*READERS)
def overview(request: HttpRequest) -> Page:
    held = conditions.current()
    change = [Action(_("Change the conditions"), "/datasets/conditions/change/")]
    return Page(
        _("Conditions of use"),
        [Section("", [uses.conditions_table(held)])],
        {"conditions": held},
        lead=_("Signed into the catalogue's description; every request that comes is matched with them."),
        answer=Answer(actions=change if "steward" in people.roles(request.user) else []),
        trail=[Link(_("Datasets"), "/datasets/")],
    )


@page("steward", form=ConditionsForm)
def change(request: HttpRequest) -> HttpResponse:
    """The form; a program sends {conditions: {permission, areas, modifiers}} to /datasets/conditions/set/."""

    def on_valid(data: dict) -> Done:
        return _put(from_form(data), request)

    return form_page(
        request,
        ConditionsForm,
        _("Conditions of use"),
        on_valid,
        submit_label=_("Sign and publish"),
        back="/datasets/conditions/",
        initial=initial(conditions.current()),
        lead=_("Terms of the Data Use Ontology. What no rule can judge is left to a person, never approved."),
    )


@act("steward", takes={"conditions": takes.document(required=False)})
def put(request: HttpRequest) -> Done:
    return _put(given(request).get("conditions") or {}, request)


def _put(found: dict, request: HttpRequest) -> Done:
    told = conditions.put(found, request.user.get_username())
    message = _("Signed; the catalogue shows it at once.") if told else _("Kept; they go with the next publication.")
    return Done("/datasets/conditions/", message, {"conditions": found, "told": told})


urlpatterns = [
    path("datasets/conditions/", overview),
    path("datasets/conditions/change/", change),
    path("datasets/conditions/set/", put),
]
