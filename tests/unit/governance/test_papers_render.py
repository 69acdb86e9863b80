"""What stands on the papers, in which form, and that a missing font is told."""

from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pikepdf
import pypdf
import pytest
from papers_case import AT, NAMES, QUERY, TERMS, paper, refused

from ansim.documents import canonical, digest
from ansim.errors import Problem
from ansim.governance.papers import fonts, letters, words
from ansim.governance.papers.agreement import agreement, thumbprint
from ansim.governance.papers.check import attached
from ansim.governance.papers.paper import boxes, facts, render, signature, text

HASH = "0123456789abcdef" * 4
ISSUER = {"id": "hospital-a", "name": "가람대학교병원"}
BOTH = {"ko": "한국어 내용", "en": "English content"}
LETTERS = {
    letters.board_letter: {
        "ansim": "board-letter/1", "id": "DRB-2026-11", "case": "BC-7", "title": BOTH, "issuer": ISSUER,
        "applicant": "다온메디", "meeting": "2026-01-20", "outcome": "approved with conditions",
        "votes": {"yes": 4, "no": 1, "abstain": 0}, "quorum": 4, "conflicts": 1, "conditions": [BOTH], "reason": BOTH,
        "valid_until": "2027-01-31", "appeal_days": 30,
    },
    letters.destruction_certificate: {
        "ansim": "destruction/1", "id": "DC-3", "agreement": "AG-1", "terms": HASH, "issuer": ISSUER, "reason": BOTH,
        "method": BOTH, "destroyed_at": "2027-02-03T10:00:00+09:00", "witness": "박가온",
        "items": [{"name": "extract.parquet", "sha256": HASH, "kind": BOTH, "bytes": 1234567}],
    },
    letters.risk_report: {
        "ansim": "risk-report/1", "id": "RR-9", "agreement": "AG-1", "issuer": ISSUER, "data_version": HASH,
        "plan": HASH,
        "tier": "medium", "route": BOTH, "rows": 4210, "people": 1203, "k": 5, "unique_share": "0.0 %",
        "variables": [{"name": "age", "treatment": BOTH, "distinct": 9, "before": "47", "after": "40–49"}],
        "findings": [BOTH], "decision": "inadequate",
        "reviewers": [{"name": "최다온", "role": "개인정보 보호책임자", "at": "2026-02-02", "opinion": BOTH}],
    },
    letters.release_receipt: {
        "ansim": "release/1", "id": "RL-2", "agreement": "AG-1", "terms": HASH, "issuer": ISSUER, "requester": "김하늘",
        "released_at": "2026-05-01", "checkers": [{"name": "정누리", "at": "2026-05-01", "decision": BOTH}],
        "rules": BOTH, "files": [{"name": "table1.csv", "sha256": HASH, "kind": BOTH, "bytes": 812}],
    },
}  # fmt: skip


def words_on(pdf):
    pages = [page.extract_text() for page in pypdf.PdfReader(BytesIO(pdf)).pages]
    return pages, " ".join(" ".join(pages).split())


def test_equal_input_gives_equal_bytes_and_other_time_other_bytes():
    assert agreement(TERMS, names=NAMES, at=AT) == paper()
    assert agreement(TERMS, names=NAMES, at=AT.replace(hour=10)) != paper()


def test_a_pdf_a_3b_with_embedded_fonts_and_one_attachment():
    with pikepdf.open(BytesIO(paper())) as pdf:
        metadata = pdf.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        assert list(pdf.attachments) == ["terms.json"]
        assert pdf.attachments["terms.json"].get_file().read_bytes() == canonical(TERMS)
        found = [font for page in pdf.pages for font in page.resources.Font.values()]
        assert found
        for font in found:
            descriptor = font.DescendantFonts[0].FontDescriptor
            assert any(name in descriptor for name in ("/FontFile2", "/FontFile3"))
            assert "Nanum" in str(font.BaseFont) or "Noto" in str(font.BaseFont) or "Pretendard" in str(font.BaseFont)
    assert attached(paper()) == TERMS


def test_every_fact_of_the_terms_stands_on_the_paper():
    pages, whole = words_on(paper())
    names = [one["name"] for one in [TERMS["user"], *TERMS["holders"], *TERMS["members"]]]
    named = [variable["name"] for variable in QUERY["variables"]]
    numbers = ["AG-2026-0007", "40481087", "1713671", "257012", "3006322", "5,432", "2026-02-01", "2027-01-31"]
    limits = ["11명 미만", "7 단위", "33일", "centre-1", "keyagency", "linker-1", "부비동염", "Sinusitis", "2회 이상"]
    keys = [thumbprint(member["key"])[:39] for member in TERMS["members"]]
    for fact in [*names, *named, *numbers, *limits, *keys]:
        assert fact in whole, fact
    assert all(digest(TERMS) in page.replace("\n", "") for page in pages)


def test_the_paper_says_which_clauses_no_program_enforces():
    from ansim.governance.clauses import CLAUSES

    said = words_on(paper())[1]
    assert "People only, enforced by no program" in said
    sentence = said.split("People only, enforced by no program")[1].split("Every other clause")[0]
    for clause in CLAUSES:
        assert (clause.en in sentence) == (not clause.enforced), clause.field


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.__name__)
def test_letters_show_and_carry_their_document(letter):
    document = LETTERS[letter]
    pdf = letter(document, at=AT)
    _, whole = words_on(pdf)
    assert attached(pdf) == document
    assert digest(document) in whole
    assert document["id"] in whole
    assert ISSUER["name"] in whole
    assert "English content" in whole
    with refused("wrong-kind"):
        letter({**document, "ansim": "other/1"}, at=AT)


@pytest.mark.parametrize(("outcome", "word"), [("approved", "승인"), ("rejected", "반려"), ("deferred", "보류")])
def test_the_letter_says_the_outcome(outcome, word):
    document = {**LETTERS[letters.board_letter], "outcome": outcome, "conditions": []}
    assert word in words_on(letters.board_letter(document, at=AT))[1]


@pytest.mark.parametrize(
    ("window", "english"),
    [
        (None, "at any time"),
        ({"from_days": None, "to_days": -1}, "up to 1 day before entry"),
        ({"from_days": 0, "to_days": None}, "from the day of entry on"),
        ({"from_days": -30, "to_days": 30}, "from 30 days before entry to 30 days after entry"),
    ],
)
def test_windows_in_words(window, english):
    assert words.window(window)["en"] == english


def test_follow_up_in_words():
    found = {
        "name": "days", "kind": "follow_up", "event": "death", "concepts": [],
        "window": {"from_days": 0, "to_days": None},
        "until": "observation", "at_most": 365, "censor": [{"event": "visit", "concepts": [9201]}],
    }  # fmt: skip
    assert words.variable(found, {})["en"] == (
        "days of follow-up until any death from the day of entry on, or visit [9201], 365 days, the end of observation"
    )
    reached = words.variable(found | {"kind": "reached", "until": "cohort"}, {})
    assert reached["en"].startswith("whether follow-up ended with any death")
    assert "코호트 기간의 끝" in reached["ko"]
    days = words.variable(found | {"kind": "days"}, {})
    assert days["en"] == "days from entry to any death (the first) from the day of entry on"


def test_cohort_in_words():
    lines = [line["en"] for line in words.cohort(QUERY, NAMES)]
    assert lines[0] == "A person enters on the first day with condition [Viral sinusitis (40481087)]."
    assert "Aged at least 18 and at most 89 on the entry date." in lines
    assert lines[3] == (
        "Drug [Amoxicillin (1713671)] from 365 days before entry to the day of entry, 2 times or more, must be present."
    )
    assert lines[4].endswith("must be absent.")
    open_query = {**QUERY, "cohort": {"entry": QUERY["cohort"]["entry"] | {"which": "any", "descendants": True}}}
    assert len(words.cohort(open_query, {})) == 2
    assert "any day" in words.cohort(open_query, {})[0]["en"]
    assert "descendants" in words.cohort(open_query, {})[0]["en"]


def test_a_definition_is_told_by_the_caller_and_old_papers_stay_as_they_are():
    wider = {**TERMS, "query": {**QUERY, "ansim": "query/2", "cohort": {"entry": {"events": [{"death": {}}]}}}}
    told = [text("사망한 사람", "People who died")]
    _, found = words_on(agreement(wider, names=NAMES, at=AT, told=told))
    assert "People who died" in found
    assert "Only data from 1900-01-01 to 2019-12-31 are used." in found
    with pytest.raises(ValueError, match="told by its caller"):
        agreement(wider, names=NAMES, at=AT)
    assert agreement(TERMS, names=NAMES, at=AT, told=told) == paper()


def test_a_missing_korean_font_is_told_with_the_package(tmp_path):
    with pytest.raises(Problem) as refusal:
        fonts.korean(tmp_path)
    assert refusal.value.code == "no-korean-font"
    assert "apt install fonts-nanum" in str(refusal.value)
    with refused("no-korean-font"):
        agreement(TERMS, names=NAMES, at=AT, font_directory=Path(tmp_path))


def test_a_character_that_the_font_lacks_is_refused_and_not_drawn_as_a_box():
    block = facts(text("값", "Value"), [(text("값", "Value"), "😀")])
    with refused("paper"):
        render(text("제목", "Title"), [block], document={}, number="1", at=AT)


def test_a_paper_needs_a_time_with_a_zone():
    with pytest.raises(ValueError, match="timezone"):
        agreement(TERMS, names=NAMES, at=datetime(2026, 1, 5))


@pytest.mark.parametrize("lines", [1, 24, 28, 60])
def test_a_lone_signers_name_stands_in_its_box_on_every_length_of_letter(lines):
    block = facts(text("값", "Value"), [(text("값", "Value"), str(number)) for number in range(lines)])
    last = signature(BOTH, "가람대학교병원", BOTH)
    pdf = render(text("제목", "Title"), [block, last], document={}, number="1", at=AT)
    page = pypdf.PdfReader(BytesIO(pdf)).pages[-1]
    heights = []
    page.extract_text(visitor_text=lambda part, cm, tm, font, size: heights.append((part, tm[5] * cm[3] + cm[5])))
    found = [height for part, height in heights if "가람대학교병원" in part]
    box = boxes(["hospital-a"], pages=1)[0]
    assert found
    assert all(box.top - 30 < height < box.top for height in found), (found, box)


def test_boxes_lie_on_the_last_sheets_and_apart():
    found = boxes([f"party-{number}" for number in range(9)], pages=5)
    assert [box.page for box in found] == [3] * 7 + [4] * 2
    assert all(one.bottom > other.top for one, other in pairwise(found[:7]))
    assert boxes(["alone"], pages=2)[0].page == 1
