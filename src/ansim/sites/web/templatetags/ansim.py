"""Tags that draw the view models of `ansim.sites.web.parts`. Load with ``{% load ansim %}``; see docs/pages.md."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms, template
from django.core.paginator import Page
from django.forms.boundfield import BoundField
from django.template import Context
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ansim.errors import Problem, Problems
from ansim.sites.web import formats, parts
from ansim.sites.web.problems import problem_lines

register = template.Library()

register.filter("phrase", formats.phrase)
register.filter("day", formats.day)
register.filter("moment", formats.moment)
register.filter("iso", formats.iso)
register.filter("number", formats.number)
register.filter("percent", formats.percent)


@register.filter
def kind_of(value: Any) -> str:
    """Names the kind of a table cell or fact value for the template that draws it."""
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dt.date):  # a datetime is one too
        return "time"
    if value is None or value == "":
        return "unknown"
    return type(value).__name__.lower() if type(value).__module__ == parts.__name__ else "text"


@register.inclusion_tag("web/parts/value.html", takes_context=True)
def value(context: Context, cell: Any) -> dict[str, Any]:
    """One cell or fact value: text, number, date, Suppressed, Tag, Link, Code, Action, or a list of those."""
    return {"cell": cell, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("web/parts/tag.html")
def tag(state: parts.Tag | str, tone: str = "neutral") -> dict[str, Any]:
    return {"tag": state if isinstance(state, parts.Tag) else parts.Tag(state, tone)}  # type: ignore[arg-type]


@register.inclusion_tag("web/parts/answer.html", takes_context=True)
def answer(context: Context, box: parts.Answer) -> dict[str, Any]:
    return {"answer": box, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("web/parts/action.html", takes_context=True)
def action(context: Context, act: parts.Action) -> dict[str, Any]:
    return {"action": act, "csrf_token": context.get("csrf_token")}


@register.simple_tag
def button(label: Any, url: str, kind: str = "primary") -> str:
    """A link that looks and reads as the next step."""
    return format_html('<a class="button button-{}" href="{}">{}</a>', kind, url, formats.phrase(label))


@register.simple_tag
def submit(label: Any, kind: str = "primary", name: str = "", value: str = "") -> str:
    """The button of the form it stands in."""
    named = format_html(' name="{}" value="{}"', name, value) if name else ""
    return format_html(
        '<button class="button button-{}" type="submit"{}>{}</button>', kind, named, formats.phrase(label)
    )


@register.inclusion_tag("web/parts/facts.html", takes_context=True)
def facts(context: Context, rows: list[parts.Fact]) -> dict[str, Any]:
    """A summary list; with `change` links in the facts it is the check-your-answers list."""
    return {
        "facts": rows,
        "changeable": any(row.change for row in rows),
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("web/parts/table.html", takes_context=True)
def table(context: Context, grid: parts.Table) -> dict[str, Any]:
    rows = [list(zip(row, grid.columns, strict=True)) for row in grid.rows]
    return {"table": grid, "rows": rows, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("web/parts/timeline.html")
def timeline(moments: list[parts.Moment]) -> dict[str, Any]:
    return {"moments": moments}


@register.inclusion_tag("web/parts/clocks.html")
def clocks(rows: list[parts.Clock], caption: Any = "") -> dict[str, Any]:
    return {"clocks": rows, "caption": caption}


@register.inclusion_tag("web/parts/progress.html")
def progress(case: parts.Progress) -> dict[str, Any]:
    rows = [(row, list(zip(case.stages, row.steps, strict=True))) for row in case.rows]
    return {"progress": case, "rows": rows}


@register.inclusion_tag("web/parts/figure.html", takes_context=True)
def figure(context: Context, drawing: parts.Figure) -> dict[str, Any]:
    return {"figure": drawing, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("web/parts/empty.html", takes_context=True)
def empty(context: Context, title: Any, text: Any = "", act: parts.Action | None = None) -> dict[str, Any]:
    """What will stand here, and how to begin."""
    return {"title": title, "text": text, "action": act, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("web/parts/notice.html")
def notice(text: Any, tone: str = "info", title: Any = "") -> dict[str, Any]:
    labels = {
        "success": _("Done"),
        "warning": _("Please note"),
        "danger": _("There is a problem"),
    }
    return {"text": text, "tone": tone, "title": title or labels.get(tone, _("Information"))}


@register.inclusion_tag("web/parts/problem.html")
def problem(error: Problem | Problems) -> dict[str, Any]:
    """A refusal by the rules, in the reader's language, with what to do."""
    return {"lines": problem_lines(error)}


@register.inclusion_tag("web/parts/errors.html")
def errors(*checked: forms.BaseForm | forms.BaseFormSet) -> dict[str, Any]:
    """The error summary of one or several forms or sets of forms; each line leads to its field."""
    lines: list[tuple[str, str]] = []
    for form in [one for each in checked for one in (each if isinstance(each, forms.BaseFormSet) else [each])]:
        lines += [("", str(text)) for text in form.non_field_errors()]
        lines += [
            (first_control(bound), f"{str(bound.label).rstrip('.')}: {text}") for bound in form for text in bound.errors
        ]
    return {"lines": lines}


def first_control(bound: BoundField) -> str:
    """The id of the control that an error link leads to: the first box of a group, else the field."""
    if group_of(bound):
        return next((str(choice.id_for_label) for choice in bound.subwidgets), bound.auto_id)
    return bound.id_for_label or bound.auto_id


def group_of(bound: BoundField) -> bool:
    return isinstance(bound.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)


@register.inclusion_tag("web/parts/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """Label, hint, error, then the control, tied together for those who hear the page."""
    widget = bound.field.widget
    described = []
    if bound.help_text:
        described.append(f"{bound.auto_id}_hint")
    if bound.errors:
        described.append(f"{bound.auto_id}_error")
    group = group_of(bound)
    attrs = {"aria-describedby": " ".join(described)} if described and not group else {}
    return {
        "field": bound,
        "group": group,
        "tick": isinstance(widget, forms.CheckboxInput),
        "narrow": isinstance(widget, forms.NumberInput | forms.DateInput),
        "optional": not bound.field.required and not isinstance(widget, forms.CheckboxInput),
        "described": " ".join(described),
        "control": "" if group else bound.as_widget(attrs=attrs),
    }


@register.inclusion_tag("web/parts/fields.html")
def fields(form: forms.BaseForm) -> dict[str, Any]:
    """All fields of a form in their order."""
    return {"form": form}


@register.inclusion_tag("web/parts/pagination.html", takes_context=True)
def pagination(context: Context, page: Page) -> dict[str, Any]:
    """Links to the pages of a Django paginator, keeping the other parameters of the address."""
    query = context["request"].GET.copy() if "request" in context else None
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)

    def address(number: int) -> str:
        if query is None:
            return f"?page={number}"
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    return {
        "page": page,
        "links": [(number, address(number) if isinstance(number, int) else "") for number in numbers],
        "previous": address(page.previous_page_number()) if page.has_previous() else "",
        "next": address(page.next_page_number()) if page.has_next() else "",
    }
