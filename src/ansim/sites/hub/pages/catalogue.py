"""The catalogue for everybody: search in Korean or English, and a page a dataset with figures."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import path
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from ansim.data.cdm import EVENTS
from ansim.sites import people
from ansim.sites.hub import catalogue
from ansim.sites.pages import Empty, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Figure, Link, Suppressed, Table, Tag

NAVIGATION: list = [(10, _("Data catalogue"), "/catalogue/", set(), None)]
EVENT_WORDS = {
    "condition": _("Condition"),
    "drug": _("Drug"),
    "measurement": _("Measurement"),
    "procedure": _("Procedure"),
    "observation": _("Observation"),
    "visit": _("Visit"),
    "device": _("Device"),
    "death": _("Death"),
    "cost": _("Cost"),
}
CATEGORIES = {
    "conformance": _("Conformance"),
    "completeness": _("Completeness"),
    "plausibility": _("Plausibility"),
}
MOST_VARIABLES = 60


@page(public=True)
def listing(request: HttpRequest) -> Page:
    """All datasets, or those that fit the words, best first."""
    words = request.GET.get("q", "")[:200]
    language = "ko" if (get_language() or "ko").startswith("ko") else "en"
    found = catalogue.search(words, language)
    rows = [
        [
            Link(one["title"], f"/catalogue/{one['id']}/"),
            one["holder"]["name"],
            _people(one["people"], one),
            _years(one),
            [_word(each) for each in hit["variables"][:3]] or None,
        ]
        for hit in found
        for one in [hit["description"]]
    ]
    columns = [
        Column(_("Dataset")),
        Column(_("Hospital or public body")),
        Column(_("People"), _("rounded"), number=True),
        Column(_("Years")),
        Column(_("Fits your words")),
    ]
    if rows:
        shown: Any = Table(_("Datasets"), columns, rows)
    elif words:
        shown = Empty(
            _("Nothing fits these words"), _("Try a broader word, in Korean or English."), Action(_("Show all"), "?q=")
        )
    else:
        shown = Empty(
            _("No dataset yet"),
            _("Hospitals and public bodies publish signed descriptions of their data; they will stand here."),
        )
    data = [
        {"id": one["id"], "holder": one["holder"]["id"], "title": one["title"], "people": one["people"]}
        for one in (hit["description"] for hit in found)
    ]
    return Page(
        _("Data catalogue"),
        [Section("", [shown])],
        {"datasets": data, "query": words},
        lead=_(
            "What hospitals and public bodies have, described and signed by each of them. No patient data are here."
        ),
        template="web/search.html",
    )


def _word(variable: dict) -> Tag:
    return Tag(variable["name"], "info")


def _people(number: int | None, one: dict) -> Any:
    return Suppressed(one["disclosure"]["threshold"]) if number is None else number


def _years(one: dict) -> str:
    coverage = one["coverage"]
    return f"{coverage['from'][:4]}–{coverage['to'][:4]}" if coverage else ""


@page(public=True)
def detail(request: HttpRequest, key: str) -> Page:
    """One dataset as its holder describes it; the signature is verified each time."""
    one, verified = catalogue.dataset(key)
    state = (
        Tag(_("Signature verified"), "success")
        if verified
        else Tag(_("Signature does not fit: do not rely on this"), "danger")
    )
    facts = [
        Fact(_("Held by"), one["holder"]["name"]),
        Fact(_("People"), _people(one["people"], one), note=one["disclosure"]["note"]),
        Fact(_("Years"), _years(one)),
        Fact(_("Form of the data"), f"{one['model']['name']} {one['model']['version']}"),
        Fact(_("Described on"), datetime.fromisoformat(one["issued"])),
        Fact(_("Version of the data"), Code(one["version"], 16), note=_("SHA-256 of the data file")),
    ]
    return Page(
        one["title"],
        [
            Section("", [facts]),
            Section(_("People"), _people_figures(one)),
            Section(_("Quality"), _quality(one)),
            Section(_("Variables"), _variables(one)),
        ],
        {"dataset": one, "holder": one["holder"]["id"], "verified": verified},
        lead=one["description"],
        answer=Answer(
            state,
            actions=[Action(_("How many patients fit my study?"), "/feasibility/new/")] if may_ask(request) else [],
        ),
        over=_("Dataset"),
        trail=[Link(_("Data catalogue"), "/catalogue/")],
    )


def _people_figures(one: dict) -> list[Figure]:
    threshold, charted = one["disclosure"]["threshold"], one["charts"]
    years = [(row["year"], row["people"]) for row in charted["people_by_year"]]
    figures = []
    if years:
        most = max(years, key=lambda row: row[1] or 0)
        title = gettext("Most people have a record in {year}").format(year=most[0])
        table = Table(
            _("People by year"),
            [Column(_("Year")), Column(_("People"), number=True)],
            [[str(year), _people(people, one)] for year, people in years],
        )
        figures.append(figure(charts.people_by_year(title, years, threshold=threshold), table))
    by_band: dict[str, dict[str, int | None]] = {}
    for row in charted["people_by_age_sex"]:
        by_band.setdefault(row["age_band"], {})[row["sex"]] = row["people"]
    bands = [(band, sexes.get("F"), sexes.get("M")) for band, sexes in by_band.items()]
    if bands:
        largest = max(bands, key=lambda row: (row[1] or 0) + (row[2] or 0))
        title = gettext("The largest group is aged {band}").format(band=largest[0])
        table = Table(
            _("People by age and sex"),
            [Column(_("Age band")), Column(_("Women"), number=True), Column(_("Men"), number=True)],
            [[band, _people(women, one), _people(men, one)] for band, women, men in bands],
        )
        figures.append(figure(charts.age_and_sex(title, bands, threshold=threshold), table))
    return figures


def _quality(one: dict) -> list[Any]:
    rows = [
        [CATEGORIES[name], counted["pass"], counted["fail"], counted["not_applicable"]]
        for name, counted in one["quality"]["categories"].items()
    ]
    columns = [
        Column(_("Category")),
        Column(_("Passed"), number=True),
        Column(_("Failed"), number=True),
        Column(_("Not applicable"), number=True),
    ]
    parts: list[Any] = [Table(_("Checks by category"), columns, rows)]
    if one["quality"]["failed"]:
        failed = [[Code(each["check"]), each["table"], each["field"] or None] for each in one["quality"]["failed"]]
        names = [Column(_("Check")), Column(_("Table")), Column(_("Field"))]
        parts.append(Table(_("Checks that failed"), names, failed))
    gaps = [row for row in one["variables"] if row["missing_percent"]][:12]
    if gaps:
        shares = [(row["name"], row["missing_percent"] / 100) for row in gaps]
        worst = max(gaps, key=lambda row: row["missing_percent"])
        title = gettext("{name} lacks a value in {percent} of 100 records").format(
            name=worst["name"], percent=worst["missing_percent"]
        )
        table = Table(
            _("Records without a value"),
            [Column(_("Variable")), Column(_("Missing"), "%", number=True)],
            [[row["name"], row["missing_percent"]] for row in gaps],
        )
        parts.append(figure(charts.missingness(title, shares), table))
    return parts


def _variables(one: dict) -> list[Table]:
    rows = [
        [
            row["name"],
            EVENT_WORDS.get(row["event"], row["event"]),
            Code(str(row["concept_id"])),
            _people(row["people"], one),
            row["missing_percent"],
            f"{row['low']} – {row['high']}" if row["low"] is not None else None,
        ]
        for row in one["variables"][:MOST_VARIABLES]
    ]
    columns = [
        Column(_("Variable")),
        Column(_("Kind")),
        Column(_("OMOP concept")),
        Column(_("People"), _("rounded"), number=True),
        Column(_("Missing"), "%", number=True),
        Column(_("Usual range")),
    ]
    total = len(one["variables"])
    note = _("The commonest of each kind; {total} in all.").format(total=total) if total > MOST_VARIABLES else ""
    return [Table(_("Variables"), columns, rows, note=note)]


assert set(EVENTS) <= set(EVENT_WORDS)  # a new kind of event needs its word


def may_ask(request: HttpRequest) -> bool:
    """Visitors are led to sign in; somebody signed in without the role is not led where they may not go."""
    return not request.user.is_authenticated or "researcher" in people.roles(request.user)


urlpatterns = [path("", listing), path("catalogue/", listing), path("catalogue/<str:key>/", detail)]
