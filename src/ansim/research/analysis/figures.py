"""Figures of results as SVG: odds ratios as a forest plot, a table as grouped bars.

The title says the finding; marks differ in lightness and carry their numbers, so that a figure also works in grey and
on paper. Altair and its converter are imported only when a figure is drawn: they are large.
"""

from collections.abc import Mapping
from typing import Any

from ansim.errors import N_, Problem

FONT = "NanumGothic, sans-serif"
INK, QUIET, LINE = "#1e2124", "#464c53", "#cdd1d5"
SHADES = ("#083891", "#86aff9", "#256ef4", "#d8e5fd", "#346fb2", "#ecf2fe")  # apart in lightness, not only in hue
WIDTH, MAX_BARS = 480, 200
WORDS = {
    "en": {
        "odds_ratio": "Odds ratio with 95 % interval (logarithmic)",
        "rate_ratio": "Rate ratio with 95 % interval (logarithmic)",
        "hazard_ratio": "Hazard ratio with 95 % interval (logarithmic)",
        "coefficient": "Coefficient with 95 % interval",
        "people": "People",
        "mean": "Mean",
        "sum": "Sum",
        "share": "Share",
        "unknown": "unknown",
        "all": "all",
        "true": "yes",
        "false": "no",
        "model": "{people} people, {cases} with the outcome",
        "people_only": "{people} people",
        "most": "{value} of {total} people are in {group}",
        "highest": "{measure}: highest in {group} ({value})",
        "clear_odds_ratio": "{term}: odds of {outcome} are {odds} times (95 % interval {low} to {high})",
        "clear_rate_ratio": "{term}: the rate of {outcome} is {odds} times (95 % interval {low} to {high})",
        "clear_hazard_ratio": "{term}: the hazard of {outcome} is {odds} times (95 % interval {low} to {high})",
        "clear_coefficient": "{term}: {outcome} changes by {odds} (95 % interval {low} to {high})",
        "unclear": "No term is clearly related to {outcome}",
        "none": "No value may be shown",
        "hidden": "hidden",
    },
    "ko": {
        "odds_ratio": "오즈비와 95% 신뢰구간 (로그 눈금)",
        "rate_ratio": "발생률비와 95% 신뢰구간 (로그 눈금)",
        "hazard_ratio": "위험비와 95% 신뢰구간 (로그 눈금)",
        "coefficient": "회귀계수와 95% 신뢰구간",
        "people": "사람 수",
        "mean": "평균",
        "sum": "합계",
        "share": "비율",
        "unknown": "알 수 없음",
        "all": "전체",
        "true": "예",
        "false": "아니요",
        "model": "{people}명 중 결과 발생 {cases}명",
        "people_only": "{people}명",
        "most": "{total}명 중 {value}명이 {group}에 속합니다",
        "highest": "{measure}: {group}에서 가장 높습니다 ({value})",
        "clear_odds_ratio": "{term}: {outcome}의 오즈가 {odds}배입니다 (95% 신뢰구간 {low}~{high})",
        "clear_rate_ratio": "{term}: {outcome} 발생률이 {odds}배입니다 (95% 신뢰구간 {low}~{high})",
        "clear_hazard_ratio": "{term}: {outcome} 위험이 {odds}배입니다 (95% 신뢰구간 {low}~{high})",
        "clear_coefficient": "{term}: {outcome} 값이 {odds}만큼 달라집니다 (95% 신뢰구간 {low}~{high})",
        "unclear": "뚜렷하게 관련된 항목이 없습니다 (결과: {outcome})",
        "none": "표시할 수 있는 값이 없습니다",
        "hidden": "비공개",
    },
}


def forest(result: dict, language: str, labels: Mapping[str, str] | None = None, title: str | None = None) -> str:
    """SVG of a model's result: one line a term (without the intercept). labels: names shown for terms and outcome."""
    alt, words, labels = altair(), _words(language), labels or {}
    effect, null = effect_of(result), 0 if effect_of(result) == "coefficient" else 1
    rows = [
        {
            "term": labels.get(term["name"], term["name"]),
            "odds": term[effect],
            "low": term["low"],
            "high": term["high"],
            "text": f"{number(term[effect])} ({number(term['low'])}–{number(term['high'])})",
        }
        for term in effects(result)
    ]
    order = [row["term"] for row in rows]
    y = alt.Y("term:N", sort=order, title=None, axis=alt.Axis(labelLimit=240, ticks=False, domain=False))
    scale = alt.Scale(type="log" if null else "linear")
    base = alt.Chart(alt.Data(values=rows))
    spans = base.mark_rule(color=INK, strokeWidth=2).encode(
        y=y, x=alt.X("low:Q", scale=scale, title=words[effect], axis=alt.Axis(grid=False, tickCount=5)), x2="high:Q"
    )
    points = base.mark_point(shape="square", filled=True, size=80, color=INK, opacity=1).encode(
        y=y, x=alt.X("odds:Q", scale=scale)
    )
    texts = base.mark_text(align="left", color=INK, fontSize=12).encode(y=y, x=alt.value(WIDTH + 12), text="text:N")
    one = alt.Chart(alt.Data(values=[{"one": null}])).mark_rule(color=QUIET, strokeDash=[5, 4])
    one = one.encode(x=alt.X("one:Q", scale=scale))
    facts = words["people_only"].format(people=number(result["people"]))
    if "cases" in result:
        facts = words["model"].format(people=number(result["people"]), cases=number(result["cases"]))
    chart = alt.layer(one, spans, points, texts).properties(width=WIDTH, height=alt.Step(34))
    return svg(chart, title or odds_finding(result, language, labels), facts)


def bars(result: dict, language: str, labels: Mapping[str, str] | None = None, title: str | None = None) -> str:
    """SVG of a table: a group a row key, a bar a column key. A value that is not a number is shown as its text."""
    alt, words, labels = altair(), _words(language), labels or {}
    if len(result["cells"]) > MAX_BARS:
        raise Problem("too-many-bars", N_("A chart shows at most {most} cells."), most=MAX_BARS)
    rows = [_bar(cell, words, labels) for cell in result["cells"]]
    groups, series = (list(dict.fromkeys(row[side] for row in rows)) for side in ("group", "series"))
    measure = "people" if result["measure"] == "count" else result["measure"]
    x = alt.X("group:N", sort=groups, title=_title(result["rows"], labels), axis=alt.Axis(labelAngle=0, ticks=False))
    offset = alt.XOffset("series:N", sort=series)
    shades = [SHADES[index % len(SHADES)] for index in range(len(series))]
    colour = alt.Color(
        "series:N",
        sort=series,
        scale=alt.Scale(domain=series, range=shades),
        title=_title(result["columns"], labels),
        legend=alt.Legend(orient="top") if result["columns"] else None,
    )
    y = alt.Y("value:Q", title=words[measure], scale=alt.Scale(zero=True))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, xOffset=offset, y=y)
    drawn = base.mark_bar(stroke=INK, strokeWidth=0.8).encode(color=colour)
    texts = base.mark_text(dy=-6, color=INK, fontSize=11).encode(text="text:N")
    width = max(WIDTH, len(groups) * max(90, 34 * len(series)))
    chart = alt.layer(drawn, texts).properties(width=width, height=300)
    return svg(chart, title or table_finding(result, language, labels), "")


def effect_of(result: dict) -> str:
    """The field of a term that says how strongly it is related."""
    found = ("odds_ratio", "rate_ratio", "hazard_ratio")
    return next((name for name in found if name in result["terms"][0]), "coefficient")


def effects(result: dict) -> list[dict]:
    """The terms without the intercept."""
    return [term for term in result["terms"] if term["name"] != "(intercept)"]


def odds_finding(result: dict, language: str, labels: Mapping[str, str] | None = None) -> str:
    """The term most clearly related to the outcome (least p with an interval that leaves out "none"), in a sentence."""
    words, labels = _words(language), labels or {}
    outcome = labels.get(result["outcome"], result["outcome"])
    effect = effect_of(result)
    null = 0 if effect == "coefficient" else 1
    clear = [term for term in effects(result) if term["low"] > null or term["high"] < null]
    if not clear:
        return words["unclear"].format(outcome=outcome)
    term = max(clear, key=lambda each: abs(each["z"] if "z" in each else each["t"]))
    numbers = {"odds": number(term[effect]), "low": number(term["low"]), "high": number(term["high"])}
    return words[f"clear_{effect}"].format(term=labels.get(term["name"], term["name"]), outcome=outcome, **numbers)


def table_finding(result: dict, language: str, labels: Mapping[str, str] | None = None) -> str:
    """The cell with the highest shown value, in a sentence."""
    words, labels = _words(language), labels or {}
    shown = [cell for cell in result["cells"] if _isnumber(cell["value"])]
    if not shown:
        return words["none"]
    cell = max(shown, key=lambda each: each["value"])
    names = zip([*result["rows"], *result["columns"]], [*cell["row"], *cell["column"]], strict=True)
    group = ", ".join(f"{labels.get(name, name)} {_key(key, words, labels)}" for name, key in names) or words["all"]
    value = number(cell["value"])
    if result["measure"] != "count":
        measured = labels.get(result["variable"], result["variable"])
        return words["highest"].format(measure=f"{measured} ({words[result['measure']]})", group=group, value=value)
    if len(shown) < len(result["cells"]):  # a total beside hidden cells would give them away
        return words["highest"].format(measure=words["people"], group=group, value=value)
    total = number(sum(each["value"] for each in shown))
    return words["most"].format(value=value, total=total, group=group)


def _bar(cell: dict, words: dict, labels: Mapping[str, str]) -> dict:
    value, shown = cell["value"], _isnumber(cell["value"])
    return {
        "group": " · ".join(_key(key, words, labels) for key in cell["row"]) or words["all"],
        "series": " · ".join(_key(key, words, labels) for key in cell["column"]) or words["all"],
        "value": value if shown else 0,
        "text": number(value) if shown else str(value if value is not None else words["hidden"]),
    }


def _key(key: Any, words: dict, labels: Mapping[str, str]) -> str:
    if key is None:
        return words["unknown"]
    if isinstance(key, bool):
        return words["true" if key else "false"]
    return labels.get(str(key), str(key))


def _title(names: list[str], labels: Mapping[str, str]) -> str:
    return " · ".join(labels.get(name, name) for name in names)


def _isnumber(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if 0.01 <= abs(value) < 10_000 else f"{value:.3g}"


def _words(language: str) -> dict:
    if language not in WORDS:
        raise Problem("no-language", N_("Texts are there in Korean (ko) and English (en)."), where="language")
    return WORDS[language]


def altair() -> Any:
    import altair as found

    return found


def svg(chart: Any, title: str, facts: str) -> str:
    import altair as alt
    import vl_convert

    heading = alt.TitleParams(title, subtitle=facts, anchor="start", offset=16, color=INK, subtitleColor=QUIET)
    drawn = chart.properties(title=heading).configure(font=FONT, background="#ffffff")
    drawn = drawn.configure_view(stroke=None).configure_axis(
        labelColor=INK, titleColor=QUIET, gridColor=LINE, labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )
    drawn = drawn.configure_title(fontSize=15, subtitleFontSize=12).configure_legend(labelFontSize=12)
    return vl_convert.vegalite_to_svg(drawn.to_json())
