"""Figures: their titles say the finding, and hidden values stay hidden."""

import re

import pytest

from ansim.errors import Problem
from ansim.research.analysis import figures

MODEL = {
    "kind": "logistic",
    "outcome": "ill",
    "people": 1600,
    "cases": 251,
    "terms": [
        {"name": "(intercept)", "odds_ratio": 9.0, "low": 8.0, "high": 10.0, "z": 99.0},
        {"name": "age", "odds_ratio": 1.54, "low": 1.39, "high": 1.69, "z": 8.0},
        {"name": "drug", "odds_ratio": 0.9, "low": 0.5, "high": 1.4, "z": -0.3},
    ],
}


def table(*values, measure="count"):
    cells = [
        {"row": [band], "column": [ill], "value": value}
        for (band, ill), value in zip([("0-9", True), ("0-9", False), (None, True), (None, False)], values, strict=True)
    ]
    return {"measure": measure, "variable": "heat", "rows": ["age_band"], "columns": ["ill"], "cells": cells}


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_forest_in_both_languages():
    korean = figures.forest(MODEL, "ko", {"age": "나이", "ill": "부비동염"})
    assert "나이: 부비동염의 오즈가 1.54배입니다 (95% 신뢰구간 1.39~1.69)" in texts(korean)
    assert "NanumGothic, sans-serif" in korean
    assert "1,600명 중 결과 발생 251명" in texts(korean)
    english = texts(figures.forest(MODEL, "en"))
    assert "1.54 (1.39–1.69)" in english
    assert "(intercept)" not in english


def test_no_clear_term_is_not_made_into_a_finding():
    terms = [MODEL["terms"][0], MODEL["terms"][2]]
    assert figures.odds_finding(MODEL | {"terms": terms}, "en") == "No term is clearly related to ill"


def test_bars_show_values_and_keys():
    drawn = texts(figures.bars(table(40, 20, 10, 30), "en", {"age_band": "Age", "ill": "Ill"}))
    assert "40 of 100 people are in Age 0-9, Ill yes" in drawn
    assert {"40", "20", "10", "30", "unknown", "yes", "no", "0-9"} <= set(drawn)


def test_hidden_values_are_words_and_no_total_gives_them_away():
    result = table(40, "<10", None, 20)
    drawn = texts(figures.bars(result, "ko"))
    assert "비공개" in drawn
    assert "&lt;10" in drawn
    assert figures.table_finding(result, "en") == "People: highest in age_band 0-9, ill yes (40)"
    assert figures.table_finding(table(None, None, None, None), "en") == "No value may be shown"


def test_means_name_what_is_measured():
    assert "heat (Mean)" in figures.table_finding(table(36.5, 37.25, None, 36.0, measure="mean"), "en")


def test_text_cannot_become_markup():
    svg = figures.bars(table(4, 3, 2, 1), "en", title="<script>alert(1)</script>")
    assert "<script" not in svg


def test_an_unknown_language_is_told():
    with pytest.raises(Problem) as caught:
        figures.forest(MODEL, "fr")
    assert caught.value.code == "no-language"
