# ruff: noqa: E501  (pairs of texts read best side by side)
"""A sample dataset page: every kind of chart."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ansim.sites.web import charts
from ansim.sites.web.figures import figure
from ansim.sites.web.parts import Column, Suppressed, Table
from gallery.words import both


def dataset(request: HttpRequest) -> dict[str, Any]:
    years = [
        (2010, 412),
        (2011, 455),
        (2012, 508),
        (2013, 530),
        (2014, None),
        (2015, 601),
        (2016, 640),
        (2017, 722),
        (2018, 745),
        (2019, 802),
    ]
    bands = [
        ("0-9", 120, 131),
        ("10-19", 210, 190),
        ("20-29", 402, 355),
        ("30-39", 510, 470),
        ("40-49", 610, 580),
        ("50-59", 590, 602),
        ("60-69", 420, 398),
        ("70-79", 205, 150),
        ("80+", 60, None),
    ]
    gaps = [
        (both("체온", "Temperature")[charts.language()], 0.42),
        ("HbA1c", 0.183),
        (both("흡연", "Smoking")[charts.language()], 0.071),
        (both("성별", "Sex")[charts.language()], 0.0),
    ]
    steps = [
        (both("전체 인원", "All people"), 2694),
        (both("부비동염 진단", "Diagnosis of sinusitis"), 1204),
        (both("18-89세", "Aged 18 to 89"), 980),
        (both("과거력 없음", "No earlier episode"), 611),
    ]
    hidden = lambda n: Suppressed() if n is None else n  # noqa: E731
    year_table = Table(
        both("연도별 인원", "People by year"),
        [Column(both("연도", "Year")), Column(both("인원", "People"), both("명", "n"), True)],
        [[str(y), hidden(n)] for y, n in years],
    )
    return {
        "title": both("누리의료원 호흡기 진료 데이터셋", "Respiratory care, Nuri Medical Centre"),
        "lead": both("OMOP CDM 5.4 · 2010-2019년 · 2,694명", "OMOP CDM 5.4 · 2010 to 2019 · 2,694 people"),
        "figures": [
            figure(charts.people_by_year(both("진료 인원은 10년 사이 거의 두 배가 되었습니다", "People seen almost doubled in ten years"), years), year_table),
            figure(charts.age_and_sex(both("환자의 절반은 30-59세입니다", "Half of the patients are 30 to 59 years old"), bands)),
            figure(charts.missingness(both("체온은 열 명 중 네 명에게 없습니다", "Temperature is missing for four in ten people"), gaps)),
            figure(charts.attrition(both("조건을 모두 채우면 611명이 남습니다", "All criteria leave 611 people"), steps)),
            figure(charts.stage_days(both("심의가 기한을 이틀 넘겼습니다", "The board is two days late"), [(both("사전 검토", "Pre-screen"), 3, 5), (both("심의", "Board"), 16, 14), (both("협약", "Agreement"), 2, 10)])),
            figure(charts.class_sizes(both("12명은 k = 5보다 작은 집단에 있습니다", "12 people are in classes below k = 5"), [("1-4", 12), ("5-9", 80), ("10-19", 240), ("20-49", 610), ("50+", 1800)], k=5)),
            figure(charts.forest(both("항생제는 만성화와 뚜렷한 관련이 없습니다", "Antibiotics show no clear relation to a chronic course"), [(both("항생제", "Antibiotics"), 0.94, 0.78, 1.13), (both("나이 (10년)", "Age (10 years)"), 1.21, 1.09, 1.34), (both("여성", "Women"), 1.02, 0.85, 1.22)], measure=both("오즈비 (95% 신뢰구간)", "Odds ratio (95% confidence interval)"))),
        ],
    }  # fmt: skip
