"""Safe versions: nothing refused is left, small cells do not follow from what is shown, and honest files stay."""

import csv
import io
import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.privacy.airlock.safe import as_findings, make_safe
from ansim.privacy.disclosure.files import ALLOWED, check_file
from ansim.privacy.disclosure.policy import Policy
from ansim.privacy.disclosure.protect import round_to

POLICY = Policy(class_percent=100)


def safe(name, content, policy=POLICY):
    return make_safe(name, content.encode() if isinstance(content, str) else content, policy)


def rows(name, content, policy=POLICY):
    made = safe(name, content, policy)
    assert made.content is not None, made.left
    return list(csv.reader(io.StringIO(made.content.decode())))


def test_a_file_in_which_nothing_was_wrong_stays_byte_for_byte():
    made = safe("t.csv", "band,sex,n\r\n30,F,40\r\n")
    assert (made.content, made.changed, as_findings(made)) == (b"band,sex,n\r\n30,F,40\r\n", False, [])


def test_small_cells_and_what_gives_them_away():
    text = "band,sex,n\n30,F,41\n30,M,3\n40,F,52\n40,M,63\n30,total,44\ntotal,total,159\n"
    shown = {tuple(row[:2]): row[2] for row in rows("t.csv", text)[1:]}
    assert shown["30", "M"] == "<10"
    assert shown["30", "F"] == "–"  # 44 - 41
    assert shown["30", "total"] == "45"
    off = {tuple(row[:2]): row[2] for row in rows("t.csv", text, Policy(class_percent=100, secondary=False))[1:]}
    assert (off["30", "F"], off["30", "total"]) == ("40", "45")  # positive control: the difference is left


def test_columns_side_by_side_are_one_more_dimension():
    shown = rows("w.csv", "band,F,M,total\n30-39,3,41,44\n40-49,52,63,115\ntotal,55,104,159\n")
    assert shown[1][:3] == ["30-39", "<10", "–"]
    assert shown[2][1:3] == ["–", "–"]  # the columns add up as well
    assert shown[3] == ["total", "55", "105", "160"]


def test_totals_count_although_the_file_leaves_them_out():
    """Another file may show them."""
    shown = rows("t.csv", "sex,n\nF,3\nM,40\nX,50\n")
    assert sorted(row[1] for row in shown[1:]).count("–") == 1


def test_shares_go_and_estimates_keep_few_digits():
    shown = rows("t.csv", "arm,n,share,mean\na,41,0.2531,1.23456789\nb,4,0.0247,2.5\nc,117,0.7222,3.98765\n")
    assert shown[0] == ["arm", "n", "mean"]
    assert shown[1:] == [["a", "–", "–"], ["b", "<10", "–"], ["c", "115", "3.99"]]
    assert rows("m.csv", "term,beta\nage,0.123456789\n") == [["term", "beta"], ["age", "0.123"]]


def test_rows_of_people_have_no_safe_version():
    for text in ("person_id,n\n1,50\n", "a\nx\ny\n" * 20, "환자번호,n\n1,50\n"):
        made = safe("r.csv", text)
        assert made.content is None or made.content == text.encode()
    assert safe("r.csv", "person_id,n\n1,50\n").content is None
    assert [one.rule for one in safe("model.pkl", b"\x80\x04N.").left] == ["pickle", "file-type"]


def test_json_tables_texts_and_notebooks():
    made = safe("t.json", json.dumps([{"band": "30", "n": 41}, {"band": "40", "n": 3}, {"band": "50", "n": 60}]))
    assert {row["band"]: row["n"] for row in json.loads(made.content)}["40"] == "<10"
    assert safe("t.md", "연락처 010-1234-5678  \n").content.decode() == "연락처 [phone]\n"
    cell = {"cell_type": "code", "source": "1", "metadata": {"x": 1}, "outputs": [{"data": {}}], "execution_count": 1}
    book = json.loads(safe("a.ipynb", json.dumps({"cells": [cell], "metadata": {"widgets": {}}})).content)
    assert book["cells"] == [
        {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": None}
    ]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_picture_keeps_its_pixels_and_nothing_else():
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 1, 8, 0, 0, 0, 0))
    pixels = zlib.compress(b"\0abc")
    dirty = head + chunk(b"tEXt", b"x" * 500) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"") + b"rows"
    made = safe("p.png", dirty)
    assert check_file("p.png", made.content, POLICY).findings == ()
    place = made.content.index(b"IDAT") + 4
    assert zlib.decompressobj().decompress(made.content[place:]) == b"\0abc"


def test_what_is_made_is_stated():
    made = safe("t.csv", "sex,n\nF,3\nM,40\nX,50\n")
    assert {one.rule for one in as_findings(made)} == {
        "safe-hidden",
        "safe-secondary",
        "safe-rounded",
        "safe-version",
    } - ({"safe-rounded"} if not any(change.rule == "rounded" for change in made.changes) else set())
    assert "from the file alone" in made.as_data()["statement"]


tables = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["F", "M", "total"]), st.integers(0, 200)),
    min_size=1, max_size=10, unique_by=lambda row: row[:2],
)  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tables)
def test_nothing_small_is_shown_and_nothing_is_invented(given_rows):
    text = "band,sex,n\n" + "".join(f"{band},{sex},{n}\n" for band, sex, n in given_rows)
    made = safe("t.csv", text)
    assert made.content is not None
    shown = list(csv.reader(io.StringIO(made.content.decode())))[1:]
    assert [row[:2] for row in shown] == [[band, sex] for band, sex, _ in given_rows]
    for row, (_, _, n) in zip(shown, given_rows, strict=True):
        if made.changed:
            assert row[2] in ("<10", "–") or (row[2] == str(round_to(n, 5)) and n >= 10)
    assert make_safe("t.csv", made.content, POLICY).content is not None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(ALLOWED), st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_safe_version_is_ever_refused(kind, content):
    made = make_safe(f"x.{kind}", content, POLICY)
    assert made.content is None or check_file(f"x.{kind}", made.content, POLICY).verdict == "human"
    json.dumps(made.as_data())


@pytest.mark.parametrize("text", ["", "a,n\n", "a,a\n1,2\n", "n\n3\n", "a,b\nx\n", "<10,n\n"])
def test_odd_tables(text):
    made = safe("t.csv", text)
    assert made.content is None or check_file("t.csv", made.content, POLICY).verdict == "human"
