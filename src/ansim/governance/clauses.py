"""Every clause of the terms: which control enforces it and which test shows that; or "people only"."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """field: of agreement/1. control: module.function that enforces it, "" if people must. test: name of its test."""

    field: str
    ko: str
    en: str
    control: str
    test: str

    @property
    def enforced(self) -> bool:
        return bool(self.control)


GRANT = "tests/unit/governance/test_grant.py::test_each_violated_bound_alone_refuses"
CLAUSES = (
    Clause("version", "유효한 버전", "Version in force", "agreement.unusable", GRANT),
    Clause(
        "supersedes",
        "대체되는 버전",
        "Version superseded",
        "agreement.Draft",
        "tests/unit/governance/test_agreement.py::test_an_amendment_supersedes_and_the_old_version_never_returns",
    ),
    Clause("user", "데이터 활용기관", "Data user", "grant.member_attested", GRANT),
    Clause("holders", "데이터 보유기관", "Data holders", "grant.holder_is_party", GRANT),
    Clause("members", "연구자와 키", "Members and their keys", "grant.member_listed", GRANT),
    Clause(
        "purpose",
        "이용 목적",
        "Purpose",
        "terms.check_period",
        "tests/unit/governance/test_agreement.py::test_each_field_of_the_terms_is_checked",
    ),
    Clause("areas", "연구 분야", "Areas of research", "grant.area_agreed", GRANT),
    Clause("investigations", "연구 유형", "Kinds of investigation", "grant.investigation_agreed", GRANT),
    Clause("query", "대상자·변수·기간", "Cohort, variables, data period", "grant.query_agreed", GRANT),
    Clause("modes", "분석 방식", "Mode of analysis", "grant.mode_agreed", GRANT),
    Clause("place", "분석 장소", "Place of analysis", "grant.place_agreed", GRANT),
    Clause("linkage", "결합 기관", "Linkage bodies", "grant.bodies_designated", GRANT),
    Clause("max_persons", "최대 대상자 수", "Most persons", "grant.few_enough", GRANT),
    Clause("not_before", "시작일", "First day", "agreement.unusable", GRANT),
    Clause("not_after", "종료일", "Last day", "agreement.unusable", GRANT),
    Clause(
        "output",
        "반출 규칙",
        "Output rules",
        "output.Check",
        "tests/unit/governance/test_output.py::test_two_blind_checkers_release",
    ),
    Clause("reidentification", "재식별 금지", "No re-identification", "", ""),
    Clause(
        "destruction",
        "파기 의무",
        "Duty to destroy",
        "agreement.Close",
        "tests/unit/governance/test_agreement.py::test_ending_needs_the_day_and_closing_the_certificate",
    ),
    Clause("publication", "결과 공표", "Publication", "", ""),
    Clause("fees", "비용", "Fees", "", ""),
)
CONTENT_ONLY = ("ansim", "id", "title")  # fields that name the document and bind nobody
