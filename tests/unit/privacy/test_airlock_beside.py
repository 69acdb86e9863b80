"""Earlier releases beside the one that is asked for."""

import pytest

from ansim.privacy.airlock.beside import compare

BEFORE = b"band,sex,n,mean\n30,F,50,1.5\n30,M,40,2.5\n40,F,60,3.5\n"


def test_cells_of_the_same_row_and_column():
    now = b"band,sex,n,mean\n30,M,45,2.5\n30,F,50,1.5\n50,F,60,3.5\n40,F,90,3.5\n"
    common, found = compare(BEFORE, now, 10)
    assert common == 6
    assert [(one.where, one.before, one.now, one.near) for one in found] == [
        ("30 · M · n", "40", "45", True),
        ("40 · F · n", "60", "90", False),
    ]
    assert compare(BEFORE, BEFORE, 10) == (6, [])


def test_a_hidden_cell_differs_and_is_not_near():
    assert [one.near for one in compare(BEFORE, BEFORE.replace(b"40,2.5", b"<10,2.5"), 10)[1]] == [False]


@pytest.mark.parametrize("now", [b"drug,n\nx,50\n", b"", b"\xff\xfe", b'a,"b', b"band,sex,n,mean\n30\n"])
def test_tables_with_nothing_in_common(now):
    assert compare(BEFORE, now, 10) is None
