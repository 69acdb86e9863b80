"""Lists of patient keys as files: what hospitals' systems write out, and what is refused whole."""

import pytest

from ansim.errors import Problem
from ansim.sites.holder.patient_files import keys_of


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (b"P1\nP2\r\nP1\n\n  P3 \n", ["P1", "P2", "P3"]),
        (b"\xef\xbb\xbfperson_source_value\nP1\nP2\n", ["P1", "P2"]),
        ("이름,Person_Source_Value\n김민수,가-1\n이영희,가-2\n".encode("cp949"), ["가-1", "가-2"]),
        ("person_source_value;date\nP1;2026-01-01\n".encode("utf-16"), ["P1"]),
        (b'person_source_value,why\n"P,1","moved\naway"\nP2,\n', ["P,1", "P2"]),
        (b"", []),
    ],
)
def test_keys_of_files(content, keys):
    assert keys_of(content, "list.csv") == keys


@pytest.mark.parametrize(
    ("content", "code", "facts"),
    [
        (b"P1,2026-01-01\nP2,2026-01-02\n", "which-column", {}),
        (b"name,person_source_value\nKim,P1\nLee,\n", "no-key-in-line", {"line": 3}),
        (b"name,person_source_value\nKim,P1\nLee\n", "no-key-in-line", {"line": 3}),
        (b"PK\x03\x04\x00\x00 a workbook", "not-a-list", {}),
        (b'person_source_value\n"P1\n', "not-a-list", {}),
        (b"P1\n" * 7_100_000, "file-too-large", {}),
    ],
)
def test_what_is_no_list_is_refused_whole(content, code, facts):
    with pytest.raises(Problem) as refused:
        keys_of(content, "list.csv")
    assert refused.value.code == code
    assert {name: refused.value.facts[name] for name in facts} == facts
