"""The dataset description that a holder signs and publishes: dataset/1."""

from collections.abc import Iterable
from datetime import datetime

from ansim.data.catalogue.check import check_description
from ansim.data.cdm import VERSION
from ansim.data.quality import Result, summary

KIND = "dataset/1"
MOST_VARIABLES = 3000  # of a description: it is signed, sent and searched whole; the profile has all
MOST_DISTRIBUTIONS = 12
# What holds for all data under Ansim (GA4GH Data Use Ontology, 2021-02-23): research on health, reviewed by an ethics
# board, for the users and the project of an agreement, for its time.
ACCESS: dict = {"duo": ["DUO:0000006", "DUO:0000021", "DUO:0000025", "DUO:0000026", "DUO:0000027"], "areas": []}
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
    access: dict | None = None,
    categories: list[str] | None = None,
) -> dict:
    """The description of one dataset version, as a document without floats, ready to be signed.

    profile: of `ansim.data.profile`. quality: of `ansim.data.quality.assess`. holder: {"id", "name": {ko, en}}.
    title, description: {ko, en}. keywords: {ko: [...], en: [...]}. version: SHA-256 of the CDM file. issued: aware.
    access: {"duo": [...], "areas": [...], "contact", "note", "conditions"}, how the data may be had; without it
    `ACCESS`. conditions: the same terms with what they carry, for programs that match purposes.
    categories: of Article 51 of the EHDS regulation (`dcat.CATEGORIES`): EHRS for care records, HRAD for claims.
    Raises Problems when the document would tell of fewer people than the profile's threshold.
    """
    commonest = sorted(profile["variables"], key=lambda one: -(one["people"] or 0))[:MOST_VARIABLES]
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
        "variables": commonest,
        "variables_left_out": len(profile["variables"]) - len(commonest),
        "charts": {
            "people_by_year": profile["people_by_year"],
            "people_by_age_sex": profile["people_by_age_sex"],
            "values": _distributions(profile["values"]),
            "observed": [row for row in profile["observation"].get("months", []) if row["month"].endswith("-01")],
        },
        "quality": summary(quality),
        "access": {**ACCESS, **(access or {})},
        "categories": categories or ["EHRS"],
    }
    check_description(document, profile["threshold"])
    return document


def _distributions(values: list[dict]) -> list[dict]:
    """The commonest measured values whose distribution may be told."""
    wanted = ("event", "concept_id", "name", "unit", "people", "records", "low", "high", "steps", "missing_percent")
    told = [one for one in values if any(step is not None for step in one["steps"])]
    return [{name: one[name] for name in wanted} for one in told[:MOST_DISTRIBUTIONS]]
