"""The catalogue for everybody: a search in Korean or English with filters. A dataset's own page is in `dataset.py`."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.data.catalogue import Filters, Found, facets, question
from ansim.sites.hub import catalogue
from ansim.sites.hub.pages import harvest
from ansim.sites.hub.pages.dataset import EVENT_WORDS, count, years
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.web.formats import language, number, phrase
from ansim.sites.web.parts import Action, Column, Link, Suppressed, Table, Tag
from ansim.sites.wording import area_names

NAVIGATION: list = [(10, _("Data catalogue"), "/catalogue/", set(), None)]
SHOWN = 20
FITTING = 2  # variables of a dataset that are named as fitting


class FilterForm(forms.Form):
    """What narrows a search; all of it may be left empty. Choices are given with what each would leave."""

    q = forms.CharField(
        label=_("Search"),
        help_text=_("Words in Korean or English, or a question: HbA1c for more than 1,000 people since 2018"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "aria-describedby": "q_hint"}),
    )
    holder = forms.ChoiceField(label=_("Hospital or public body"), required=False)
    event = forms.ChoiceField(label=_("Kind of data"), required=False)
    area = forms.ChoiceField(label=_("Area of research"), required=False)
    duo = forms.ChoiceField(label=_("Condition of use"), required=False)
    people = forms.IntegerField(label=_("At least so many people"), required=False, min_value=1, max_value=10**9)
    since = forms.IntegerField(label=_("With records since the year"), required=False, min_value=1900, max_value=2200)

    def __init__(self, data: Any, counted: dict[str, dict[str, int]], names: dict[str, Any]):
        super().__init__(data)
        for name in ("holder", "event", "area", "duo"):
            chosen = (data or {}).get(name, "")
            values = {**counted[name], **({chosen: 0} if chosen and chosen not in counted[name] else {})}
            field: Any = self.fields[name]
            field.choices = [("", _("All"))] + [
                (value, f"{phrase(names[name](value))} ({number(n)})") for value, n in values.items()
            ]


@page(public=True)
def listing(request: HttpRequest) -> Page | HttpResponse:
    """All datasets, or those that fit the words and filters, best first; RDF for those who ask for it."""
    if suffix := harvest.wanted(request):
        return harvest.feed(request, suffix)
    said = request.GET.get("q", "")[:200]
    words, filters = question.read(said, _filters(request))
    found = catalogue.find(words, language(), filters)
    pages = Paginator(range(len(found)), SHOWN)
    here = pages.get_page(request.GET.get("page"))
    start = here.start_index() - 1 if len(found) else 0
    hits = found.hits(start, start + SHOWN)
    asked = {"q": said, **{name: value for name, value in asdict(filters).items() if value}}
    form = FilterForm(asked, facets(found), _names())
    data = [
        {"id": one["id"], "holder": one["holder"]["id"], "title": one["title"], "people": one["people"],
         "fitting": hit["people"]}
        for hit in found.hits() for one in [hit["description"]]
    ] if harvest_all(request) else []  # fmt: skip
    return Page(
        _("Data catalogue"),
        [Section(_title(found, words, filters), [_shown(hits, words, filters)])],
        {"datasets": data, "query": said},
        lead=_(
            "What hospitals and public bodies have, described and signed by each of them. No patient data are here."
        ),
        template="web/catalogue.html",
        shown={"form": form, "found": here, "filtered": filters != Filters()},
    )


def harvest_all(request: HttpRequest) -> bool:
    """Programs get all that was found; a page needs only its own part."""
    return "application/json" in request.headers.get("accept", "")


def _filters(request: HttpRequest) -> Filters:
    """The filters of the address; what cannot be read asks for nothing."""

    def whole(name: str, most: int) -> int | None:
        text = request.GET.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 12 and 0 < int(text) <= most else None

    chosen = {name: request.GET.get(name, "")[:100] for name in ("holder", "area", "duo", "event")}
    return Filters(**chosen, since=whole("since", 9999), people=whole("people", 10**9))


def _names() -> dict[str, Any]:
    holders = {one["holder"]["id"]: one["holder"]["name"] for one in catalogue.index().descriptions}
    return {
        "holder": lambda value: holders.get(value, value),
        "event": lambda value: EVENT_WORDS.get(value, value),
        "area": lambda value: area_names([value]),
        "duo": lambda value: catalogue.conditions().get(value, value),
    }


def _title(found: Found, words: str, filters: Filters) -> str:
    """What was found, in a sentence: the finding before the list."""
    datasets, holders = len(found), len(facets(found)["holder"])
    if not datasets:
        return ""
    if words and (filters.people or filters.since):
        return gettext("{holders} hospitals or public bodies have this in {datasets} datasets").format(
            holders=number(holders), datasets=number(datasets)
        )
    return gettext("{datasets} datasets of {holders} hospitals and public bodies").format(
        holders=number(holders), datasets=number(datasets)
    )


def _shown(hits: list[dict], words: str, filters: Filters) -> Any:
    rows = [_row(hit, filters) for hit in hits]
    columns = [
        Column(_("Dataset")),
        Column(_("Hospital or public body")),
        Column(_("People"), _("rounded"), number=True),
        Column(_("Years")),
    ]
    if words:
        since = gettext("since {year}").format(year=filters.since) if filters.since else _("rounded")
        columns += [Column(_("Fits your words")), Column(_("People with it"), since, number=True)]
    else:
        rows = [row[:4] for row in rows]
    if rows:
        return Table(_("Datasets"), columns, rows, hide_caption=True)
    if words or filters != Filters():
        return Empty(
            _("Nothing fits these words"), _("Try a broader word, in Korean or English."), Action(_("Show all"), "?q=")
        )
    return Empty(
        _("No dataset yet"),
        _("Hospitals and public bodies publish signed descriptions of their data; they will stand here."),
    )


def _row(hit: dict, filters: Filters) -> list[Any]:
    one = hit["description"]
    fitting = [Tag(row["name"], "info") for row in hit["variables"][:FITTING]]
    if (more := len(hit["variables"]) - FITTING) > 0:
        fitting.append(Tag(gettext("{number} more").format(number=more)))
    with_it = hit["people"] if hit["variables"] else None
    return [
        Link(one["title"], f"/catalogue/{one['id']}/"),
        one["holder"]["name"],
        count(one["people"], one),
        years(one),
        fitting or None,
        Suppressed(one["disclosure"]["threshold"]) if hit["variables"] and with_it is None else with_it,
    ]


urlpatterns = [path("", listing), path("catalogue/", listing)]
