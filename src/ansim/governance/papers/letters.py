"""Papers that one organisation issues and signs: board letter, destruction certificate, risk report, release receipt.

Each takes its document (canonical JSON, attached to the paper) and the time. Texts are {ko, en} or plain; times and
days are ISO texts; counts are whole numbers or suppressed texts such as "<10", as the document states them.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from ansim.documents import kind
from ansim.governance.papers.paper import (
    DANGER,
    PRIMARY,
    SUCCESS,
    WARNING,
    Text,
    clauses,
    code,
    decision,
    facts,
    note,
    render,
    signature,
    table,
    text,
)

OUTCOMES = {
    "approved": (text("승인", "Approved"), SUCCESS),
    "approved with conditions": (text("조건부 승인", "Approved with conditions"), WARNING),
    "deferred": (text("보류", "Deferred"), WARNING),
    "rejected": (text("반려", "Rejected"), DANGER),
}
TIERS = {"low": text("낮음", "low"), "medium": text("중간", "medium"), "high": text("높음", "high")}


def board_letter(document: dict, *, at: datetime, font_directory: Path | None = None) -> bytes:
    """board-letter/1: {id, case, title, issuer{id,name}, applicant, meeting, outcome, votes{yes,no,abstain}, quorum,
    conflicts, conditions[Text], reason: Text, valid_until, appeal_days}."""
    found = kind(document, "board-letter/1")
    word, colour = OUTCOMES.get(found["outcome"], (text(found["outcome"], found["outcome"]), PRIMARY))
    votes = found["votes"]
    body = [
        decision(word, colour),
        facts(
            text("심의 안건", "Case"),
            [
                (text("과제명", "Title"), found["title"]),
                (text("안건 번호", "Case number"), code(found["case"])),
                (text("신청 기관", "Applicant"), found["applicant"]),
                (text("심의일", "Meeting"), found["meeting"]),
                (text("유효 기한", "Valid until"), found["valid_until"] or "–"),
            ],
        ),
        facts(
            text("의결", "Vote"),
            [
                (
                    text("찬성 · 반대 · 기권", "Yes · no · abstain"),
                    f"{votes['yes']} · {votes['no']} · {votes['abstain']}",
                ),
                (text("의결 정족수", "Quorum"), str(found["quorum"])),
                (text("이해상충으로 빠진 위원", "Members out for conflict"), str(found["conflicts"])),
            ],
        ),
        facts(text("사유", "Reason"), [(text("심의 의견", "Opinion of the board"), found["reason"])]),
    ]
    if found["conditions"]:
        body.append(clauses(text("승인 조건", "Conditions"), found["conditions"]))
    body.append(
        note(
            text(
                f"이 결정에 이의가 있으면 통지받은 날부터 {found['appeal_days']}일 안에 재심의를 신청합니다.",
                f"A review of this decision can be asked for within {found['appeal_days']} days of its receipt.",
            )
        )
    )
    title = text("데이터심의위원회 결정 통지서", "Decision letter of the data review board")
    return _issue(title, body, found, at, font_directory)


def destruction_certificate(document: dict, *, at: datetime, font_directory: Path | None = None) -> bytes:
    """destruction/1: {id, agreement, terms, issuer{id,name}, reason: Text, method: Text, destroyed_at, witness,
    items[{name, sha256, kind: Text, bytes}]}. What is destroyed is named by what the ledger knew of it."""
    found = kind(document, "destruction/1")
    body = [
        facts(
            text("파기 근거", "Ground"),
            [
                (text("협약", "Agreement"), code(found["agreement"])),
                (text("협약 조건 SHA-256", "Terms SHA-256"), code(found["terms"])),
                (text("파기 사유", "Reason"), found["reason"]),
                (text("파기 방법", "Method"), found["method"]),
                (text("파기 일시", "Destroyed at"), found["destroyed_at"]),
                (text("확인자", "Confirmed by"), found["witness"]),
            ],
        ),
        _files(text("파기한 항목", "What was destroyed"), found["items"]),
        note(
            text(
                "위 항목과 이를 여는 키가 남아 있지 않음을 확인합니다. 처리 기록은 법이 정한 기간 동안 보관합니다.",
                "Neither these items nor the keys that open them remain. Processing records are kept as required.",
            )
        ),
    ]
    return _issue(text("파기확인서", "Destruction certificate"), body, found, at, font_directory)


def risk_report(document: dict, *, at: datetime, font_directory: Path | None = None) -> bytes:
    """risk-report/1: {id, agreement, issuer{id,name}, data_version, plan, tier, route: Text, rows, people, k,
    unique_share (text), variables[{name, treatment: Text, distinct, before, after}], findings[Text],
    decision: adequate|inadequate, reviewers[{name, role, at, opinion: Text}]}."""
    found = kind(document, "risk-report/1")
    adequate = found["decision"] == "adequate"
    word = text("적정", "Adequate") if adequate else text("부적정", "Not adequate")
    label = (text("변수", "Variable"), 2, False), (text("처리", "Treatment"), 3.4, False)
    numbers = (text("값의 수", "Distinct"), 1.1, True), (text("처리 전 예", "Before"), 1.8, True)
    body = [
        decision(word, SUCCESS if adequate else DANGER),
        facts(
            text("검토 대상", "What was reviewed"),
            [
                (text("협약", "Agreement"), code(found["agreement"])),
                (text("데이터 판", "Data version"), code(found["data_version"])),
                (text("가명처리 계획 SHA-256", "Plan SHA-256"), code(found["plan"])),
                (text("위험 등급", "Risk tier"), TIERS.get(found["tier"], found["tier"])),
                (text("심의 경로", "Route"), found["route"]),
            ],
        ),
        facts(
            text("재식별 위험", "Risk of re-identification"),
            [
                (text("행 · 사람", "Rows · people"), f"{_count(found['rows'])} · {_count(found['people'])}"),
                (text("최소 동질집합 k", "Smallest group, k"), str(found["k"])),
                (text("유일한 사람의 비율", "Share of unique people"), found["unique_share"]),
            ],
        ),
        table(
            text("가명처리 전후", "Before and after pseudonymisation"),
            [*label, *numbers, (text("처리 후 예", "After"), 1.8, True)],
            [
                [code(row["name"]), row["treatment"], _count(row["distinct"]), row["before"], row["after"]]
                for row in found["variables"]
            ],
        ),
    ]
    if found["findings"]:
        body.append(clauses(text("검토 의견", "Findings"), found["findings"]))
    body.append(
        table(
            text("적정성 검토자", "Adequacy reviewers"),
            [
                (text("이름", "Name"), 1.6, False),
                (text("소속·역할", "Role"), 2.4, False),
                (text("일시", "At"), 2.4, False),
                (text("의견", "Opinion"), 3, False),
            ],
            [[row["name"], row["role"], row["at"], row["opinion"]] for row in found["reviewers"]],
        )
    )
    title = text("위험성 검토 및 적정성 검토 결과서", "Risk report and adequacy decision")
    return _issue(title, body, found, at, font_directory)


def release_receipt(document: dict, *, at: datetime, font_directory: Path | None = None) -> bytes:
    """release/1: {id, agreement, terms, issuer{id,name}, requester, released_at, checkers[{name, at, decision: Text}],
    rules: Text, files[{name, sha256, kind: Text, bytes}]}."""
    found = kind(document, "release/1")
    body = [
        facts(
            text("반출", "Release"),
            [
                (text("협약", "Agreement"), code(found["agreement"])),
                (text("협약 조건 SHA-256", "Terms SHA-256"), code(found["terms"])),
                (text("신청자", "Requested by"), found["requester"]),
                (text("반출 일시", "Released at"), found["released_at"]),
                (text("적용한 규칙", "Rules applied"), found["rules"]),
            ],
        ),
        _files(text("반출 파일", "Files"), found["files"]),
        table(
            text("반출 심사", "Output check"),
            [
                (text("심사위원", "Checker"), 2, False),
                (text("일시", "At"), 2.6, False),
                (text("결정", "Decision"), 3, False),
            ],
            [[row["name"], row["at"], row["decision"]] for row in found["checkers"]],
        ),
    ]
    return _issue(text("반출 확인서", "Release manifest and receipt"), body, found, at, font_directory)


def _files(heading: Text, items: list[dict]) -> dict:
    return table(
        heading,
        [
            (text("이름", "Name"), 2.2, False),
            (text("종류", "Kind"), 1.6, False),
            (text("바이트", "Bytes"), 1, True),
            (text("SHA-256", "SHA-256"), 3.6, False),
        ],
        [[code(row["name"]), row["kind"], _count(row["bytes"]), code(_halves(row["sha256"]))] for row in items],
    )


def _issue(title: Text, body: list[dict], document: dict, at: datetime, font_directory: Path | None) -> bytes:
    """The letter with its issuer's box."""
    issuer = document["issuer"]
    closing = text("위와 같이 확인합니다.", "Issued and confirmed as above.")
    sheet = signature(closing, issuer["name"], text("발행 기관", "Issuer"))
    return render(title, [*body, sheet], document=document, number=document["id"], at=at, font_directory=font_directory)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _halves(digits: str) -> str:
    """A hash in two lines that fit a column."""
    return f"{digits[:32]} {digits[32:]}"
