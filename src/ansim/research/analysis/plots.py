"""A figure for each method's shown result: intervals, columns or steps; the title says the finding.

Only shown numbers are drawn. What is hidden has no mark, and no total stands beside it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansim.research.analysis import figures
from ansim.research.analysis.figures import INK, QUIET, SHADES, WIDTH, number

Rows = list[dict[str, Any]]
FINDINGS = {
    "en": {
        "describe": "{name}: mean {value}",
        "means": "{outcome} is {high} in {most} and {low} in {least} (p = {p})",
        "quantiles": "Half of the people have a {variable} of {value} or less",
        "spread": "{variable}: shown percentiles from {low} to {high}",
        "correlation": "{one} and {other} go together most closely (r = {value})",
        "pca": "The first component holds {value} % of the variance",
        "kmeans": "The largest of {count} clusters has {value} people",
        "km": "{outcome}: after {time} days {high} of {most} and {low} of {least} are without it",
        "one": "{outcome}: after {time} days {high} are without it",
        "incidence": "{outcome}: highest in {most}, {value} per {per}",
        "propensity": "{treatment} changes {outcome} by {value} (95 % interval {low} to {high})",
        "characterise": "{name} differs most between the groups (standardised difference {value})",
        "even": "The groups differ little",
        "most": "Most people, {value}, are in {name}",
        "none": "No value may be shown",
        "people": "People",
        "value": "Value",
        "share": "Share without the event",
        "time": "Days",
        "smd": "Standardised difference",
        "smd_before": "before",
        "smd_after": "after",
        "rate": "Events per {per}",
        "variance": "Share of the variance",
    },
    "ko": {
        "describe": "{name}: 평균 {value}",
        "means": "{outcome} 평균은 {most}에서 {high}, {least}에서 {low}입니다 (p = {p})",
        "quantiles": "절반의 {variable} 값이 {value} 이하입니다",
        "spread": "{variable}: 표시된 분위수는 {low}부터 {high}까지입니다",
        "correlation": "{one}, {other} 사이의 상관이 가장 큽니다 (r = {value})",
        "pca": "첫 번째 성분이 분산의 {value}%를 설명합니다",
        "kmeans": "{count}개 군집 중 가장 큰 군집은 {value}명입니다",
        "km": "{outcome}: {time}일 뒤 미발생 비율은 {most} {high}, {least} {low}입니다",
        "one": "{outcome}: {time}일 뒤 미발생 비율은 {high}입니다",
        "incidence": "{outcome}: {most}에서 가장 높습니다 ({per}당 {value})",
        "propensity": "{treatment} 효과: {outcome} 차이 {value} (95% 신뢰구간 {low}~{high})",
        "characterise": "집단 간 차이가 가장 큰 항목은 {name}입니다 (표준화 차이 {value})",
        "even": "집단 간 차이가 작습니다",
        "most": "{name}에 가장 많은 {value}명이 있습니다",
        "none": "표시할 수 있는 값이 없습니다",
        "people": "사람 수",
        "value": "값",
        "share": "미발생 비율",
        "time": "일",
        "smd": "표준화 차이",
        "smd_before": "보정 전",
        "smd_after": "보정 후",
        "rate": "{per}당 발생",
        "variance": "설명된 분산의 비율",
    },
}


def draw(body: Mapping[str, Any], language: str) -> str:
    """SVG of a released result's body ("table", "model" or "shown"); empty for a table, whose cells are its figure."""
    if "model" in body:
        return figures.forest(body["model"], language)
    if "shown" not in body:
        return ""
    shown = body["shown"]
    return DRAWN[shown["kind"]](shown, FINDINGS[language])


# --- three forms ------------------------------------------------------------------------------------------------------


def _intervals(rows: Rows, title: str, axis: str, zero: bool = False) -> str:
    """One line a row: {"label", "value", "low", "high", "series"}; low and high may be None."""
    alt = figures.altair()
    rows = [row for row in rows if row["value"] is not None]
    data = [{"series": "", "low": row["value"], "high": row["value"], **_known(row)} for row in rows]
    labels = list(dict.fromkeys(row["label"] for row in data))
    series = list(dict.fromkeys(row["series"] for row in data))
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    scale = alt.Scale(zero=zero)
    base = alt.Chart(alt.Data(values=data)).encode(y=y)
    spans = base.mark_rule(color=INK, strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, title=axis), x2="high:Q")
    colour = alt.Color("series:N", scale=alt.Scale(domain=series, range=list(SHADES[: len(series)])), title=None,
                       legend=alt.Legend(orient="top") if len(series) > 1 else None)  # fmt: skip
    points = base.mark_point(filled=True, size=80, opacity=1, stroke=INK).encode(
        x=alt.X("value:Q", scale=scale), color=colour, shape=alt.Shape("series:N", legend=None)
    )
    layers = [spans, points]
    if zero:
        layers.insert(
            0, alt.Chart(alt.Data(values=[{"x": 0}])).mark_rule(color=QUIET, strokeDash=[5, 4]).encode(x="x:Q")
        )
    return figures.svg(alt.layer(*layers).properties(width=WIDTH, height=alt.Step(30)), title, "")


def _known(row: dict) -> dict:
    return {name: value for name, value in row.items() if value is not None}


def _columns(rows: Rows, title: str, axis: str) -> str:
    """One bar a row, its number above: {"label", "value", "series"}."""
    alt = figures.altair()
    data = [{"series": "", **row, "text": number(row["value"])} for row in rows if row["value"] is not None]
    labels, series = (list(dict.fromkeys(row[side] for row in data)) for side in ("label", "series"))
    x = alt.X("label:N", sort=labels, title=None, axis=alt.Axis(labelAngle=-40 if len(labels) > 6 else 0, ticks=False))
    base = alt.Chart(alt.Data(values=data)).encode(
        x=x, xOffset=alt.XOffset("series:N", sort=series), y=alt.Y("value:Q", title=axis, scale=alt.Scale(zero=True))
    )
    colour = alt.Color("series:N", scale=alt.Scale(domain=series, range=[SHADES[k % 6] for k in range(len(series))]),
                       title=None, legend=alt.Legend(orient="top") if len(series) > 1 else None)  # fmt: skip
    bars = base.mark_bar(stroke=INK, strokeWidth=0.8).encode(color=colour)
    texts = base.mark_text(dy=-6, color=INK, fontSize=10).encode(text="text:N")
    chart = alt.layer(bars, texts).properties(width=max(WIDTH, 46 * len(labels) * len(series)), height=300)
    return figures.svg(chart, title, "")


# --- what each method shows -------------------------------------------------------------------------------------------


def _describe(shown: dict, words: dict) -> str:
    rows = [_around(each["variable"], each) for each in shown["variables"]]
    known = [row for row in rows if row["value"] is not None]
    title = (
        words["describe"].format(name=known[0]["label"], value=number(known[0]["value"])) if known else words["none"]
    )
    return _intervals(rows, title, words["value"])


def _around(label: str, each: dict) -> dict:
    """A mean with one standard deviation to either side."""
    if each["mean"] is None:
        return {"label": label, "value": None}
    spread = each["sd"] or 0.0
    return {"label": label, "value": each["mean"], "low": each["mean"] - spread, "high": each["mean"] + spread}


def _means(shown: dict, words: dict) -> str:
    rows = [_around(each["group"], each) for each in shown["groups"]]
    known = [row for row in rows if row["value"] is not None]
    if not known:
        return _intervals(rows, words["none"], shown["outcome"])
    most, least = (pick(known, key=lambda row: row["value"]) for pick in (max, min))
    title = words["means"].format(
        outcome=shown["outcome"], most=most["label"], high=number(most["value"]), least=least["label"],
        low=number(least["value"]), p=shown["p"],
    )  # fmt: skip
    return _intervals(rows, title, shown["outcome"])


def _quantiles(shown: dict, words: dict) -> str:
    rows = [{"label": f"{each['percent']} %", "value": each["value"]} for each in shown["quantiles"]]
    known = {each["percent"]: each["value"] for each in shown["quantiles"] if each["value"] is not None}
    title = words["spread"].format(
        variable=shown["variable"], low=number(min(known.values())), high=number(max(known.values()))
    )
    if 50 in known:
        title = words["quantiles"].format(variable=shown["variable"], value=number(known[50]))
    return _intervals(rows, title, shown["variable"])


def _correlation(shown: dict, words: dict) -> str:
    rows = [
        {"label": f"{each['one']} · {each['other']}", "value": each["r"], "low": each["low"], "high": each["high"]}
        for each in shown["pairs"]
    ]
    top = max(shown["pairs"], key=lambda each: abs(each["r"]))
    title = words["correlation"].format(one=top["one"], other=top["other"], value=top["r"])
    return _intervals(rows, title, "r", zero=True)


def _pca(shown: dict, words: dict) -> str:
    rows = [{"label": str(each["component"]), "value": each["share"]} for each in shown["components"]]
    return _columns(rows, words["pca"].format(value=number(100 * rows[0]["value"])), words["variance"])


def _kmeans(shown: dict, words: dict) -> str:
    rows = [{"label": str(each["cluster"]), "value": each["people"]} for each in shown["clusters"]]
    most = max(row["value"] for row in rows)
    return _columns(rows, words["kmeans"].format(count=len(rows), value=number(most)), words["people"])


def _histogram(shown: dict, words: dict) -> str:
    rows = [{"label": f"{each['from']}–{each['to']}", "value": each["n"]} for each in shown["bins"]]
    return _columns(rows, _most(rows, words, shown["variable"]), words["people"])


def _most(rows: Rows, words: dict, prefix: str = "") -> str:
    known = [row for row in rows if row["value"] is not None]
    if not known:
        return words["none"]
    top = max(known, key=lambda row: row["value"])
    name = " ".join(part for part in (prefix, top["label"], top.get("series", "")) if part)
    return words["most"].format(name=name, value=number(top["value"]))


def _crosstab(shown: dict, words: dict) -> str:
    cells = [cell for cell in shown["cells"] if "*" not in cell["key"]]
    rows = [{"label": str(cell["key"][0]), "series": str(cell["key"][1]), "value": cell["n"]} for cell in cells]
    return _columns(rows, _most(rows, words, shown["row"]), words["people"])


def _pathways(shown: dict, words: dict) -> str:
    rows = [{"label": " → ".join(each["path"]), "value": each["people"]} for each in shown["paths"][:20]]
    return _columns(rows, _most(rows, words), words["people"])


def _incidence(shown: dict, words: dict) -> str:
    rows = [
        {"label": row["group"], "value": row["rate"], "low": row["low"], "high": row["high"]} for row in shown["rows"]
    ]
    top = max((row for row in rows if row["value"] is not None), key=lambda row: row["value"])
    title = words["incidence"].format(
        outcome=shown["outcome"], most=top["label"], value=number(top["value"]), per=number(shown["per"])
    )
    return _intervals(rows, title, words["rate"].format(per=number(shown["per"])))


def _propensity(shown: dict, words: dict) -> str:
    rows = [
        {"label": each["name"], "value": each[side], "series": words[side]}
        for each in shown["balance"]
        for side in ("smd_before", "smd_after")
    ]
    values = {name: number(shown[name]) for name in ("low", "high")} | {"value": number(shown["difference"])}
    title = words["propensity"].format(treatment=shown["treatment"], outcome=shown["outcome"], **values)
    return _intervals(rows, title, words["smd"], zero=True)


def _characterise(shown: dict, words: dict) -> str:
    rows = [{"label": row["variable"], "value": row["smd"]} for row in shown["rows"] if row["smd"] is not None]
    if not rows:
        return _intervals([], words["none"], words["smd"])
    top = max(rows, key=lambda row: abs(row["value"]))
    title = words["even"]
    if abs(top["value"]) >= 0.1:  # what is called a difference: Austin 2009
        title = words["characterise"].format(name=top["label"], value=number(top["value"]))
    return _intervals(rows, title, words["smd"], zero=True)


def _km(shown: dict, words: dict) -> str:
    alt = figures.altair()
    rows = [
        {"group": each["name"], "time": step["time"], "survival": step["survival"]}
        for each in shown["curves"]
        for step in [{"time": 0, "survival": 1.0}, *each["steps"]]
    ]
    names = [each["name"] for each in shown["curves"]]
    scale = alt.Scale(domain=names, range=[SHADES[k % 6] for k in range(len(names))])
    colour = alt.Color("group:N", sort=names, title=None, scale=scale,
                       legend=alt.Legend(orient="top") if len(names) > 1 else None)  # fmt: skip
    chart = alt.Chart(alt.Data(values=rows)).mark_line(interpolate="step-after", strokeWidth=2.5).encode(
        x=alt.X("time:Q", title=words["time"]), color=colour, strokeDash=alt.StrokeDash("group:N", legend=None),
        y=alt.Y("survival:Q", title=words["share"], scale=alt.Scale(domain=[0, 1])),
    ).properties(width=WIDTH, height=300)  # fmt: skip
    return figures.svg(chart, _ends(shown, words), "")


def _ends(shown: dict, words: dict) -> str:
    """Where the curves stand at the last time that all of them show."""
    steps = {each["name"]: each["steps"] for each in shown["curves"] if each["steps"]}
    time = min(each[-1]["time"] for each in steps.values())
    at = {name: [step for step in each if step["time"] <= time][-1:] for name, each in steps.items()}
    values = {name: found[0]["survival"] if found else 1.0 for name, found in at.items()}
    most, least = (pick(values, key=lambda name: values[name]) for pick in (max, min))
    facts = {
        "outcome": shown["outcome"],
        "time": number(time),
        "high": number(values[most]),
        "low": number(values[least]),
    }
    return words["one" if len(values) == 1 else "km"].format(**facts, most=most, least=least)


DRAWN: dict[str, Callable[[dict, dict], str]] = {
    "describe": _describe, "ttest": _means, "anova": _means, "quantiles": _quantiles, "correlation": _correlation,
    "pca": _pca, "kmeans": _kmeans, "histogram": _histogram, "crosstab": _crosstab, "pathways": _pathways,
    "incidence": _incidence, "propensity": _propensity, "characterise": _characterise, "km": _km,
}  # fmt: skip
