"""Figures of a profile as SVG: the title says the finding, the table beside it has the same numbers.

Altair and its converter are imported only when a figure is drawn: they are large.
"""

from dataclasses import dataclass
from typing import Any

INK, MARK, SECOND = "#1e2124", "#256ef4", "#0b2f7a"
FONT = "NanumGothic, 'Malgun Gothic', sans-serif"
WIDTH, TOP = 560, 12
WORDS = {
    "en": {
        "years": "Most people have a record in {year}", "year": "Year", "people": "People", "month": "Month",
        "ages": "The largest group is aged {band} ({sex})", "band": "Age band", "F": "women", "M": "men",
        "observed": "Most people are under observation in {month}",
        "concepts": "The commonest {kind}: {name}", "condition": "condition", "drug": "drug",
        "measurement": "measurement", "procedure": "procedure", "concept": "Concept", "sex": "Sex",
    },
    "ko": {
        "years": "기록이 있는 사람은 {year}년에 가장 많습니다", "year": "연도", "people": "사람 수", "month": "월",
        "ages": "가장 많은 집단은 {band}세 {sex}입니다", "band": "연령대", "F": "여성", "M": "남성",
        "observed": "관찰 기간에 있는 사람은 {month}에 가장 많습니다",
        "concepts": "가장 흔한 {kind}: {name}", "condition": "진단", "drug": "약물",
        "measurement": "검사", "procedure": "시술", "concept": "개념", "sex": "성별",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """name: of a file. rows: the numbers that are drawn, {column: value}; None is suppressed and drawn as nothing."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    svg: str


def figures(profile: dict, language: str) -> list[Figure]:
    """Those that the profile has numbers for."""
    words = WORDS[language]
    found = [_years(profile, words), _ages(profile, words), _observed(profile, words)]
    found += [_concepts(profile, kind, words) for kind in ("condition", "drug", "measurement", "procedure")]
    return [one for one in found if one is not None]


def _years(profile: dict, words: dict[str, str]) -> Figure | None:
    rows = [{words["year"]: str(row["year"]), words["people"]: row["people"]} for row in profile["people_by_year"]]
    most = _most(profile["people_by_year"])
    title = words["years"].format(year=most["year"]) if most else None
    return _figure("people_by_year", title, rows, f"{words['year']}:O", f"{words['people']}:Q")


def _ages(profile: dict, words: dict[str, str]) -> Figure | None:
    rows = [
        {words["band"]: row["age_band"], words["sex"]: words[row["sex"]], words["people"]: row["people"]}
        for row in profile["people_by_age_sex"]
    ]
    most = _most(profile["people_by_age_sex"])
    title = words["ages"].format(band=most["age_band"], sex=words[most["sex"]]) if most else None
    x, y = f"{words['band']}:O", f"{words['people']}:Q"
    return _figure("people_by_age_sex", title, rows, x, y, colour=f"{words['sex']}:N")


def _observed(profile: dict, words: dict[str, str]) -> Figure | None:
    """Each January: a month is too narrow to be drawn."""
    shown = [row for row in profile["observation"].get("months", []) if row["month"].endswith("-01")]
    rows = [{words["month"]: row["month"], words["people"]: row["people"]} for row in shown]
    most = _most(shown)
    title = words["observed"].format(month=most["month"]) if most else None
    return _figure("observed", title, rows, f"{words['month']}:O", f"{words['people']}:Q")


def _concepts(profile: dict, kind: str, words: dict[str, str]) -> Figure | None:
    shown = [row for row in profile["variables"] if row["event"] == kind][:TOP]
    rows = [{words["concept"]: row["name"], words["people"]: row["people"]} for row in shown]
    title = words["concepts"].format(kind=words[kind], name=shown[0]["name"]) if shown else None
    return _figure(f"top_{kind}", title, rows, f"{words['people']}:Q", f"{words['concept']}:N")


def _most(rows: list[dict]) -> dict | None:
    return max((row for row in rows if row["people"] is not None), key=lambda row: row["people"], default=None)


def _figure(name: str, title: str | None, rows: list[dict], x: str, y: str, colour: str = "") -> Figure | None:
    if not title:
        return None
    import altair as alt
    import vl_convert

    flat = x.endswith(":Q")
    chart = alt.Chart(alt.Data(values=rows)).mark_bar(color=MARK)
    chart = chart.encode(
        x=alt.X(x, axis=alt.Axis(labelOverlap=True, labelAngle=0)),
        y=alt.Y(y, sort=None, axis=alt.Axis(labelLimit=320, title=None) if flat else alt.Axis(tickCount=5)),
    )
    if colour:
        kinds = list(dict.fromkeys(row[colour.split(":")[0]] for row in rows))
        shades = alt.Scale(domain=kinds, range=[SECOND, MARK])
        chart = chart.encode(color=alt.Color(colour, scale=shades), xOffset=colour)
    height = 24 * len(rows) if flat else 240
    spec = chart.properties(width=WIDTH if not flat else WIDTH - 240, height=height, title=title)
    drawn = spec.configure(font=FONT).configure_title(anchor="start", color=INK, fontSize=15).to_dict()
    return Figure(name, title, tuple(rows[0]), rows, str(vl_convert.vegalite_to_svg(drawn)))
