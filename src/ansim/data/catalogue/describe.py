"""The dataset description that a holder signs and publishes: dataset/1."""

from collections.abc import Iterable
from datetime import datetime

from ansim.data.catalogue.check import check_description
from ansim.data.cdm import VERSION
from ansim.data.quality import Result, summary

KIND = "dataset/1"
ABOUT_CHARTS = {
    "ko": "각 수치는 기관의 최소 인원 미만이면 숨기고 따로따로 반올림하였으므로 합계와 다를 수 있습니다.",
    "en": "Each figure is suppressed below the holder's smallest number of people and rounded by itself, so that parts "
    "need not add up to totals.",
}


def describe(
    profile: dict,
    quality: Iterable[Result],
    *,
    id: str,
    holder: dict,
    title: dict,
    description: dict,
    keywords: dict,
    version: str,
    issued: datetime,
) -> dict:
    """The description of one dataset version, as a document without floats, ready to be signed.

    profile: of `ansim.data.profile`. quality: of `ansim.data.quality.assess`. holder: {"id", "name": {ko, en}}.
    title, description: {ko, en}. keywords: {ko: [...], en: [...]}. version: SHA-256 of the CDM file. issued: aware.
    Raises Problems when the document would tell of fewer people than the profile's threshold.
    """
    document = {
        "ansim": KIND,
        "id": id,
        "holder": holder,
        "title": title,
        "description": description,
        "keywords": keywords,
        "model": {"name": "OMOP CDM", "version": VERSION},
        "version": version,
        "issued": issued.isoformat(),
        "coverage": profile["coverage"],
        "people": profile["people"],
        "disclosure": {"threshold": profile["threshold"], "rounding": profile["base"], "note": ABOUT_CHARTS},
        "tables": profile["tables"],
        "variables": profile["variables"],
        "charts": {"people_by_year": profile["people_by_year"], "people_by_age_sex": profile["people_by_age_sex"]},
        "quality": summary(quality),
    }
    check_description(document, profile["threshold"])
    return document
