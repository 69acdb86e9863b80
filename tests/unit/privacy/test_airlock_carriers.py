"""Files that hold more than they show; each rule beside an honest file that it leaves alone."""

import base64
import gzip
import io
import json
import pickle
import random
import tarfile
import zipfile

import pytest

from ansim.privacy.disclosure.files import check_file
from ansim.privacy.disclosure.files_carriers import dense
from ansim.privacy.disclosure.policy import Policy

NOISE = random.Random(7).randbytes(900)


def found(name, content):
    content = content.encode() if isinstance(content, str) else content
    return {finding.rule: finding.refuses for finding in check_file(name, content, Policy()).findings}


def test_encoded_blocks_refuse_and_digests_ask():
    block = base64.b64encode(NOISE).decode()
    assert found("notes.md", f"# Result\n{block}\n")["encoded-block"] is True
    assert found("notes.md", "# Result\n" + NOISE.hex())["encoded-block"] is True
    assert found("notes.txt", "\n".join(NOISE[n : n + 32].hex() for n in range(0, 640, 32)))["encoded-block"] is False
    assert "encoded-block" not in found(
        "notes.md", "# Result\n----------------------------------------\nmodel_2_of_3\n"
    )


@pytest.mark.parametrize("word", ["chronic_sinusitis_within_365_days", "odds_ratio_2", "2019-01-01T00-00-00", "a" * 40])
def test_words_of_people_are_not_dense(word):
    assert not dense(word)


def test_characters_and_blanks_that_nobody_sees():
    assert found("a.txt", "one\u200b two")["invisible-characters"] is False
    assert found("a.txt", "one" + "\u200b\u200c" * 8)["invisible-characters"] is True
    assert found("a.txt", "".join(f"line {n}{' ' * (1 + n % 2)}\n" for n in range(9)))["blanks"] is False
    assert found("a.txt", "결과 요약\n두 줄\n") == {}


def test_names_of_files_and_columns():
    assert "encoded-name" in found(f"{base64.b64encode(NOISE[:24], altchars=b'-_').decode()}.txt", "x")
    assert "encoded-name" not in found("table_2_odds_ratios_by_age_band.csv", "a,n\nx,50\n")
    odd = ",".join(f"c{number}_{value:03}" for number, value in enumerate(NOISE[:20]))
    assert "column-names" in found("t.csv", f"{odd}\n" + ",".join("50" for _ in range(20)) + "\n")
    assert "column-names" not in found("t.csv", "age_band,year_2019,year_2020,n\n30-39,50,60,110\n")


def test_more_digits_than_an_estimate_has():
    assert "excess-digits" in found("m.csv", "term,beta,n\nage,0.123456789012,500\n")
    assert "excess-digits" not in found("m.csv", "term,beta,n\nage,0.1235,500\n")


def test_a_scatter_plot_is_looked_at_and_a_bar_chart_is_not():
    svg = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
    points = "".join(f'<circle cx="{n}" cy="{n}" r="2"/>' for n in range(40))
    drawn = "".join(f'<path d="M1 1L2 2" transform="translate({n},3)"/>' for n in range(40))
    bars = "".join(f'<rect x="{n}" y="3" width="5" height="{n}"/>' for n in range(40))
    assert found("p.svg", svg.format(points)) == {"single-points": False}
    assert found("p.svg", svg.format(drawn)) == {"single-points": False}
    assert found("p.svg", svg.format(bars)) == {}


def notebook(**cell):
    return json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1\n"], "metadata": {}, **cell}], "metadata": {}})


def test_notebooks_leave_without_what_they_showed():
    assert found("a.ipynb", notebook(outputs=[])) == {}
    assert found("a.ipynb", notebook(outputs=[{"data": {"text/plain": ["3"]}}])) == {"notebook-output": True}
    assert found("a.ipynb", notebook(attachments={"a.png": {}})) == {"notebook-attachment": True}
    assert "notebook-metadata" in found("a.ipynb", notebook(metadata={"rows": "x" * 600}))
    assert found("a.ipynb", '{"cells": 3}')["malformed"] is True


def zipped(body, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", body)
        archive.comment = comment
    return buffer.getvalue()


def test_archives_say_what_they_are():
    assert set(found("a.zip", zipped("a"))) == {"archive", "file-type"}
    assert "archive-bomb" in found("a.zip", zipped(bytes(20_000_000)))
    assert "archive-comment" in found("a.zip", zipped("a", b"900101"))
    assert "archive-bomb" in found("a.gz", gzip.compress(bytes(80_000_000)))
    assert set(found("a.csv", zipped("a"))) == {"archive", "content-differs"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    (tar,) = [one for one in check_file("a.tar", buffer.getvalue(), Policy()).findings if one.rule == "archive"]
    assert "/etc/passwd" in tar.facts["what"]


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_under_any_name(protocol):
    class Caller:
        def __reduce__(self):
            return print, ("hello",)

    content = pickle.dumps(Caller(), protocol)
    assert "pickle" in found("notes.txt", content)
    (finding,) = [one for one in check_file("m.pkl", content, Policy()).findings if one.rule == "pickle"]
    assert "print" in finding.facts["what"]


def test_prose_is_no_pickle():
    assert "pickle" not in found("a.txt", "Nothing was found in the groups of fewer than ten people.")
    assert "pickle" not in found("a.txt", "N.")


def test_models_by_name_and_by_content():
    assert "model" in found("forest.joblib", b"\x80\x04N.")
    assert "model" in found("tree.json", json.dumps({"learner": {"gradient_booster": {}}, "version": [2, 0]}))
    assert "model" not in found("coefficients.json", json.dumps({"coefficients": {"age": 0.12}}))


def test_a_specification_of_a_table_is_for_a_centre():
    spec = {
        "ansim": "table/1",
        "title": {"en": "T"},
        "query": "0" * 64,
        "rows": ["age_band"],
        "measure": {"kind": "count"},
    }
    assert found("t.json", json.dumps(spec))["table-specification"] is False


def test_names_and_addresses_ask_a_person_and_numbers_refuse():
    assert found("a.txt", "환자명: 홍길동") == {"name": False}
    assert found("a.txt", "등록번호 12345678")["chart-number"] is True
    assert "card-number" not in found("a.txt", "1200 1350 1400 1500")
