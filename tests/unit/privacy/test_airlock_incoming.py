"""What may come into a closed room: identities and hidden code may not; packages are what their own list says."""

import base64
import hashlib
import io
import pickle
import random
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.privacy.airlock.incoming import ALLOWED, check_incoming


def found(name, content):
    content = content.encode() if isinstance(content, str) else content
    return {finding.rule: finding.refuses for finding in check_incoming(name, content)}


def wheel(files=None, *, record=None, extra=None, links=()):
    files = files or {"tool/__init__.py": b"x = 1\n", "tool-1.dist-info/METADATA": b"Name: tool\nVersion: 1\n"}
    lines = ""
    for name, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
        lines += f"{name},sha256={digest},{len(body)}\n"
    lines += "tool-1.dist-info/RECORD,,\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**files, **(extra or {}), "tool-1.dist-info/RECORD": (record or lines).encode()}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16 if name in links else 0o100644 << 16
            archive.writestr(entry, body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def test_honest_files_come_to_the_second_person():
    assert found("helper.py", "#!/usr/bin/env python3\nprint('안녕')\n") == {}
    assert found("codes.csv", "code\nJ32\n") == {"outside-data": False}
    assert found("tool-1-py3-none-any.whl", wheel()) == {"package": False}


def test_identities_do_not_come_in():
    assert found("people.csv", "n\n900101-1234568\n")["resident-number"] is True
    assert found("list.txt", "등록번호 12345678")["chart-number"] is True


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("tool.exe", b"MZ", "file-type"),
        ("model.pkl", pickle.dumps(1), "file-type"),
        ("data.csv", pickle.dumps({"a": [1, 2, 3]}, 0), "content-differs"),
        ("data.csv", b"PK\x03\x04zip", "content-differs"),
        ("a.py", "주석".encode("cp949"), "encoding"),
        ("a.py", b"", "size"),
        ("a.py", "x = '" + base64.b64encode(random.Random(3).randbytes(600)).decode() + "'", "encoded-block"),
        ("a.whl", b"PK\x03\x04", "damaged"),
        ("a.whl", wheel(extra={"../evil.py": b"x"}), "not-a-package"),
        ("a.whl", wheel(links=("tool/__init__.py",)), "not-a-package"),
        ("a.whl", wheel(extra={"tool/more.py": b"x"}), "package-changed"),
        ("a.whl", wheel(record="tool/__init__.py,sha256=AAAA,6\n"), "package-changed"),
    ],
)
def test_what_cannot_come_in(name, content, rule):
    assert found(name, content)[rule] is True


def test_a_bomb_is_counted_and_not_unpacked(monkeypatch):
    content = wheel({"tool/big.py": bytes(3_000_000)})
    assert "archive-bomb" not in found("a.whl", content)
    monkeypatch.setattr("ansim.privacy.airlock.incoming._MOST_UNPACKED", 1_000_000)
    monkeypatch.setattr("zipfile.ZipFile.read", lambda *_: pytest.fail("unpacked"))
    assert found("a.whl", content) == {"archive-bomb": True}


def test_compiled_code_is_pointed_out():
    files = {"tool/fast.cpython-311.so": b"\x7fELF", "tool-1.dist-info/METADATA": b"Name: tool\n"}
    assert found("a.whl", wheel(files))["compiled-code"] is False


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from([*ALLOWED, "zip"]), st.binary(max_size=300))
def test_any_bytes_give_findings(kind, content):
    assert all(str(finding.problem()) for finding in check_incoming(f"x.{kind}", content))
