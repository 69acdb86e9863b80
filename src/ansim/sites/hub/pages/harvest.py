"""The catalogue for programs: HealthDCAT-AP as JSON-LD and Turtle, by content negotiation or suffix, and CSV."""

import csv
import io
from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.cache import patch_vary_headers

from ansim.data.catalogue import rdf
from ansim.errors import Problem
from ansim.sites.hub import catalogue

FORMS: dict[str, tuple[str, Callable[[rdf.Node], str]]] = {
    "jsonld": ("application/ld+json", rdf.jsonld),
    "ttl": ("text/turtle", rdf.turtle),
}
COLUMNS = ("event", "concept_id", "name", "vocabulary", "unit", "people", "records", "missing_percent", "low", "high")


def wanted(request: HttpRequest) -> str:
    """The suffix of the form of RDF that the request asks for before HTML and JSON, or ""."""
    best = request.get_preferred_type(["text/html", "application/json", *(kind for kind, _ in FORMS.values())])
    return next((suffix for suffix, (kind, _) in FORMS.items() if kind == best), "")


def dataset(request: HttpRequest, key: str, suffix: str) -> HttpResponse:
    try:
        one, verified = catalogue.dataset(key)
    except Problem as problem:
        raise Http404 from problem
    if not verified:  # a program cannot see the warning that a person sees
        return HttpResponse("The signature of this description does not fit.\n", status=409, content_type="text/plain")
    return _answer(request, catalogue.node(one, request.build_absolute_uri("/")), suffix)


def feed(request: HttpRequest, suffix: str) -> HttpResponse:
    number = request.GET.get("page", "1")
    found = catalogue.feed(request.build_absolute_uri("/"), int(number) if number.isdecimal() else 0)
    if found is None:
        raise Http404
    return _answer(request, found, suffix)


def variables(request: HttpRequest, key: str) -> HttpResponse:
    """The variables of a dataset as CSV, UTF-8 with a mark so that spreadsheets read the Korean in it."""
    try:
        one, _ = catalogue.dataset(key)
    except Problem as problem:
        raise Http404 from problem
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row.get(column)) for column in COLUMNS] for row in one["variables"])
    answer = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{one["id"]}-variables.csv"'
    return answer


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t" and not _number(value) else value


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _answer(request: HttpRequest, node: rdf.Node, suffix: str) -> HttpResponse:
    kind, write = FORMS[suffix]
    answer = HttpResponse(write(node), content_type=f"{kind}; charset=utf-8")
    answer["Access-Control-Allow-Origin"] = "*"  # it is public
    patch_vary_headers(answer, ["Accept"])
    return answer


urlpatterns = [path("catalogue/<str:key>/variables.csv", variables)]
for _suffix in FORMS:
    urlpatterns += [
        path(f"catalogue.{_suffix}", feed, {"suffix": _suffix}),
        path(f"catalogue/<str:key>.{_suffix}", dataset, {"suffix": _suffix}),
    ]
