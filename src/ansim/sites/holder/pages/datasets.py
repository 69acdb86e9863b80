"""What this holder has: the profile in figures, and what was published when."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.sites import people, takes
from ansim.sites.holder import datasets, quality, source
from ansim.sites.pages import Done, Empty, FormPart, Notice, Page, Section, act, given, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.forms import Form
from ansim.sites.web.parts import Action, Answer, Code, Column, Fact, Link, Suppressed, Table, Tag
from ansim.sites.wording import lines

READERS = ("steward", "operator", "officer", "auditor", "reviewer")
NAVIGATION: list[tuple] = [(40, _("Datasets"), "/datasets/", set(READERS), None)]
SHOWN = 25  # rows of a table; the commonest variables come first


class PublishForm(Form):
    title_ko = forms.CharField(label=_("Name of the dataset, in Korean"), max_length=200)
    title_en = forms.CharField(label=_("Name of the dataset, in English"), max_length=200)
    description_ko = forms.CharField(label=_("Description, in Korean"), widget=forms.Textarea(attrs={"rows": 3}))
    description_en = forms.CharField(label=_("Description, in English"), widget=forms.Textarea(attrs={"rows": 3}))
    keywords_ko = forms.CharField(label=_("Keywords in Korean, one a line"), widget=forms.Textarea(attrs={"rows": 3}))
    keywords_en = forms.CharField(label=_("Keywords in English, one a line"), widget=forms.Textarea(attrs={"rows": 3}))


@page(*READERS)
def overview(request: HttpRequest) -> Page:
    held, here = datasets.published(), source.path().is_file()
    version = source.version() if here else ""
    state, text = _state(held, version)
    sections: list[Section] = []
    if not here:
        sections.append(Section("", [Empty(_("No data yet"), _("Load a CDM file into this site's folder first."))]))
    if held:
        sections += [_published(held), _quality(), *_profile(held["description"])]
    if here and "steward" in people.roles(request.user):
        form = PublishForm(initial=_initial(held))
        why = _("Quality and profile are made from the data as they are now; only suppressed, rounded numbers leave.")
        sections.append(
            Section(_("Publish"), [FormPart(form, "/datasets/publish/", _("Describe and publish"), text=why)])
        )
    return Page(
        _("Datasets"),
        sections,
        {
            "version": version,
            "under_way": datasets.under_way(),
            "published": {name: held[name] for name in ("description", "by", "at", "signed")} if held else None,
            "broken": [one.id for one in quality.failed(quality.results(quality.newest()))],
        },
        answer=Answer(state, text=text, actions=[Action(_("Conditions of use"), "/datasets/conditions/", "secondary")]),
        lead=_("What we have, how good it is, and what the public catalogue says of it."),
    )


def _state(held: dict | None, version: str) -> tuple[Tag, Any]:
    if datasets.under_way():
        return Tag(_("Being described"), "info"), _("Reload the page in a moment.")
    if held is None:
        return Tag(_("Not published"), "neutral"), ""
    if held["description"]["version"] != version:
        return Tag(_("Published, an older version"), "warning"), _("The data have changed since. Publish them anew.")
    return Tag(_("Published"), "success"), ""


def _initial(held: dict | None) -> dict[str, str]:
    words = held["description"] if held else datasets.words()
    found = {f"{name}_{code}": words[name][code] for name in ("title", "description") for code in ("ko", "en")}
    return found | {f"keywords_{code}": "\n".join(words["keywords"][code]) for code in ("ko", "en")}


def _published(held: dict) -> Section:
    told = held["description"]
    coverage = told["coverage"]
    facts = [
        Fact(_("Dataset"), told["title"]),
        Fact(_("People"), _count(told["people"], told)),
        Fact(_("Years"), f"{coverage['from'][:4]} – {coverage['to'][:4]}" if coverage else None),
        Fact(_("Version, SHA-256 of the data"), Code(told["version"], 16)),
        Fact(_("Published"), datetime.fromisoformat(held["at"])),
        Fact(_("By"), held["by"]),
        Fact(_("Shown from people"), told["disclosure"]["threshold"]),
        Fact(_("Rounded to"), told["disclosure"]["rounding"]),
    ]
    return Section(_("In the public catalogue"), [facts])


def _quality() -> Section:
    failed = len(quality.failed(quality.results(quality.newest())))
    words = gettext("{failed} checks are broken.").format(failed=failed) if failed else _("Every check holds.")
    link = Link(_("The quality report: what it means and how to mend it"), "/quality/")
    return Section(_("Quality"), [Notice(words, "warning" if failed else "success"), [Fact(_("Report"), link)]])


def _count(value: int | None, told: dict) -> Any:
    return Suppressed(told["disclosure"]["threshold"]) if value is None else value


def _profile(told: dict) -> list[Section]:
    """The figures that the catalogue shows too."""
    threshold = told["disclosure"]["threshold"]
    items: list[Any] = []
    years = [(row["year"], row["people"]) for row in told["charts"]["people_by_year"]]
    if years:
        table = Table(
            _("People by year"),
            [Column(_("Year")), Column(_("People"), number=True)],
            [[str(year), _count(people, told)] for year, people in years],
        )
        best = max((row for row in years if row[1] is not None), key=lambda row: row[1], default=years[-1])
        title = gettext("Most people were seen in {year}").format(year=best[0])
        items.append(figure(charts.people_by_year(title, years, threshold=threshold), table))
    bands: dict[str, dict[str, int | None]] = {}
    for row in told["charts"]["people_by_age_sex"]:
        bands.setdefault(row["age_band"], {})[row["sex"]] = row["people"]
    if bands:
        rows = [(band, both.get("F"), both.get("M")) for band, both in bands.items()]
        table = Table(
            _("People by age and sex"),
            [Column(_("Age band")), Column(_("Women"), number=True), Column(_("Men"), number=True)],
            [[band, _count(women, told), _count(men, told)] for band, women, men in rows],
        )
        most = max(rows, key=lambda row: (row[1] or 0) + (row[2] or 0))
        title = gettext("The largest age group is {band}").format(band=most[0])
        items.append(figure(charts.age_and_sex(title, rows, threshold=threshold), table))
    variables = Table(
        _("Commonest variables"),
        [
            Column(_("Variable")),
            Column(_("Kind")),
            Column(_("Concept")),
            Column(_("People"), number=True),
            Column(_("Records"), number=True),
            Column(_("Without a value"), _("%"), number=True),
        ],
        [
            [
                v["name"],
                v["event"],
                Code(str(v["concept_id"])),
                _count(v["people"], told),
                _count(v["records"], told),
                v["missing_percent"],
            ]
            for v in sorted(told["variables"], key=lambda v: -(v["people"] or 0))[:SHOWN]
        ],
        note=told["disclosure"]["note"],
    )
    return [Section(_("Profile"), [*items, variables])]


def _variable(found: dict, told: dict) -> list[Any]:
    counts = [_count(found[name], told) for name in ("people", "records")]
    return [found["name"], found["event"], Code(str(found["concept_id"])), *counts, found["missing_percent"]]


@act(
    "steward",
    takes={
        "title": takes.document(required=False),
        "description": takes.document(required=False),
        "keywords": takes.document(required=False),
        **{
            f"{name}_{code}": takes.text(required=False)
            for name in ("title", "description", "keywords")
            for code in ("ko", "en")
        },
    },
)
def publish(request: HttpRequest) -> Done:
    """{title: {ko, en}, description: {ko, en}, keywords: {ko: [], en: []}}, all optional; or the form's fields."""
    values = given(request)
    said = {name: values[name] for name in ("title", "description", "keywords") if isinstance(values.get(name), dict)}
    for name in ("title", "description"):
        if f"{name}_ko" in values:
            said[name] = {code: values.get(f"{name}_{code}", "") for code in ("ko", "en")}
    if "keywords_ko" in values:
        said["keywords"] = {code: lines(values.get(f"keywords_{code}")) for code in ("ko", "en")}
    datasets.publish(request.user.get_username(), said)
    return Done("/datasets/", _("The data are being described; the catalogue hears of it at once."), {})


urlpatterns = [path("datasets/", overview), path("datasets/publish/", publish)]
