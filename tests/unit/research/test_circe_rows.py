"""The rows of OHDSI's own Circe, its SQL run by us: 65 public definitions on GiBleed, and 60 made ones on a small CDM.

`circe_rows.json` holds one small CDM from `definition_data`, Circe JSON of every domain and most attributes, and the
rows that the SQL of Circe (as duckcdm 0.4.7 writes it) gives there.
"""

import json
from pathlib import Path

import definition_data
import duckdb
import pytest

from ansim.data.engine import DuckDB
from ansim.research.cohort.definition import circe, reference, run
from ansim.research.cohort.definition.domains import DOMAINS

SHARED = Path(__file__).parents[4] / "shared"
ROWS = SHARED / "oracles" / "circe" / "expected.parquet"
MADE = json.loads((Path(__file__).parent / "circe_rows.json").read_text())


def as_text(rows):
    return [[person, str(start), str(end)] for person, start, end in rows]


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as made:
        names = {table: list(shape) for table, shape in definition_data.SHAPES.items()}
        tables = {t: [dict(zip(names[t], row, strict=True)) for row in rows] for t, rows in MADE["data"].items()}
        definition_data.load(made, tables)
        yield made


def test_made_definitions_give_the_rows_of_circe(con):
    definitions = [circe.read(case["circe"]) for case in MADE["cases"]]
    assert {one.domain for each in definitions for _, one in each.criteria()} == {
        domain.name for domain in DOMAINS if domain.name not in definition_data.NOT_IN_CDM
    }
    found = run.cohorts(DuckDB(con), definitions, together=10)
    for case, rows in zip(MADE["cases"], found, strict=True):
        assert as_text(row.values() for row in rows.to_pylist()) == case["rows"]


def test_the_reference_gives_the_rows_of_circe(con):
    engine = DuckDB(con)
    tables = {table: engine.table(f"SELECT * FROM {table}").to_pylist() for table in definition_data.SHAPES}
    for case in MADE["cases"]:
        assert as_text(reference.cohort(tables, circe.read(case["circe"]))) == case["rows"]


@pytest.mark.skipif(not ROWS.exists(), reason="needs ../shared/oracles/circe")
def test_public_definitions_give_the_rows_of_circe():
    con = duckdb.connect()
    for path in (SHARED / "data" / "gibleed").glob("*.parquet"):
        con.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
    paths = sorted((ROWS.parent / "definitions").glob("*.json"))
    found = run.cohorts(DuckDB(con), [circe.read(path.read_bytes()) for path in paths], together=13)
    expected = f"SELECT person_id, start_date, end_date FROM '{ROWS}' WHERE definition_id = ? ORDER BY ALL"
    different = []
    for path, rows in zip(paths, found, strict=True):
        if con.execute(expected, [int(path.stem)]).fetchall() != [tuple(row.values()) for row in rows.to_pylist()]:
            different.append(path.stem)
    assert not different
    assert sum(len(rows) for rows in found) == 88_195
