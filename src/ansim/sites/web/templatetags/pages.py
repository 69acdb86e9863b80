"""Draws one part of a page made of parts (ansim.sites.pages)."""

from typing import Any

from django import template
from django.template.context import Context

register = template.Library()


@register.inclusion_tag("web/part.html", takes_context=True)
def part(context: Context, item: Any) -> dict[str, Any]:
    return {
        "item": item,
        "kind": type(item).__name__,
        "request": context.get("request"),
        "csrf_token": context.get("csrf_token"),
    }
