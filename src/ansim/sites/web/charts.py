"""Charts as SVG, drawn by Vega-Lite without a browser. The words around a chart (title, table) belong to the page.

Each maker returns a `Chart`: plain data that can be named by its content. `draw` imports Altair only when it must
(about a second, once a process). A value of None is a suppressed number: drawn as its "<10" label, never as 0.
Meaning is carried by position, direct labels and lightness, so charts survive greyscale and paper.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from ansim.sites.web.formats import language, number, percent, phrase

WIDTH = 520  # of the whole drawing in px: two stand side by side on a desk, one scrolls a little on a phone
BAR = 30
RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.6, 2, 3, 5, 10, 20, 50, 100)
INK = {
    "light": ("#1e2124", "#464c53", "#cdd1d5", "#256ef4", "#0b2f7a", "#a9c4fb", "#c22c0d"),
    "dark": ("#f1f3f5", "#b6bec6", "#40474e", "#6c9cf8", "#c9dbff", "#2f58a8", "#ff9a82"),
}
PARTS = ("ink", "quiet", "line", "mark", "second", "pale", "danger")
SCHEMES = {scheme: dict(zip(PARTS, colours, strict=True)) for scheme, colours in INK.items()}


_drawing = threading.Lock()


@dataclass(frozen=True)
class Chart:
    """What is drawn: a kind, the finding as title, rows, and words already in the reader's language."""

    kind: str
    title: str
    rows: list[dict[str, Any]]
    words: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    height: int = 260
    language: str = "ko"

    def as_data(self) -> dict[str, Any]:
        """JSON value that names the drawing: the same data give the same file."""
        return asdict(self)


@cache
def edition() -> str:
    """Names this way of drawing, so that no drawing of an older program is shown."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _chart(
    kind: str,
    title: Any,
    rows: list[dict[str, Any]],
    height: int,
    words: dict[str, str] | None = None,
    **numbers: float,
) -> Chart:
    return Chart(kind, phrase(title), rows, words or {}, numbers, height, language())


def _shown(value: float | None, threshold: int) -> str:
    return f"<{threshold}" if value is None else number(value)


def people_by_year(title: Any, years: Sequence[tuple[int, int | None]], *, threshold: int = 10) -> Chart:
    """Columns of distinct people by calendar year."""
    rows = [{"x": str(year), "y": people or 0, "label": _shown(people, threshold)} for year, people in years]
    return _chart("columns", title, rows, 260, {"x": _("Year"), "y": _("People")})


def distribution(title: Any, steps: Sequence[tuple[str, int | None]], *, unit: Any = "", threshold: int = 10) -> Chart:
    """Columns of people by steps of a measured value, from low to high; a step is named by its lower end."""
    rows = [{"x": name, "y": people or 0, "label": _shown(people, threshold)} for name, people in steps]
    return _chart("columns", title, rows, 220, {"x": phrase(unit), "y": _("People")})


def age_and_sex(title: Any, bands: Sequence[tuple[str, int | None, int | None]], *, threshold: int = 10) -> Chart:
    """A pyramid: (age band, women, men) from young to old."""
    rows = [
        {"band": band, "side": side, "sex": word, "people": (people or 0) * sign, "label": _shown(people, threshold)}
        for band, women, men in bands
        for side, word, people, sign in (("women", _("Women"), women, -1), ("men", _("Men"), men, 1))
    ]
    words = {"band": _("Age band"), "people": _("People"), "women": _("Women"), "men": _("Men")}
    return _chart("pyramid", title, rows, max(160, BAR * len(bands)), words)


def missingness(title: Any, shares: Sequence[tuple[str, float | None]]) -> Chart:
    """Bars of the share of people (0 to 1) without a value, a variable a bar."""
    rows = [{"name": name, "value": share or 0, "label": percent(share) or _("not shown")} for name, share in shares]
    return _chart("bars", title, rows, BAR * len(rows), {"value": _("Missing (% of people)")}, share=1)


def counts(title: Any, rows: Sequence[tuple[str, int]], *, of: Any) -> Chart:
    """Bars of plain counts of things that are not people (checks, tables): (name, count)."""
    drawn = [{"name": name, "value": count, "label": number(count)} for name, count in rows]
    return _chart("bars", title, drawn, BAR * len(drawn), {"value": phrase(of)}, share=0)


def attrition(title: Any, steps: Sequence[tuple[Any, int | None]], *, threshold: int = 10) -> Chart:
    """How a cohort comes about: people left after each criterion, first the population."""
    rows = [{"name": phrase(name), "value": people or 0, "label": _shown(people, threshold)} for name, people in steps]
    return _chart("bars", title, rows, BAR * len(rows), {"value": _("People left")}, share=0)


def stage_days(title: Any, stages: Sequence[tuple[Any, float, float]]) -> Chart:
    """(stage, days used, days allowed): a bar with a tick at the limit; what is late is red and says so."""
    rows = [
        {"name": phrase(name), "used": used, "allowed": allowed, "late": used > allowed, "label": _days(used, allowed)}
        for name, used, allowed in stages
    ]
    return _chart("stages", title, rows, BAR * len(rows), {"value": _("Days"), "limit": _("Limit")})


def _days(used: float, allowed: float) -> str:
    text = _("{used} of {allowed} days").format(used=number(used), allowed=number(allowed))
    return f"{text} · {_('Late')}" if used > allowed else text


def class_sizes(title: Any, sizes: Sequence[tuple[str, int | None]], *, k: int, threshold: int = 10) -> Chart:
    """People by the size of their equivalence class, such as ("1", 12), ("2-4", 80); classes below k are marked."""
    rows = [
        {"x": size, "y": people or 0, "label": _shown(people, threshold), "risk": _least(size) < k}
        for size, people in sizes
    ]
    words = {"x": _("Size of the equivalence class"), "y": _("People")}
    return _chart("columns", title, rows, 260, words, k=k)


def _least(size: str) -> int:
    return int(size.split("-")[0].strip("+≥"))


def forest(title: Any, rows: Sequence[tuple[Any, float, float, float]], *, measure: Any, null: float = 1.0) -> Chart:
    """(label, estimate, lower, upper) on a logarithmic axis when the null value is 1."""
    drawn = [
        {"name": f"{phrase(name)}  {value:.2f} ({low:.2f}–{high:.2f})", "value": value, "low": low, "high": high}
        for name, value, low, high in rows
    ]
    return _chart("forest", title, drawn, BAR * len(drawn), {"value": phrase(measure)}, null=null)


def draw(chart: Chart, *, scheme: str = "light") -> str:
    """The SVG text in one colour scheme, on a transparent ground."""
    colours = SCHEMES[scheme]
    with _drawing:  # the first drawing imports much; two threads at once would meet half-imported modules
        return _svg(chart, colours)


def _svg(chart: Chart, colours: dict[str, str]) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_styled(_KINDS[chart.kind](chart, colours), chart, colours)))


def _styled(layers: Any, chart: Chart, colours: dict[str, str]) -> dict[str, Any]:
    font = "NanumGothic, NanumBarunGothic, 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
    axis = {
        "labelColor": colours["quiet"],
        "titleColor": colours["quiet"],
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelLimit": 300,
        "gridColor": colours["line"],
        "domainColor": colours["line"],
        "tickColor": colours["line"],
    }
    whole = {"type": "fit-x", "contains": "padding"}
    styled = layers.properties(width=WIDTH, height=chart.height, background="transparent", padding=4, autosize=whole)
    styled = styled.configure(font=font).configure_axis(**axis).configure_view(stroke=None)
    spec: dict[str, Any] = styled.to_dict()
    spec["description"] = chart.title
    return spec


def _columns(chart: Chart, colours: dict[str, str]) -> Any:
    import altair as alt

    base = alt.Chart(alt.Data(values=chart.rows)).encode(
        x=alt.X("x:O", sort=None, title=chart.words["x"], axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("y:Q", title=chart.words["y"], axis=alt.Axis(tickCount=4, format=",d"), scale=alt.Scale(domainMin=0)),
    )
    bars = base.mark_bar(color=colours["mark"], cornerRadiusEnd=3)
    if "k" in chart.numbers:
        bars = bars.encode(color=alt.condition("datum.risk", alt.value(colours["danger"]), alt.value(colours["mark"])))
    if len(chart.rows) > 14:  # labels would run into one another; the table below has them
        return alt.layer(bars)
    return alt.layer(bars, base.mark_text(dy=-9, fontSize=13, color=colours["ink"]).encode(text="label:N"))


def _pyramid(chart: Chart, colours: dict[str, str]) -> Any:
    import altair as alt

    most = max((abs(row["people"]) for row in chart.rows), default=1) or 1
    base = alt.Chart(alt.Data(values=chart.rows)).encode(
        y=alt.Y("band:O", sort=[row["band"] for row in reversed(chart.rows)], title=chart.words["band"]),
        x=alt.X(
            "people:Q",
            title=f"← {chart.words['women']} · {chart.words['people']} · {chart.words['men']} →",
            scale=alt.Scale(domain=[-most * 1.2, most * 1.2]),
            axis=alt.Axis(labelExpr="format(abs(datum.value), ',d')", tickCount=5),
        ),
    )
    text: dict[str, Any] = {"fontSize": 13, "color": colours["ink"]}
    women, men = "datum.side == 'women'", "datum.side == 'men'"
    return alt.layer(
        base.transform_filter(women).mark_bar(color=colours["mark"], cornerRadiusEnd=3),
        base.transform_filter(men).mark_bar(color=colours["second"], cornerRadiusEnd=3),
        base.transform_filter(women).mark_text(align="right", dx=-6, **text).encode(text="label:N"),
        base.transform_filter(men).mark_text(align="left", dx=6, **text).encode(text="label:N"),
    )


def _bars(chart: Chart, colours: dict[str, str]) -> Any:
    import altair as alt

    top = 1 if chart.numbers["share"] else max((row["value"] for row in chart.rows), default=1) or 1
    axis = alt.Axis(tickCount=5, format=".0%" if chart.numbers["share"] else ",d")
    base = alt.Chart(alt.Data(values=chart.rows)).encode(
        y=alt.Y("name:N", sort=None, title=None),
        x=alt.X("value:Q", title=chart.words["value"], axis=axis, scale=alt.Scale(domain=[0, top * 1.12])),
    )
    text = base.mark_text(align="left", dx=6, fontSize=13, color=colours["ink"]).encode(text="label:N")
    return alt.layer(base.mark_bar(color=colours["mark"], cornerRadiusEnd=3, size=18), text)


def _stages(chart: Chart, colours: dict[str, str]) -> Any:
    import altair as alt

    top = max((max(row["used"], row["allowed"]) for row in chart.rows), default=1) or 1
    domain = alt.Scale(domain=[0, top * 1.5])
    base = alt.Chart(alt.Data(values=chart.rows)).encode(y=alt.Y("name:N", sort=None, title=None))
    late = alt.condition("datum.late", alt.value(colours["danger"]), alt.value(colours["mark"]))
    used = base.encode(x=alt.X("used:Q", title=chart.words["value"], scale=domain))
    return alt.layer(
        base.mark_bar(color=colours["pale"], opacity=0.55, size=18).encode(x=alt.X("allowed:Q", scale=domain)),
        used.mark_bar(size=10).encode(color=late),
        base.mark_tick(color=colours["ink"], thickness=2, size=24).encode(x="allowed:Q"),
        base.transform_calculate(end="max(datum.used, datum.allowed)")
        .mark_text(align="left", dx=8, fontSize=13, color=colours["ink"])
        .encode(x="end:Q", text="label:N"),
    )


def _forest(chart: Chart, colours: dict[str, str]) -> Any:
    import altair as alt

    null = chart.numbers["null"]
    logarithmic = null == 1
    ends = [row[end] for row in chart.rows for end in ("low", "high")] + [null]
    low, high = min(ends), max(ends)
    domain = [low * 0.95, high * 1.05] if logarithmic else [low - (high - low) * 0.05, high + (high - low) * 0.05]
    ticks = [tick for tick in RATIO_TICKS if domain[0] <= tick <= domain[1]] if logarithmic else None
    scale = alt.Scale(type="log" if logarithmic else "linear", domain=domain, nice=False)
    base = alt.Chart(alt.Data(values=chart.rows)).encode(y=alt.Y("name:N", sort=None, title=None))
    x = alt.X(
        "value:Q",
        title=chart.words["value"],
        scale=scale,
        axis=alt.Axis(format="~g", grid=False, **({"values": ticks} if ticks else {"tickCount": 5})),
    )
    rule = alt.Chart(alt.Data(values=[{"null": null}])).mark_rule(color=colours["quiet"], strokeDash=[4, 4])
    return alt.layer(
        rule.encode(x=alt.X("null:Q", scale=scale)),
        base.mark_rule(color=colours["ink"], strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_point(filled=True, shape="square", size=90, color=colours["mark"], opacity=1).encode(x=x),
    )


_KINDS: dict[str, Callable[[Chart, dict[str, str]], Any]] = {
    "columns": _columns,
    "pyramid": _pyramid,
    "bars": _bars,
    "stages": _stages,
    "forest": _forest,
}
