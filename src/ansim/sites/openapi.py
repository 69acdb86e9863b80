"""The OpenAPI 3.1 description of a site, made from its table of addresses, so that it cannot say what is not so.

What an act takes is its own declaration, which is also what is checked (`takes.py`); a form's fields are the form's;
roles and step-up are those that the decorators enforce. The names in an answer are read from the view's own source:
they are named, not typed. Addresses between sites (`/exchange/…`, signed envelopes) are in docs/flow.md, not here.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver
from django.utils.translation import override

from ansim.sites import takes
from ansim.sites.config import Site, site
from ansim.sites.pages import Declared
from ansim.sites.web.forms import form_schema

NOT_FOR_PROGRAMS = re.compile(r"exchange/|charts/|language/|static/|openapi\.json")
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
KINDS = {
    "int": {"type": "integer", "minimum": 0},
    "slug": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"},
    "path": {"type": "string", "minLength": 1},
    "str": {"type": "string", "minLength": 1},
}
PROBLEM = {
    "type": "object",
    "description": "What was wrong, where (a field's name), and in words what to do. `problems`: several at once.",
    "properties": {
        "code": {"type": "string", "description": "Short and stable, for programs."},
        "where": {"type": "string"},
        "message": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
    },
    "required": ["code"],
}
DONE = {
    "type": "object",
    "description": "An act was recorded.",
    "properties": {
        "to": {"type": "string", "description": "The page that shows what came of it."},
        "message": {"type": "string"},
    },
    "required": ["to", "message"],
}
REFUSALS = {
    "400": "The rules refuse it, or a field is missing or of another kind. Nothing was saved.",
    "401": "Sign in first.",
    "403": "The role does not allow it; code `step-up`: prove at /step-up/ that it is you, then ask again.",
    "404": "There is no such page.",
    "503": "The site cannot act just now; ask again later. Nothing was saved.",
}
ABOUT = """Every page is also this interface: ask with `Accept: application/json`. Sign in by POST to /sign-in/; the
cookies that come back are the session. Acts need the value of the CSRF cookie in the header X-CSRFToken, and may carry
an Idempotency-Key: with the same key an act has one effect and one answer. Languages: Accept-Language ko or en."""


def describe(patterns: Sequence[URLPattern | URLResolver], here: Site) -> dict[str, Any]:
    """The document of a site with these addresses, in English."""
    paths: dict[str, dict] = {}
    with override("en"):
        for address, view in sorted(_views(patterns), key=lambda found: found[0]):
            if not NOT_FOR_PROGRAMS.match(address):
                paths.setdefault("/" + PARAMETER.sub(r"{\2}", address), _item(address, view))
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Ansim {here.kind}: {here.name['en']}", "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM, "Done": DONE},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": f"ansim_{here.id}"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
            },
        },
    }


def _views(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, Callable]]:
    for each in patterns:
        address = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _views(each.url_patterns, address)
        else:
            yield address, each.callback


def _item(address: str, view: Callable) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": KINDS[kind or "str"]}
        for kind, name in PARAMETER.findall(address)
    ]
    operations: dict[str, Any] = {}
    for each in getattr(view, "both", (view,)):
        for method, operation in _operations(each):
            operations[method] = {"operationId": _name(method, address), **operation}
    return ({"parameters": parameters} if parameters else {}) | operations


def _name(method: str, address: str) -> str:
    return "_".join([method, *re.findall(r"\w+", PARAMETER.sub(r"\2", address))]) if address else f"{method}_home"


def _operations(view: Callable) -> Iterator[tuple[str, dict]]:
    declared = getattr(view, "declared", Declared(False, public=True))
    if not declared.act:
        yield "get", _operation(view, declared, reading=True)
    if declared.act or declared.form or declared.takes:
        yield "post", _operation(view, declared, reading=False)


def _operation(view: Callable, declared: Declared, *, reading: bool) -> dict[str, Any]:
    words = inspect.cleandoc(inspect.unwrap(view).__doc__ or "").split("\n\n")[0].replace("\n", " ")
    found: dict[str, Any] = {"summary": words} if words else {}
    found |= {"x-roles": sorted(declared.roles) or ["anyone" if declared.public else "anyone signed in"]}
    if declared.step_up and not reading:
        found["x-step-up"] = True
    if not reading and (content := _content(declared)):
        found["requestBody"] = {"required": True, "content": content}
    security: dict[str, list] = {} if declared.public else {"session": []}
    found["security"] = [security if reading else {**security, "csrf": []}]
    found["responses"] = _answers(view, declared, reading=reading)
    return found


def _content(declared: Declared) -> dict[str, Any]:
    """Request bodies: JSON for programs, a form as browsers send it; with a file only as multipart."""
    found: dict[str, Any] = {}
    if declared.takes is not None:
        found["application/json"] = {"schema": takes.schema(declared.takes)}
    if declared.form is not None:
        asked = form_schema(declared.form)
        if any(field.get("format") == "binary" for field in asked["properties"].values()):
            return {**found, "multipart/form-data": {"schema": asked}}
        found.setdefault("application/json", {"schema": asked})
        found["application/x-www-form-urlencoded"] = {"schema": asked}
    return found


def _answers(view: Callable, declared: Declared, *, reading: bool) -> dict[str, Any]:
    names: dict[str, dict] = {name: {} for name in told(view, "Page" if reading else "Done")}
    schema: dict[str, Any] = {"type": "object"}
    if reading and declared.form is not None:
        names = {"title": {"type": "string"}, "takes": {"type": "object", "description": "JSON Schema of the form."}}
    schema |= {"properties": names} if names else {}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if not reading:
        content = {"application/json": {"schema": {"allOf": [{"$ref": "#/components/schemas/Done"}, schema]}}}
    elif not names:
        content["*/*"] = {"schema": {}}  # a file
    refused = {
        code: {
            "description": words,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for code, words in REFUSALS.items()
        if not (declared.public and code in {"401", "403"})
    }
    return {"200": {"description": "The facts of the page." if reading else "Done.", "content": content}, **refused}


def told(view: Callable, what: str) -> list[str]:
    """The names in the data that a view gives with `Page(title, sections, data)` or `Done(to, message, data)`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(view))))
    except (OSError, TypeError):  # no source: names are left out
        return []
    names: dict[str, None] = {}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == what:
            given = [*call.args[2:3], *(each.value for each in call.keywords if each.arg == "data")]
            for part in given:
                if isinstance(part, ast.Dict):
                    names |= {key.value: None for key in part.keys if isinstance(key, ast.Constant)}  # type: ignore[misc]
    return list(names)


def served(request: HttpRequest) -> JsonResponse:
    """This site's description, for anyone."""
    from ansim.sites.urls import urlpatterns

    return JsonResponse(describe(urlpatterns, site()))
