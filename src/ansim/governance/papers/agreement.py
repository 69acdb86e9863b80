"""The research agreement on paper: agreement/1 in words, with the machine terms inside and a box for each signature."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ansim.documents import canonical
from ansim.governance import areas, uses
from ansim.governance.clauses import CLAUSES
from ansim.governance.papers import words
from ansim.governance.papers.certificate import grouped
from ansim.governance.papers.paper import Text, clauses, code, facts, note, render, signatures, table, text

MODES = {
    "federated": text("연합 분석: 자료는 기관에 남고 집계값만 나갑니다", "Federated: rows stay with the holder"),
    "centre": text("안심활용센터의 폐쇄 분석환경에서 분석", "In the secure workspace of a centre"),
    "extract": text("가명처리한 추출 데이터를 센터로 보냄", "Pseudonymised extract sent to the centre"),
}
PURPOSES = {
    "scientific research": text("과학적 연구", "scientific research"),
    "statistics": text("통계 작성", "statistics"),
    "archiving": text("공익적 기록보존", "archiving in the public interest"),
}
USER, HOLDER = text("데이터 활용기관", "Data user"), text("데이터 보유기관", "Data holder")


def agreement(
    terms: dict,
    *,
    names: words.Names,
    at: datetime,
    told: Sequence[Text] = (),
    font_directory: Path | None = None,
) -> bytes:
    """The agreement as PDF/A-3b with `terms.json` attached.

    terms: agreement/1, checked by its parser. names: concept id to name, for the cohort in words. at: when it was drawn
    up. told: the definition of a query/2 in words, line by line. Every party that renders the same terms, names and
    time gets the same bytes, and can so refuse other pages.
    """
    return render(
        text("연구 협약서", "Research agreement"),
        blocks(terms, names, told),
        document=terms,
        number=f"{terms['id']} · v{terms['version']}",
        at=at,
        articles=True,
        font_directory=font_directory,
    )


def blocks(terms: dict, names: words.Names, told: Sequence[Text] = ()) -> list[dict]:
    """The agreement's articles; each field of the terms stands in one of them."""
    return [
        note(text(terms["title"]["ko"], terms["title"]["en"])),
        facts(text("당사자", "Parties"), _parties(terms)),
        facts(text("목적과 연구 분야", "Purpose and areas of research"), _purpose(terms)),
        facts(
            text("대상자", "Patient group (cohort)"),
            [(text("코호트", "Cohort"), words.cohort(terms["query"], names, told))],
        ),
        _variables(terms["query"], names),
        facts(text("기간·방식·장소", "Period, mode and place"), _conditions(terms)),
        facts(text("결과물의 점검과 반출", "Output check and release"), _output(terms)),
        clauses(text("준수 의무", "Duties"), _duties(terms)),
        _members(terms["members"]),
        signatures(text("서명", "Signatures"), _closing(terms), _signers(terms)),
    ]


def thumbprint(jwk: dict) -> str:
    """RFC 7638 SHA-256 thumbprint of an Ed25519 key, in groups of four hexadecimal digits for reading aloud."""
    needed = {name: jwk[name] for name in ("crv", "kty", "x")}
    digits = hashlib.sha256(canonical(needed)).hexdigest()
    return grouped(digits)


def _parties(terms: dict) -> list[tuple[Text, Any]]:
    user = (USER, [terms["user"]["name"], code(terms["user"]["id"])])
    return [user, *((HOLDER, [holder["name"], code(holder["id"])]) for holder in terms["holders"])]


def _purpose(terms: dict) -> list[tuple[Text, Any]]:
    known = areas.tree()
    named = [text(known[area]["ko"], known[area]["en"]) if area in known else area for area in terms["areas"]]
    purpose = terms["purpose"]
    rows = [
        (text("이용 목적", "Purpose"), PURPOSES.get(purpose, purpose) if isinstance(purpose, str) else purpose),
        (text("연구 분야", "Areas of research"), named),
    ]
    if kinds := terms.get("investigations"):
        every = uses.investigations()
        said = [text(every[kind]["ko"], f"{every[kind]['en']} ({every[kind]['duo']})") for kind in kinds]
        rows.append((text("연구 유형 (DUO)", "Kinds of investigation (DUO)"), said))
    return rows


def _variables(query: dict, names: words.Names) -> dict:
    return table(
        text("변수", "Variables"),
        [
            (text("번호", "No."), 0.6, True),
            (text("이름", "Name"), 2.2, False),
            (text("내용", "What it holds"), 6, False),
        ],
        [
            [str(number), code(found["name"]), words.variable(found, names)]
            for number, found in enumerate(query["variables"], 1)
        ],
    )


def _conditions(terms: dict) -> list[tuple[Text, Any]]:
    place, linkage = terms["place"], terms["linkage"]
    remote = text("원격 접속 허용", "remote access allowed") if place["remote"] else text("방문 이용만", "on site only")
    most = terms["max_persons"]
    rows = [
        (text("협약 기간", "Period"), f"{terms['not_before']} – {terms['not_after']}"),
        (text("분석 방식", "Mode of analysis"), [MODES.get(mode, mode) for mode in terms["modes"]]),
        (text("분석 장소", "Place"), [code(place["centre"]), remote]),
        (text("최대 대상자 수", "Most persons"), text("제한 없음", "no limit") if most is None else f"{most:,}"),
    ]
    if linkage:
        bodies = [
            text(f"결합키관리기관 {linkage['key_agency']}", f"key agency {linkage['key_agency']}"),
            text(f"결합전문기관 {linkage['linker']}", f"linkage body {linkage['linker']}"),
            text(f"결합 대상 {', '.join(linkage['holders'])}", f"linked holders {', '.join(linkage['holders'])}"),
        ]
        rows.append((text("결합", "Linkage"), bodies))
    return rows


def _output(terms: dict) -> list[tuple[Text, Any]]:
    rule = terms["output"]
    return [
        (
            text("최소 인원", "Smallest count"),
            text(f"{rule['threshold']}명 미만은 가립니다", f"fewer than {rule['threshold']} people are suppressed"),
        ),
        (
            text("반올림", "Rounding"),
            text(f"{rule['rounding']} 단위로 반올림합니다", f"rounded to {rule['rounding']}"),
        ),
        (
            text("점검자", "Output checkers"),
            text(f"작성자가 아닌 {rule['checkers']}명", f"{rule['checkers']} people other than the author"),
        ),
    ]


def _duties(terms: dict) -> list[Text]:
    days = terms["destruction"]["within_days"]
    return [
        text(
            "활용기관과 연구자는 누구도 다시 식별하지 않습니다. 식별 가능한 정보가 생기면 즉시 처리를 멈추고 알리고 "
            "회수·파기합니다.",
            "Nobody is re-identified. If identifying data appear, processing stops at once, the holder is told, and "
            "the data are recovered and destroyed.",
        ),
        text(
            "자료는 아래 구성원만, 정한 연구 분야·변수·기간·장소 안에서만 씁니다. 각 보유기관은 매 요청마다 이를 "
            "스스로 확인하고 벗어난 요청을 거절합니다.",
            "Only the members below use the data, within the areas, variables, period and place agreed. Each holder "
            "checks every request by itself and refuses what goes beyond.",
        ),
        text(
            f"협약이 끝나면 이용권한은 저절로 없어지고, {days}일 안에 자료를 파기하고 파기확인서를 냅니다.",
            f"At the end access ceases by itself; data are destroyed within {days} days and a certificate is given.",
        ),
        _clause(text("결과 공표", "Publication"), terms["publication"]),
        _clause(text("비용", "Fees"), _fees(terms["fees"])),
        _people_only(),
    ]


def _fees(fees: Any) -> Any:
    """Quotes of holders as a line each; anything else as it was agreed."""
    if not fees or not isinstance(fees, list) or not all(isinstance(fee, dict) and "total" in fee for fee in fees):
        return fees
    said = "; ".join(f"{fee['holder']} {fee['total']:,} {fee['currency']}" for fee in fees)
    return {"ko": said, "en": said}


def _people_only() -> Text:
    """Which clauses no program holds anybody to: the paper says it where people sign."""
    held = [clause for clause in CLAUSES if not clause.enforced]
    ko, en = ", ".join(clause.ko for clause in held), ", ".join(clause.en for clause in held)
    return text(
        f"다음 조항은 프로그램이 강제하지 않고 사람이 지킵니다: {ko}. 그 밖의 조항은 각 기관의 시스템이 강제합니다.",
        f"People only, enforced by no program: {en}. Every other clause is enforced by the nodes of the parties.",
    )


def _clause(label: Text, content: Any) -> Text:
    """A free clause of the terms: Text, plain text, or nothing agreed."""
    if isinstance(content, dict) and {"ko", "en"} <= content.keys():
        return text(f"{label['ko']}: {content['ko']}", f"{label['en']}: {content['en']}")
    if not content:
        return text(f"{label['ko']}: 따로 정하지 않습니다.", f"{label['en']}: nothing further is agreed.")
    plain = content if isinstance(content, str) else canonical(content).decode()
    return text(f"{label['ko']}: {plain}", f"{label['en']}: {plain}")


def _members(members: list[dict]) -> dict:
    return table(
        text("구성원과 키", "Members and their keys"),
        [
            (text("이름", "Name"), 1.6, False),
            (text("역할", "Role"), 1.7, False),
            (text("서명키 지문 (SHA-256)", "Key fingerprint, RFC 7638"), 5, False),
        ],
        [[[found["name"], code(found["id"])], found["role"], _halves(thumbprint(found["key"]))] for found in members],
    )


def _halves(digits: str) -> list[dict]:
    return [code(digits[: len(digits) // 2]), code(digits[len(digits) // 2 :].strip())]


def _closing(terms: dict) -> Text:
    supersedes = terms["supersedes"]
    ko, en = (
        (f" 이 판은 {supersedes[:12]}…을 대체합니다.", f" It supersedes {supersedes[:12]}….")
        if supersedes
        else ("", "")
    )
    return text(
        f"당사자는 위 내용과, 아래쪽에 SHA-256이 적힌 첨부 문서(terms.json)가 같음을 확인하고 서명합니다.{ko}",
        f"The parties confirm that the above and the attached terms.json, whose SHA-256 is below, say the same.{en}",
    )


def _signers(terms: dict) -> list[tuple[str, Text]]:
    return [(terms["user"]["name"], USER), *((holder["name"], HOLDER) for holder in terms["holders"])]
