"""The quality report as a paper: worst first, what it means, how to mend it. It stays in the hospital."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansim.governance.papers.paper import (
    DANGER,
    SUCCESS,
    bars,
    clauses,
    code,
    decision,
    facts,
    note,
    render,
    table,
    text,
)

WEIGHT = {
    "fatal": text("모델이 깨짐", "breaks the model"),
    "convention": text("연구에서 빠짐", "studies miss rows"),
    "characterization": text("살펴볼 것", "look at it"),
}
BASIS = {
    "measured": text("측정", "measured"),
    "stated": text("기관 진술", "stated"),
    "asked": text("확인 필요", "asked"),
}
SHOWN = 30


def quality_report(document: dict, *, at: datetime) -> bytes:
    """The PDF/A-3b. document: {"ansim": "quality-report/1", "id", "title", "version", "checks", "broken", "findings",
    "label", "history"}, worst first, counts as whole numbers.

    broken, findings: [{check, where, title, means, mend, weight, rows, of}]. label: [{title, asks, level, basis}].
    history: [{version, at, broken}], the oldest first. Raises as `paper.render`.
    """
    broken, findings = document["broken"], document["findings"]
    blocks = [
        _verdict(broken, findings),
        facts(
            text("데이터", "Data"),
            [
                (text("데이터셋", "Dataset"), document["title"]),
                (text("버전", "Version"), code(document["version"])),
                (text("점검", "Checks"), f"{document['checks']:,}"),
                (text("점검 시각", "Checked"), at.isoformat(sep=" ", timespec="minutes")),
            ],
        ),
        note(text("행 수가 들어 있어 기관 안에서만 봅니다.", "It counts rows: for reading inside the hospital only.")),
    ]
    if broken:
        blocks += [_by_table(broken), _list(text("어긋난 점검", "Broken checks"), broken[:SHOWN])]
    if findings:
        blocks.append(_list(text("그 밖에 눈에 띄는 것", "What else stands out"), findings[:SHOWN]))
    if broken or findings:
        blocks.append(_mending([*broken, *findings]))
    if len(document["history"]) > 1:
        blocks.append(_history(document["history"]))
    blocks.append(_label(document["label"]))
    title = text("데이터 품질 보고서", "Data quality report")
    return render(title, blocks, document=document, number=document["id"], at=at)


def _verdict(broken: Sequence[Mapping[str, Any]], findings: Sequence[Mapping[str, Any]]) -> dict:
    fatal = sum(one["weight"] == "fatal" for one in broken)
    if not broken and not findings:
        return decision(text("모든 점검을 지킵니다", "Every check holds"), SUCCESS)
    ko = f"어긋난 점검 {len(broken)}건(모델이 깨짐 {fatal}건), 그 밖에 {len(findings)}건"
    en = f"{len(broken)} broken checks ({fatal} break the model), {len(findings)} other findings"
    return decision(text(ko, en), DANGER)


def _by_table(broken: Sequence[Mapping[str, Any]]) -> dict:
    counted: dict[str, int] = {}
    for one in broken:
        name = one["where"].partition(".")[0]
        counted[name] = counted.get(name, 0) + 1
    rows = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:10]
    return bars(text("어긋난 점검이 많은 테이블", "Where most checks are broken"), rows)


def _list(heading: dict, some: Sequence[Mapping[str, Any]]) -> dict:
    columns = [
        (text("점검", "Check"), 3.4, False),
        (text("위치", "Where"), 3.0, False),
        (text("무게", "Weight"), 1.6, False),
        (text("행", "Rows"), 1.3, True),
        (text("비율", "Share"), 1.0, True),
    ]
    rows = [
        [one["title"], code(one["where"]), WEIGHT[one["weight"]], f"{one['rows']:,}", _share(one["rows"], one["of"])]
        for one in some
    ]
    return table(heading, columns, rows)


def _mending(some: Sequence[Mapping[str, Any]]) -> dict:
    """Each kind once, in the order of the worst of it."""
    kinds: dict[str, Mapping[str, Any]] = {}
    for one in some:
        kinds.setdefault(one["title"]["en"], one)
    said = [
        text(
            f"{one['title']['ko']}: {one['means']['ko']} → {one['mend']['ko']}",
            f"{one['title']['en']}: {one['means']['en']} → {one['mend']['en']}",
        )
        for one in kinds.values()
    ]
    return clauses(text("뜻과 고치는 방법", "What it means and how to mend it"), said)


def _history(history: Sequence[Mapping[str, Any]]) -> dict:
    columns = [
        (text("버전", "Version"), 3.0, False),
        (text("점검일", "Checked"), 2.0, False),
        (text("어긋난 점검", "Broken"), 1.2, True),
    ]
    rows = [[code(one["version"][:16]), one["at"][:10], f"{one['broken']:,}"] for one in reversed(history)]
    return table(text("버전별 변화", "Over time"), columns, rows)


def _label(label: Sequence[Mapping[str, Any]]) -> dict:
    columns = [
        (text("차원", "Dimension"), 2.4, False),
        (text("수준", "Level"), 0.9, True),
        (text("근거", "Basis"), 1.4, False),
        (text("묻는 것", "What is asked"), 5.0, False),
    ]
    rows = [
        [one["title"], "-" if one["level"] is None else str(one["level"]), BASIS[one["basis"]], one["asks"]]
        for one in label
    ]
    return table(text("QUANTUM 라벨의 열두 차원", "The twelve dimensions of the QUANTUM label"), columns, rows)


def _share(rows: int, of: int) -> str:
    return f"{100 * rows / of:.1f} %" if of else "-"
