"""The study that travels through the nation: chronic sinusitis after a first viral sinusitis, and what precedes it.

Every document of the study stands here, so that a reader sees in one place what Company X asks for.
"""

from datetime import date, timedelta

from ansim.documents import digest
from ansim.research.cohort.query import parse

AREA = "sinusitis"
OTHER_AREA = "stroke"  # an area that nobody agreed to
PURPOSE = "scientific research"
TITLE = {
    "ko": "바이러스 부비동염 이후의 만성 부비동염",
    "en": "Chronic sinusitis after viral sinusitis",
}
HOSPITALS = ("hospital-a", "hospital-b", "hospital-c")
LINKED = ("hospital-b", "hospital-c", "public-body")
HOLDERS = (*HOSPITALS, "public-body")
CENTRE, KEY_AGENCY, DESK, HUB = "centre-1", "keyagency-1", "company-x", "hub"
MEMBER = "researcher@company-x"
DAYS = 180  # of the agreement

VIRAL_SINUSITIS, CHRONIC_SINUSITIS = 40481087, 257012
AMOXICILLIN_CLAVULANATE, NAPROXEN = 1713671, 1115171
PERIOD = {"from": "1900-01-01", "to": "2021-12-31"}
ENTRY = {"event": "condition", "concepts": [VIRAL_SINUSITIS], "descendants": False, "which": "first"}


def _before(concept: int) -> dict:
    """Whether a drug was ever taken up to the day of entry."""
    return {"event": "drug", "concepts": [concept], "window": {"from_days": None, "to_days": 0}}


def _query(document: dict) -> dict:
    return parse({"ansim": "query/1", **document}).document()


# What is asked of everybody before anything is agreed: only who, by sex and age band.
QUESTION = _query(
    {
        "title": {"ko": "바이러스 부비동염 환자", "en": "People with viral sinusitis"},
        "cohort": {"entry": ENTRY},
        "variables": [{"name": "sex", "kind": "sex"}, {"name": "age_band", "kind": "age_band", "width": 20}],
        "period": PERIOD,
    }
)
# What is applied for and agreed: the variables of the model.
QUERY = _query(
    {
        "title": {"ko": "만성 부비동염 연구 코호트", "en": "Cohort of the chronic sinusitis study"},
        "cohort": {"entry": ENTRY, "age": {"min": 0, "max": 89}},
        "variables": [
            {"name": "sex", "kind": "sex"},
            {"name": "age", "kind": "age"},
            {"name": "age_band", "kind": "age_band", "width": 20},
            {
                "name": "chronic_sinusitis",
                "kind": "flag",
                "event": "condition",
                "concepts": [CHRONIC_SINUSITIS],
                "window": {"from_days": None, "to_days": None},
            },
            {"name": "amoxiclav_before", "kind": "flag", **_before(AMOXICILLIN_CLAVULANATE)},
            {"name": "naproxen_before", "kind": "flag", **_before(NAPROXEN)},
        ],
        "period": PERIOD,
    }
)
REQUEST_TEXT = (
    "We study how often a first viral sinusitis is followed or accompanied by chronic sinusitis, "
    "with regard to age, sex and earlier medication. Would you take part?"
)
PROTOCOL_NAME = "protocol-chronic-sinusitis-v1.pdf"
PROTOCOL_SHA256 = digest({"protocol": "chronic sinusitis, version 1"})
SUMMARY = {
    "ko": "감기 뒤 부비동염이 만성으로 이어지는 사람이 누구인지 알아보아 더 일찍 돕고자 합니다.",
    "en": "Who goes on to chronic sinusitis after a viral one? Knowing it lets doctors help earlier.",
}


def period(today: date) -> tuple[str, str]:
    """First and last day of use."""
    return today.isoformat(), (today + timedelta(days=DAYS)).isoformat()


def day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def request() -> dict:
    """What the desk sends to every holder."""
    return {
        "title": TITLE,
        "areas": [AREA],
        "purpose": PURPOSE,
        "text": REQUEST_TEXT,
        "query": QUERY,
        "holders": list(HOLDERS),
    }


def linkage() -> dict:
    return {"key_agency": KEY_AGENCY, "linker": CENTRE, "holders": sorted(LINKED)}


def application(request_id: str, members: list[dict], today: date) -> dict:
    """application/1; members: entries of the company's member list."""
    first, last = period(today)
    return {
        "ansim": "application/1",
        "id": f"app-{request_id.removeprefix('req-')}",
        "title": TITLE,
        "applicant": {"id": DESK, "name": "X 주식회사"},
        "purpose": PURPOSE,
        "areas": [AREA],
        "query": QUERY,
        "modes": ["federated", "centre", "extract"],
        "place": {"centre": CENTRE, "remote": False},
        "linkage": linkage(),
        "max_persons": None,
        "not_before": first,
        "not_after": last,
        "holders": list(HOLDERS),
        "people": [{name: member[name] for name in ("id", "name", "role", "key")} for member in members],
        "protocol": {"name": PROTOCOL_NAME, "sha256": PROTOCOL_SHA256},
        "pledges": {member["id"]: today.isoformat() for member in members},
        "summary": SUMMARY,
    }


def agreement(request_id: str, today: date) -> dict:
    """What was negotiated, as the company's legal officer enters it at the desk."""
    first, last = period(today)
    return {
        "request": request_id,
        "holders": list(HOLDERS),
        "not_before": first,
        "not_after": last,
        "modes": ["federated", "centre", "extract"],
        "areas": [AREA],
        "linkage": linkage(),
        "place": {"centre": CENTRE, "remote": False},
        "output": {"threshold": 10, "rounding": 5, "checkers": 2},
        "destruction": {"within_days": 30},
        "max_persons": None,
    }


def table(where: dict | None = None) -> dict:
    """table/1: people by age band and sex."""
    return {
        "ansim": "table/1",
        "title": {"ko": "연령대와 성별 환자 수", "en": "People by age band and sex"},
        "query": digest(QUERY),
        "rows": ["age_band"],
        "columns": ["sex"],
        "measure": {"kind": "count"},
        **({"where": where} if where else {}),
    }


MODEL = {
    "ansim": "model/1",
    "kind": "logistic",
    "title": {"ko": "만성 부비동염의 로지스틱 회귀", "en": "Logistic regression of chronic sinusitis"},
    "query": digest(QUERY),
    "outcome": "chronic_sinusitis",
    "terms": [
        {"variable": "age", "scale": [40, 10]},
        {"variable": "sex", "levels": ["F", "M"]},
        {"variable": "amoxiclav_before"},
        {"variable": "naproxen_before"},
    ],
}
