"""Figures of the report: the sites' own charts and the analysis's own figures, drawn in Korean without a site."""

from typing import Any

from ansim.research.analysis import figures

LABELS = {
    "age": "나이 (10년)",
    "sex=M": "남성",
    "amoxiclav_before": "아목시실린·클라불란산 복용",
    "naproxen_before": "나프록센 복용",
    "chronic_sinusitis": "만성 부비동염",
    "age_band": "연령대",
    "sex": "성별",
    "F": "여성",
    "M": "남성",
}


def chart(maker: str, *arguments: Any, **options: Any) -> str:
    """A chart of ansim.sites.web.charts as SVG."""
    import django
    from django.conf import settings

    if not settings.configured:
        from ansim.sites.web.words import LOCALE

        settings.configure(LANGUAGE_CODE="ko", USE_I18N=True, USE_TZ=True, LOCALE_PATHS=[LOCALE], INSTALLED_APPS=[])
        django.setup()
    from django.utils import translation

    from ansim.sites.web import charts

    with translation.override("ko"):
        return charts.draw(getattr(charts, maker)(*arguments, **options))


def pyramid(dataset: dict) -> str:
    """People of a dataset by age and sex, as its holder published them."""
    bands: dict[str, dict[str, int | None]] = {}
    for row in dataset["charts"]["people_by_age_sex"]:
        bands.setdefault(row["age_band"], {})[row["sex"]] = row["people"]
    rows = [(band, sexes.get("F"), sexes.get("M")) for band, sexes in bands.items()]
    return chart("age_and_sex", dataset["title"]["ko"], rows, threshold=dataset["disclosure"]["threshold"])


def group_sizes(title: str, sizes: list[dict], k: int) -> str:
    """People by the size of the group in which they look alike."""
    return chart("class_sizes", title, [(each["size"], each["people"]) for each in sizes], k=k)


def forest(model: dict) -> str:
    return figures.forest(model, "ko", LABELS)


def table(result: dict) -> str:
    """The released table: margins left out, hidden cells shown as their text."""
    spec = result["spec"]
    cut = len(spec["rows"])
    cells = [
        {
            "row": cell["key"][:cut],
            "column": cell["key"][cut:],
            "value": cell["n"] if cell["n"] is not None else cell["text"],
        }
        for cell in result["table"]["cells"]
        if "*" not in cell["key"]
    ]
    shown = {"measure": "count", "variable": None, "rows": spec["rows"], "columns": spec["columns"], "cells": cells}
    return figures.bars(shown, "ko", LABELS)
