"""Bad input: every row is accounted for, broken files stop the load, a crash leaves the last good version."""

import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansim.data.cdm import create_tables, open_cdm, versions
from ansim.data.ingest.load import Options, load
from ansim.data.ingest.omop import load_csv_folder
from ansim.errors import Problem

NOW = "2026-12-01T09:00:00+00:00"
HEADER = ["measurement_id", "person_id", "measurement_concept_id", "measurement_date", "value_as_number", "note"]
# Good values and bad ones, in every form that broke a loader before.
CELLS = [
    st.sampled_from(["1", "2", "3", "10.0", "", "x", "1.5", "99999999999999999999", " 4 "]),
    st.sampled_from(["1", "2", "", "one"]),
    st.sampled_from(["3004410", "0", "", "?"]),
    st.sampled_from(["2019-03-01", "20190301", "2019-02-30", "", "19-03-01", "2019년 3월 1일", "0019-01-01"]),
    st.sampled_from(["1.5", "-3", "", "1,234.5", "inf", "abc", "nan"]),
    st.sampled_from(["", "a", 'quote " inside', "comma, inside", "two\nlines", "가나다"]),
]
GOOD = [
    {"1", "2", "3", "10.0", " 4 "},
    {"1", "2"},
    {"3004410", "0", ""},
    {"2019-03-01", "20190301", "2019년 3월 1일", ""},
    {"1.5", "-3", "", "1,234.5"},
]
ROWS = st.lists(st.tuples(*CELLS), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, cut=st.sampled_from([None, "short", "long", "tail"]))
def test_rows_in_are_rows_loaded_and_rows_refused(tmp_path, rows, cut):
    """And each loaded row is the one on the line that the trace names; each refused line is kept once."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    if cut in ("short", "long"):
        out.write("7,1\n" if cut == "short" else "7,1,0,2019-03-01,1,a,b,c\n")
    elif cut == "tail":
        out.write('8,1,0,2019-03-01,1,"cut off')
    (tmp_path / "measurement.csv").write_text(out.getvalue(), encoding="utf-8")
    con = duckdb.connect()
    create_tables(con)
    if not rows and cut is None:
        assert load_csv_folder(con, tmp_path).rows_in == 0
        con.close()
        return
    report = load_csv_folder(con, tmp_path)
    count = len(rows) + (cut is not None)
    assert report.rows_in == report.loaded + report.refused == count
    kept = con.execute("SELECT count(*) FROM measurement").fetchall()[0][0]
    assert report.loaded == kept
    told = [line for (line,) in con.execute("SELECT line FROM trace.refused").fetchall()]
    traced = con.execute(
        "SELECT line, person_id, measurement_date::VARCHAR, value_as_number FROM trace.row "
        "JOIN measurement ON measurement_id = id"
    ).fetchall()
    assert sorted(told + [line for line, *_ in traced]) == list(range(2, count + 2))
    for line, person, day, value in traced:
        source = rows[line - 2] if line - 2 < len(rows) else None
        assert source is not None
        assert int(source[1]) == person
        assert day in (None, "2019-03-01")
        assert value == (float(source[4].replace(",", "")) if source[4] else None)
    for line in told:
        if line - 2 < len(rows):
            assert any(cell not in good for cell, good in zip(rows[line - 2], GOOD, strict=False))
    con.close()


def test_a_large_file_keeps_its_lines(tmp_path):
    """More rows than one block of the reader: the trace's lines are still those of the file."""
    con = duckdb.connect()
    con.execute(
        "COPY (SELECT i AS observation_id, i % 100 + 1 AS person_id, 0 AS observation_concept_id, "
        "CASE WHEN i % 50000 = 7 THEN '2019-02-30' ELSE '2019-03-01' END AS observation_date, "
        f"repeat('x', 60) || i AS value_as_string FROM range(300000) t(i)) TO '{tmp_path / 'observation.csv'}' (HEADER)"
    )
    create_tables(con)
    report = load_csv_folder(con, tmp_path)
    assert (report.rows_in, report.refused) == (300_000, 6)
    assert con.execute(
        "SELECT count(*), count(*) FILTER (line <> id + 2) FROM trace.row JOIN observation ON observation_id = id"
    ).fetchall() == [(299_994, 0)]
    assert con.execute("SELECT line FROM trace.refused ORDER BY 1").fetchall() == [(i * 50_000 + 9,) for i in range(6)]
    con.close()


PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id,person_source_value\n"
PEOPLE = PERSON + "1,8507,1980,0,0,홍\n2,8532,1990,0,0,김\n"


def excel(path, sheet, rows):
    """The least that is an Excel workbook: one sheet, numbers as numbers, texts inline."""
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = [
        "".join(
            f"<c><v>{cell}</v></c>" if cell.isdigit() else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            for cell in row
        )
        for row in rows
    ]
    part = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{kinds}"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{part}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{part}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{sheet}" sheetId="1" '
        'r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}"><Relationship Id="b" Type="{office}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>'
        + "".join(f"<row>{row}</row>" for row in cells)
        + "</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in files.items():
            book.writestr(name, text)


def loaded(folder, into, **more):
    return load([folder], into, Options(NOW, **more))


@pytest.mark.parametrize("form", ["gzip", "zip", "cp949", "utf-16", "excel", "parquet", "duckdb"])
def test_the_same_rows_in_every_form(tmp_path, form):
    folder = tmp_path / "in"
    folder.mkdir()
    data = PEOPLE.encode()
    if form == "gzip":
        (folder / "PERSON.csv.gz").write_bytes(gzip.compress(data))
    elif form == "zip":
        with zipfile.ZipFile(folder / "export.zip", "w") as archive:
            archive.writestr("inner/person.csv", data)
            archive.writestr("../../outside.csv", data)  # no name in an archive decides where a file is written
    elif form in ("cp949", "utf-16"):
        (folder / "Person.csv").write_bytes(PEOPLE.encode(form))
    elif form == "excel":
        excel(folder / "hospital.xlsx", "person", [line.split(",") for line in PEOPLE.splitlines()])
    else:
        con = duckdb.connect(str(folder / "old.duckdb") if form == "duckdb" else ":memory:")
        (tmp_path / "p.csv").write_bytes(data)
        con.execute(f"CREATE TABLE PERSON AS FROM read_csv('{tmp_path / 'p.csv'}')")
        if form == "parquet":
            con.execute(f"COPY PERSON TO '{folder / 'person.parquet'}'")
        con.close()
    into = tmp_path / "out" / "cdm.duckdb"
    loaded(folder, into)
    con = open_cdm(into)
    assert con.execute("SELECT person_id, person_source_value FROM person ORDER BY 1").fetchall() == [
        (1, "홍"),
        (2, "김"),
    ]
    con.close()
    assert not (tmp_path / "outside.csv").exists()


def test_broken_encodings_are_refused_line_by_line(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "person.csv").write_bytes(PEOPLE.encode() + b"3,8507,1970,0,0,\xff\xfe\xfa\n")
    result = loaded(folder, tmp_path / "cdm.duckdb", refuse_above=0.5)
    assert (result.report["rows_in"], result.report["loaded"], result.report["refused"]) == (3, 2, 1)
    assert result.report["reasons"][0]["first_line"] == 4


BROKEN = {
    "person.csv.gz": gzip.compress((PEOPLE * 2000).encode())[:-400],
    "export.zip": b"PK\x03\x04 no archive",
    "person.parquet": b"PAR1 cut off",
    "person.csv": b"",
    "hospital.xlsx": b"PK\x03\x04 no sheet",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_stops_the_load_and_the_last_version_stays(tmp_path, name):
    folder, into = tmp_path / "in", tmp_path / "cdm.duckdb"
    folder.mkdir()
    (folder / "PERSON.csv").write_text(PEOPLE, encoding="utf-8")
    first = loaded(folder, into)
    (folder / "PERSON.csv").unlink()
    (folder / name).write_bytes(BROKEN[name])
    with pytest.raises(Problem) as problem:
        loaded(folder, into)
    assert problem.value.code in {"unreadable", "empty-file"}
    assert name in problem.value.where
    assert [each.number for each in versions.versions(into)] == [1]
    assert versions.in_use(into).digest == first.version.digest


def test_a_file_that_no_load_made_is_not_replaced(tmp_path):
    folder, into = tmp_path / "in", tmp_path / "cdm.duckdb"
    folder.mkdir()
    (folder / "PERSON.csv").write_text(PEOPLE, encoding="utf-8")
    into.write_bytes(b"somebody's own file")
    with pytest.raises(Problem) as problem:
        loaded(folder, into)
    assert problem.value.code == "not-a-dataset"
    assert into.read_bytes() == b"somebody's own file"


def test_two_loads_at_once_are_not_possible(tmp_path):
    into = tmp_path / "cdm.duckdb"
    with versions.new_version(into), pytest.raises(Problem) as problem, versions.new_version(into):
        pass
    assert problem.value.code == "load-under-way"


KILLED = """
import os, signal, sys
from pathlib import Path
from ansim.data.cdm import files, versions
from ansim.data.ingest import load, rows
point, folder, into = sys.argv[1:]
def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
if point == "reading":
    rows.settle = die
elif point == "account":
    versions.table_digests = die
elif point == "before the version":
    versions.os.rename = die
elif point == "before use":
    versions.use = die
elif point == "linked":
    versions.os.replace = die
load.load([folder], Path(into), load.Options("2026-12-01T10:00:00+00:00"))
"""


@pytest.mark.parametrize("point", ["reading", "account", "before the version", "before use", "linked"])
def test_killed_at_any_point_the_last_good_version_is_in_use(tmp_path, point):
    folder, into = tmp_path / "in", tmp_path / "cdm.duckdb"
    folder.mkdir()
    (folder / "person.csv").write_text(PEOPLE, encoding="utf-8")
    loaded(folder, into)
    (folder / "person.csv").write_text(PEOPLE + "3,8507,1970,0,0,이\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", KILLED, point, str(folder), str(into)], env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL  # it was killed where it should
    con = open_cdm(into)
    assert con.execute("SELECT count(*) FROM person").fetchall() == [(2,)]
    con.close()
    assert versions.in_use(into).number == 1
    result = loaded(folder, into)  # and the next load goes on from there
    assert versions.in_use(into).number == result.version.number == 2
    assert not list(Path(versions.folder_of(into)).glob(".building*"))
    con = open_cdm(into)
    assert con.execute("SELECT count(*) FROM person").fetchall() == [(3,)]
    con.close()
