"""The company's desk: composing a federated analysis, one page a method, begun with a specification that fits."""

import json
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.errors import N_, Problem, Problems
from ansim.research.analysis import methods
from ansim.sites.pages import FormPart, Notice, Page, Section, page
from ansim.sites.user import agreements
from ansim.sites.user.method_form import MethodForm
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Code, Column, Link, Table
from ansim.sites.wording import METHODS


def methods_of(key: str) -> list[list]:
    """A row a method: the way to its page under this agreement."""
    return [[Link(METHODS[name], f"/agreements/{key}/federated/{name}/")] for name in methods.METHODS]


class WrittenForm(Form):
    """The whole specification as people and programs may write it."""

    area = forms.CharField(label=_("Area of research of this use"))
    spec = forms.CharField(
        label=_("Specification (JSON)"), widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"})
    )


@page("researcher")
def compose(request: HttpRequest, key: str, method: str) -> Page:
    """A federated analysis of one method: its fields over the agreed variables, or all of it as text."""
    terms = agreements.get(key)["terms"]
    methods.method(method)
    address, area = f"/agreements/{key}/federated/", {"area": terms["areas"][0]}
    parts: list[Any] = []
    spec: dict = {}
    try:
        asked = MethodForm(initial=area, method=method, query=terms["query"])
        spec = asked.spec
        parts.append(FormPart(asked, address, _("Sign and send to the centre"), {"method": method}))
    except Problem as problem:
        parts.append(Notice(gettext(problem.text).format(**problem.facts), "warning"))
    text = _("For what the fields do not say, such as scales: docs/research/methods.md has an example of each.")
    start = area | {"spec": json.dumps(spec, indent=1, ensure_ascii=False)}
    whole = WrittenForm(initial=start, auto_id="whole_%s")
    rows = [
        [Code(each["name"]), each["kind"], ", ".join(map(str, each.get("concepts", []))) or "–"]
        for each in terms["query"]["variables"]
    ]
    columns = [Column(_("Variable")), Column(_("Kind")), Column(_("Concepts"))]
    return Page(
        METHODS[method],
        [
            Section("", parts),
            Section(
                _("Or as a whole"),
                [FormPart(whole, address, _("Sign and send this text"), {"method": method}, text=text)],
            ),
            Section(_("Agreed variables"), [Table(_("Agreed variables"), columns, rows)]),
        ],
        {"method": method, "spec": spec},
        over=_("Federated analysis"),
        trail=[Link(_("Agreements"), "/agreements/"), Link(terms["title"], f"/agreements/{key}/")],
    )


def specification(request: HttpRequest, key: str, method: str) -> dict:
    """What the fields of the method's page mean. Raises Problems, one a field that is wrong."""
    methods.method(method)
    asked = MethodForm(request.POST, method=method, query=agreements.get(key)["terms"]["query"])
    if not asked.is_valid():
        raise Problems(
            [
                Problem(
                    "wrong-field",
                    N_("{field}: {words}"),
                    where=name,
                    field=str(asked.fields[name].label),
                    words=str(text),
                )
                for name, texts in asked.errors.items()
                for text in texts
            ]
        )
    spec = asked.document()
    methods.start(method, spec)
    return spec


urlpatterns = [path("agreements/<str:key>/federated/<slug:method>/", compose)]
