"""The risk report and adequacy decision of an extract, as a paper."""

from datetime import datetime

from ansim.governance.extract_review import ExtractReview
from ansim.governance.papers.letters import risk_report
from ansim.governance.papers.paper import text
from ansim.sites.config import site
from ansim.sites.store import ledger

# What happens to a column, and the form of its values before and after: forms, never a value of anybody.
TREATMENTS = {
    "keep": (text("그대로", "Kept"), text("코드·수", "code, number"), text("코드·수", "code, number")),
    "pseudonymise": (text("일방향 가명 토큰", "One-way token"), text("환자번호", "person id"), text("토큰", "token")),
    "shift": (
        text("사람별 날짜 이동", "Dates moved by person"),
        text("날짜", "date"),
        text("이동한 날짜", "moved date"),
    ),
    "serial": (text("새 일련번호", "New serial number"), text("원천 번호", "source id"), text("일련번호", "number")),
    "generalise": (
        text("나이에서 되짚은 생년월일", "Derived from the age"),
        text("생년월일", "birth"),
        text("일반화", "generalised"),
    ),
    "bucket": (text("나이 구간·상단 처리", "Age classes, top-coded"), text("나이", "age"), text("구간", "class")),
}


def render(data: dict, state: ExtractReview, decisions: list[dict], now: datetime) -> bytes:
    """The PDF; raises nothing that the review would not have raised before."""
    report = ledger.document(data["report"])
    after, people = report["after"], report["after"]["people"]
    variables = []
    for each in report["variables"]:
        treatment, was, became = TREATMENTS[each["action"]]
        name = f"{each['table']}.{each['column']}"
        variables.append(
            {"name": name, "treatment": treatment, "distinct": each["distinct"], "before": was, "after": became}
        )
    reviewers = [each["signed"]["document"] for each in decisions]
    document = {
        "ansim": "risk-report/1",
        "id": data["id"],
        "agreement": data["agreement"],
        "issuer": {"id": site().id, "name": f"{site().name['ko']} ({site().name['en']})"},
        "data_version": data["data_version"],
        "plan": data["plan"],
        "tier": state.tier,
        "route": text("제3자 제공 · 안심활용센터 분석", "Third party, analysed at a safe-utilisation centre"),
        "rows": sum(after["rows"].values()),
        "people": people,
        "k": after["k"],
        "unique_share": f"{after['uniques']} / {people}",
        "variables": variables,
        "findings": [
            text(
                f"가명처리 전 k={report['before']['k']}, 유일한 사람 {report['before']['uniques']}명; "
                f"처리 후 k={after['k']}, 유일한 사람 {after['uniques']}명. 제외한 사람 {report['suppressed']}명.",
                f"Before: k = {report['before']['k']}, {report['before']['uniques']} people unique; "
                f"after: k = {after['k']}, {after['uniques']} unique. {report['suppressed']} people were left out.",
            )
        ],
        "decision": "adequate",
        "reviewers": [
            {
                "name": each["reviewer"],
                "role": text("적정성 검토자", "Adequacy reviewer"),
                "at": each["at"][:16].replace("T", " "),
                "opinion": text(each["reason"] or "적정", each["reason"] or "adequate"),
            }
            for each in reviewers
        ],
    }
    return risk_report(document, at=now)
