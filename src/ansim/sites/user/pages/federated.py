"""The company's desk: composing a federated analysis, one page a method, begun with a specification that fits."""

import json
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import Problem
from ansim.research.analysis import methods
from ansim.research.analysis.examples import example
from ansim.sites.pages import FormPart, Notice, Page, Section, page
from ansim.sites.user import agreements
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Code, Column, Link, Table
from ansim.sites.wording import METHODS


def methods_of(key: str) -> list[list]:
    """A row a method: the way to its page under this agreement."""
    return [[Link(METHODS[name], f"/agreements/{key}/federated/{name}/")] for name in methods.METHODS]


class FederatedForm(Form):
    area = forms.CharField(label=_("Area of research of this use"))
    method = forms.ChoiceField(label=_("Method"), choices=[(name, METHODS[name]) for name in methods.METHODS])
    spec = forms.CharField(
        label=_("Specification (JSON)"), widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"})
    )


@page("researcher")
def compose(request: HttpRequest, key: str, method: str) -> Page:
    """A federated analysis of one method, begun with a specification over the agreed variables."""
    terms = agreements.get(key)["terms"]
    methods.method(method)
    spec: dict = {}
    parts: list[Any] = []
    try:
        spec = example(method, terms["query"])
    except Problem as problem:
        parts.append(Notice(gettext(problem.text).format(**problem.facts), "warning"))
    start = {"area": terms["areas"][0], "method": method, "spec": json.dumps(spec, indent=1, ensure_ascii=False)}
    rows = [
        [Code(each["name"]), each["kind"], ", ".join(map(str, each.get("concepts", []))) or "–"]
        for each in terms["query"]["variables"]
    ]
    columns = [Column(_("Variable")), Column(_("Kind")), Column(_("Concepts"))]
    text = _("A first specification over the agreed variables: change it to what you want to know.")
    asked = FormPart(
        FederatedForm(initial=start), f"/agreements/{key}/federated/", _("Sign and send to the centre"), text=text
    )
    return Page(
        METHODS[method],
        [Section("", [*parts, asked]), Section(_("Agreed variables"), [Table(_("Agreed variables"), columns, rows)])],
        {"method": method, "spec": spec},
        over=_("Federated analysis"),
        trail=[Link(_("Agreements"), "/agreements/"), Link(terms["title"], f"/agreements/{key}/")],
    )


urlpatterns = [path("agreements/<str:key>/federated/<slug:method>/", compose)]
