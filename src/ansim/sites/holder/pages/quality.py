"""How good this holder's data are: worst first, each broken check with what it means, examples, and how to mend it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ansim.data.quality import CATEGORIES, FAIL, PASS, Result
from ansim.data.quality.dqd import as_dqd
from ansim.data.quality.findings import Finding, kinds
from ansim.data.quality.label import dimensions
from ansim.sites import people
from ansim.sites.holder import datasets, quality
from ansim.sites.pages import Empty, Notice, Page, Section, page
from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.formats import number, percent
from ansim.sites.web.parts import Answer, Code, Column, Fact, Link, Table, Tag

READERS = ("steward", "operator", "officer", "auditor", "reviewer")
NAVIGATION: list[tuple] = [(41, _("Data quality"), "/quality/", set(READERS), None)]
SEVERITY = {
    "fatal": Tag(_("Breaks the model"), "danger"),
    "convention": Tag(_("Studies miss rows"), "warning"),
    "characterization": Tag(_("Look at it"), "info"),
}
BASIS = {
    "measured": Tag(_("Measured"), "success"),
    "stated": Tag(_("Stated by the hospital"), "info"),
    "asked": Tag(_("To be stated"), "neutral"),
}
CATEGORY_WORDS = {
    "conformance": _("Conformance"),
    "completeness": _("Completeness"),
    "plausibility": _("Plausibility"),
}
SHOWN, DRAWN = 40, 10


@page(*READERS)
def overview(request: HttpRequest) -> Page:
    report = quality.newest()
    some = quality.results(report)
    broken = quality.failed(some)
    if report is None:
        text = _("Describe the data under Datasets; they are checked then.")
        return Page(_("Data quality"), [Section("", [Empty(_("Not checked yet"), text)])], {"broken": []})
    found = quality.findings(report)
    sections = [*_worst(broken), *_found(found), _categories(some), _label(report), *_history(), _files()]
    return Page(
        _("Data quality"),
        sections,
        {
            "broken": [one.as_data() for one in broken],
            "findings": [one.as_data() for one in found],
            "label": report["label"],
            "checks": report["checks"],
            "history": quality.history(),
        },
        answer=_answer(broken, found, report),
        lead=_("Every check of OHDSI's DataQualityDashboard, worst first. What you see here stays at this site."),
    )


def _answer(broken: Sequence[Result], found: Sequence[Finding], report: dict) -> Answer:
    at = datetime.fromisoformat(report["at"]).date().isoformat()
    if not broken and not found:
        return Answer(Tag(_("Every check holds"), "success"), text=gettext("Checked on {day}.").format(day=at))
    words = gettext("{count} checks are broken, {more} other findings").format(
        count=number(len(broken)), more=number(len(found))
    )
    weights = [one.type.severity for one in broken] + [kinds()[one.kind].weight for one in found]
    fatal = weights.count("fatal")
    text = gettext("Checked on {day}. {fatal} of them break the model: mend those first.").format(
        day=at, fatal=number(fatal)
    )
    return Answer(Tag(words, "warning"), who=_("Data steward"), text=text)


def _worst(broken: Sequence[Result]) -> list[Section]:
    if not broken:
        return []
    rows = [
        [
            Link(one.type.title, f"/quality/{one.id}/"),
            Code(_where(one)),
            SEVERITY[one.type.severity],
            one.violated,
            percent(one.share),
            percent((one.check.threshold or 0) / 100),
        ]
        for one in broken[:SHOWN]
    ]
    columns = [
        Column(_("Check")),
        Column(_("Where")),
        Column(_("Weight")),
        Column(_("Rows that break it"), number=True),
        Column(_("Share"), number=True),
        Column(_("Allowed"), number=True),
    ]
    note = gettext("{shown} of {all} broken checks. Open one to see what it means and how to mend it.").format(
        shown=number(len(rows)), all=number(len(broken))
    )
    return [Section(_("Worst first"), [Table(_("Broken checks"), columns, rows, note=note), _by_table(broken)])]


def _by_table(broken: Sequence[Result]) -> Any:
    """How many broken checks each table has: where to begin."""
    counted: dict[str, int] = {}
    for one in broken:
        counted[one.check.table] = counted.get(one.check.table, 0) + 1
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:DRAWN]
    title = gettext("Most broken checks are in {table}").format(table=most[0][0])
    table = Table(
        _("Broken checks by table"),
        [Column(_("Table")), Column(_("Broken checks"), number=True)],
        list(map(list, most)),
    )
    return figure(charts.counts(title, most, of=_("Broken checks")), table)


def _found(found: Sequence[Finding]) -> list[Section]:
    """Change, gaps, copies, identifiers: what no check of a single field sees."""
    if not found:
        return []
    rows = [
        [
            kinds()[one.kind].title,
            [Code(quality.place(one.table, one.field)), *([Code(one.subject)] if one.subject else [])],
            SEVERITY[kinds()[one.kind].weight],
            one.rows,
            percent(one.share) if one.of else None,
            kinds()[one.kind].mend,
        ]
        for one in found[:SHOWN]
    ]
    columns = [
        Column(_("Finding")),
        Column(_("Where")),
        Column(_("Weight")),
        Column(_("Rows"), number=True),
        Column(_("Share"), number=True),
        Column(_("How to mend it")),
    ]
    note = gettext("{shown} of {all} findings.").format(shown=number(len(rows)), all=number(len(found)))
    table = Table(_("Change, gaps, copies, identifiers"), columns, rows, note=note)
    return [Section(_("What else stands out"), [table])]


def _label(report: dict) -> Section:
    """The QUANTUM dimensions: what was measured, and what only this hospital can say."""
    told = {one["name"]: one for one in report["label"]["dimensions"]}
    rows = [
        [
            one.title,
            BASIS[told[one.name]["basis"]],
            told[one.name]["level"],
            told[one.name]["held"] or "",
            told[one.name]["broken"] if told[one.name]["held"] else "",
            one.asks,
        ]
        for one in dimensions()
    ]
    columns = [
        Column(_("Dimension")),
        Column(_("Basis")),
        Column(_("Level"), number=True),
        Column(_("Holds"), number=True),
        Column(_("Broken"), number=True),
        Column(_("What is asked")),
    ]
    note = _(
        "Levels are those of the European QUANTUM label. Nothing is added up, and what was not measured is not guessed."
    )
    return Section(_("Quality label"), [Table(_("The twelve dimensions"), columns, rows, note=note)])


def _files() -> Section:
    links = [
        Fact(_("To read and print"), Link(_("Quality report (PDF)"), "/quality/report.pdf")),
        Fact(_("For DataQualityDashboard"), Link(_("Results (JSON)"), "/quality/dqd.json")),
    ]
    return Section(_("Files"), [links])


def _categories(some: Sequence[Result]) -> Section:
    rows = []
    for category in CATEGORIES:
        mine = [one for one in some if one.type.category.lower() == category]
        told = quality.counts(mine)
        rows.append([CATEGORY_WORDS[category], told[PASS], told[FAIL]])
    columns = [Column(_("Category")), Column(_("Holds"), number=True), Column(_("Broken"), number=True)]
    return Section(_("By category"), [Table(_("Checks by category"), columns, rows)])


def _history() -> list[Section]:
    """Versions side by side: whether it got better."""
    told = quality.history()
    if len(told) < 2:
        return []
    rows = [[Code(one["version"], 12), datetime.fromisoformat(one["at"]), one["holds"], one["broken"]] for one in told]
    columns = [
        Column(_("Version")),
        Column(_("Checked")),
        Column(_("Holds"), number=True),
        Column(_("Broken"), number=True),
    ]
    before, after = told[-2]["broken"], told[-1]["broken"]
    words = gettext("{before} checks were broken in the version before, {after} are now.").format(
        before=number(before), after=number(after)
    )
    tone = "success" if after <= before else "warning"
    return [Section(_("Over time"), [Notice(words, tone), Table(_("Versions"), columns, rows[::-1])])]


@page(*READERS)
def check(request: HttpRequest, id: str) -> Page:
    found = next((one for one in quality.results(quality.newest()) if one.id == id), None)
    if found is None:
        raise Http404
    kind, rule = found.type, found.check
    facts = [
        Fact(_("What it means"), kind.means),
        Fact(_("How to mend it"), kind.mend),
        Fact(_("Where"), Code(_where(found))),
        Fact(_("Rows that break it"), found.violated),
        Fact(_("Of"), found.denominator),
        Fact(_("Share"), percent(found.share)),
        Fact(_("Allowed"), percent((rule.threshold or 0) / 100)),
        Fact(_("Check"), Code(found.id)),
    ]
    if rule.concepts:
        facts.insert(3, Fact(_("Concepts"), [Code(str(concept)) for concept in rule.concepts]))
    if rule.note:
        facts.append(Fact(_("This site's note"), rule.note))
    sections = [Section("", [facts])]
    if found.violated and "steward" in people.roles(request.user):
        sections.append(_examples(found))
    tag = Tag(_("Broken"), "danger") if found.verdict == FAIL else Tag(_("Holds"), "success")
    return Page(
        kind.title,
        sections,
        {"result": found.as_data()},
        answer=Answer(tag, who=_("Data steward") if found.verdict == FAIL else ""),
        trail=[Link(_("Data quality"), "/quality/")],
    )


def _examples(found: Result) -> Section:
    rows = quality.examples(found)
    if not rows:
        text = _("This check is about the table as a whole, not about single rows.")
        return Section(_("Examples"), [Notice(text)])
    columns = [Column(name) for name in rows[0]]
    note = _("Read from the data just now, for the data steward only. Do not copy them out of the hospital.")
    return Section(
        _("Examples"), [Table(_("Rows that break it"), columns, [list(row.values()) for row in rows], note=note)]
    )


def _where(one: Result) -> str:
    return quality.place(one.check.table, one.check.field)


@page("steward", "auditor")
def paper(request: HttpRequest) -> HttpResponse:
    report, held = quality.newest(), datasets.published()
    if report is None or held is None:
        raise Http404
    return _file(quality.paper(report, held["description"]["title"]), "application/pdf", "quality-report.pdf")


@page("steward", "auditor")
def dqd(request: HttpRequest) -> HttpResponse:
    """The results in DataQualityDashboard's JSON; checks without anything to look at are not in it."""
    report = quality.newest()
    if report is None:
        raise Http404
    at = datetime.fromisoformat(report["at"])
    body = json.dumps(as_dqd(quality.results(report), started=at, ended=at)).encode()
    return _file(body, "application/json", "dqd-results.json")


def _file(body: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(body, kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


urlpatterns = [
    path("quality/", overview),
    path("quality/report.pdf", paper),
    path("quality/dqd.json", dqd),
    path("quality/<str:id>/", check),
]
