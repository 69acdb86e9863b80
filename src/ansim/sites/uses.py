"""Conditions of use and purposes in words: the same table at a holder, in the catalogue and in the matching, and the
questions that a request answers about what it does."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ansim.governance import purpose, uses
from ansim.governance.purpose import Fit
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import DayInput, Form
from ansim.sites.web.parts import Code, Column, Fact, Table, Tag
from ansim.sites.wording import area_names

VERDICTS: dict[str, Tag] = {
    purpose.APPROVE: Tag(_("Fits"), "success"),
    purpose.ABSTAIN: Tag(_("A person decides"), "warning"),
    purpose.DENY: Tag(_("Does not fit"), "danger"),
}
FACTS: dict[str, Any] = {
    "area": _("Area of research"),
    "ancestry": _("Studies population origins or ancestry"),
    "clinical_care": _("Used for the care of patients"),
    "genetic": _("A genetic study"),
    "methods": _("Develops methods only"),
    "commercial": _("Commercial use"),
    "not_for_profit": _("The organisation works without profit"),
    "publishes": _("Results are published"),
    "collaborates": _("Done together with the hospital"),
    "ethics_approval": _("An ethics board has approved it or will"),
    "returns_results": _("Results are given back to the hospital"),
    "countries": _("Countries where the data are used"),
    "users": _("Names of the users"),
    "organisation": _("Organisation"),
    "project": _("Project"),
    "publication_from": _("First day of publication"),
    "to": _("Last day of use"),
}
CHOICES = [("", _("Not said")), ("yes", _("Yes")), ("no", _("No"))]


def term(name: str) -> Any:
    """A term's name in both languages, or the name itself."""
    known = purpose.terms().get(name)
    return {"ko": known["ko"], "en": known["en"]} if known else name


def carried(part: Mapping[str, Any]) -> Any:
    """What a condition carries: areas, countries, a last day."""
    if part.get("areas"):
        return area_names(part["areas"])
    for name in ("countries", "users", "projects", "organisations"):
        if part.get(name):
            return ", ".join(part[name])
    return part.get("until") or part.get("text")


def conditions_table(conditions: dict) -> Table:
    """The conditions one a row, each with its DUO term."""
    parts = [{**conditions, "term": conditions["permission"]}, *(conditions.get("modifiers") or [])]
    known = purpose.terms()
    rows = [
        [term(part["term"]), carried(part) or "–", Code(known.get(part["term"], {}).get("duo", part["term"]))]
        for part in parts
    ]
    columns = [Column(_("Condition of use")), Column(_("More exactly")), Column(_("Data Use Ontology term"))]
    return Table(_("Conditions of use"), columns, rows)


def verdict_table(found: Fit, caption: Any = None) -> Table:
    """Every condition's verdict on a request, with what it would have to know."""
    rows = [
        [
            term(reason.term),
            VERDICTS[reason.verdict],
            ", ".join(str(FACTS.get(fact, fact)) for fact in reason.unknown) or "–",
        ]
        for reason in found.reasons
    ]
    columns = [Column(_("Condition of use")), Column(_("Verdict")), Column(_("Not known yet"))]
    return Table(caption or _("Purpose and conditions of use"), columns, rows, hide_caption=True)


def use_facts(use: Mapping[str, Any]) -> list[Fact]:
    """What a request says it does."""
    kind = uses.investigations().get(str(use.get("investigation")))
    facts = [Fact(_("Kind of investigation"), {"ko": kind["ko"], "en": kind["en"]} if kind else _("Not said"))]
    for name, yes in ((name, use.get(name)) for name in uses.TRUTHS):
        if yes is not None:
            facts.append(Fact(FACTS[name], _("Yes") if yes else _("No")))
    if use.get("countries"):
        facts.append(Fact(FACTS["countries"], ", ".join(use["countries"])))
    if use.get("publication_from"):
        facts.append(Fact(FACTS["publication_from"], use["publication_from"]))
    return facts


class UseForm(Form):
    """What a study does with the data. Unsaid, a hospital's person decides."""

    investigation = forms.ChoiceField(label=_("Kind of investigation"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["investigation"].choices = [  # type: ignore[attr-defined]
            (name, phrase(kind)) for name, kind in uses.investigations().items()
        ]
        for name in uses.TRUTHS:
            self.fields[name] = forms.ChoiceField(label=FACTS[name], choices=CHOICES, required=False)
        self.fields["countries"] = forms.CharField(
            label=FACTS["countries"], required=False, help_text=_("Two letters each, separated by commas, such as KR.")
        )
        self.fields["publication_from"] = forms.DateField(
            label=FACTS["publication_from"], required=False, widget=DayInput
        )


def use_from(data: Mapping[str, Any]) -> dict[str, Any]:
    """The use that a form's cleaned data say; what is not said is left out."""
    found: dict[str, Any] = {"investigation": data["investigation"]}
    found |= {name: data[name] == "yes" for name in uses.TRUTHS if data.get(name)}
    if countries := [part.strip().upper() for part in str(data.get("countries") or "").split(",") if part.strip()]:
        found["countries"] = countries
    if data.get("publication_from"):
        found["publication_from"] = data["publication_from"].isoformat()
    return found
