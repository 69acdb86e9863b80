"""The quality report: worst first in both languages, the same content attached for machines."""

import io
import json
from datetime import UTC, datetime

import pikepdf
from pypdf import PdfReader

from ansim.data.quality import types
from ansim.data.quality.label import dimensions
from ansim.governance.papers.quality import quality_report

AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def document(broken: int) -> dict:
    kinds = list(types().values())
    return {
        "ansim": "quality-report/1",
        "id": "hospital-a-0123",
        "title": {"ko": "A 병원 데이터", "en": "Hospital A's data"},
        "version": "ab" * 32,
        "checks": 2376,
        "broken": [
            {
                "check": f"check_{place}", "where": f"person.field_{place}", "title": kind.title, "means": kind.means,
                "mend": kind.mend, "weight": kind.severity, "rows": 10 + place, "of": 100,
            }
            for place, kind in enumerate(kinds[:broken])
        ],
        "findings": [],
        "label": [
            {"title": one.title, "asks": one.asks, "level": None, "basis": "asked"} for one in dimensions()
        ],
        "history": [{"version": "cd" * 32, "at": "2026-01-01T00:00:00", "broken": 9}] * 2,
    }  # fmt: skip


def words(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def test_a_report_says_what_is_broken_and_how_to_mend_it():
    told = document(27)
    pdf = quality_report(told, at=AT)
    text = words(pdf)
    for one in told["broken"][:3]:
        assert one["where"] in text
        assert one["mend"]["en"].split(";")[0][:40] in text
    assert "27 broken checks" in text
    assert "12.0 %" in text
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert json.loads(opened.attachments["terms.json"].get_file().read_bytes()) == told


def test_a_clean_report_says_so():
    text = words(quality_report(document(0), at=AT))
    assert "Every check holds" in text
    assert "broken checks (" not in text
