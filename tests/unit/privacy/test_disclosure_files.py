"""Output files: what is planted is found at its place; honest files go to people; hostile bytes raise nothing."""

import io
import json
import pickle
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.privacy.disclosure.files import ALLOWED, check_file
from ansim.privacy.disclosure.files_text import checksum_fits
from ansim.privacy.disclosure.policy import Policy

POLICY = Policy()
SAFE_CSV = "age_band,sex,n\n30-39,F,40\n30-39,M,55\n40-49,F,<10\n"


def report(name, content):
    return check_file(name, content.encode() if isinstance(content, str) else content, POLICY)


def rules(name, content):
    return {finding.rule for finding in report(name, content).findings}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra, end=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND", b"") + end


def resident(first_twelve):
    """A synthetic number with a right check digit, computed the long way round."""
    return next(first_twelve + str(digit) for digit in range(10) if checksum_fits(first_twelve + str(digit)))


def test_checksum_by_hand():
    # 2*9+3*0+4*0+5*1+6*0+7*1+8*1+9*2+2*3+3*4+4*5+5*6 = 124; 124 mod 11 = 3; (11-3) mod 10 = 8
    assert checksum_fits("9001011234568")
    assert not checksum_fits("9001011234567")


def test_honest_files_go_to_people():
    honest = {
        "table.csv": SAFE_CSV,
        "notes.md": "# Result\nOdds ratio 1.25 (1.10 to 1.42).\n",
        "model.json": json.dumps({"coefficients": {"age": 0.0123456789012, "sex": -0.4}, "n": 1200}),
        "plot.svg": '<svg xmlns="http://www.w3.org/2000/svg"><path d="M 72 307.584123456789 L 1 2"/></svg>',
        "plot.png": png(),
        "curve.csv": "time,survival,n_at_risk\n0,1.0,200\n1,0.98,190\n",
    }
    for name, content in honest.items():
        assert (name, report(name, content).verdict) == (name, "human")
        assert not [finding for finding in report(name, content).findings if finding.refuses]


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("person_id", ["1", "2", "3"], "identifying-column"),
        ("환자번호", ["1", "2", "3"], "identifying-column"),
        ("key", ["a8f5f167f44f4964", "e6c998dee9a1b2c3", "00ffa8f5f167f44f"], "pseudonyms"),
        ("serial", [str(37 * place * place) for place in range(40)], "raw-rows"),
    ],
)
def test_rows_of_people(column, values, rule):
    text = f"{column},sex\n" + "".join(f"{value},F\n" for value in values)
    assert rule in rules("rows.csv", text)
    assert report("rows.csv", text).verdict == "refuse"


def test_small_cells_are_named_one_by_one():
    found = [one for one in report("t.csv", "band,n\n30,3\n40,55\n50,0\n60,9\n").findings if one.rule == "small-cell"]
    assert [one.place for one in found] == ["2:n", "4:n", "5:n"]
    assert "3 in row 2, column n" in str(found[0].problem())


def test_small_numbers_in_unnamed_columns_ask_a_person():
    found = [one for one in report("t.csv", "band,F,M\n30-39,3,40\n40-49,50,60\n").findings]
    assert [(one.rule, one.place, one.refuses) for one in found] == [("small-number", "2:F", False)]


def test_unrounded_and_too_many_rows():
    assert "unrounded" in rules("t.csv", "band,n\n30,41\n")
    long = "day,n\n" + "".join(f"{day},50\n" for day in range(POLICY.max_file_rows + 1))
    assert "too-many-rows" in rules("t.csv", long)


def test_tables_inside_json_and_markdown():
    assert "small-cell" in rules(
        "t.json", json.dumps({"table": [{"band": "30", "count": 4}, {"band": "40", "count": 50}]})
    )
    assert "small-cell" in rules("t.json", json.dumps({"n": 4}))
    assert "identifying-column" in rules("t.json", json.dumps([{"person_id": 1}, {"person_id": 2}]))
    assert "small-cell" in rules("t.md", "| band | n |\n|---|---:|\n| 30 | 4 |\n")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (resident("900101123456")[:6] + "-" + resident("900101123456")[6:], "resident-number"),
        ("９００１０１-" + resident("900101123456")[6:], "resident-number"),
        ("90\u200b0101-" + resident("900101123456")[6:], "resident-number"),
        (resident("850712612345"), "resident-number"),
        ("010-1234-5678", "phone"),
        ("+82 10 1234 5678", "phone"),
        ("kim.minsu@example.org", "email"),
        ("20260302123456", "long-digits"),
    ],
)
def test_identifiers(text, rule):
    found = [one for one in report("notes.txt", f"first line\nsee {text} there\n").findings if one.rule == rule]
    assert [one.place for one in found] == ["line 2"]
    assert rule in rules("t.csv", f"name,n\n{text},50\n")


def test_identifier_in_the_name_of_a_file():
    assert "phone" in rules("010-1234-5678.txt", "hello")


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("rows.csv", "a")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (pickle.dumps({"a": 1}), "pickle"),
        (zipped(), "zip"),
        (b"\x7fELF\x02\x01\x01", "executable"),
        (b"#!/bin/sh\necho", "script"),
        (png(), "png"),
        (b"a,b\n1\x002", "unknown"),
        ("a,n\n가,50\n".encode("utf-16"), "unknown"),
    ],
)
def test_content_must_be_what_the_name_says(content, found):
    finding = next(one for one in report("table.csv", content).findings if one.rule == "content-differs")
    assert finding.facts["found"] == found


def test_types_sizes_and_encodings():
    assert "file-type" in rules("model.pkl", pickle.dumps(1))
    assert "file-type" in rules("no_extension", "x")
    assert "empty" in rules("t.csv", "")
    assert "encoding" in rules("t.csv", "이름,n\n".encode("cp949"))
    assert "too-large" in {one.rule for one in check_file("t.txt", b"x" * 20, Policy(max_file_bytes=10)).findings}
    assert "malformed" in rules("t.csv", 'a,"b\n')
    assert "malformed" in rules("t.json", "[" * 100_000)
    assert "formula" in rules("t.csv", "a,n\n=cmd(1),50\n")


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        ("<script>alert(1)</script>", "active-content"),
        ("<ScRipt/>", "active-content"),
        ('<path onload="x()"/>', "active-content"),
        ('<a xlink:href="java&#10;script:x()"/>', "active-content"),
        ('<use href="http://example.org/a.svg#b"/>', "active-content"),
        ('<image href="data:image/png;base64,AAAA"/>', "embedded-data"),
        ("<foreignObject/>", "active-content"),
        ("<style>@import 'x.css';</style>", "active-content"),
        ('<rect style="fill: url(http://example.org)"/>', "active-content"),
        ("<?xml-stylesheet href='x'?>", "active-content"),
        ("<!-- 900101 -->", "hidden-text"),
        ("<g>", "damaged"),
    ],
)
def test_svg(inside, rule):
    assert rule in rules("plot.svg", SVG.format(inside))


def test_svg_entities_are_refused_before_parsing():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + SVG.format("&b;")
    assert rules("plot.svg", bomb) == {"active-content"}
    assert "damaged" in rules("plot.svg", "<html/>")


@pytest.mark.parametrize(
    "inside",
    ["<script src=x></script>", "<img src=x onerror=y>", "<a href='javascript:x'>", "<meta http-equiv=refresh>"],
)
def test_html(inside):
    assert report("page.html", f"<p>{inside}").verdict == "refuse"
    assert report("page.md", f"text\n{inside}").verdict == "refuse"


def test_png_extras():
    assert "hidden-text" in rules("a.png", png(chunk(b"tEXt", b"Comment\0 900101")))
    assert "embedded-data" in rules("a.png", png(chunk(b"eXIf", b"x")))
    assert "embedded-data" in rules("a.png", png(chunk(b"prVt", b"rows")))
    assert "trailing-data" in rules("a.png", png(end=b"PK rows"))
    assert "damaged" in rules("a.png", png()[:-6])
    broken = bytearray(png())
    broken[20] ^= 1
    assert "damaged" in rules("a.png", bytes(broken))


def test_pdf_features_in_clear_escaped_and_compressed():
    def pdf(body):
        return b"%PDF-1.7\n" + body + b"\n%%EOF\n"

    assert rules("a.pdf", pdf(b"<< /Type /Catalog >>")) == set()
    assert report("a.pdf", pdf(b"<< /Type /Catalog >>")).verdict == "human"
    assert "active-content" in rules("a.pdf", pdf(b"<< /OpenAction 1 0 R >>"))
    assert "active-content" in rules("a.pdf", pdf(b"<< /J#61vaScript 1 0 R >>"))
    assert "active-content" in rules("a.pdf", pdf(b"stream\r\n" + zlib.compress(b"<< /JS (x) >>") + b"\nendstream"))
    assert "damaged" in rules("a.pdf", b"%PDF-1.7\n")


def test_no_refusal_is_lost_behind_many_remarks():
    rows = "".join(f"{place},3\n" for place in range(1000))
    found = report("t.csv", "band,n\n" + rows).findings
    assert 0 < sum(one.rule == "small-cell" for one in found) <= 200


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from([*ALLOWED, "zip"]), st.binary(max_size=200))
def test_any_bytes_give_a_report(kind, content):
    assert report(f"x.{kind}", content).verdict in ("refuse", "human")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(ALLOWED), st.integers(0, 400), st.binary(max_size=3), st.data())
def test_mutated_files_give_a_report(kind, place, junk, data):
    whole = {
        "png": png(chunk(b"tEXt", b"a\0b")),
        "svg": SVG.format('<path d="M 1 2" style="a:b"/>').encode(),
        "json": json.dumps([{"n": 4, "a": [1, {"b": None}]}]).encode(),
        "pdf": b"%PDF-1.7\nstream\n" + zlib.compress(b"/JS") + b"\n%%EOF",
        "html": b"<p title=x>text<!-- c --><b>3</b>",
        "md": b"| a | n |\n|--|--|\n| x | 4 |\n",
    }.get(kind, SAFE_CSV.encode())
    cut = data.draw(st.integers(0, len(whole)))
    place %= len(whole)
    found = report(f"x.{kind}", whole[:place] + junk + whole[min(place + cut, len(whole)) :])
    assert found.verdict in ("refuse", "human")
    json.dumps(found.as_data())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(["csv", "tsv", "json", "txt", "md", "svg", "html"]), st.text(max_size=80))
def test_any_text_gives_a_report(kind, text):
    assert report(f"x.{kind}", text.encode("utf-8", "surrogatepass")).verdict in ("refuse", "human")
