"""A dataset's page: who holds it, how it may be had, who is in it, how good it is, and its variables."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.data.catalogue import dcat, words
from ansim.data.cdm import EVENTS
from ansim.sites import people, uses
from ansim.sites.hub import catalogue
from ansim.sites.hub.pages import harvest
from ansim.sites.pages import Empty, Notice, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.formats import number
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Figure, Link, Suppressed, Table, Tag
from ansim.sites.wording import area_names

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
SHOWN = 25  # variables on a page
DISTRIBUTIONS = 4
PLACES = 4  # of a broken check that are named


def count(value: int | None, one: dict) -> Any:
    return Suppressed(one["disclosure"]["threshold"]) if value is None else value


def years(one: dict) -> str:
    coverage = one["coverage"]
    return f"{coverage['from'][:4]}–{coverage['to'][:4]}" if coverage else ""


@page(public=True)
def detail(request: HttpRequest, key: str) -> Page | HttpResponse:
    """One dataset as its holder describes it; the signature is verified each time. RDF for those who ask for it."""
    if suffix := harvest.wanted(request):
        return harvest.dataset(request, key, suffix)
    one, verified = catalogue.dataset(key)
    state = (
        Tag(_("Signature verified"), "success")
        if verified
        else Tag(_("Signature does not fit: do not rely on this"), "danger")
    )
    wanted = request.GET.get("v", "")[:100]
    rows = [row for row in one["variables"] if _fits(row, wanted)]
    here = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    distributions = _distributions(one)
    return Page(
        one["title"],
        [
            Section("", [_facts(one)]),
            Section(_("How the data may be had"), _access(one)),
            Section(_("People"), _people_figures(one)),
            *([Section(_("Measured values"), distributions)] if distributions else []),
            Section(_("Quality"), _quality(one)),
        ],
        {"dataset": one, "holder": one["holder"]["id"], "verified": verified},
        lead=one["description"],
        answer=Answer(
            state,
            actions=[Action(_("How many patients fit my study?"), "/feasibility/new/")] if may_ask(request) else [],
        ),
        over=_("Dataset"),
        trail=[Link(_("Data catalogue"), "/catalogue/")],
        template="web/dataset.html",
        shown={"listed": here, "wanted": wanted, "variables": _variables(one, list(here), len(rows))},
    )


def _facts(one: dict) -> list[Fact]:
    return [
        Fact(_("Held by"), one["holder"]["name"]),
        Fact(_("People"), count(one["people"], one), note=one["disclosure"]["note"]),
        Fact(_("Years"), years(one)),
        Fact(_("Variables"), len(one["variables"]) + one.get("variables_left_out", 0)),
        Fact(_("Form of the data"), f"{one['model']['name']} {one['model']['version']}"),
        Fact(_("Kind of data"), [Tag(dcat.CATEGORIES[each]) for each in one.get("categories") or ["EHRS"]]),
        Fact(_("Described on"), datetime.fromisoformat(one["issued"])),
        Fact(_("Version of the data"), Code(one["version"], 16), note=_("SHA-256 of the data file")),
    ]


def _access(one: dict) -> list[Any]:
    """Conditions in words, each with its DUO term, so that a person and a program read the same."""
    access = one.get("access", {})
    items: list[Any] = [
        Notice(
            access.get("note")
            or _(
                "Data do not leave the hospital as they are. An agreement gives you aggregate results, or a "
                "pseudonymised extract in a safe centre."
            )
        )
    ]
    if access.get("conditions"):
        items.append(uses.conditions_table(access["conditions"]))
    else:
        items += _listed(access)
    if access.get("contact"):
        items.append([Fact(_("Ask the holder"), Link(access["contact"], access["contact"]))])
    return items


def _listed(access: dict) -> list[Any]:
    """Conditions of a description that names only their terms."""
    known = catalogue.conditions()
    rows = [[known.get(code, {"ko": code, "en": code}), Code(code)] for code in access.get("duo", [])]
    columns = [Column(_("Condition of use")), Column(_("Data Use Ontology term"))]
    items: list[Any] = [Table(_("Conditions of use"), columns, rows)] if rows else []
    if access.get("areas"):
        items.append([Fact(_("Areas of research"), area_names(access["areas"]))])
    return items


def _distributions(one: dict) -> list[Figure]:
    """Each measured value with its commonest step as the finding."""
    threshold = one["disclosure"]["threshold"]
    figures = []
    for row in one["charts"].get("values", [])[:DISTRIBUTIONS]:
        low, high = float(row["low"]), float(row["high"])
        ends = [low + (high - low) * place / len(row["steps"]) for place in range(len(row["steps"]) + 1)]
        names = [f"{end:.3g}" for end in ends]
        steps = list(zip(names, row["steps"], strict=False))
        most = max(range(len(steps)), key=lambda place: row["steps"][place] or 0)
        title = gettext("{name}: most people are between {low} and {high}").format(
            name=row["name"], low=names[most], high=names[most + 1]
        )
        table = Table(
            row["name"],
            [Column(_("From"), row["unit"], number=True), Column(_("To"), number=True),
             Column(_("People"), number=True)],
            [[names[place], names[place + 1], count(people, one)] for place, people in enumerate(row["steps"])],
        )  # fmt: skip
        chart = charts.distribution(title, steps, unit=row["unit"], threshold=threshold)
        figures.append(figure(chart, table, note=_("Each person once, by the mean of the own values.")))
    return figures


def _people_figures(one: dict) -> list[Any]:
    threshold, charted = one["disclosure"]["threshold"], one["charts"]
    years = [(row["year"], row["people"]) for row in charted["people_by_year"]]
    figures: list[Any] = []
    if years:
        most = max(years, key=lambda row: row[1] or 0)
        title = gettext("Most people have a record in {year}").format(year=most[0])
        table = Table(
            _("People by year"),
            [Column(_("Year")), Column(_("People"), number=True)],
            [[str(year), count(people, one)] for year, people in years],
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
            [[band, count(women, one), count(men, one)] for band, women, men in bands],
        )
        figures.append(figure(charts.age_and_sex(title, bands, threshold=threshold), table))
    return figures or [Empty(_("Too few people to show figures"))]


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
        places: dict[str, list[str]] = {}
        for each in one["quality"]["failed"]:
            places.setdefault(each["check"], []).append(f"{each['table']}.{each['field']}".rstrip("."))
        failed = [
            [Code(check), len(where), ", ".join(where[:PLACES]) + (" …" if len(where) > PLACES else "")]
            for check, where in sorted(places.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        ]
        names = [Column(_("Check")), Column(_("Places"), number=True), Column(_("Where"))]
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


def _fits(row: dict, wanted: str) -> bool:
    """Whether a variable holds all that is asked for: by its words, their meanings, or its concept id."""
    known = words.terms(row["name"])
    return all(
        word == str(row["concept_id"])
        or any(words.needed(option) <= known for option in (word, *words.synonyms().get(word, ())))
        or any(term.startswith(word) for term in known)
        for word in words.asked(wanted)
    )


def _variables(one: dict, rows: list[dict], total: int) -> Table:
    columns = [
        Column(_("Variable")),
        Column(_("Kind")),
        Column(_("OMOP concept")),
        Column(_("People"), _("rounded"), number=True),
        Column(_("Records"), _("rounded"), number=True),
        Column(_("Missing"), "%", number=True),
        Column(_("Usual range")),
    ]
    shown = [
        [
            row["name"],
            EVENT_WORDS.get(row["event"], row["event"]),
            Code(str(row["concept_id"])),
            count(row["people"], one),
            count(row["records"], one),
            row["missing_percent"],
            f"{row['low']} – {row['high']} {row.get('unit') or ''}".strip() if row["low"] is not None else None,
        ]
        for row in rows
    ]
    left_out = one.get("variables_left_out", 0)
    note = gettext("{total} variables.").format(total=number(total))
    if left_out:
        note += " " + gettext("{left_out} rarer ones are left out here.").format(left_out=number(left_out))
    return Table(_("Variables"), columns, shown, note=note, hide_caption=True)


assert set(EVENTS) <= set(EVENT_WORDS)  # a new kind of event needs its word


def may_ask(request: HttpRequest) -> bool:
    """Visitors are led to sign in; somebody signed in without the role is not led where they may not go."""
    return not request.user.is_authenticated or "researcher" in people.roles(request.user)


urlpatterns = [path("catalogue/<str:key>/", detail)]
