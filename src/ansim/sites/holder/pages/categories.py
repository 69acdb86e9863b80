"""Special categories: which codes block an extract here, and which overrides stand, with who answers for them."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem
from ansim.privacy.deid import special
from ansim.sites import clock, people, takes
from ansim.sites.holder import categories
from ansim.sites.pages import Done, FormPart, Notice, Page, Section, act, given, needed, page
from ansim.sites.web.formats import phrase
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Column, Fact, Link, Table, Tag

READERS = ("officer", "operator", "reviewer", "steward", "auditor")
NAVIGATION: list[tuple] = [(65, _("Special categories"), "/special/", {"officer", "auditor"}, None)]
SHOWN = 12  # codes of a list on the overview


class CodesForm(Form):
    icd = forms.CharField(
        label=_("Beginnings of ICD-10 and KCD codes, one a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    snomed = forms.CharField(
        label=_("SNOMED CT codes, one a line; their descendants count too"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    concepts = forms.CharField(
        label=_("OMOP concept ids, one a line; their descendants count too"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    complete = forms.BooleanField(
        label=_("The list is complete; reviewers need not look for further codes"), required=False
    )


@page(*READERS)
def overview(request: HttpRequest) -> Page:
    held, overrides = categories.codes(), categories.given()
    rows = [
        [
            Link(phrase(entry["title"]), f"/special/{name}/"),
            ", ".join(entry["icd"][:SHOWN]) + (" …" if len(entry["icd"]) > SHOWN else "") or "–",
            len(entry["snomed"]) + len(entry["concepts"]),
            Tag(_("Complete"), "success") if entry["complete"] else Tag(_("Known to miss codes"), "warning"),
        ]
        for name, entry in special.categories(held).items()
    ]
    table = Table(
        _("Code sets in force"),
        [Column(_("Category")), Column(_("Codes begin with")), Column(_("Concepts"), number=True), Column(_("State"))],
        rows,
        note=_("An extract that touches one of these is blocked, unless an override stands."),
        hide_caption=True,
    )
    origin = _("This site's own code sets.") if categories.own() else _("The code sets of the software, unchanged.")
    facts = [Fact(_("Origin"), origin), Fact(_("Source"), held["source"]), Fact(_("As of"), held["date"])]
    return Page(
        _("Special categories"),
        [Section(_("Code sets"), [facts, table]), Section(_("Overrides"), [_overrides(request, overrides)])],
        {"codes": held, "overrides": overrides},
        lead=_(
            "Data on mental illness, AIDS, sexual infections, rare disease, abuse and abortion do not leave by default."
        ),
    )


def _overrides(request: HttpRequest, rows: list[dict]) -> Any:
    if not rows:
        return Notice(_("No override stands. One is given on the page of the extract that is blocked."))
    held = special.categories(categories.codes())
    today = clock.now().date()
    return Table(
        _("Overrides"),
        [Column(_("Agreement")), Column(_("Category")), Column(_("Reason")), Column(_("Protection plan")),
         Column(_("Approved by")), Column(_("Until"))],
        [
            [
                Link(each["agreement"], f"/special/override/{each['agreement']}/{each['category']}/"),
                phrase(held[each["category"]]["title"]),
                each["reason"],
                each["protection_plan"],
                each["approver"],
                date.fromisoformat(each["expires"])
                if each["expires"] >= today.isoformat()
                else Tag(_("Expired"), "warning"),
            ]
            for each in rows
        ],
        hide_caption=True,
    )  # fmt: skip


@page(*READERS)
def category(request: HttpRequest, name: str) -> Page:
    entry = _entry(name)
    facts = [
        Fact(_("Codes begin with"), ", ".join(entry["icd"]) or "–"),
        Fact(_("SNOMED CT codes"), ", ".join(entry["snomed"]) or "–"),
        Fact(_("OMOP concept ids"), ", ".join(map(str, entry["concepts"])) or "–"),
        Fact(
            _("Complete"), _("Yes") if entry["complete"] else _("No: reviewers must look for further codes themselves.")
        ),
    ]
    sections = [Section("", [facts])]
    if "officer" in people.roles(request.user):
        initial = {each: "\n".join(map(str, entry[each])) for each in categories.LISTS} | {
            "complete": entry["complete"]
        }
        text = _("New extracts are judged by the new list at once; the old one stays on the ledger.")
        form = FormPart(CodesForm(initial=initial), f"/special/{name}/change/", _("Change the list"), text=text)
        sections.append(Section(_("Change the list"), [form]))
    return Page(
        phrase(entry["title"]),
        sections,
        {"category": name, **entry},
        trail=[Link(_("Special categories"), "/special/")],
    )


def _entry(name: str) -> dict:
    held = special.categories(categories.codes())
    if name not in held:
        raise Problem("no-category", N_("There is no special category {category}."), category=name)
    return dict(held[name])


@act(
    "officer",
    step_up=True,
    takes={**{each: takes.text(required=False) for each in categories.LISTS}, "complete": takes.yes_or_no()},
)
def change(request: HttpRequest, name: str) -> Done:
    values = given(request)
    lists = {each: str(values.get(each) or "") for each in categories.LISTS}
    categories.change(name, lists, bool(values.get("complete")), request.user.get_username())
    return Done(f"/special/{name}/", _("The list is changed and recorded."), {"category": name})


@page(*READERS)
def override(request: HttpRequest, agreement: str, name: str) -> Page:
    entry = _entry(name)
    found = next((e for e in categories.given() if (e["agreement"], e["category"]) == (agreement, name)), None)
    if found is None:
        raise Problem("no-override", N_("There is no override to take back."))
    facts = [
        Fact(_("Agreement"), Link(agreement, f"/agreements/{agreement}/")),
        Fact(_("Category"), phrase(entry["title"])),
        Fact(_("Reason"), found["reason"]),
        Fact(_("Protection plan"), found["protection_plan"]),
        Fact(_("Approved by"), found["approver"]),
        Fact(_("Given on"), datetime.fromisoformat(found["at"])),
        Fact(_("Until"), date.fromisoformat(found["expires"])),
    ]
    sections = [Section("", [facts])]
    if "officer" in people.roles(request.user):
        text = _("From then on extracts under this agreement that touch the category are blocked again.")
        part = FormPart(None, f"/special/override/{agreement}/{name}/withdraw/", _("Take the override back"), text=text)
        sections.append(Section(_("Take back"), [part]))
    return Page(_("Override"), sections, found, trail=[Link(_("Special categories"), "/special/")])


@act("officer", step_up=True)
def withdraw(request: HttpRequest, agreement: str, name: str) -> Done:
    categories.withdraw(agreement, name, request.user.get_username())
    return Done("/special/", _("The override is taken back and recorded."), {"agreement": agreement, "category": name})


@act(
    "officer",
    step_up=True,
    takes={"category": takes.text(), "reason": takes.text(), "protection_plan": takes.text(), "expires": takes.day()},
)
def allow(request: HttpRequest, key: str) -> Done:
    from ansim.sites.holder import extracts

    values = given(request)
    chosen, reason, plan, expires = map(str, needed(values, "category", "reason", "protection_plan", "expires"))
    data = extracts.allow(
        key, request.user.get_username(), chosen, reason=reason, protection_plan=plan, expires=expires
    )
    return Done(f"/extracts/{key}/", _("The override is recorded."), {"id": key, "status": data["status"]})


urlpatterns = [
    path("special/", overview),
    path("special/<slug:name>/", category),
    path("special/<slug:name>/change/", change),
    path("special/override/<slug:agreement>/<slug:name>/", override),
    path("special/override/<slug:agreement>/<slug:name>/withdraw/", withdraw),
    path("extracts/<slug:key>/override/", allow),
]
