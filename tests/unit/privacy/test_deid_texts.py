"""The text detector: forms one by one, scores on drawn notes, and words that are nobody's name."""

import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ansim.privacy.deid import texts

sys.path.insert(0, str(Path(__file__).parent))
import notes_world


def scores(seed: int, notes: int) -> tuple[Counter, Counter, Counter, list]:
    """(found, true, found wrongly) by kind: an identifier counts as found when all its characters are covered."""
    rng = random.Random(seed)
    hit, true, wrong, missed = Counter(), Counter(), Counter(), []
    for _ in range(notes):
        text, spans = notes_world.note(rng)
        found = texts.find(text)
        covered = {at for each in found for at in range(each.start, each.end)}
        real = {at for _, start, end in spans for at in range(start, end)}
        for kind, start, end in spans:
            true[kind] += 1
            whole = all(at in covered for at in range(start, end) if text[at].isalnum())
            hit[kind] += whole
            if not whole:
                missed.append((kind, text[max(0, start - 15) : end + 10]))
        for each in found:
            if not real & set(range(each.start, each.end)):
                wrong[each.kind] += 1
                missed.append((f"not a {each.kind}", text[max(0, each.start - 10) : each.end + 10]))
    return hit, true, wrong, missed


def test_recall_and_precision_on_notes_with_known_truth():
    hit, true, wrong, missed = scores(2026, 400)
    assert min(true.values()) > 40
    for kind in ("resident-number", "phone", "insurance-number", "chart-number", "email", "passport"):
        assert hit[kind] >= 0.98 * true[kind], (kind, hit[kind], true[kind], missed[:20])
    assert hit["address"] >= 0.95 * true["address"]
    assert hit["name"] >= 0.9 * true["name"], [each for each in missed if each[0] == "name"][:20]
    assert hit["name"] / (hit["name"] + wrong["name"]) >= 0.8
    others = sum(wrong.values()) - wrong["name"]
    assert others <= 0.02 * sum(true.values())


@pytest.mark.parametrize(
    "text",
    [
        "환자 고혈압으로 내원", "환자 신부전 의심", "보호자 설명 후 동의", "환자 조영제 부작용", "주치의 회진", 
        "담당 교수 상의", "전문 간호사 상담", "환자 이송함", "환자 안정을 취함", "보호자 이해함", 
        "환자 유방암(3기) 진단", "환자 하지 부종", "선생님 면담", "보호자님께 설명", "환자 강직이 심함", "주치의 지시", 
        "환자 황달이 있음", "환자 오한을 호소", "원장님 진료",
        "Patient: stable", "Dr. reviewed", "환자 심부전으로", "배우자 동반", "환자 정상이며", "보호자 연락이 안 됨",
    ],
)  # fmt: skip
def test_words_that_are_nobodys_name(text):
    assert [each.kind for each in texts.find(text)] == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("주민번호 850101-1234567 확인", "resident-number", "850101-1234567"),
        ("주민등록번호 850101-1******", "resident-number", "850101-1******"),
        ("(850101-1)", "resident-number", "850101-1"),
        ("외국인 900101-5●●●●●●", "resident-number", "900101-5●●●●●●"),
        ("８５０１０１－１２３４５６７", "resident-number", "８５０１０１－１２３４５６７"),
        ("tel 010-1234-5678.", "phone", "010-1234-5678"),
        ("+82-10-1234-5678", "phone", "+82-10-1234-5678"),
        ("(02)123-4567", "phone", "(02)123-4567"),
        ("건강보험증번호: 1-2345678901", "insurance-number", "1-2345678901"),
        ("등록번호 00123456", "chart-number", "00123456"),
        ("MRN: A0012345", "chart-number", "A0012345"),
        ("여권 M123A4567", "passport", "M123A4567"),
        ("면허 11-22-123456-78", "driving-licence", "11-22-123456-78"),
        ("카드 1234-5678-9012-3456", "card-number", "1234-5678-9012-3456"),
        ("입금계좌: 110-123-456789", "account-number", "110-123-456789"),
        ("서울특별시 종로구 새길로 12-3, 101동 202호", "address", "서울특별시 종로구 새길로 12-3, 101동 202호"),
        ("환자 김민준에게 설명", "name", "김민준"),
        ("남궁민수님 내원", "name", "남궁민수"),
        ("Patient name: Minjun Kim", "name", "Minjun Kim"),
        ("문의 a.b@hospital-a.example.kr", "email", "a.b@hospital-a.example.kr"),
    ],
)
def test_each_form(text, kind, value):
    found = texts.find(text)
    assert [(each.kind, text[each.start : each.end]) for each in found] == [(kind, value)]
    clean, again = texts.redact(text)
    assert again == found
    assert value not in clean
    assert f"[{kind}]" in clean
    assert texts.find(clean) == []


@pytest.mark.parametrize(
    "text",
    ["BP 138/86 mmHg", "2024-03-15 2024.05.02", "WBC 8,450 /uL 254,000", "바코드 20240315001234", "KCD I10, E78.5",
     "EDI A1234567", "약물로 20 mg 조절", "체온 36.8", "3-4회/일", "수가 15,000원"],
)  # fmt: skip
def test_numbers_of_medicine_are_no_identifiers(text):
    assert texts.find(text) == []


def test_a_name_seen_once_is_taken_everywhere_in_the_text():
    text = "성명: 강도윤\n오늘 강도윤 환자는 안정적임. 강도윤은 퇴원."
    assert [text[each.start : each.end] for each in texts.find(text)] == ["강도윤"] * 3
    assert texts.find("오늘 강도윤 환자는 안정적임.") == []  # the place alone says nothing: a stated limit


def test_redacted_notes_hold_nothing_that_is_found_again():
    rng = random.Random(9)
    for _ in range(60):
        clean, found = texts.redact(notes_world.note(rng)[0])
        assert found
        assert texts.find(clean) == []


def test_no_text_makes_the_search_slow():
    """Long runs of what forms are made of: linear, not exponential."""
    for piece in ("1", "1-", "850101-", "*", "가시 ", "로1", "환자 김", "a@a.", "010 "):
        started = time.process_time()
        texts.find(piece * 3000)
        assert time.process_time() - started < 2
